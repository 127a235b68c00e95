//! Every status code, tried: what it leads to, as a table.

use std::sync::Mutex;

use super::scripted::{Reply, json, reply};
use super::*;
use crate::http::status::{Class, classify};
use crate::spec::source::TotalFrom;

/// What a class of statuses leads to.
fn says(class: Class) -> &'static str {
    match class {
        Class::Page => "page",
        Class::Empty => "empty page",
        Class::Follow => "follow",
        Class::Credentials => "renew, else stop with exit 3",
        Class::Permission => "stop with exit 3",
        Class::Passing => "retry, then stop with exit 5",
        Class::Refused => "stop with exit 4",
    }
}

/// What a status has led to: the pages, the requests, and the exit code.
async fn tried(server: &Server, status: u16) -> (usize, usize, u8) {
    let mut run = Run::new(server, Pagination::None);
    run.source.base_url = Some(format!("{}/{status}", server.url()).parse().expect("url"));
    run.source.retry.max_wait = Duration::from_millis(1);
    let results = run.results().await;
    let exit = results.iter().find_map(|page| page.as_ref().err()).map_or(0, |error| {
        assert!(error.to_string().contains(&status.to_string()), "{status}: {error}");
        error.kind().exit_code()
    });
    let pages = results.iter().flatten().map(|page| page.records.len()).sum();
    let asked = server.lines().iter().filter(|line| line.contains(&format!("/{status}/"))).count();
    (pages, asked, exit)
}

