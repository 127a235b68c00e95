//! A paged payments API that knows its own truth: seeded records, every paging style, faults on demand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate};

use super::Dice;
use super::raw_server::{RawServer, Reply, Request};

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// 2026-03-17T00:00:00Z: the first payments' day.
pub(crate) const FIRST: i64 = 1_773_705_600;

/// How the API pages. The query parameters and body keys are those of `cli::source_yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `cursor` in the query, `next_cursor` and `has_more` under `pagination`.
    Cursor,
    /// `page` from 1 and `per_page`; ends when the total is reached.
    Page,
    /// `offset` and `limit`; ends when the total is reached.
    Offset,
    /// An absolute `next` URL, null on the last page.
    NextUrl,
    /// `Link: <…>; rel="next"`, relative to the request.
    Link,
}

impl Style {
    /// Every style.
    pub(crate) const ALL: [Self; 5] =
        [Self::Cursor, Self::Page, Self::Offset, Self::NextUrl, Self::Link];
}

/// What the API serves.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Decides ids, times and amounts.
    pub(crate) seed: u64,
    /// Distinct records of each day from [`FIRST`] on.
    pub(crate) records_per_day: Vec<usize>,
    /// How it pages.
    pub(crate) style: Style,
    /// Records a page, whatever is asked for.
    pub(crate) page_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, records_per_day: vec![230], style: Style::Cursor, page_size: 25 }
    }
}

/// Looked at before each request is answered: the request and its number from 1; a reply of its own
/// takes the page's place.
pub(crate) type Fault = Box<dyn Fn(&Request, usize) -> Option<Reply> + Send + Sync>;

/// What a test may change while the API runs.
#[derive(Default)]
pub(crate) struct Knobs {
    /// Waited before each answer.
    pub(crate) delay: Duration,
    /// Added to every amount, in paise: a later state of the same payments.
    pub(crate) raise: i64,
    /// Added to the total that the API names.
    pub(crate) total_off_by: i64,
    /// How many of each window's records have an amount that is none (`"n/a"`), from the first on.
    pub(crate) broken: usize,
    /// How many of each window's records are sent twice, the second time on a later page. Not for
    /// styles that end at the total, which counts each record once.
    pub(crate) repeated: usize,
    /// Answers in place of pages.
    pub(crate) fault: Option<Fault>,
}

/// What the lake must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// Each payment's exact amount in paise, and its UTC day.
    pub(crate) rows: BTreeMap<String, (i128, NaiveDate)>,
}

impl Truth {
    /// The exact sum of the amounts, in paise.
    pub(crate) fn sum(&self) -> i128 {
        self.rows.values().map(|(paise, _)| paise).sum()
    }

    /// Rows of each UTC day.
    pub(crate) fn per_day(&self) -> BTreeMap<NaiveDate, usize> {
        let mut days = BTreeMap::new();
        for (_, day) in self.rows.values() {
            *days.entry(*day).or_default() += 1;
        }
        days
    }

    /// The rows of one day of [`FIRST`] and the days after it, from 0.
    pub(crate) fn day(&self, index: i64) -> Self {
        let wanted = day_of(FIRST + index * DAY);
        let rows = self.rows.iter().filter(|(_, (_, day))| *day == wanted);
        Self { rows: rows.map(|(id, row)| (id.clone(), *row)).collect() }
    }
}

/// One page request as the API understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The window's start, in unix seconds.
    pub(crate) from: i64,
    /// Records of the window before the page.
    pub(crate) skip: usize,
}

struct Payment {
    id: String,
    created: i64,
    paise: i64,
    notation: u64,
}

struct Shared {
    options: Options,
    payments: Vec<Payment>,
    knobs: Mutex<Knobs>,
    asked: Mutex<Vec<Asked>>,
}

/// A running API; dropping it stops it.
pub(crate) struct PagedApi {
    server: RawServer,
    shared: Arc<Shared>,
}

impl PagedApi {
    /// Starts it on a loopback port.
    pub(crate) fn start(options: Options) -> Self {
        let shared = Arc::new(Shared {
            payments: payments(&options),
            options,
            knobs: Mutex::default(),
            asked: Mutex::default(),
        });
        let server = RawServer::start({
            let shared = Arc::clone(&shared);
            move |request, n| shared.answer(request, n)
        });
        Self { server, shared }
    }

    /// The source's `base_url`.
    pub(crate) fn base_url(&self) -> String {
        format!("{}/v1", self.server.base_url())
    }

    /// The server underneath: its requests, and waiting for the n-th.
    pub(crate) fn server(&self) -> &RawServer {
        &self.server
    }

