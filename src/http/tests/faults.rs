//! Faults that pass, faults that do not, and what is said of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scripted::{Reply, bytes, json, reply};
use super::*;
use crate::error::ErrorKind;
use crate::spec::auth::KeyPlace;

/// 100 KB of records in some 170 bytes of gzip.
const BOMB: &str = "H4sIAAAAAAACA+3CIRIAEBAAwL9cVlRfMaIgSDTj774h7OyeGLvPFaXmBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHyr3QeWZmg5rYYBAA==";

/// One record, gzipped.
const SMALL: &str = "H4sIAAAAAAACA6tWyixJzS1WsoquVspMUbIyrI2tBQAb0L0zFAAAAA==";

fn good() -> Reply {
    json(r#"{"items": [{"id": 1}]}"#)
}

fn cut() -> Reply {
    Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"items\": [{\"id\": 1}".to_vec())
}

async fn outcome(replies: Vec<Reply>) -> (Server, Run, Vec<Result<Page>>) {
    let server = Server::start(replies).await;
    let run = Run::new(&server, Pagination::None);
    let results = run.results().await;
    (server, run, results)
}

async fn error(replies: Vec<Reply>) -> (Server, Run, Error) {
    let (server, run, mut results) = outcome(replies).await;
    assert_eq!(results.len(), 1);
    (server, run, results.remove(0).expect_err("error"))
}