#[tokio::test]
async fn every_status_leads_where_the_table_says() {
    let server = Server::answering(|asked| {
        let status = asked.line.split('/').nth(1).expect("path").to_owned();
        let answer = match status.as_str() {
            "there" => json(r#"{"items": [1]}"#),
            "204" | "205" | "304" => {
                Reply::Raw(format!("HTTP/1.1 {status} x\r\nConnection: close\r\n\r\n").into())
            }
            _ => {
                let location = if status.starts_with('3') { "Location: /there\r\n" } else { "" };
                reply(&format!("{status} x"), location, r#"{"items": [1]}"#)
            }
        };
        (Duration::ZERO, answer)
    })
    .await;
    let server = &server;
    let tried = futures::stream::iter(200..=599_u16)
        .map(|status| async move { (status, tried(server, status).await) })
        .buffered(16)
        .collect::<Vec<_>>()
        .await;
    let mut runs: Vec<(u16, u16, &str)> = Vec::new();
    for (status, got) in tried {
        let class = classify(status, &BTreeMap::new());
        let wanted = match class {
            Class::Page | Class::Follow => (1, 1, 0),
            Class::Empty => (0, 1, 0),
            Class::Credentials | Class::Permission => (0, 1, 3),
            Class::Refused => (0, 1, 4),
            Class::Passing => (0, 3, 5),
        };
        assert_eq!(got, wanted, "{status}");
        match runs.last_mut() {
            Some((_, last, said)) if *said == says(class) => *last = status,
            _ => runs.push((status, status, says(class))),
        }
    }
    let table: Vec<String> = runs
        .iter()
        .map(|(first, last, said)| match first == last {
            true => format!("{first}      {said}"),
            false => format!("{first}-{last}  {said}"),
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    200-203  page
    204-205  empty page
    206-299  page
    300-303  follow
    304      stop with exit 4
    305-399  follow
    400      stop with exit 4
    401      renew, else stop with exit 3
    402      stop with exit 4
    403      stop with exit 3
    404-407  stop with exit 4
    408      retry, then stop with exit 5
    409-424  stop with exit 4
    425      retry, then stop with exit 5
    426-428  stop with exit 4
    429      retry, then stop with exit 5
    430-499  stop with exit 4
    500      retry, then stop with exit 5
    501      stop with exit 4
    502-504  retry, then stop with exit 5
    505      stop with exit 4
    506-599  retry, then stop with exit 5
    ");
}

#[tokio::test]
async fn a_retry_after_of_any_kind_is_a_bounded_wait() {
    // The client's clock stands at midnight; the server's is five minutes ahead, or behind.
    let cases = [
        ("", "-5"),
        ("", "soon"),
        ("", "0"),
        ("", "NaN"),
        ("", "Wed, 18 Mar 2026 23:59:00 GMT"),
        ("Thu, 19 Mar 2026 00:05:00 GMT", "Thu, 19 Mar 2026 00:05:00 GMT"),
        ("Wed, 18 Mar 2026 23:55:00 GMT", "Wed, 18 Mar 2026 23:54:59 GMT"),
    ];
    let tried = cases.map(|(date, value)| async move {
        let date = if date.is_empty() { String::new() } else { format!("Date: {date}\r\n") };
        let headers = format!("{date}Retry-After: {value}\r\n");
        let busy = || reply("429 Too Many Requests", &headers, "");
        let server = Server::start(vec![busy(), busy(), json(r#"{"items": [1]}"#)]).await;
        let run = Run::new(&server, Pagination::None);
        assert_eq!(run.pages().await.len(), 1, "{value}");
        assert_eq!(run.meter.read(), (3, 2, 2), "{value}");
    });
    futures::future::join_all(tried).await;
    for (date, value, message) in [
        ("", "99999999999999999999999", "the API asks to come back never"),
        ("", "3600", "the API asks to come back at 2026-03-19T01:00:00Z"),
        // Five minutes ahead: an hour from its own time is an hour.
        (
            "Date: Thu, 19 Mar 2026 00:05:00 GMT\r\n",
            "Thu, 19 Mar 2026 01:05:00 GMT",
            "at 2026-03-19T01:00:00Z",
        ),
        ("", "Fri, 31 Dec 9999 23:59:59 GMT", "at 9999-12-31T23:59:59Z"),
    ] {
        let busy = reply("429 Too Many Requests", &format!("{date}Retry-After: {value}\r\n"), "");
        let server = Server::start(vec![busy, json(r#"{"items": [1]}"#)]).await;
        let run = Run::new(&server, Pagination::None);
        let (_, error) = run.failed().await;
        assert_eq!((error.kind().exit_code(), server.asked().len()), (5, 1), "{value}");
        assert!(error.message().contains(message), "{error}");
    }
}

#[tokio::test]
async fn all_clients_of_a_source_have_one_pace() {
    let busy = reply("429 Too Many Requests", "Retry-After: 3600\r\n", "");
    let server = Server::start(vec![busy, json(r#"{"items": [1]}"#)]).await;
    let run = Run::new(&server, Pagination::None);
    let now = "2026-03-19T00:00:00Z".parse().expect("instant");
    let clients =
        [0, 1].map(|_| Client::new(&run.source, Arc::new(FixedClock(now))).expect("client"));
    for client in clients {
        let error = run.with(client).await.remove(0).expect_err("error");
        assert_eq!(error.kind().exit_code(), 5);
    }
    assert_eq!(server.asked().len(), 1, "the other window knows it without asking");
}

#[tokio::test]
async fn what_has_not_changed_is_known_page_by_page() {
    let server = Server::answering(|asked| {
        let page = asked.number("page").expect("page");
        let tag = if page == 2 { "\"two\"" } else { "W/\"one\"" };
        let headers = format!("ETag: {tag}\r\nLast-Modified: Tue, 17 Mar 2026 00:00:00 GMT\r\n");
        let answer = match asked.header("if-none-match") {
            Some(known) if known == tag => reply("304 Not Modified", &headers, ""),
            _ => reply(
                "200 OK",
                &headers,
                &format!(r#"{{"items": [{page}], "has_more": {}}}"#, page < 2),
            ),
        };
        (Duration::ZERO, answer)
    })
    .await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    assert!(run.pages().await.iter().all(|page| page.validator.is_none()), "not declared");
    run.stream.conditional = true;
    let pages = run.pages().await;
    let mut validators: Vec<_> = pages.into_iter().filter_map(|page| page.validator).collect();
    assert_eq!(validators.len(), 2);
    let now = "2026-03-19T00:00:00Z".parse().expect("instant");
    let client = Client::new(&run.source, Arc::new(FixedClock(now))).expect("client");
    let window: Window = "20260317T000000Z_20260318T000000Z".parse().expect("window");
    let asks = |pages: u64, validators: Vec<crate::page::Validator>| {
        let (client, stream, meter) = (client.clone(), run.stream.clone(), Arc::clone(&run.meter));
        async move {
            let of = (&client, &stream, (pages, &*validators), &meter);
            crate::http::conditional::is_unchanged(of.0, of.1, window, of.2, of.3).await
        }
    };
    assert!(asks(2, validators.clone()).await.expect("answer"));
    let last = server.asked().pop().expect("asked");
    assert_eq!(last.header("if-modified-since"), Some("Tue, 17 Mar 2026 00:00:00 GMT"));
    // A page that came without one may have changed, wherever it stands.
    for (pages, known) in [(2, &validators[1..]), (2, &validators[..1]), (3, &validators[..])] {
        assert!(!asks(pages, known.to_vec()).await.expect("answer"), "{pages}");
    }
    validators[1].etag = Some("\"old\"".into());
    assert!(!asks(2, validators).await.expect("answer"));
    assert!(!asks(0, Vec::new()).await.expect("answer"));
}

#[tokio::test]
async fn what_pages_beside_the_body_must_be_as_it_was_too() {
    let link = Arc::new(Mutex::new(String::new()));
    let said = Arc::clone(&link);
    let server = Server::answering(move |asked| {
        let headers = format!("ETag: \"one\"\r\n{}", said.lock().expect("link"));
        let answer = match asked.header("if-none-match") {
            Some(_) => reply("304 Not Modified", &headers, ""),
            None => reply("200 OK", &headers, r#"{"items": [1]}"#),
        };
        (Duration::ZERO, answer)
    })
    .await;
    let mut run = Run::new(&server, Pagination::LinkHeader);
    run.stream.conditional = true;
    let pages = run.pages().await;
    let validators: Vec<_> = pages.into_iter().filter_map(|page| page.validator).collect();
    let now = "2026-03-19T00:00:00Z".parse().expect("instant");
    let client = Client::new(&run.source, Arc::new(FixedClock(now))).expect("client");
    let window: Window = "20260317T000000Z_20260318T000000Z".parse().expect("window");
    let known = (1, &*validators);
    let asks =
        || crate::http::conditional::is_unchanged(&client, &run.stream, window, known, &run.meter);
    assert!(asks().await.expect("answer"), "no page followed, and none follows");
    *link.lock().expect("link") = "Link: </v1/items?page=2>; rel=\"next\"\r\n".to_owned();
    assert!(!asks().await.expect("answer"), "a page follows a body that is the same");
    *link.lock().expect("link") = String::new();
    run.stream.total = Some(TotalFrom::Header("x-total-count".to_owned()));
    let asked =
        crate::http::conditional::is_unchanged(&client, &run.stream, window, known, &run.meter);
    assert!(!asked.await.expect("answer"), "nobody knows what the total was");
}