    /// Changes a knob: `api.set(|knobs| knobs.raise = 5)`.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.shared.knobs());
    }

    /// Every page that was asked for and not answered by a fault, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers from request `first` on, counted from now, are `reply` in place of pages.
    pub(crate) fn fail_from(&self, first: usize, reply: Reply) {
        let before = self.server.count();
        self.set(|knobs| {
            knobs.fault = Some(Box::new(move |_, n| (n >= before + first).then(|| reply.clone())));
        });
    }

    /// Every request is answered with a page again, at once.
    pub(crate) fn heal(&self) {
        self.set(|knobs| *knobs = Knobs { raise: knobs.raise, ..Knobs::default() });
    }

    /// The pages that were asked for, by the records before each, in order; forgets them.
    pub(crate) fn take_skips(&self) -> Vec<usize> {
        let mut asked = self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked).into_iter().map(|asked| asked.skip).collect()
    }

    /// The pages of a window of `records` records from page `first` on, by the records before each.
    pub(crate) fn skips(&self, records: usize, first: usize) -> Vec<usize> {
        let size = self.page_size();
        (first..records.div_ceil(size).max(1)).map(|page| page * size).collect()
    }

    /// Records a page.
    pub(crate) fn page_size(&self) -> usize {
        self.shared.options.page_size
    }

    /// What the lake must hold after every window was extracted, as the knobs stand now.
    pub(crate) fn truth(&self) -> Truth {
        let knobs = self.shared.knobs();
        let mut seen: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        let mut rows = BTreeMap::new();
        for payment in &self.shared.payments {
            let day = day_of(payment.created);
            let place = seen.entry(day).or_default();
            *place += 1;
            if *place > knobs.broken {
                rows.insert(payment.id.clone(), (i128::from(payment.paise + knobs.raise), day));
            }
        }
        Truth { rows }
    }
}

impl Shared {
    fn knobs(&self) -> std::sync::MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request, n: usize) -> Reply {
        let knobs = self.knobs();
        let delay = knobs.delay;
        if let Some(reply) = knobs.fault.as_ref().and_then(|fault| fault(request, n)) {
            return reply;
        }
        self.page(request, &knobs).after(delay)
    }

    fn page(&self, request: &Request, knobs: &Knobs) -> Reply {
        let number = |name| request.param(name).and_then(|text| text.parse::<i64>().ok());
        let (Some(from), Some(to)) = (number("from"), number("to")) else {
            return Reply::json(400, r#"{"error":"from and to must be unix seconds"}"#);
        };
        let mut list = Vec::new();
        let window = self.payments.iter().filter(|p| (from..to).contains(&p.created));
        for (index, payment) in window.enumerate() {
            list.push(payment.json(knobs.raise, index < knobs.broken));
        }
        let total = i64::try_from(list.len()).unwrap() + knobs.total_off_by;
        // Repeated ones come a page later at least, and are never broken.
        let again =
            list.iter().skip(knobs.broken).take(knobs.repeated).cloned().collect::<Vec<_>>();
        list.extend(again);
        let size = self.options.page_size;
        let skip = usize::try_from(match self.options.style {
            Style::Page => (number("page").unwrap_or(1) - 1) * i64::try_from(size).unwrap(),
            Style::Offset => number("offset").unwrap_or(0),
            _ => request
                .param("cursor")
                .and_then(|cursor| cursor.strip_prefix("after-")?.parse().ok())
                .unwrap_or(0),
        })
        .unwrap();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { from, skip });
        let end = (skip + size).min(list.len());
        let records = list[skip.min(end)..end].join(",");
        let next = (end < list.len()).then_some(end);
        self.envelope(request, (from, to), &records, total, next)
    }

    fn envelope(
        &self,
        request: &Request,
        (from, to): (i64, i64),
        records: &str,
        total: i64,
        next: Option<usize>,
    ) -> Reply {
        let style = self.options.style;
        let path = request.path();
        let next_target = next.map(|end| format!("{path}?from={from}&to={to}&cursor=after-{end}"));
        let mut body = format!("{{\"data\":[{records}],\"pagination\":{{\"total\":{total}");
        if style == Style::Cursor {
            let cursor = next.map_or("null".to_owned(), |end| format!("\"after-{end}\""));
            let has_more = next.is_some();
            let _ = write!(body, ",\"has_more\":{has_more},\"next_cursor\":{cursor}");
        }
        body.push('}');
        if style == Style::NextUrl {
            let host = request.header("host").unwrap_or_default();
            let url = next_target
                .as_ref()
                .map_or("null".to_owned(), |target| format!("\"http://{host}{target}\""));
            let _ = write!(body, ",\"next\":{url}");
        }
        body.push('}');
        match next_target.filter(|_| style == Style::Link) {
            Some(target) => {
                let link = format!("<{target}>; rel=\"next\"");
                let headers = [("Content-Type", "application/json"), ("Link", link.as_str())];
                Reply::with_headers(200, &headers, body)
            }
            None => Reply::json(200, body),
        }
    }
}

