//! A window of a stream, page by page.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream as Pages};
use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Stop;
use crate::http::ahead::{Ahead, Answer};
use crate::http::budget::Allowance;
use crate::http::client::Client;
use crate::http::conditional::validator;
use crate::http::envelope::{Plan, Total};
use crate::http::exchange::{Fetched, placed};
use crate::http::lane::Lane;
use crate::http::paginate::{self, Next, Turn};
use crate::http::seen::{Seen, Sight};
use crate::json::tape::Paths;
use crate::page::room::Held;
use crate::page::{Cursor, Meter, Page, PageRequest, Position, Validator};
use crate::spec::pagination::Pagination;
use crate::spec::source::{Stream, TotalFrom};
use crate::window::Window;

/// Where to begin: what a checkpoint remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The position after the last durable page.
    pub position: Position,
    /// The fingerprints of all pages up to it ([`Page::seen`]).
    pub seen: Vec<u64>,
    /// The undeclared paths that were met up to it, in their order.
    pub undeclared: Vec<String>,
}

impl Resume {
    /// Before the first page.
    pub fn start() -> Self {
        Self { position: Position::start(), seen: Vec::new(), undeclared: Vec::new() }
    }
}

/// The pages of `window` from `from` on. The last one has no `after.next`; after an error there are no more.
///
/// # Errors
/// Each item may be `Config` (a secret or template), `Credentials`, `Api` (refused, not JSON, a loop, no
/// records), `Transient` (retries or waits used up), `Budget`, or `Interrupted` once `stop` is cancelled.
/// Errors name stream, page, request and `X-Request-Id`.
pub fn pages(
    client: Client,
    stream: Arc<Stream>,
    window: Window,
    from: Resume,
    meter: Arc<Meter>,
    stop: Stop,
) -> impl Pages<Item = Result<Page>> + Send + 'static {
    let walk = Walk {
        ahead: Ahead::new(stream.concurrency),
        fetcher: Fetcher {
            lane: Arc::new(Lane::new(stream.concurrency)),
            plan: Arc::new(Plan::new(&stream, Paths::resumed(from.undeclared))),
            client,
            stream,
            window,
            meter,
        },
        position: from.position,
        seen: Seen::new(from.seen),
        warned_total: false,
        largest: None,
    };
    stream::try_unfold((walk, stop), |(mut walk, stop)| async move {
        let number = walk.position.pages + 1;
        if walk.position.next.is_none() {
            return Ok(None);
        }
        let page = tokio::select! {
            biased;
            () = stop.cancelled() => {
                Err(Error::new(ErrorKind::Interrupted, "stopped between two pages"))
            }
            page = walk.page() => page,
        };
        let page = page.map_err(|error| {
            let error = walk.fetcher.client.origin().scrubbed(error);
            error.with("stream", &walk.fetcher.stream.name).with("page", number)
        })?;
        Ok(page.map(|page| (page, (walk, stop))))
    })
}

/// What a page may take.
struct Grant {
    /// Requests of the budget.
    allowance: Allowance,
    /// Memory.
    held: Held,
}

/// What every page of a stream is fetched with.
#[derive(Clone)]
struct Fetcher {
    client: Client,
    stream: Arc<Stream>,
    plan: Arc<Plan>,
    window: Window,
    meter: Arc<Meter>,
    lane: Arc<Lane>,
}

impl Fetcher {
    /// Fetches page `number`, which stands at `asked`.
    async fn fetch(&self, number: u64, asked: &Cursor, grant: Grant) -> Result<Answer> {
        let Grant { allowance, mut held } = grant;
        let Self { client, stream, plan, meter, lane, .. } = self;
        let ask = || client.request(stream, self.window, number, asked);
        let on_status = &stream.on_status;
        let mut fetched =
            client.fetch(&ask, plan, on_status, meter, (&allowance, lane, &held)).await?;
        held.count(fetched.body.len(), fetched.outgrown.take());
        Ok(Answer { fetched, held })
    }

