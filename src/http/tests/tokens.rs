//! Tokens from an endpoint: got once, renewed once, refused for good, and never shown.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::scripted::{Asked, Reply, bytes, json, reply};
use super::*;
use crate::error::ErrorKind;
use crate::spec::auth::{ClientAuth, JwtAlgorithm, LoginValue, OauthClient};

fn client_of(server: &Server) -> OauthClient {
    OauthClient {
        token_url: format!("{}/token", server.url()).parse().expect("url"),
        client_id: secret("shop id"),
        client_secret: secret("hunter2+/"),
        scope: Some("read write".into()),
        client_auth: ClientAuth::Body,
        extra: vec![("audience".into(), "api".into())],
    }
}

/// How many requests for tokens there were.
fn tokens_asked(server: &Server) -> usize {
    server.lines().iter().filter(|line| line.starts_with("POST /token")).count()
}

/// An endpoint whose tokens are good for so many requests, with an API of three pages that wants the last one; the
/// answer to a grant may have more in it.
async fn dying_tokens(uses: usize, more: &'static str) -> Server {
    let (given, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answer = move |asked: &Asked| {
        if asked.line.starts_with("POST /token") {
            used.store(0, Ordering::SeqCst);
            let serial = given.fetch_add(1, Ordering::SeqCst) + 1;
            return json(&format!(
                r#"{{"access_token":"live{serial}","token_type":"Bearer"{more}}}"#
            ));
        }
        let wanted = format!("Bearer live{}", given.load(Ordering::SeqCst));
        if asked.header("authorization") != Some(&wanted)
            || used.fetch_add(1, Ordering::SeqCst) >= uses
        {
            return reply("401 Unauthorized", "", "who?");
        }
        let page = asked.number("page").unwrap_or(0);
        json(&format!(r#"{{"items":[{page}],"has_more":{}}}"#, page < 12))
    };
    Server::answering(move |asked| (Duration::from_millis(2), answer(asked))).await
}

#[tokio::test]
async fn a_token_that_dies_every_five_requests_loses_no_page() {
    let server = dying_tokens(5, "").await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let pages = run.pages().await;
    let numbers: Vec<String> = (1..=12).map(|page| page.to_string()).collect();
    assert_eq!(all_texts(&pages), numbers);
    assert_eq!(tokens_asked(&server), 3);
    let form = &server.asked()[0].body;
    let wanted = "grant_type=client_credentials&scope=read+write&audience=api&client_id=shop+id&client_secret=hunter2%2B%2F";
    assert_eq!(form, wanted);
    // Twelve pages, two refusals, three tokens.
    assert_eq!(run.meter.read().0, 17);
}

#[tokio::test]
async fn waiters_share_one_renewal() {
    let server = dying_tokens(usize::MAX, r#","expires_in":"3600""#).await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let client = Client::new(&run.source, Arc::new(crate::clock::SystemClock)).expect("client");
    let all = futures::future::join_all((0..8).map(|_| run.with(client.clone()))).await;
    assert!(all.iter().flatten().all(Result::is_ok));
    assert_eq!(tokens_asked(&server), 1);
}

#[tokio::test]
async fn waiters_of_a_refused_token_share_one_renewal_too() {
    let server = dying_tokens(20, "").await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let client = Client::new(&run.source, Arc::new(crate::clock::SystemClock)).expect("client");
    let all = futures::future::join_all((0..3).map(|_| run.with(client.clone()))).await;
    assert!(all.iter().flatten().all(Result::is_ok), "{all:?}");
    // Thirty-six pages, twenty to a token.
    assert_eq!(tokens_asked(&server), 2);
}

/// More requests at once than a token is good for: the others are refused with good credentials, again and again.
#[tokio::test]
async fn a_token_that_dies_before_all_waiters_had_it_loses_no_window() {
    let server = dying_tokens(5, "").await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let client = Client::new(&run.source, Arc::new(crate::clock::SystemClock)).expect("client");
    let all = futures::future::join_all((0..40).map(|_| run.with(client.clone()))).await;
    assert!(all.iter().flatten().all(Result::is_ok));
    assert!(all.iter().all(|pages| pages.len() == 12));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    // Half of a token's minute is over after every third look at the clock or so.
    let server = dying_tokens(usize::MAX, r#","expires_in":60"#).await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let client = Client::new(&run.source, Arc::<Hurried>::default()).expect("client");
    let pages = run.with(client).await;
    assert!(pages.len() == 12 && pages.iter().all(Result::is_ok), "{pages:?}");
    let tokens = tokens_asked(&server);
    assert!(tokens > 1, "{tokens}");
    // None was used for too long, so that no page was asked for twice.
    assert_eq!(server.asked().len(), 12 + tokens);
}

#[tokio::test]
async fn a_second_refusal_in_a_row_is_the_last() {
    let server = Server::answering(|asked| {
        let token = asked.line.starts_with("POST /token");
        let answer = match token {
            true => json(r#"{"access_token":"live"}"#),
            false => reply("401 Unauthorized", "", "Bearer live is not welcome"),
        };
        (Duration::ZERO, answer)
    })
    .await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let (_, error) = run.failed().await;
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert_eq!((tokens_asked(&server), server.asked().len()), (2, 4));
    let shown = format!("{error:?}");
    assert!(shown.contains("Bearer [redacted] is not welcome"), "{shown}");
}

/// Many windows with credentials that cannot work: the endpoint is not asked again for each of them.
#[tokio::test]
async fn what_is_hopeless_is_not_tried_for_every_window() {
    let server = Server::answering(|asked| match asked.line.starts_with("POST /token") {
        true => (Duration::from_millis(5), json(r#"{"access_token":"live"}"#)),
        false => (Duration::from_millis(5), reply("401 Unauthorized", "", "no")),
    })
    .await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let client = Client::new(&run.source, Arc::new(crate::clock::SystemClock)).expect("client");
    let all = futures::future::join_all((0..20).map(|_| run.with(client.clone()))).await;
    let kinds = all.iter().flatten().map(|page| page.as_ref().expect_err("refused").kind());
    assert!(kinds.into_iter().all(|kind| kind == ErrorKind::Credentials));
    // The first one, maybe one that others had when that was refused, and two that nobody else has used.
    let tokens = tokens_asked(&server);
    assert!(tokens <= 4, "{tokens}");
}

/// An API that refuses some windows by a 401 for ever: the others have nothing to do with it.
#[tokio::test]
async fn who_is_let_through_is_not_stopped_by_who_is_not() {
    let server = Server::answering(|asked| match asked.line.starts_with("POST /token") {
        true => (Duration::from_millis(5), json(r#"{"access_token":"live"}"#)),
        false if asked.line.contains("/refused") => {
            (Duration::ZERO, reply("401 Unauthorized", "", "no"))
        }
        false => (Duration::from_millis(20), json(r#"{"items":[1]}"#)),
    })
    .await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::ClientCredentials(client_of(&server));
    let client = Client::new(&run.source, Arc::new(crate::clock::SystemClock)).expect("client");
    let mut refused = Run::new(&server, Pagination::None);
    refused.stream.path = Template::parse("/refused").expect("path");
    let runs = (0..40).map(|n| if n % 2 == 0 { &refused } else { &run }.with(client.clone()));
    let ended = futures::future::join_all(runs).await;
    for (n, pages) in ended.iter().enumerate() {
        assert_eq!(pages.iter().all(Result::is_ok), n % 2 == 1, "{n}: {pages:?}");
    }
}

#[tokio::test]
async fn what_an_endpoint_may_answer_instead_of_a_token() {
    let html = reply("200 OK", "Content-Type: text/html\r\n", "<html>hunter2+/ login</html>");
    let grant =
        r#"{"error":"invalid_grant","error_description":"Token of hunter2+/ has been revoked"}"#;
    let busy = || reply("503 Service Unavailable", "", "");
    let cases: Vec<(Vec<Reply>, ErrorKind, &str, usize)> = vec![
        (vec![html], ErrorKind::Credentials, "is not JSON", 1),
        (
            vec![reply("400 Bad Request", "", grant)],
            ErrorKind::Credentials,
            "invalid_grant, Token of [redacted] has been revoked",
            1,
        ),
        (
            vec![reply("401 Unauthorized", "", r#"{"error":"invalid_client"}"#)],
            ErrorKind::Credentials,
            "invalid_client",
            1,
        ),
        (
            vec![reply("403 Forbidden", "", "no")],
            ErrorKind::Credentials,
            "refused (403 Forbidden)",
            1,
        ),
        (
            vec![reply("404 Not Found", "", "")],
            ErrorKind::Credentials,
            "nothing there takes a POST",
            1,
        ),
        (
            vec![reply("302 Found", "Location: https://elsewhere.example/\r\n", "")],
            ErrorKind::Credentials,
            "leads elsewhere",
            1,
        ),
        (vec![json("{}")], ErrorKind::Credentials, "has no access_token", 1),
        (
            vec![json(r#"{"error":"bad_code","error_description":"hunter2+/ is used"}"#)],
            ErrorKind::Credentials,
            "refused (200 OK): bad_code, [redacted] is used",
            1,
        ),
        // What could not be read may be a token.
        (vec![json("access_token=hunter2&x=1")], ErrorKind::Credentials, "is not shown", 1),
        (vec![json(r#"{"access_token":"hunter2"#)], ErrorKind::Credentials, "is not JSON", 1),
        (
            vec![reply("200 OK", "", "<r><access_token>hunter2</access_token></r>")],
            ErrorKind::Credentials,
            "is not shown",
            1,
        ),
        (
            vec![reply("302 Found", "Location: https://a.example/cb#access_token=hunter2\r\n", "")],
            ErrorKind::Credentials,
            "location: https://a.example/cb,",
            1,
        ),
        (
            vec![json(r#"{"access_token":"a","token_type":"mac hunter2+/"}"#)],
            ErrorKind::Credentials,
            "type `mac [redacted]`",
            1,
        ),
        (
            vec![json(r#"{"access_token":"a","token_type":"DPoP"}"#)],
            ErrorKind::Credentials,
            "type `DPoP`",
            1,
        ),
        (
            vec![json("{\"access_token\":\"a\\nb\"}")],
            ErrorKind::Credentials,
            "no header may hold",
            1,
        ),
        (
            vec![busy(), busy(), busy()],
            ErrorKind::Transient,
            "could not answer: it answered 503",
            3,
        ),
        (
            vec![Reply::Reset, Reply::Reset, Reply::Reset],
            ErrorKind::Transient,
            "could not answer",
            3,
        ),
        (
            vec![reply("429 Too Many Requests", "Retry-After: 3600\r\n", "")],
            ErrorKind::Transient,
            "it asked for 3600 s",
            1,
        ),
    ];
    for (replies, kind, said, requests) in cases {
        let server = Server::start(replies).await;
        let mut run = Run::new(&server, Pagination::None);
        run.source.auth = Auth::ClientCredentials(client_of(&server));
        let (_, error) = run.failed().await;
        let shown = format!("{error:?} {}", error.hint_text().unwrap_or_default());
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(shown.contains(said), "{said}: {shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(server.asked().len(), requests, "{said}");
    }
}

#[tokio::test]
async fn a_passing_fault_of_the_endpoint_passes() {
    let busy = reply("503 Service Unavailable", "", "");
    let page = json(r#"{"items":[1]}"#);
    let server = Server::start(vec![
        busy,
        Reply::Reset,
        bytes("200 OK", "", b"\xef\xbb\xbf{\"access_token\":\"a\"}"),
        page,
    ])
    .await;
    let mut run = Run::new(&server, Pagination::None);
    let basic = ClientAuth::Basic;
    run.source.auth =
        Auth::ClientCredentials(OauthClient { client_auth: basic, ..client_of(&server) });
    assert_eq!(all_texts(&run.pages().await), ["1"]);
    let asked = server.asked();
    // Both are escaped before they are encoded: `shop+id:hunter2%2B%2F`.
    assert_eq!(asked[2].header("authorization"), Some("Basic c2hvcCtpZDpodW50ZXIyJTJCJTJG"));
    assert!(!asked[2].body.contains("hunter2"), "{}", asked[2].body);
    assert_eq!(asked[3].header("authorization"), Some("Bearer a"));
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_before_the_access_token_is_used() {
    let dir = tempfile::tempdir().expect("dir");
    let store = dir.path().join("tokens.json");
    let kept = store.clone();
    let given = AtomicUsize::new(0);
    let server = Server::answering(move |asked| {
        let serial = given.load(Ordering::SeqCst);
        let answer = if asked.line.starts_with("POST /token") {
            // Each refresh token is good once.
            let wanted = if serial == 0 { "first".to_owned() } else { format!("next{serial}") };
            if !asked.body.contains(&format!("refresh_token={wanted}&")) {
                return (Duration::ZERO, reply("400 Bad Request", "", r#"{"error":"invalid_grant"}"#));
            }
            let serial = given.fetch_add(1, Ordering::SeqCst) + 1;
            json(&format!(r#"{{"access_token":"live{serial}","refresh_token":"next{serial}","expires_in":3600}}"#))
        } else {
            let text = std::fs::read_to_string(&kept).unwrap_or_default();
            assert!(text.contains(&format!("\"next{serial}\"")), "used before it was kept: {text}");
            json(r#"{"items":[1]}"#)
        };
        (Duration::ZERO, answer)
    })
    .await;
    // Each a run of its own, as another process would be; the last two at once.
    let run = || {
        let mut run = Run::new(&server, Pagination::None);
        run.source.auth = Auth::RefreshToken {
            client: client_of(&server),
            refresh_token: secret("first"),
            token_store: store.clone(),
        };
        run
    };
    run().pages().await;
    run().pages().await;
    let (one, two) = (run(), run());
    tokio::join!(one.pages(), two.pages());
    assert_eq!(tokens_asked(&server), 4);
    // Another declared token begins anew, and this endpoint does not know it.
    let mut other = run();
    if let Auth::RefreshToken { refresh_token, .. } = &mut other.source.auth {
        *refresh_token = secret("unknown");
    }
    let (_, error) = other.failed().await;
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.hint_text().unwrap_or_default().contains("obtain a new one"), "{error:?}");
}

/// A run that is stopped while a token is rotated: the answer holds the only one that is still good.
#[tokio::test]
async fn a_refresh_token_that_is_used_up_when_a_run_stops_is_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let store = dir.path().join("tokens.json");
    let server = Server::answering(|asked| match asked.line.starts_with("POST /token") {
        true => (
            Duration::from_millis(300),
            json(r#"{"access_token":"live","refresh_token":"next","expires_in":3600}"#),
        ),
        false => (Duration::ZERO, json(r#"{"items":[1]}"#)),
    })
    .await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::RefreshToken {
        client: client_of(&server),
        refresh_token: secret("first"),
        token_store: store.clone(),
    };
    let client = Client::new(&run.source, Arc::new(crate::clock::SystemClock)).expect("client");
    let stop = async {
        while server.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run.stop.cancel();
    };
    let (pages, ()) = tokio::join!(run.with(client.clone()), stop);
    assert!(matches!(&*pages, [Err(error)] if error.kind() == ErrorKind::Interrupted));
    assert!(!store.exists(), "stopped before the answer");
    client.settle().await;
    let kept = std::fs::read_to_string(&store).expect("kept");
    assert!(kept.contains("\"next\""), "{kept}");
    // From then on none is used up, as its answer would be lost.
    run.stop = Stop::new();
    let pages = run.with(client).await;
    assert!(matches!(&*pages, [Ok(_)]), "the token that came is still good: {pages:?}");
    assert_eq!(tokens_asked(&server), 1);
}

#[tokio::test]
async fn a_login_gives_a_token_where_the_pointer_says() {
    let server = Server::answering(|asked| {
        let answer = match asked.line.as_str() {
            "POST /login" => json(r#"{"data":{"jwt":"a.e30.b"}}"#),
            _ => json(r#"{"items":[1]}"#),
        };
        (Duration::ZERO, answer)
    })
    .await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::JwtLogin {
        token_url: format!("{}/login", server.url()).parse().expect("url"),
        body: vec![
            ("user".into(), LoginValue::Plain("me".into())),
            ("password".into(), LoginValue::Secret(secret("hunter2"))),
            ("remember".into(), LoginValue::Plain(true.into())),
        ],
        token: pointer("/data/jwt"),
    };
    run.pages().await;
    let asked = server.asked();
    assert_eq!(asked[0].body, r#"{"user":"me","password":"hunter2","remember":true}"#);
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!(asked[1].header("authorization"), Some("Bearer a.e30.b"));
}

#[tokio::test]
async fn an_assertion_is_signed_anew_for_every_attempt() {
    let busy = reply("503 Service Unavailable", "", "");
    let replies = vec![busy, json(r#"{"access_token":"a"}"#), json(r#"{"items":[1]}"#)];
    let server = Server::start(replies).await;
    let mut run = Run::new(&server, Pagination::None);
    run.source.auth = Auth::JwtBearer {
        token_url: format!("{}/token", server.url()).parse().expect("url"),
        private_key: secret("shared"),
        algorithm: JwtAlgorithm::Hs256,
        claims: vec![("iss".into(), LoginValue::Secret(secret("shop")))],
    };
    run.pages().await;
    let assertion = |asked: &Asked| {
        let (_, text) = asked.body.split_once("assertion=").expect("assertion");
        assert!(
            asked
                .body
                .starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&")
        );
        text.to_owned()
    };
    let asked = server.asked();
    let (one, two) = (assertion(&asked[0]), assertion(&asked[1]));
    assert_ne!(one, two);
    let key = jsonwebtoken::DecodingKey::from_secret(b"shared");
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.validate_exp = false;
    rules.set_audience(&[format!("{}/token", server.url())]);
    let claims = jsonwebtoken::decode::<serde_json::Value>(&two, &key, &rules).expect("JWT").claims;
    let now: chrono::DateTime<chrono::Utc> = "2026-03-19T00:00:00Z".parse().expect("instant");
    assert_eq!((&claims["iss"], &claims["iat"]), (&"shop".into(), &now.timestamp().into()));
    assert_eq!(claims["exp"], now.timestamp() + 300);
}

#[tokio::test]
async fn a_key_of_another_kind_is_found_before_anything_is_sent() {
    let server = Server::start(vec![]).await;
    for algorithm in [JwtAlgorithm::Rs256, JwtAlgorithm::Es256] {
        let mut run = Run::new(&server, Pagination::None);
        run.source.auth = Auth::JwtBearer {
            token_url: format!("{}/token", server.url()).parse().expect("url"),
            private_key: secret("hunter2"),
            algorithm,
            claims: Vec::new(),
        };
        let (_, error) = run.failed().await;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    assert_eq!(server.asked().len(), 0);
}
