//! Pages fetched side by side: in order, within the limits, and as if they were fetched one after the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::scripted::{Asked, Reply, json, reply};
use super::*;
use crate::error::ErrorKind;
use crate::spec::source::{OnStatus, TotalFrom};

const NO_TIME: Duration = Duration::ZERO;

/// Up to 20 ms, another for each page.
fn uneven(page: u64) -> Duration {
    Duration::from_millis(page * 7 % 20)
}

/// Records `first..` of `total` numbered ones, `size` of them.
fn page_of(first: u64, size: u64, total: u64) -> Reply {
    let items: Vec<String> = (first..total.min(first + size)).map(|n| n.to_string()).collect();
    json(&format!(r#"{{"items": [{}], "n": {total}}}"#, items.join(",")))
}

fn page(asked: &Asked) -> u64 {
    asked.number("page").expect("a page number")
}

/// Pages of three from a list of `total`.
async fn numbered(total: u64) -> Server {
    Server::answering(move |asked| (uneven(page(asked)), page_of((page(asked) - 1) * 3, 3, total)))
        .await
}

fn run(server: &Server, concurrency: usize, pagination: Pagination) -> Run {
    let mut run = Run::new(server, pagination);
    run.stream.total = Some(TotalFrom::Body(pointer("/n")));
    run.stream.concurrency = concurrency;
    run
}

fn numbers(pages: &[Page]) -> Vec<u64> {
    all_texts(pages).iter().map(|text| text.parse().expect("a number")).collect()
}

fn asked_pages(server: &Server) -> Vec<u64> {
    let mut pages: Vec<u64> = server.asked().iter().map(page).collect();
    pages.sort_unstable();
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_in_order_and_each_is_asked_for_once() {
    for concurrency in [2, 5, 64] {
        let server = numbered(100).await;
        let run = run(&server, concurrency, Pagination::Page(by_page()));
        let pages = run.pages().await;
        assert_eq!(numbers(&pages), (0..100).collect::<Vec<_>>());
        assert_eq!(asked_pages(&server), (1..=34).collect::<Vec<_>>());
        assert_eq!(run.meter.read(), (34, 0, 0));
        assert!(server.most_in_flight() <= concurrency, "{}", server.most_in_flight());
        assert!(server.most_in_flight() >= 2);
        for (index, page) in (1..).zip(&pages) {
            assert_eq!((page.number, page.after.pages), (index, index));
            let next = (index < 34).then_some(Cursor::Page { page: index + 1 });
            assert_eq!(page.after.next, next);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_strides_of_the_first_page() {
    // Four are asked for, the server gives three.
    let server = Server::answering(|asked| {
        let offset = asked.number("offset").expect("an offset");
        (uneven(offset), page_of(offset, 3, 50))
    })
    .await;
    let run = run(&server, 4, Pagination::Offset(ByOffset { limit: Some(4), ..by_offset() }));
    assert_eq!(numbers(&run.pages().await), (0..50).collect::<Vec<_>>());
    assert_eq!(run.meter.read().0, 17);
    assert!((2..=4).contains(&server.most_in_flight()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_records_ends_the_strides() {
    // The page at 9 has one record only.
    let server = Server::answering(|asked| {
        let offset = asked.number("offset").expect("an offset");
        (uneven(offset), page_of(offset, if offset == 9 { 1 } else { 3 }, 40))
    })
    .await;
    let run = run(&server, 4, Pagination::Offset(by_offset()));
    let pages = run.pages().await;
    assert_eq!(numbers(&pages), (0..40).collect::<Vec<_>>());
    let offsets: Vec<u64> =
        server.asked().iter().map(|asked| asked.number("offset").expect("offset")).collect();
    let late = offsets.iter().skip_while(|offset| **offset != 10).copied().collect::<Vec<_>>();
    assert_eq!(late, (10..40).step_by(3).collect::<Vec<_>>(), "one after the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_ahead_without_a_total_or_behind_it() {
    let server = Server::answering(|asked| {
        let first = (page(asked) - 1) * 3;
        let items: Vec<String> = (first..first + 3).map(|n| n.to_string()).collect();
        let more = page(asked) < 8;
        (NO_TIME, json(&format!(r#"{{"items": [{}], "has_more": {more}}}"#, items.join(","))))
    })
    .await;
    let no_total = run(&server, 8, Pagination::Page(by_page()));
    assert_eq!(no_total.pages().await.len(), 8);
    assert_eq!((server.most_in_flight(), server.asked().len()), (1, 8));

    let server = numbered(3).await;
    assert_eq!(run(&server, 8, Pagination::Page(by_page())).pages().await.len(), 1);
    assert_eq!(asked_pages(&server), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_that_shrinks_ends_the_stream_and_what_lies_behind_is_no_failure() {
    for behind in
        ["404 Not Found", "400 Bad Request", "500 Internal Server Error", "401 Unauthorized"]
    {
        let server = Server::answering(move |asked| match page(asked) {
            page @ 1..=2 => (NO_TIME, page_of((page - 1) * 3, 3, 60)),
            3 => (Duration::from_millis(60), page_of(6, 3, 8)),
            _ => (NO_TIME, reply(behind, "", "no such page")),
        })
        .await;
        let run = run(&server, 4, Pagination::Page(by_page()));
        let pages = run.pages().await;
        assert_eq!(numbers(&pages), (0..8).collect::<Vec<_>>(), "{behind}");
        let end = Position { next: None, pages: 3, records: 8, total: Some(8) };
        assert_eq!(pages[2].after, end);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_that_grows_is_followed() {
    let seen = AtomicU64::new(0);
    let server = Server::answering(move |asked| {
        let total = 30 + 3 * seen.fetch_add(1, Ordering::SeqCst).min(5);
        (uneven(page(asked)), page_of((page(asked) - 1) * 3, 3, total))
    })
    .await;
    let pages = run(&server, 4, Pagination::Page(by_page())).pages().await;
    assert_eq!(numbers(&pages), (0..45).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_page_and_has_more_end_what_was_sent_ahead() {
    let server = Server::answering(|asked| match page(asked) {
        page @ 1..=4 => (uneven(page), page_of((page - 1) * 3, 3, 90)),
        5 => (NO_TIME, json(r#"{"items": [], "n": 90}"#)),
        page => (NO_TIME, page_of((page - 1) * 3, 3, 90)),
    })
    .await;
    let pages = run(&server, 4, Pagination::Page(by_page())).pages().await;
    assert_eq!((pages.len(), pages[4].after.next.clone()), (5, None));

    let server = Server::answering(|asked| {
        let more = page(asked) != 3;
        let first = page(asked) * 10;
        (NO_TIME, json(&format!(r#"{{"items": [{first}], "n": 90, "has_more": {more}}}"#)))
    })
    .await;
    assert_eq!(run(&server, 4, Pagination::Page(by_page())).pages().await.len(), 3);

    let server = Server::answering(|asked| match page(asked) {
        page @ 1..=4 => (NO_TIME, page_of((page - 1) * 3, 3, 90)),
        _ => (NO_TIME, reply("404 Not Found", "", "")),
    })
    .await;
    let mut empty = run(&server, 4, Pagination::Page(by_page()));
    empty.stream.on_status = BTreeMap::from([(404, OnStatus::Empty)]);
    assert_eq!(empty.pages().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_waits_for_the_pages_before_it() {
    let server = Server::answering(|asked| match page(asked) {
        4 => (NO_TIME, reply("422 Unprocessable Content", "", "not this one")),
        page => (Duration::from_millis(30), page_of((page - 1) * 3, 3, 300)),
    })
    .await;
    let run = run(&server, 8, Pagination::Page(by_page()));
    let (pages, error) = run.failed().await;
    assert_eq!(numbers(&pages), (0..9).collect::<Vec<_>>());
    assert_eq!(pages[2].after.next, Some(Cursor::Page { page: 4 }));
    assert_eq!(error.kind(), ErrorKind::Api);
    let text = error.to_string();
    assert!(text.contains("page: 4") && text.contains("page=4&") && text.contains("not this one"));
    // Nothing was sent ahead once one had failed.
    assert!(asked_pages(&server).iter().all(|page| *page <= 11), "{:?}", asked_pages(&server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_has_its_own_retries() {
    let tries = Mutex::new(BTreeMap::<u64, u32>::new());
    let server = Server::answering(move |asked| {
        let page = page(asked);
        let mut tries = tries.lock().expect("lock");
        let nth = tries.entry(page).or_default();
        *nth += 1;
        // Every page but the first fails twice, of three attempts.
        if page > 1 && *nth < 3 {
            return (NO_TIME, reply("503 Service Unavailable", "", "busy"));
        }
        (uneven(page), page_of((page - 1) * 3, 3, 30))
    })
    .await;
    let run = run(&server, 4, Pagination::Page(by_page()));
    assert_eq!(numbers(&run.pages().await), (0..30).collect::<Vec<_>>());
    assert_eq!(run.meter.read(), (28, 18, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_to_wait_keeps_all_requests_back() {
    let busy = AtomicU64::new(0);
    let instants = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&instants);
    let server = Server::answering(move |asked| {
        log.lock().expect("lock").push(Instant::now());
        if page(asked) == 3 && busy.fetch_add(1, Ordering::SeqCst) == 0 {
            return (NO_TIME, reply("429 Too Many Requests", "Retry-After: 1\r\n", ""));
        }
        (Duration::from_millis(40), page_of((page(asked) - 1) * 3, 3, 90))
    })
    .await;
    let mut run = run(&server, 3, Pagination::Page(by_page()));
    run.source.retry.max_wait = Duration::from_secs(5);
    assert_eq!(run.pages().await.len(), 30);
    let instants = instants.lock().expect("lock");
    let pauses = instants.windows(2).filter(|two| two[1] - two[0] > Duration::from_millis(900));
    assert_eq!(pauses.count(), 1, "one pause for all");
    assert_eq!(run.meter.read(), (31, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_limit_holds() {
    let server = numbered(60).await;
    let mut run = run(&server, 16, Pagination::Page(by_page()));
    // A queue of 16 would wait for longer than that.
    run.source.rate_limit.max_wait = Duration::from_millis(60);
    run.source.rate_limit.per_second = Some(50.0);
    let began = Instant::now();
    assert_eq!(run.pages().await.len(), 20);
    assert!(began.elapsed() >= Duration::from_millis(19 * 20), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_is_spent_in_order() {
    let server = numbered(300).await;
    let run = run(&server, 8, Pagination::Page(by_page()));
    let clock = FixedClock("2026-03-19T00:00:00Z".parse().expect("instant"));
    let client = Client::new(&run.source, Arc::new(clock)).expect("client").with_budget(7);
    let mut results = run.with(client).await;
    let error = results.pop().expect("an item").expect_err("the budget ends");
    assert_eq!((results.len(), error.kind()), (7, ErrorKind::Budget));
    assert_eq!(asked_pages(&server), (1..=7).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_resumes_behind_a_delivered_page() {
    let server = numbered(60).await;
    let mut run = run(&server, 4, Pagination::Page(by_page()));
    let first = run.pages().await;
    let behind = &first[8];
    run.from = Resume {
        position: behind.after.clone(),
        seen: first[..=8].iter().flat_map(|page| page.seen.clone()).collect(),
        undeclared: Vec::new(),
    };
    let rest = run.pages().await;
    assert_eq!(numbers(&rest), (27..60).collect::<Vec<_>>());
    assert_eq!(rest[0].number, 10);
    assert_eq!(asked_pages(&server).len(), 20 + 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_is_found_where_it_begins() {
    let server = Server::answering(|asked| {
        let page = page(asked);
        (uneven(page), page_of((page.min(5) - 1) * 3, 3, 90))
    })
    .await;
    let (pages, error) = run(&server, 6, Pagination::Page(by_page())).failed().await;
    assert_eq!((pages.len(), error.kind()), (5, ErrorKind::Api));
    assert!(error.message().contains("byte for byte"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_drops_what_is_in_flight() {
    let server = Server::answering(|asked| match page(asked) {
        1 => (NO_TIME, page_of(0, 3, 90)),
        _ => (NO_TIME, Reply::Hang),
    })
    .await;
    let run = run(&server, 4, Pagination::Page(by_page()));
    let began = Instant::now();
    // Once the first page is in, and four are under way.
    let stop = async {
        while server.asked().len() < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run.stop.cancel();
    };
    let ((pages, error), ()) = tokio::join!(run.failed(), stop);
    assert_eq!((pages.len(), error.kind()), (1, ErrorKind::Interrupted));
    assert!(began.elapsed() < Duration::from_secs(5));
    let sent = run.meter.read().0;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(run.meter.read().0, sent, "no task goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_is_not_run_away_from() {
    let server = Server::answering(|asked| (NO_TIME, page_of((page(asked) - 1) * 3, 3, 900))).await;
    let run = run(&server, 4, Pagination::Page(by_page()));
    let clock = FixedClock("2026-03-19T00:00:00Z".parse().expect("instant"));
    let client = Client::new(&run.source, Arc::new(clock)).expect("client");
    let window = "20260317T000000Z_20260318T000000Z".parse().expect("window");
    let (stream, meter) = (Arc::new(run.stream.clone()), Arc::clone(&run.meter));
    let pages = pages(client, stream, window, run.from.clone(), meter, run.stop.clone());
    let mut pages = std::pin::pin!(pages);
    for _ in 0..3 {
        pages.next().await.expect("an item").expect("page");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ahead = run.meter.read().0 - 3;
    assert!(ahead <= 4 + 2, "{ahead} pages are held");
}
