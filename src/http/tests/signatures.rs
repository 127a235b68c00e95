//! Signatures: of what is sent, fresh for every attempt, and at home alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scripted::{json, reply};
use super::*;
use crate::spec::auth::{Hmac, HmacAlgorithm, SignatureEncoding};
use crate::spec::template::Template;

fn template(text: &str) -> Template {
    Template::parse(text).expect(text)
}

fn signed(text: &str, encoding: SignatureEncoding, algorithm: HmacAlgorithm) -> Auth {
    Auth::Hmac(Hmac {
        secret: secret("key"),
        algorithm,
        encoding,
        string_to_sign: template(text),
        headers: vec![
            ("X-Signature".into(), template("v1={{ signature }}")),
            ("X-Time".into(), template("{{ timestamp }}")),
        ],
    })
}

#[tokio::test]
async fn the_published_signatures() {
    // As `openssl dgst -hmac key` gives them.
    let text = "The quick brown fox jumps over the lazy dog";
    for (algorithm, wanted) in [
        (HmacAlgorithm::Sha1, "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"),
        (HmacAlgorithm::Sha256, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
        (
            HmacAlgorithm::Sha512,
            "b42af09057bac1e2d41708e48a902e09b5ff7f12ab428a4fe86653c73dd248fb82f948a549f7b791a5b41915ee4d1ec3935357e4e2317250d0372afa2ebeeb3a",
        ),
    ] {
        let server = Server::start(vec![json(r#"{"items":[1]}"#)]).await;
        let mut run = Run::new(&server, Pagination::None);
        run.source.auth = signed(text, SignatureEncoding::Hex, algorithm);
        run.pages().await;
        let asked = server.asked();
        assert_eq!(asked[0].header("x-signature"), Some(&*format!("v1={wanted}")));
    }
}

#[tokio::test]
async fn target_query_and_body_are_signed_as_they_are_sent() {
    let busy = reply("503 Service Unavailable", "", "");
    let server = Server::start(vec![busy, json(r#"{"items":[1]}"#)]).await;
    let mut run = Run::new(&server, Pagination::None);
    run.stream.method = Method::Post;
    run.stream.body = Some(TemplateValue::Map(vec![(
        "q".into(),
        TemplateValue::Text(template("दूध {{ window.date }}")),
    )]));
    run.stream.params.push(("tag".into(), TemplateValue::Text(template("a b&c"))));
    let text = "{{ timestamp }}.{{ method }}.{{ path }}.{{ query }}.{{ body }}";
    run.source.auth = signed(text, SignatureEncoding::Base64, HmacAlgorithm::Sha256);
    run.pages().await;
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for asked in &asked {
        let (_, target) = asked.line.split_once(' ').expect("target");
        let (_, query) = target.split_once('?').expect("query");
        assert_eq!(asked.body, "{\"q\":\"दूध 2026-03-17\"}");
        let time = asked.header("x-time").expect("time");
        let text = format!("{time}.POST.{target}.{query}.{}", asked.body);
        use hmac::{KeyInit as _, Mac as _};
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"key").expect("key");
        mac.update(text.as_bytes());
        let wanted = format!("v1={}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(asked.header("x-signature"), Some(&*wanted));
    }
}

#[tokio::test]
async fn a_signature_stays_at_home() {
    let (away, home) =
        (Server::start(vec![json(r#"{"items":[1]}"#)]).await, Server::listen().await);
    let (server, listener) = home;
    let location = format!("Location: {}/moved\r\n", away.url());
    server.run(listener, vec![reply("302 Found", &location, "")]);
    let mut run = Run::new(&server, Pagination::None);
    run.source.http.allow_hosts = vec![away.url().trim_start_matches("http://").to_owned()];
    run.source.auth = signed("{{ path }}", SignatureEncoding::Hex, HmacAlgorithm::Sha256);
    run.pages().await;
    assert!(server.asked()[0].header("x-signature").is_some());
    let head = away.asked()[0].head().to_ascii_lowercase();
    assert!(!head.contains("x-signature") && !head.contains("x-time"), "{head}");
}

#[tokio::test]
async fn an_echoed_signature_is_not_shown() {
    let wanted = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    let echo = format!(r#"{{"error":"bad signature {wanted}"}}"#);
    let server = Server::start(vec![reply("400 Bad Request", "", &echo)]).await;
    let mut run = Run::new(&server, Pagination::None);
    let text = "The quick brown fox jumps over the lazy dog";
    run.source.auth = signed(text, SignatureEncoding::Hex, HmacAlgorithm::Sha256);
    let (_, error) = run.failed().await;
    assert!(error.to_string().contains("bad signature [redacted]"), "{error}");
}
