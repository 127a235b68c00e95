//! Redirects and next URLs: where they may lead, and that credentials stay at home.

use super::scripted::{Reply, json, reply};
use super::*;
use crate::error::ErrorKind;
use crate::spec::auth::KeyPlace;

fn to(status: &str, location: &str) -> Reply {
    reply(status, &format!("Location: {location}\r\nSet-Cookie: id=hunter2\r\n"), "")
}

fn auths() -> [Auth; 4] {
    let key = |place| Auth::ApiKey { place, value: secret("hunter2") };
    [
        key(KeyPlace::Header("X-Passe".into())),
        key(KeyPlace::Query("k".into())),
        Auth::Bearer { token: secret("hunter2") },
        Auth::Basic { username: secret("hunter2"), password: secret("") },
    ]
}

#[tokio::test]
async fn redirects_on_the_own_origin_keep_credentials() {
    for auth in auths() {
        let moved = vec![
            to("301 Moved Permanently", "/a"),
            to("302 Found", "b?x=1"),
            to("307 Temporary Redirect", "?y=2"),
            json(r#"{"items": [1]}"#),
        ];
        let server = Server::start(moved).await;
        let mut run = Run::new(&server, Pagination::None);
        run.source.auth = auth;
        assert_eq!(all_texts(&run.pages().await), ["1"]);
        assert_eq!(run.meter.read(), (4, 0, 0));
        let asked = server.asked();
        assert!(asked[3].line.starts_with("GET /b?y=2"), "{}", asked[3].line);
        for asked in asked {
            let head = asked.head();
            assert!(head.contains("hunter2") || head.contains("aHVudGVyMjo="), "{head}");
            assert!(asked.header("cookie").is_none() && asked.header("referer").is_none());
        }
    }
}

#[tokio::test]
async fn another_origin_is_refused() {
    let other = Server::start(vec![json(r#"{"items": [1]}"#)]).await;
    let there = format!("{}/x?k=hunter2", other.url());
    for first in [
        to("302 Found", &there),
        json(&format!(r#"{{"items": [], "next": "{there}"}}"#)),
        json(r#"{"items": [], "next": "ftp://127.0.0.1/x"}"#),
        json(r#"{"items": [], "next": "http://u:hunter2@127.0.0.1/x"}"#),
        to("302 Found", "http://[bad"),
        reply("302 Found", "", ""),
    ] {
        let server = Server::start(vec![first]).await;
        let mut run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
        let place = KeyPlace::Query("k".into());
        run.source.auth = Auth::ApiKey { place, value: secret("hunter2") };
        let (pages, error) = run.failed().await;
        assert_eq!((pages.len(), error.kind()), (0, ErrorKind::Api), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn an_allowed_host_gets_no_credentials() {
    for auth in auths() {
        let (other, listener) = Server::listen().await;
        let (server, home) = Server::listen().await;
        // The own server echoes the key into the redirect; the other one leads back home.
        server.run(
            home,
            vec![
                to("302 Found", &format!("{}/x?k=hunter2&z=1", other.url())),
                json(r#"{"items": [3], "next": null}"#),
            ],
        );
        other.run(
            listener,
            vec![
                json(r#"{"items": [1], "next": "y?k=hunter2"}"#),
                json(&format!(r#"{{"items": [2], "next": "{}/v1/back"}}"#, server.url())),
            ],
        );
        let mut run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
        run.source.auth = auth;
        run.source.http.allow_hosts = vec!["127.0.0.1".into()];
        let header = |name: &str| (name.to_owned(), Template::parse("v1").expect("value"));
        run.source.headers = vec![header("X-Api-Version"), header("X-Tenant-Key")];
        let pages = run.pages().await;
        assert_eq!(all_texts(&pages), ["1", "2", "3"]);
        let checkpoint = serde_json::to_string(&pages[0].after).expect("JSON");
        assert!(!checkpoint.contains("hunter2"), "{checkpoint}");
        assert_eq!(other.lines(), ["GET /x?z=1", "GET /y"]);
        for asked in other.asked() {
            let head = asked.head().to_lowercase();
            for part in
                ["hunter2", "ahvudgvymjo=", "authorization", "cookie", "referer", "x-tenant"]
            {
                assert!(!head.contains(part), "{part} in {head}");
            }
            assert_eq!(asked.header("x-api-version"), Some("v1"));
            assert!(asked.header("x-request-id").is_some());
        }
        let back = &server.asked()[1];
        let head = back.head();
        assert!(back.line.starts_with("GET /v1/back"), "{}", back.line);
        assert!(head.contains("hunter2") || head.contains("aHVudGVyMjo="), "{head}");
    }
}

#[tokio::test]
async fn a_key_in_the_query_is_added_to_next_urls_but_params_are_not() {
    let server = Server::start(vec![
        json(r#"{"items": [1], "next": "/v1/items?p=2&k=hunter2"}"#),
        json(r#"{"items": [2]}"#),
    ])
    .await;
    let mut run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
    run.source.auth = Auth::ApiKey { place: KeyPlace::Query("k".into()), value: secret("hunter2") };
    let pages = run.pages().await;
    assert_eq!(server.lines()[1], "GET /v1/items?p=2&k=hunter2");
    let Some(Cursor::Url { url }) = &pages[0].after.next else { panic!("a URL") };
    assert!(url.ends_with("/v1/items?p=2"), "{url}");
}

#[tokio::test]
async fn redirects_end_after_ten() {
    let server = Server::start((0..12).map(|n| to("302 Found", &format!("/{n}"))).collect()).await;
    let (_, error) = Run::new(&server, Pagination::None).failed().await;
    assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Api, 11));
    assert_eq!(error.message(), "more than 10 redirects");

    let mut replies: Vec<Reply> = (0..10).map(|n| to("302 Found", &format!("/{n}"))).collect();
    replies.push(json(r#"{"items": [1]}"#));
    let server = Server::start(replies).await;
    assert_eq!(Run::new(&server, Pagination::None).pages().await.len(), 1);
}

#[tokio::test]
async fn a_redirected_post_becomes_a_get_unless_it_says_otherwise() {
    for (status, line) in [
        ("301 Moved Permanently", "GET /x"),
        ("303 See Other", "GET /x"),
        ("307 Temporary Redirect", "POST /x"),
        ("308 Permanent Redirect", "POST /x"),
    ] {
        let server = Server::start(vec![to(status, "/x"), json(r#"{"items": []}"#)]).await;
        let mut run = Run::new(&server, Pagination::None);
        run.stream.method = Method::Post;
        run.stream.body = Some(TemplateValue::Plain(serde_json::json!({"q": 1})));
        run.pages().await;
        let asked = &server.asked()[1];
        assert_eq!(asked.line, line);
        assert_eq!(asked.body.is_empty(), line.starts_with("GET"));
    }
}

#[tokio::test]
async fn a_checkpointed_url_is_checked_again() {
    let server = Server::start(Vec::new()).await;
    let mut run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
    run.from.position.next = Some(Cursor::Url { url: "http://evil.example/".into() });
    let (_, error) = run.failed().await;
    assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Api, 0));
}

#[tokio::test]
async fn an_unusable_ca_bundle_is_a_config_error() {
    let server = Server::start(Vec::new()).await;
    let mut run = Run::new(&server, Pagination::None);
    let clock = Arc::new(FixedClock("2026-03-19T00:00:00Z".parse().expect("instant")));
    let SecretRef::File(empty) = secret("not PEM") else { panic!("a file") };
    for path in [empty, "/nowhere/ca.pem".into()] {
        run.source.http.ca_bundle = Some(path);
        let error = Client::new(&run.source, clock.clone()).expect_err("error");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn an_echoed_credential_is_neither_kept_nor_shown_nor_sent_on() {
    let secret_text = "hunter2/+x";
    for echoed in ["hunter2%2F%2Bx", "hunter2/%2Bx", "hunter2/+x"] {
        for target in [
            format!("/a/{echoed}?page=2"),
            format!("/a?page=2&x=a{echoed}"),
            format!("http://evil.example/{echoed}"),
            format!("http://allowed.example/?q=a{echoed}"),
        ] {
            for first in [
                to("302 Found", &target),
                json(&format!(r#"{{"items": [1], "next": "{target}"}}"#)),
            ] {
                let server = Server::start(vec![first]).await;
                let mut run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
                run.source.http.allow_hosts = vec!["allowed.example".into()];
                run.source.auth = Auth::Bearer { token: secret(secret_text) };
                let (pages, error) = run.failed().await;
                assert!(pages.is_empty(), "{target}");
                assert_eq!(error.kind(), ErrorKind::Api, "{error}");
                assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
                assert_eq!(server.asked().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_user_name_in_a_next_url_is_only_a_word() {
    let server = Server::start(vec![
        json(r#"{"items": [1], "next": "/items/payments?user=payments&limit=100"}"#),
        json(r#"{"items": [2], "next": null}"#),
    ])
    .await;
    let mut run = Run::new(&server, Pagination::NextUrl { next: pointer("/next") });
    run.source.auth = Auth::Basic { username: secret("payments"), password: secret("100") };
    assert_eq!(all_texts(&run.pages().await), ["1", "2"]);
    let line = &server.asked()[1].line;
    assert!(line.starts_with("GET /items/payments?user=payments&limit=100"), "{line}");
}