#[tokio::test]
async fn what_passes_is_retried() {
    let chunk_cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ite".to_vec();
    let close_cut = b"HTTP/1.1 200 OK\r\n\r\n{\"items\": [1".to_vec();
    for fault in [
        reply("503 Service Unavailable", "", "busy"),
        reply("503 Service Unavailable", "Retry-After: 0\r\n", ""),
        reply("429 Too Many Requests", "Retry-After: Wed, 18 Mar 2026 23:00:00 GMT\r\n", ""),
        reply("429 Too Many Requests", "Retry-After: soon\r\n", ""),
        reply("408 Request Timeout", "", ""),
        reply("425 Too Early", "", ""),
        reply("500 Internal Server Error", "", ""),
        cut(),
        Reply::Raw(chunk_cut),
        Reply::Raw(close_cut),
        Reply::Raw(b"garbage\r\n\r\n".to_vec()),
        Reply::Raw(Vec::new()),
        Reply::Reset,
        bytes("200 OK", "Content-Encoding: gzip\r\n", b"not gzip"),
        reply("200 OK", "Content-Type: text/html\r\n", "<html>"),
        json(""),
        bytes("200 OK", "", b"{\"items\": [\"\xff\"]}"),
    ] {
        let (server, run, results) = outcome(vec![fault.clone(), good()]).await;
        let page =
            results.into_iter().next().expect("item").unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        assert_eq!(texts(&page), [r#"{"id": 1}"#]);
        let (requests, retries, _) = run.meter.read();
        assert_eq!((requests, retries, server.asked().len()), (2, 1, 2), "{fault:?}");
        let ids = server.asked();
        assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
    }
}

#[tokio::test]
async fn being_asked_to_slow_down_is_counted() {
    let (_server, run, _) = outcome(vec![
        reply("429 Too Many Requests", "", ""),
        reply("503 Service Unavailable", "Retry-After: 0\r\n", ""),
        good(),
    ])
    .await;
    assert_eq!(run.meter.read(), (3, 2, 2));
    let (_server, run, _) = outcome(vec![reply("503 Service Unavailable", "", ""), good()]).await;
    assert_eq!(run.meter.read(), (2, 1, 0));
}

#[tokio::test]
async fn what_does_not_pass_ends_in_exit_5() {
    let busy = || reply("503 Service Unavailable", "", "{\"why\": \"maintenance\"}");
    let (server, run, error) = error(vec![busy(), busy(), busy()]).await;
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(run.meter.read(), (3, 2, 0));
    let text = error.to_string();
    let id = server.asked()[2].header("x-request-id").expect("id").to_owned();
    for part in ["503 Service Unavailable", "attempts: 3", "maintenance", "GET http://127", &id] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for key in ["stream", "page", "request", "request_id"] {
        assert!(error.context().any(|(k, _)| k == key), "{key}");
    }
}

#[tokio::test]
async fn a_refused_connection_ends_in_exit_5() {
    let (server, listener) = Server::listen().await;
    drop(listener);
    let (_, error) = Run::new(&server, Pagination::None).failed().await;
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.to_string().contains("could not connect"), "{error}");
}

#[tokio::test]
async fn a_long_retry_after_ends_at_once_and_says_when() {
    for value in ["3600", "Thu, 19 Mar 2026 01:00:00 GMT"] {
        let busy = reply("429 Too Many Requests", &format!("Retry-After: {value}\r\n"), "");
        let (server, _, error) = error(vec![busy, good()]).await;
        assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Transient, 1));
        assert!(error.message().contains("2026-03-19T01:00:00Z"), "{error}");
        assert!(error.context().any(|(key, _)| key == "request_id"));
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_shows_its_body() {
    for (status, kind) in [
        ("400 Bad Request", ErrorKind::Api),
        ("404 Not Found", ErrorKind::Api),
        ("405 Method Not Allowed", ErrorKind::Api),
        ("409 Conflict", ErrorKind::Api),
        ("410 Gone", ErrorKind::Api),
        ("422 Unprocessable Content", ErrorKind::Api),
        ("501 Not Implemented", ErrorKind::Api),
        ("505 HTTP Version Not Supported", ErrorKind::Api),
        ("304 Not Modified", ErrorKind::Api),
        ("401 Unauthorized", ErrorKind::Credentials),
        ("403 Forbidden", ErrorKind::Credentials),
    ] {
        let no_body = status.starts_with("304");
        let refused = reply(status, "", if no_body { "" } else { r#"{"error": "no such day"}"# });
        let (server, _, error) = error(vec![refused, good()]).await;
        assert_eq!((error.kind(), server.asked().len()), (kind, 1), "{status}");
        assert!(no_body || error.to_string().contains("no such day"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_json_ends_in_exit_4_with_what_it_was() {
    let html = || reply("200 OK", "Content-Type: text/html\r\n", &"<p>down".repeat(200));
    let (_server, run, error) = error(vec![html(), html(), html()]).await;
    assert_eq!((error.kind(), run.meter.read().0), (ErrorKind::Api, 3));
    let body = error.context().find(|(key, _)| *key == "body").expect("body").1;
    assert_eq!(body.chars().count(), 500);
    assert!(error.to_string().contains("content_type: text/html"), "{error}");

    let cut = || Reply::Raw(b"HTTP/1.1 200 OK\r\n\r\n{\"items\": [1".to_vec());
    let (_server, _, error) = super::faults::error(vec![cut(), cut(), cut()]).await;
    assert_eq!(error.kind(), ErrorKind::Api);
}

#[tokio::test]
async fn a_body_that_keeps_being_cut_ends_in_exit_5() {
    let (_server, _, error) = error(vec![cut(), cut(), cut()]).await;
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.to_string().contains("cut short"), "{error}");
}

#[tokio::test]
async fn a_broken_contract_is_final() {
    for (body, part) in [
        (r#"{"item": [1]}"#, "records `/items` is not in the body"),
        (r#"{"items": "none"}"#, "is a string, not an array"),
    ] {
        let (server, _, error) = error(vec![json(body), good()]).await;
        assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Api, 1));
        assert!(error.message().contains(part), "{error}");
        assert!(error.context().any(|(key, _)| key == "request_id"));
    }
    let server = Server::start(vec![json(r#"{"error": {"code": 7}}"#)]).await;
    let mut run = Run::new(&server, Pagination::None);
    run.stream.error = Some(pointer("/error"));
    let (_, error) = run.failed().await;
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(error.to_string().contains("reports an error at `/error`"), "{error}");
}

#[tokio::test]
async fn a_drip_meets_the_total_deadline() {
    let drip = || {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n".to_vec();
        Reply::Drip([head, vec![b' '; 90]].concat())
    };
    let server = Server::start(vec![drip(), Reply::Hang, drip()]).await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.http.timeout = Duration::from_millis(150);
    let (_, error) = run.failed().await;
    assert_eq!((error.kind(), run.meter.read().0), (ErrorKind::Transient, 3));
    assert!(error.message().contains("no whole response within 150ms"), "{error}");
}

#[tokio::test]
async fn bodies_are_inflated_up_to_the_cap() {
    let zipped = |text: &str| {
        bytes("200 OK", "Content-Encoding: gzip\r\n", &STANDARD.decode(text).expect("base64"))
    };
    let (server, _, results) = outcome(vec![zipped(SMALL)]).await;
    assert_eq!(texts(results[0].as_ref().expect("page")), [r#"{"id":1}"#]);
    let accepted = server.asked()[0].header("accept-encoding").expect("encodings").to_owned();
    assert!(["gzip", "br", "zstd", "deflate"].iter().all(|one| accepted.contains(one)));

    for reply in [zipped(BOMB), json(&format!("{{\"items\": [{}1]}}", "1,".repeat(50_000)))] {
        let server = Server::start(vec![reply, good()]).await;
        let mut run = Run::new(&server, Pagination::None);
        run.source.http.max_page_bytes = 10_000;
        let (_, error) = run.failed().await;
        assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Api, 1));
        assert!(error.message().contains("larger than 10000 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_large_page_is_scanned_like_any_other() {
    let body = format!("{{\"items\": [{}1]}}", "1, ".repeat(500_000));
    let (_server, _, results) = outcome(vec![json(&body)]).await;
    assert_eq!(results[0].as_ref().expect("page").records.len(), 500_001);
}

#[tokio::test]
async fn a_missing_secret_is_named_before_anything_is_sent() {
    let server = Server::start(vec![good()]).await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::Bearer { token: SecretRef::Env("LAKEWARD_TEST_UNSET".into()) };
    let (_, error) = run.failed().await;
    assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Config, 0));
    assert!(error.message().contains("LAKEWARD_TEST_UNSET"), "{error}");
}

#[tokio::test]
async fn an_echoed_secret_is_not_shown() {
    let echo = |text: &str| reply("400 Bad Request", "Content-Type: x/hunter2\r\n", text);
    let server =
        Server::start(vec![echo("key hunter2, basic aHVudGVyMjp4eXp6eQ== of xyzzy")]).await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::Basic { username: secret("hunter2"), password: secret("xyzzy\n") };
    let (_, error) = run.failed().await;
    let shown = format!("{error:?}");
    assert!(shown.contains("key [redacted], basic [redacted] of [redacted]"), "{shown}");
    assert!(!shown.contains("hunter2"));

    let server = Server::start(vec![echo("hunter2")]).await;
    let mut run = Run::new(&server, Pagination::None);
    let place = KeyPlace::Query("k".into());
    run.source.auth = Auth::ApiKey { place, value: secret("hunter2") };
    let (_, error) = run.failed().await;
    assert!(server.lines()[0].ends_with("&k=hunter2"));
    assert!(!format!("{error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn stopping_drops_whatever_is_waited_for() {
    let busy = reply("503 Service Unavailable", "Retry-After: 30\r\n", "");
    for fault in [Reply::Hang, busy] {
        let server = Server::start(vec![fault]).await;
        let mut run = Run::new(&server, Pagination::None);
        run.source.retry.max_wait = Duration::from_secs(60);
        let stop = run.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.cancel();
        });
        let began = std::time::Instant::now();
        let (_, error) = run.failed().await;
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_request_beyond_the_budget_is_not_sent() {
    let busy = reply("503 Service Unavailable", "", "");
    let server = Server::start(vec![busy.clone(), busy, good()]).await;
    let run = Run::new(&server, Pagination::None);
    let clock = FixedClock("2026-03-19T00:00:00Z".parse().expect("instant"));
    let client = Client::new(&run.source, Arc::new(clock)).expect("client").with_budget(2);
    let error = run.with(client).await.remove(0).expect_err("error");
    assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Budget, 2));
}

/// An API that checks the time refuses what was made before a wait.
#[tokio::test]
async fn every_attempt_is_made_anew() {
    let busy = || reply("503 Service Unavailable", "", "");
    let found = reply("302 Found", "Location: /v1/there\r\n", "");
    let server = Server::start(vec![busy(), busy(), found, good()]).await;
    let mut run = Run::new(&server, Pagination::None);
    let template = Template::parse("{{ timestamp }}").expect("template");
    run.source.headers = vec![("X-Time".into(), template)];
    let client = Client::new(&run.source, Arc::<Hurried>::default()).expect("client");
    assert!(run.with(client).await.iter().all(Result::is_ok));
    let asked = server.asked();
    let times: Vec<&str> = asked.iter().filter_map(|asked| asked.header("x-time")).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    assert_eq!(times[2], times[3], "a redirect leads on what was asked");
}

/// Whatever the API names, its answer may echo what it was asked with.
#[tokio::test]
async fn what_is_echoed_is_neither_shown_nor_kept() {
    const CANARY: &str = "CANARY&s3cr3t";
    let utf16: Vec<u8> =
        format!("bad key {CANARY}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases = [
        (
            "a cursor that holds a credential",
            json(&format!(r#"{{"items":[1],"has_more":true,"cursor":"p1&k={CANARY}"}}"#)),
        ),
        ("is not in the body", json(&format!(r#"{{"{CANARY}":[]}}"#))),
        (
            "which is not known",
            reply("200 OK", &format!("Content-Type: text/json; charset={CANARY}\r\n"), "[]"),
        ),
        ("was not asked for", reply("200 OK", &format!("Content-Encoding: {CANARY}\r\n"), "[]")),
        (
            "bad key [redacted]",
            reply("400 Bad Request", "", r#"{"e":"bad key CANARY\u0026s3cr3t"}"#),
        ),
        ("bad key [redacted]", reply("400 Bad Request", "", "<p>bad key CANARY&amp;s3cr3t</p>")),
        (
            "bad key [redacted]",
            bytes("400 Bad Request", "Content-Type: text/plain; charset=utf-16le\r\n", &utf16),
        ),
    ];
    for (said, answer) in cases {
        let server = Server::start(vec![answer]).await;
        let mut run = Run::new(&server, Pagination::Cursor(by_cursor()));
        run.source.auth = Auth::Bearer { token: secret(CANARY) };
        let (_, error) = run.failed().await;
        let shown = format!("{error:?}");
        assert!(shown.contains(said), "{said}: {shown}");
        assert!(!shown.contains("CANARY") && !shown.contains("s3cr3t"), "{shown}");
    }
    let tagged = format!("ETag: \"{CANARY}\"\r\n");
    let server = Server::start(vec![reply("200 OK", &tagged, r#"{"items": [1]}"#)]).await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::Bearer { token: secret(CANARY) };
    run.stream.conditional = true;
    assert!(run.pages().await.iter().all(|page| page.validator.is_none()));
}

/// GitHub answers so: its permissions are refused without these headers.
#[tokio::test]
async fn a_403_that_speaks_of_pace_is_waited_for() {
    for headers in [
        "Retry-After: 0\r\n",
        "X-RateLimit-Limit: 60\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1\r\n",
    ] {
        let server =
            Server::start(vec![reply("403 Forbidden", headers, "slow down"), good()]).await;
        let run = Run::new(&server, Pagination::None);
        assert_eq!(run.pages().await.len(), 1);
        assert_eq!(run.meter.read(), (2, 1, 1));
    }
    let headers = "X-RateLimit-Limit: 60\r\nX-RateLimit-Remaining: 59\r\n";
    let (server, _, error) = error(vec![reply("403 Forbidden", headers, "not yours")]).await;
    assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Credentials, 1));
}
