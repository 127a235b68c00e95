//! Each pagination type: what it asks for, and where it ends.

use super::scripted::{Reply, json, reply};
use super::*;
use crate::error::ErrorKind;
use crate::spec::source::{OnStatus, TotalFrom};

#[tokio::test]
async fn none_is_one_page() {
    let server = Server::start(vec![json(r#"{"items": [{"id": 1}, {"id": 2}]}"#)]).await;
    let run = Run::new(&server, Pagination::None);
    let pages = run.pages().await;
    assert_eq!(all_texts(&pages), [r#"{"id": 1}"#, r#"{"id": 2}"#]);
    assert_eq!(pages[0].after, Position { next: None, pages: 1, records: 2, total: None });
    assert_eq!(pages[0].number, 1);
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "GET /v1/items?from=1773705600");
    assert_eq!(asked.header("user-agent"), Some("lakeward/test"));
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert_eq!(asked.header("x-request-id"), Some(pages[0].request_id.as_str()));
    assert_eq!(run.meter.read(), (1, 0, 0));
}

#[tokio::test]
async fn page_numbers_end_at_an_empty_page() {
    // The server caps pages at two although three are asked for: a short page is not the last.
    let replies = ["[1,2]", "[3,4]", "[5]", "[]"];
    let server =
        Server::start(replies.map(|items| json(&format!(r#"{{"items": {items}}}"#))).into()).await;
    let pages = Run::new(&server, Pagination::Page(by_page())).pages().await;
    assert_eq!(all_texts(&pages), ["1", "2", "3", "4", "5"]);
    assert_eq!(pages.len(), 4);
    assert_eq!(pages[1].after.next, Some(Cursor::Page { page: 3 }));
    assert_eq!(server.lines()[0], "GET /v1/items?from=1773705600&page=1&size=3");
    assert_eq!(server.lines()[3], "GET /v1/items?from=1773705600&page=4&size=3");
}

#[tokio::test]
async fn page_numbers_end_at_has_more_false_total_or_a_declared_short_page() {
    let server = Server::start(vec![json(r#"{"items": [1,2,3], "has_more": false}"#)]).await;
    assert_eq!(Run::new(&server, Pagination::Page(by_page())).pages().await.len(), 1);

    let pages = vec![json(r#"{"items": [1,2], "n": 3}"#), json(r#"{"items": [3], "n": "3"}"#)];
    let server = Server::start(pages).await;
    let mut run = Run::new(&server, Pagination::Page(ByPage { first: 0, ..by_page() }));
    run.stream.total = Some(TotalFrom::Body(pointer("/n")));
    let pages = run.pages().await;
    assert_eq!((pages.len(), pages[1].after.total), (2, Some(3)));
    assert!(server.lines()[0].contains("page=0&"));

    let server = Server::start(vec![json(r#"{"items": [1,2]}"#)]).await;
    let short = ByPage { short_page_ends: true, ..by_page() };
    assert_eq!(Run::new(&server, Pagination::Page(short)).pages().await.len(), 1);
}

#[tokio::test]
async fn the_total_may_be_in_a_header() {
    let page = |items| reply("200 OK", "X-Total-Count: 3\r\n", items);
    let server = Server::start(vec![page("[1,2]"), page("[3]")]).await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.stream.records = pointer("");
    run.stream.total = Some(TotalFrom::Header("X-Total-Count".into()));
    assert_eq!(all_texts(&run.pages().await), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_missing_total_is_no_error() {
    let server = Server::start(vec![json(r#"{"items": [1]}"#), json(r#"{"items": []}"#)]).await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.stream.total = Some(TotalFrom::Body(pointer("/n")));
    let pages = run.pages().await;
    assert_eq!((pages.len(), pages[1].after.total), (2, None));
}

#[tokio::test]
async fn offsets_advance_by_the_records_received() {
    let replies = ["[1,2]", "[3]", "[]"];
    let server =
        Server::start(replies.map(|items| json(&format!(r#"{{"items": {items}}}"#))).into()).await;
    let pages = Run::new(&server, Pagination::Offset(by_offset())).pages().await;
    assert_eq!(all_texts(&pages), ["1", "2", "3"]);
    let offsets = server.lines().join(" ");
    assert!(offsets.contains("offset=0&limit=3"), "{offsets}");
    assert!(offsets.contains("offset=2&limit=3") && offsets.contains("offset=3&limit=3"));
}

#[tokio::test]
async fn cursors_are_followed_through_empty_pages() {
    let server = Server::start(vec![
        json(r#"{"items": [1], "cursor": "a+b"}"#),
        json(r#"{"items": [], "cursor": null, "next_cursor": 17, "has_more": true}"#),
        json(r#"{"items": null, "cursor": "c"}"#),
        json(r#"{"items": [2], "cursor": ""}"#),
    ])
    .await;
    let pages = Run::new(&server, Pagination::Cursor(by_cursor())).pages().await;
    assert_eq!(all_texts(&pages), ["1", "2"]);
    let lines = server.lines();
    assert_eq!(lines[0], "GET /v1/items?from=1773705600");
    assert_eq!(lines[1], "GET /v1/items?from=1773705600&cursor=a%2Bb");
    assert!(lines[2].ends_with("&cursor=17") && lines[3].ends_with("&cursor=c"));
    assert_eq!(pages[2].after.next, token("c"));
}

#[tokio::test]
async fn has_more_false_ends_a_live_cursor() {
    let server =
        Server::start(vec![json(r#"{"items": [1], "cursor": "a", "has_more": false}"#)]).await;
    let pages = Run::new(&server, Pagination::Cursor(by_cursor())).pages().await;
    assert_eq!((pages.len(), pages[0].after.next.clone()), (1, None));
}

#[tokio::test]
async fn the_last_record_is_a_cursor_until_a_page_is_empty() {
    let by = ByCursor {
        cursor: CursorFrom::LastRecord(pointer("/id")),
        param: "starting_after".into(),
        has_more: None,
        ..by_cursor()
    };
    let server = Server::start(vec![
        json(r#"{"items": [{"id": "x"}, {"id": "y"}]}"#),
        json(r#"{"items": [{"id": 9}]}"#),
        json(r#"{"items": []}"#),
    ])
    .await;
    let pages = Run::new(&server, Pagination::Cursor(by.clone())).pages().await;
    assert_eq!(pages.len(), 3);
    assert!(server.lines()[1].ends_with("&starting_after=y"));
    assert!(server.lines()[2].ends_with("&starting_after=9"));

    let server = Server::start(vec![json(r#"{"items": [{"key": "x"}]}"#)]).await;
    let (_, error) = Run::new(&server, Pagination::Cursor(by)).failed().await;
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(error.message().contains("/id"), "{error}");
}

#[tokio::test]
async fn cursors_come_from_headers_and_go_into_headers_and_bodies() {
    let by = |place| ByCursor {
        cursor: CursorFrom::Header("X-Next".into()),
        param: "after".into(),
        place,
        has_more: None,
    };
    let replies =
        || vec![reply("200 OK", "X-Next: t1\r\n", r#"{"items": [1]}"#), json(r#"{"items": [2]}"#)];
    let server = Server::start(replies()).await;
    Run::new(&server, Pagination::Cursor(by(CursorPlace::Header))).pages().await;
    let asked = server.asked();
    assert_eq!((asked[0].header("after"), asked[1].header("after")), (None, Some("t1")));

    let server = Server::start(replies()).await;
    let mut run = Run::new(&server, Pagination::Cursor(by(CursorPlace::Body)));
    run.stream.method = Method::Post;
    let text = |text| TemplateValue::Text(Template::parse(text).expect(text));
    run.stream.body =
        Some(TemplateValue::Map(vec![("since".into(), text("{{ window.start | unix }}"))]));
    run.pages().await;
    let asked = server.asked();
    assert_eq!(asked[0].body, r#"{"since":1773705600}"#);
    assert_eq!(asked[1].body, r#"{"since":1773705600,"after":"t1"}"#);
    assert!(asked[1].line.starts_with("POST /v1/items"));
    assert_eq!(asked[1].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn next_urls_are_used_as_they_are() {
    let (server, listener) = Server::listen().await;
    let absolute = format!(r#"{{"items": [1], "next": "{}/v2/x?a=%7E&b=+"}}"#, server.url());
    server.run(
        listener,
        vec![
            json(&absolute),
            json(r#"{"items": [2], "next": "y?c=1"}"#),
            json(r#"{"items": [], "next": "/z"}"#),
            json(r#"{"items": [3], "next": null}"#),
        ],
    );
    let run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
    assert_eq!(all_texts(&run.pages().await), ["1", "2", "3"]);
    assert_eq!(server.lines()[1..], ["GET /v2/x?a=%7E&b=+", "GET /v2/y?c=1", "GET /z"]);
}

#[tokio::test]
async fn link_headers_are_followed() {
    let server = Server::start(vec![
        reply(
            "200 OK",
            "Link: </v1/items?p=0>; rel=\"prev\"\r\nLink: </a>; title=\"x, y\"; rel=\"up\", <?p=2>; rel=\"last NEXT\"\r\n",
            r#"{"items": [1]}"#,
        ),
        reply("200 OK", "Link: </v1/items?p=1>; rel=\"prev\"\r\n", r#"{"items": [2]}"#),
    ])
    .await;
    let pages = Run::new(&server, Pagination::LinkHeader).pages().await;
    assert_eq!(all_texts(&pages), ["1", "2"]);
    assert_eq!(server.lines()[1], "GET /v1/items?p=2");
}

#[tokio::test]
async fn a_status_may_mean_no_records() {
    for status in ["204 No Content", "205 Reset Content"] {
        let empty = Reply::Raw(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").into());
        let server = Server::start(vec![empty]).await;
        let pages = Run::new(&server, Pagination::Cursor(by_cursor())).pages().await;
        assert_eq!((pages.len(), pages[0].records.len(), pages[0].body.len()), (1, 0, 0));
    }
    let server =
        Server::start(vec![json(r#"{"items": [1]}"#), reply("404 Not Found", "", "nothing")]).await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.stream.on_status = BTreeMap::from([(404, OnStatus::Empty)]);
    let pages = run.pages().await;
    assert_eq!(all_texts(&pages), ["1"]);
    assert!(pages[1].body.is_empty() && pages[1].after.next.is_none());
}

#[tokio::test]
async fn loops_are_refused_across_resumes() {
    let again = r#"{"items": [2], "cursor": "a"}"#;
    let server =
        Server::start(vec![json(r#"{"items": [1], "cursor": "a"}"#), json(again), json(again)])
            .await;
    let run = Run::new(&server, Pagination::Cursor(by_cursor()));
    let (pages, error) = run.failed().await;
    assert_eq!((pages.len(), error.kind()), (1, ErrorKind::Api));
    assert_eq!(error.message(), "the API loops: the cursor `a` came before");

    let position = pages[0].after.clone();
    let resumed = Run {
        from: Resume { position, seen: pages[0].seen.clone(), undeclared: Vec::new() },
        ..run
    };
    let (pages, error) = resumed.failed().await;
    assert!(pages.is_empty() && error.message().contains("`a` came before"), "{error}");
    assert!(error.context().any(|(key, value)| key == "page" && value == "2"));
}

#[tokio::test]
async fn an_ignored_page_number_is_a_loop() {
    let same = || json(r#"{"items": [1, 2]}"#);
    let server = Server::start(vec![same(), same()]).await;
    let (pages, error) = Run::new(&server, Pagination::Page(by_page())).failed().await;
    assert_eq!((pages.len(), error.kind()), (1, ErrorKind::Api));
    assert!(error.message().contains("byte for byte"), "{error}");
}

#[tokio::test]
async fn a_next_url_that_came_before_is_a_loop() {
    let server = Server::start(vec![
        json(r#"{"items": [1], "next": "/v1/items?p=2"}"#),
        json(r#"{"items": [2], "next": "/v1/items?from=1773705600"}"#),
    ])
    .await;
    let run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
    let (pages, error) = run.failed().await;
    assert_eq!(pages.len(), 1);
    assert!(error.message().starts_with("the API loops: the next URL http://"), "{error}");
}

#[tokio::test]
async fn a_run_resumes_behind_a_page() {
    let server = Server::start(vec![json(r#"{"items": [3], "cursor": null}"#)]).await;
    let mut run = Run::new(&server, Pagination::Cursor(by_cursor()));
    run.from.position = Position { next: token("t7"), pages: 7, records: 70, total: None };
    let pages = run.pages().await;
    assert_eq!(server.lines(), ["GET /v1/items?from=1773705600&cursor=t7"]);
    assert_eq!(pages[0].after, Position { next: None, pages: 8, records: 71, total: None });
    assert_eq!(pages[0].number, 8);

    run.from.position = pages[0].after.clone();
    assert!(run.pages().await.is_empty(), "nothing is asked for behind the last page");
    assert_eq!(server.lines().len(), 1);
}