    /// The same for a page that is sent ahead, once there is a place in flight.
    async fn fetch_ahead(
        self,
        number: u64,
        asked: Cursor,
        grant: Grant,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Answer> {
        let place = match place {
            Some(place) => Some(place),
            None => self.lane.place().await,
        };
        let answer = self.fetch(number, &asked, grant).await;
        self.lane.leave(place);
        if answer.is_err() {
            self.lane.break_off();
        }
        answer
    }
}

/// A stream of pages under way.
struct Walk {
    fetcher: Fetcher,
    ahead: Ahead,
    position: Position,
    seen: Seen,
    warned_total: bool,
    /// The largest body so far; none before the first.
    largest: Option<usize>,
}

impl Walk {
    /// Fetches the next page; `None` after the last.
    async fn page(&mut self) -> Result<Option<Page>> {
        let Some(asked) = self.position.next.clone() else { return Ok(None) };
        self.send_ahead();
        let Answer { fetched, held } = match self.ahead.next().await {
            Some(answer) => answer?,
            None => {
                let client = &self.fetcher.client;
                let held = client.room().hold(self.largest).await;
                let grant = Grant { allowance: client.budget().allowance(), held };
                self.fetcher.fetch(self.position.pages + 1, &asked, grant).await?
            }
        };
        let (url, id) = (fetched.url.clone(), fetched.request_id.clone());
        let request = Arc::clone(&fetched.request);
        self.turn(&request, &asked, fetched, held).map(Some).map_err(|error| {
            let url = self.fetcher.client.origin().shown(&url);
            placed(error, request.method.as_str(), &url, &id)
        })
    }

    /// Sends what is sure to be asked for, as far as the budget goes and there is room, while nothing has failed.
    fn send_ahead(&mut self) {
        // The first page may be as small as no other: where memory is bounded, the second shows what they are like.
        if self.position.pages < 2 && self.fetcher.client.room().is_bounded() {
            return;
        }
        for (number, cursor) in self.ahead.missing(&self.position) {
            if self.fetcher.lane.is_broken() {
                return;
            }
            let client = &self.fetcher.client;
            let Some(held) = client.room().hold_free(self.largest) else { return };
            let Some(allowance) = client.budget().set_aside() else { return };
            let grant = Grant { allowance, held };
            // In the order of pages, which that of tasks may not be.
            let place = self.fetcher.lane.free_place();
            let fetcher = self.fetcher.clone();
            self.ahead.send(cursor.clone(), fetcher.fetch_ahead(number, cursor, grant, place));
        }
    }

    /// Reads what a response says, and moves the position behind it.
    fn turn(
        &mut self,
        request: &PageRequest,
        asked: &Cursor,
        mut fetched: Fetched,
        held: Held,
    ) -> Result<Page> {
        let spans = self.fetcher.plan.records(&fetched.envelope).map_err(|error| {
            // Often an error that the API reports with a 200: its text says more than its keys.
            match self.fetcher.client.origin().credentials() {
                Ok(known) => error.with("body", known.scrubber.excerpt(&fetched.body)),
                Err(_) => error,
            }
        })?;
        let received = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        self.note_total(&fetched);
        let mut after = Position {
            next: None,
            pages: self.position.pages + 1,
            records: self.position.records.saturating_add(received),
            total: self.position.total,
        };
        let turn = Turn {
            asked,
            plan: &self.fetcher.plan,
            envelope: &fetched.envelope,
            headers: &fetched.headers,
            received,
            last_record: spans.last().map(|span| fetched.body.slice(span.clone())),
            records: after.records,
            total: after.total,
        };
        after.next = self.next_of(&turn, &fetched.url)?;
        let seen = self.look_for_loops(request, asked, &after, &spans, &fetched.body)?;
        let validator = self.validator(after.pages, asked, &fetched);
        self.ahead.learn(asked, received);
        self.largest = self.largest.max(Some(fetched.body.len()));
        self.position = after.clone();
        Ok(Page {
            number: after.pages,
            request_id: fetched.request_id,
            body: fetched.body,
            records: spans,
            tape: fetched.envelope.take_tape(),
            seen,
            validator,
            after,
            round_trip: fetched.round_trip,
            held,
        })
    }

