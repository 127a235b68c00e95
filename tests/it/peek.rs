//! `lakeward peek`: one request, what it says, and no credential of it.

use super::support::cli::{SourceYaml, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::{RawServer, Reply};

const DAY: [&str; 2] = ["--date", "2026-03-17"];

fn peek(workspace: &Workspace, args: &[&str]) -> super::support::cli::Lakeward {
    workspace.lakeward(&[&["peek", "source.yaml", "payments"], args, &DAY].concat())
}

#[test]
fn one_page_is_shown_and_nothing_is_written() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let ended = peek(&workspace, &[]).exits(0);
    for said in [
        "< 200 in ",
        "Declared and seen",
        "payment_id",
        "/pagination/next_cursor",
        "of 230",
        "next: cursor",
    ] {
        assert!(ended.stdout.contains(said), "`{said}`: {ended}");
    }
    assert_eq!(api.server().count(), 1);
    assert!(!workspace.path("lake").exists());
    let view = peek(&workspace, &["--format", "json"]).exits(0).json();
    assert_eq!(view["exchanges"][0]["status"], 200, "{view:#}");
    assert_eq!(view["page"]["total"], 230, "{view:#}");
    assert_eq!(view["page"]["fields"][0]["name"], "payment_id", "{view:#}");
    let roles = view["envelope"].as_array().unwrap();
    let is_records = |place: &&serde_json::Value| place["declared"] == "records";
    assert_eq!(roles.iter().find(is_records).unwrap()["pointer"], "/data", "{view:#}");
}

#[test]
fn the_only_stream_need_not_be_named() {
    let api = PagedApi::start(Options { records_per_day: vec![3], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Page);
    workspace.lakeward(&["peek", "source.yaml"]).exits(0);
    let ended = workspace.lakeward(&["peek", "source.yaml", "paymants"]).exits(2);
    ended.complains(&["did you mean `payments`"]);
}

#[test]
fn a_pointer_that_is_wrong_is_shown_beside_the_right_one() {
    let server = RawServer::start(|_, _| {
        Reply::json(200, r#"{"items":[{"id":"a"}],"meta":{"total":9,"next":"/x?page=2"}}"#)
    });
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.records = "/rows".to_owned();
    let workspace = Workspace::new(&source);
    let ended = peek(&workspace, &[]).exits(4);
    assert!(
        ended.stdout.contains("records: \"/items\" seems to be right, not \"/rows\""),
        "{ended}"
    );
    assert!(ended.stdout.contains("/meta/total"), "{ended}");
    ended.complains(&["records `/rows` is not in the body"]);
    let view = peek(&workspace, &["--format", "json"]).exits(4).json();
    assert_eq!(view["error"]["exit"], 4, "{view:#}");
}

#[test]
fn a_refusal_is_asked_for_once_and_shows_its_quota() {
    let server = RawServer::start(|_, _| {
        let headers = [("Retry-After", "30"), ("X-RateLimit-Remaining", "0")];
        Reply::with_headers(429, &headers, "slow down")
    });
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.max_attempts = 5;
    let workspace = Workspace::new(&source);
    let ended = peek(&workspace, &[]).exits(5);
    assert!(ended.stdout.contains("< 429 in "), "{ended}");
    assert!(ended.stdout.to_lowercase().contains("x-ratelimit-remaining: 0"), "{ended}");
    assert_eq!(server.count(), 1, "{ended}");
}

#[test]
fn no_credential_is_shown_however_it_is_echoed() {
    const CANARY: &str = "canary-7f3a9c51/x";
    let echo = |request: &super::support::raw_server::Request| {
        let sent = request.header("x-gateway").unwrap_or_default().to_owned();
        // Near the end of what a sample shows, so that a cut would leave the beginning.
        let long = format!("{}{sent}", "x".repeat(50));
        let body = format!(
            r#"{{"data":[{{"id":"{sent}","amount":"{long}","created_at":"{long}","echo":"{long}"}}],"note":"{long}","pagination":{{"total":1,"next_cursor":"{long}"}}}}"#
        );
        (sent, body)
    };
    for status in [200, 403, 500] {
        let server = RawServer::start(move |request, _| {
            let (sent, body) = echo(request);
            let headers = [
                ("Content-Type", "application/json"),
                ("X-Echo", sent.as_str()),
                ("Set-Cookie", "sid=canary-cookie-1"),
                ("X-RateLimit-Limit", sent.as_str()),
            ];
            Reply::with_headers(status, &headers, body)
        });
        let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
        source.auth =
            "{ type: api_key, header: X-Gateway, value: { env: GATEWAY_KEY } }".to_owned();
        let workspace = Workspace::new(&source);
        for format in ["table", "json"] {
            let args = ["--format", format, "--log", "json", "--log-level", "trace"];
            let ended = peek(&workspace, &args).env("GATEWAY_KEY", CANARY).run();
            let text = format!("{}{}", ended.stdout, ended.stderr);
            assert!(text.contains("[redacted]"), "{ended}");
            assert!(!text.contains("canary"), "{status}: {ended}");
        }
        assert_eq!(server.requests()[0].header("x-gateway"), Some(CANARY));
    }
}

#[test]
fn a_key_in_the_query_is_hidden() {
    let server = RawServer::start(|_, _| Reply::json(200, r#"{"data":[]}"#));
    let mut source = SourceYaml::new(&server.base_url(), Style::Page);
    source.auth = "{ type: api_key, query: k, value: { env: GATEWAY_KEY } }".to_owned();
    let workspace = Workspace::new(&source);
    let ended = peek(&workspace, &[]).env("GATEWAY_KEY", "canary-7f3a").exits(0);
    assert!(ended.stdout.contains("k=[redacted]") && !ended.stdout.contains("canary"), "{ended}");
    peek(&workspace, &[]).exits(2).complains(&["GATEWAY_KEY", "is not set"]);
}
