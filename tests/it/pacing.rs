//! Respect for the API: quotas that only its headers tell, waits that are told, early ends, and refreshes that ask first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::support::cli::{SourceYaml, TABLE, Workspace};
use super::support::paged_api::Style;
use super::support::raw_server::{RawServer, Reply, Request};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Page `n` of three of the window that `request` asks for, one record each.
fn page(request: &Request) -> (String, u64) {
    let from: i64 = request.param("from").unwrap().parse().unwrap();
    let n: u64 = request.param("cursor").map_or(1, |cursor| cursor.parse().unwrap());
    let record = format!(r#"{{"id":"p{from}-{n}","amount":100,"created_at":{from}}}"#);
    let (next, more) = (n + 1, n < 3);
    let pagination = format!(r#"{{"next_cursor":"{next}","has_more":{more},"total":3}}"#);
    (format!(r#"{{"data":[{record}],"pagination":{pagination}}}"#), n)
}

fn workspace(server: &RawServer, stream: &[&str], top: &str) -> Workspace {
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.stream = stream.iter().map(|&line| line.to_owned()).collect();
    top.clone_into(&mut source.top);
    Workspace::new(&source)
}

/// How often each second of the server's clock was asked in, and how many requests were refused.
#[derive(Default)]
struct Seconds {
    accepted: Mutex<BTreeMap<u64, u64>>,
    refused: AtomicU64,
}

const LIMIT: u64 = 10;

/// An API of ten requests a second of its clock, as told by its headers alone.
fn limited(seconds: &Arc<Seconds>) -> RawServer {
    let seconds = Arc::clone(seconds);
    RawServer::start(move |request, _| {
        #[expect(clippy::disallowed_methods, reason = "the server has a clock of its own")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut accepted = seconds.accepted.lock().unwrap();
        let used = accepted.entry(now).or_default();
        let ok = *used < LIMIT;
        *used += u64::from(ok);
        let (left, reset) = ((LIMIT - *used).to_string(), (now + 1).to_string());
        drop(accepted);
        let mut headers = vec![
            JSON,
            ("X-RateLimit-Limit", "10"),
            ("X-RateLimit-Remaining", &left),
            ("X-RateLimit-Reset", &reset),
        ];
        if ok {
            return Reply::with_headers(200, &headers, page(request).0);
        }
        seconds.refused.fetch_add(1, Ordering::SeqCst);
        headers.push(("Retry-After", "1"));
        Reply::with_headers(429, &headers, "{}")
    })
}

#[test]
fn forty_windows_share_a_quota_that_only_headers_tell() {
    let seconds = Arc::new(Seconds::default());
    let server = limited(&seconds);
    let workspace = workspace(&server, &[], "");
    let forty = ["--from", "2026-03-17", "--to", "2026-03-18T16:00:00Z", "--every", "1h"];
    let ended =
        workspace.extract(&[&forty[..], &["--jobs", "40", "--report", "json"]].concat()).exits(0);
    let traffic = &ended.json()["traffic"];
    let windows = ended.json()["windows"].as_array().unwrap().clone();
    assert_eq!(windows.len(), 40);
    let sum = |key: &str| windows.iter().map(|w| w["counts"][key].as_u64().unwrap()).sum::<u64>();
    let refused = seconds.refused.load(Ordering::SeqCst);
    assert_eq!((sum("written"), sum("requests"), sum("throttled")), (120, 120 + refused, refused));
    assert_eq!(
        (&traffic["requests"], &traffic["throttled"]),
        (&(120 + refused).into(), &refused.into())
    );
    assert_eq!((&traffic["retries"], sum("retries")), (&refused.into(), refused));
    assert!(refused <= 1, "{refused} of {} requests were refused", server.count());
    // Twelve full seconds; the exact share of the quota is held in `http::pace`, where no machine is slow.
    let accepted = seconds.accepted.lock().unwrap();
    let (first, last) = (accepted.keys().next().unwrap(), accepted.keys().next_back().unwrap());
    assert!(last - first < 18, "{accepted:?}");
}

#[test]
fn a_quota_wait_is_told_and_one_that_is_too_long_saves_a_checkpoint() {
    let reset = Arc::new(AtomicU64::new(3));
    let wait = Arc::clone(&reset);
    let server = RawServer::start(move |request, _| {
        let (body, n) = page(request);
        let (left, reset) =
            (if n == 2 { "0" } else { "9" }, wait.load(Ordering::SeqCst).to_string());
        let headers = [
            JSON,
            ("RateLimit-Policy", "\"a\";q=10;w=5"),
            ("RateLimit", &format!("\"a\";r={left};t={reset}")),
        ];
        Reply::with_headers(200, &headers, body)
    });
    let workspace = workspace(&server, &[], "rate_limit: { max_wait: 10s }");
    let began = Instant::now();
    let ended = workspace.extract_day(&[]).exits(0);
    ended.complains(&["waiting 3 s for the quota to reset"]);
    assert!(began.elapsed() >= Duration::from_millis(2900));
    reset.store(3600, Ordering::SeqCst);
    let next = ["--date", "2026-03-18"];
    let ended = workspace.extract(&next).exits(5);
    ended.complains(&["the API's quota is used up: it resets at 20"]);
    ended.complains(&["hint: that is 3", "rate_limit.max_wait", "run the same command again"]);
    assert_eq!(server.count(), 5);
    reset.store(3, Ordering::SeqCst);
    workspace.extract(&next).exits(0);
    assert_eq!(server.count(), 6, "it goes on behind the checkpoint");
}

#[test]
fn a_refusal_with_a_long_wait_ends_all_windows_at_once() {
    let server =
        RawServer::start(|_, _| Reply::with_headers(429, &[JSON, ("Retry-After", "7200")], "{}"));
    let workspace = workspace(&server, &[], "");
    let days = ["--from", "2026-03-17", "--to", "2026-03-22", "--jobs", "5"];
    let ended = workspace.extract(&days).exits(5);
    ended.complains(&["the API asks to come back at 20"]);
    assert_eq!(server.count(), 1, "the others know it: {ended}");
}

#[test]
fn a_deadline_ends_a_body_that_drips() {
    let server = RawServer::start(|request, _| {
        let (body, n) = page(request);
        let reply = Reply::with_headers(200, &[JSON], body);
        if n == 1 { reply } else { reply.dripping(1, Duration::from_millis(200)) }
    });
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.timeout = "60s".to_owned();
    let workspace = Workspace::new(&source);
    let began = Instant::now();
    workspace.extract_day(&["--deadline", "1s"]).exits(5).complains(&["the deadline has passed"]);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 1);
    source.timeout = "1s".to_owned();
    workspace.write("source.yaml", &source.text());
    workspace.extract_day(&[]).exits(5).complains(&["no whole response within 1s"]);
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 1);
}

#[test]
fn a_conditional_refresh_skips_what_has_not_changed() {
    let changed = Arc::new(AtomicBool::new(false));
    let new = Arc::clone(&changed);
    let server = RawServer::start(move |request, _| {
        let (body, n) = page(request);
        let newer = n == 2 && new.load(Ordering::SeqCst);
        let tag = format!("\"{n}-{newer}\"");
        let headers = [JSON, ("ETag", tag.as_str())];
        if request.header("if-none-match") == Some(&tag) {
            return Reply::with_headers(304, &headers, "");
        }
        let body = if newer { body.replace("\"amount\":100", "\"amount\":900") } else { body };
        Reply::with_headers(200, &headers, body)
    });
    let workspace = workspace(&server, &["conditional: true"], "");
    workspace.extract_day(&[]).exits(0);
    let committed = workspace.lake().manifest(TABLE);
    let ended = workspace.extract_day(&["--refresh", "--report", "json"]).exits(0);
    assert_eq!(ended.json()["windows"][0]["outcome"], "unchanged");
    assert_eq!(ended.json()["traffic"]["requests"], 3);
    assert_eq!(server.count(), 6, "three pages, and each asked for once more");
    assert_eq!(workspace.lake().manifest(TABLE), committed, "nothing was written");
    workspace.extract_day(&["--refresh"]).exits(0).says("not changed since their commit");
    workspace.extract_day(&[]).exits(0).says("already committed");
    assert_eq!(server.count(), 9);

    changed.store(true, Ordering::SeqCst);
    workspace.extract_day(&["--refresh"]).exits(0).says("committed");
    assert_eq!(server.count(), 9 + 2 + 3, "the second page is not what it was");
    let paise: i128 = workspace.lake().rows(TABLE).iter().map(|row| row.paise).sum();
    assert_eq!(paise, 1100);

    // A run out of budget in the middle of asking leaves the window as it is.
    workspace.extract_day(&["--refresh", "--max-requests", "2"]).exits(5);
    assert_eq!(workspace.lake().manifest(TABLE)["state"], Value::from("committed"));
    let last = server.requests().pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("\"2-true\""));
}