    /// What is asked for after the page that `url` answered with.
    fn next_of(&self, turn: &Turn<'_>, url: &Url) -> Result<Option<Cursor>> {
        let origin = self.fetcher.client.origin();
        match paginate::advance(&self.fetcher.stream.pagination, turn)? {
            None => Ok(None),
            Some(Next::Cursor(cursor)) => {
                if let Cursor::Token { token } = &cursor {
                    origin.keep_out("a cursor", token)?;
                }
                Ok(Some(cursor))
            }
            Some(Next::Link(target)) => {
                let url = origin.follow(url, &target)?;
                Ok(Some(Cursor::Url { url: url.into() }))
            }
        }
    }

    /// The page's validator, of a conditional stream. One that holds a credential is none: the page is asked for again.
    fn validator(&self, number: u64, asked: &Cursor, fetched: &Fetched) -> Option<Validator> {
        if !self.fetcher.stream.conditional {
            return None;
        }
        let found = validator(&self.fetcher.stream, number, asked, &fetched.headers)?;
        let mut texts = found.etag.iter().chain(&found.last_modified);
        let origin = self.fetcher.client.origin();
        texts.all(|text| origin.keep_out("a validator", text).is_ok()).then_some(found)
    }

    /// Notes the last total that the API named; warns once where it names none.
    fn note_total(&mut self, fetched: &Fetched) {
        let header = match &self.fetcher.stream.total {
            Some(TotalFrom::Header(name)) => Some(name),
            Some(TotalFrom::Body(_)) | None => None,
        };
        let total = match header {
            Some(name) => fetched.headers.get(name).map_or(Total::Missing, |value| {
                Total::read(&String::from_utf8_lossy(value.as_bytes()))
            }),
            None => self.fetcher.plan.total(&fetched.envelope),
        };
        let found = match total {
            Total::Undeclared => return,
            Total::Count(count) => {
                self.position.total = Some(count);
                return;
            }
            Total::Missing if fetched.by_status => return,
            Total::Missing => "is missing".to_owned(),
            Total::Odd(text) => format!("is no count: {text}"),
        };
        if !self.warned_total {
            self.warned_total = true;
            let (stream, request_id) = (&self.fetcher.stream.name, &fetched.request_id);
            let found = self.fetcher.client.scrub(&found).unwrap_or_default();
            tracing::warn!(%stream, %request_id, "the declared total {found}");
        }
    }

    /// Fingerprints what must not come twice in a window, and refuses it when it does.
    fn look_for_loops(
        &mut self,
        request: &PageRequest,
        asked: &Cursor,
        after: &Position,
        spans: &[Range<usize>],
        body: &Bytes,
    ) -> Result<Vec<u64>> {
        let mut new = Vec::with_capacity(3);
        let mut note = |seen: &mut Seen, sight: Sight, bytes: &[u8]| {
            let fingerprint = sight.fingerprint(bytes);
            new.push(fingerprint);
            seen.insert(fingerprint)
        };
        let by_url = matches!(
            self.fetcher.stream.pagination,
            Pagination::NextUrl { .. } | Pagination::LinkHeader
        );
        if by_url && *asked == Cursor::Start {
            note(&mut self.seen, Sight::Url, request.url.as_str().as_bytes());
        }
        if !spans.is_empty() && !note(&mut self.seen, Sight::Body, body) {
            return Err(looping("this page came before, byte for byte".to_owned())
                .hint("the API may ignore the pagination parameter: check its name"));
        }
        match &after.next {
            Some(Cursor::Token { token }) => {
                if !note(&mut self.seen, Sight::Token, token.as_bytes()) {
                    let shown: String = token.chars().take(100).collect();
                    let shown = self.fetcher.client.origin().credentials()?.scrubber.scrub(&shown);
                    return Err(looping(format!("the cursor `{shown}` came before")));
                }
            }
            Some(Cursor::Url { url }) => {
                if !note(&mut self.seen, Sight::Url, url.as_bytes()) {
                    let shown = url.parse().map(|url| self.fetcher.client.origin().shown(&url));
                    let shown = shown.unwrap_or_default();
                    return Err(looping(format!("the next URL {shown} came before")));
                }
            }
            Some(Cursor::Start | Cursor::Page { .. } | Cursor::Offset { .. }) | None => {}
        }
        Ok(new)
    }
}

fn looping(what: String) -> Error {
    Error::new(ErrorKind::Api, format!("the API loops: {what}"))
}