impl Payment {
    /// The record as it is sent: paise, rupees in a string, or rupees as a number.
    fn json(&self, raise: i64, broken: bool) -> String {
        let paise = self.paise + raise;
        let rupees = format!("{}.{:02}", paise / 100, paise % 100);
        let amount = match self.notation {
            _ if broken => "\"n/a\"".to_owned(),
            0 => rupees,
            1 => format!("\"{rupees}\""),
            _ => paise.to_string(),
        };
        format!(
            "{{\"id\":\"{}\",\"amount\":{amount},\"currency\":\"INR\",\"status\":\"captured\",\
             \"method\":\"upi\",\"created_at\":{},\"notes\":{{\"n\":{paise}}}}}",
            self.id, self.created
        )
    }
}

fn payments(options: &Options) -> Vec<Payment> {
    let mut dice = Dice::new(options.seed);
    let mut payments = Vec::new();
    let mut start = FIRST;
    for (day, records) in options.records_per_day.iter().enumerate() {
        for index in 0..*records {
            payments.push(Payment {
                id: format!("pay_{:x}_{day}_{index:06}", options.seed),
                created: start + i64::try_from(dice.below(86_400)).unwrap(),
                paise: i64::try_from(dice.below(10_000_000)).unwrap() + 1,
                notation: dice.below(6),
            });
        }
        start += DAY;
    }
    payments
}

fn day_of(seconds: i64) -> NaiveDate {
    DateTime::from_timestamp(seconds, 0).unwrap().date_naive()
}

mod tests {
    use super::*;

    #[test]
    fn knows_what_it_serves() {
        let api = PagedApi::start(Options { records_per_day: vec![60, 40], ..Options::default() });
        let truth = api.truth();
        assert_eq!(truth.rows.len(), 100);
        assert_eq!(truth.per_day().into_values().collect::<Vec<_>>(), [60, 40]);
        assert_eq!(truth.day(1).rows.len(), 40);
        assert_eq!(truth.sum(), truth.day(0).sum() + truth.day(1).sum());
        api.set(|knobs| (knobs.raise, knobs.broken) = (7, 3));
        assert_eq!(api.truth().per_day().into_values().collect::<Vec<_>>(), [57, 37]);
        assert_eq!(api.truth().day(1).rows.len(), 37);
    }

    #[test]
    fn every_style_leads_through_all_pages() {
        for style in Style::ALL {
            let api = PagedApi::start(Options { style, ..Options::default() });
            let repeated = if matches!(style, Style::Page | Style::Offset) { 0 } else { 4 };
            api.set(|knobs| knobs.repeated = repeated);
            let first = format!("/v1/payments?from={FIRST}&to={}", FIRST + DAY);
            let (mut target, mut ids) = (Some(first.clone()), Vec::new());
            while let Some(now) = target {
                let (head, body) = get(&api, &now);
                let records = body["data"].as_array().unwrap();
                ids.extend(records.iter().map(|record| record["id"].as_str().unwrap().to_owned()));
                assert_eq!(body["pagination"]["total"], 230);
                let pages = ids.len().div_ceil(25);
                target = match style {
                    Style::Page => (ids.len() < 230).then(|| format!("{first}&page={}", pages + 1)),
                    Style::Offset => {
                        (ids.len() < 230).then(|| format!("{first}&offset={}", ids.len()))
                    }
                    Style::Cursor => {
                        let next = body["pagination"]["next_cursor"].as_str();
                        assert_eq!(body["pagination"]["has_more"], next.is_some());
                        next.map(|cursor| format!("{first}&cursor={cursor}"))
                    }
                    Style::NextUrl => body["next"]
                        .as_str()
                        .map(|url| url.strip_prefix(&api.server().base_url()).unwrap().to_owned()),
                    Style::Link => head
                        .split_once("Link: <")
                        .map(|(_, rest)| rest.split_once(">; rel=\"next\"").unwrap().0.to_owned()),
                };
            }
            assert_eq!(ids.len(), 230 + repeated, "{style:?}");
            assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 230);
            assert_eq!(api.take_skips(), api.skips(230, 0), "{style:?}");
        }
    }

    #[test]
    fn fails_from_a_request_on_and_heals() {
        let api = PagedApi::start(Options::default());
        let target = format!("/v1/payments?from={FIRST}&to={}", FIRST + DAY);
        get(&api, &target);
        api.fail_from(2, Reply::json(403, "{}"));
        let statuses = || get(&api, &target).0.split(' ').nth(1).unwrap().to_owned();
        assert_eq!([statuses(), statuses(), statuses()], ["200", "403", "403"]);
        api.heal();
        assert_eq!(statuses(), "200");
        assert_eq!(api.take_skips(), [0, 0, 0]);
    }

    /// The head and the JSON body of a page.
    fn get(api: &PagedApi, target: &str) -> (String, serde_json::Value) {
        use std::io::{Read as _, Write as _};
        let host = api.server().base_url().replace("http://", "");
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }
}
