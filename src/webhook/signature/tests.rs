//! What the vendors publish passes; anything else does not.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};

use super::Verifier;
use super::posted::{Posted, Refusal};
use crate::error::ErrorKind;
use crate::spec::auth::{HmacAlgorithm, SecretRef, SignatureEncoding};
use crate::spec::template::Template;
use crate::spec::webhook::{Hmac, Signature};

const TOLERANCE: Duration = Duration::from_secs(300);

/// The vector of the tests of stripe-dotnet: `EventUtilityTest`.
const STRIPE: &str = "t=1533204620,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7,v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef";
const STRIPE_CODE: &str = "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7";

/// A request that is known to be signed.
struct Known {
    kind: &'static str,
    secret: &'static str,
    headers: Vec<(&'static str, String)>,
    body: &'static [u8],
    now: i64,
}

fn known() -> Vec<Known> {
    let standard = |prefix: &'static str| Known {
        kind: "standard_webhooks",
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        headers: match prefix {
            "svix" => vec![
                ("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
                ("svix-timestamp", "1614265330".to_owned()),
                ("svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
            ],
            _ => vec![
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
            ],
        },
        body: b"{\"test\": 2432232314}",
        now: 1_614_265_330,
    };
    vec![
        // The tests of razorpay-python: `test_verify_webhook_signature`.
        Known {
            kind: "razorpay",
            secret: "key_secret",
            headers: vec![(
                "x-razorpay-signature",
                "d60e67fd884556c045e9be7dad57903e33efc7172c17c6e3ef77db42d2b366e9".to_owned(),
            )],
            body: include_bytes!("vectors/razorpay.json"),
            now: 0,
        },
        Known {
            kind: "stripe",
            secret: "webhook_secret",
            headers: vec![("stripe-signature", STRIPE.to_owned())],
            body: include_bytes!("vectors/stripe.json"),
            now: 1_533_204_620,
        },
        // Shopify publishes no vector; this one is of the documentation of SQLPage, and of openssl.
        Known {
            kind: "shopify",
            secret: "test-webhook-secret",
            headers: vec![(
                "x-shopify-hmac-sha256",
                "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw=".to_owned(),
            )],
            body:
                b"{\"id\":1234567890,\"email\":\"customer@example.com\",\"total_price\":\"123.45\"}",
            now: 0,
        },
        // GitHub's documentation: "Testing the webhook payload validation".
        Known {
            kind: "github",
            secret: "It's a Secret to Everybody",
            headers: vec![(
                "x-hub-signature-256",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
                    .to_owned(),
            )],
            body: b"Hello, World!",
            now: 0,
        },
        // The tests of the Standard Webhooks libraries: "sign function works".
        standard("webhook"),
        standard("svix"),
        // RFC 4231, test case 2.
        Known {
            kind: "hmac",
            secret: "Jefe",
            headers: vec![(
                "x-signature",
                "v0=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843".to_owned(),
            )],
            body: b"what do ya want for nothing?",
            now: 0,
        },
    ]
}

fn declared(kind: &str, secrets: Vec<SecretRef>) -> Signature {
    match kind {
        "razorpay" => Signature::Razorpay { secrets },
        "stripe" => Signature::Stripe { secrets, tolerance: TOLERANCE },
        "shopify" => Signature::Shopify { secrets },
        "github" => Signature::Github { secrets },
        "standard_webhooks" => Signature::StandardWebhooks { secrets, tolerance: TOLERANCE },
        _ => Signature::Hmac(plain(secrets)),
    }
}

fn plain(secrets: Vec<SecretRef>) -> Hmac {
    Hmac {
        secrets,
        header: "X-Signature".to_owned(),
        algorithm: HmacAlgorithm::Sha256,
        encoding: SignatureEncoding::Hex,
        prefix: "v0=".to_owned(),
        string_to_sign: None,
        timestamp: None,
    }
}

/// Secrets in files of `dir`.
fn written(dir: &tempfile::TempDir, secrets: &[&str]) -> Vec<SecretRef> {
    let write = |(index, text): (usize, &&str)| {
        let path = dir.path().join(index.to_string());
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    };
    secrets.iter().enumerate().map(write).collect()
}

fn verifier(kind: &str, secrets: &[&str]) -> Verifier {
    let dir = tempfile::tempdir().unwrap();
    Verifier::resolve(&declared(kind, written(&dir, secrets))).unwrap()
}

fn headers(of: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn verify(
    by: &Verifier,
    of: &[(&'static str, String)],
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    by.verify(&Posted { headers: &headers(of), method: "POST", target: "/hooks?a=1", body, now })
}

#[test]
fn what_the_vendors_publish_passes() {
    for Known { kind, secret, headers, body, now } in known() {
        let by = verifier(kind, &[secret]);
        assert_eq!(verify(&by, &headers, body, at(now)), Ok(()), "{kind}");
        let other = if kind == "standard_webhooks" { "whsec_AAAA" } else { "other" };
        let rotated = verifier(kind, &[other, secret]);
        assert_eq!(verify(&rotated, &headers, body, at(now)), Ok(()), "{kind}, the second secret");
        let wrong = verifier(kind, &[other]);
        assert_eq!(verify(&wrong, &headers, body, at(now)), Err(Refusal::Mismatch), "{kind}");
    }
}

#[test]
fn an_altered_byte_is_refused_wherever_it_is() {
    for Known { kind, secret, headers, body, now } in known() {
        let by = verifier(kind, &[secret]);
        for place in 0..body.len() {
            let mut altered = body.to_vec();
            altered[place] ^= 1;
            assert_eq!(verify(&by, &headers, &altered, at(now)), Err(Refusal::Mismatch), "{kind}");
        }
        assert!(verify(&by, &headers, &body[1..], at(now)).is_err(), "{kind}");
        assert!(verify(&by, &headers, &[body, b" "].concat(), at(now)).is_err(), "{kind}");
        assert!(verify(&by, &headers, b"", at(now)).is_err(), "{kind}");
        for index in 0..headers.len() {
            for place in 0..headers[index].1.len() {
                let mut altered = headers.clone();
                let mut value = altered[index].1.clone().into_bytes();
                value[place] = if value[place] == b'9' { b'8' } else { b'9' };
                altered[index].1 = String::from_utf8(value).unwrap();
                // What follows the `v1` of Stripe is another scheme.
                let unread = kind == "stripe" && place > STRIPE.find(",v0").unwrap();
                let verified = verify(&by, &altered, body, at(now));
                assert!(verified.is_err() || unread, "{kind}: {altered:?}");
            }
        }
    }
}

#[test]
fn a_header_that_is_missing_empty_or_there_twice_is_refused() {
    for Known { kind, secret, headers, body, now } in known() {
        let by = verifier(kind, &[secret]);
        for index in 0..headers.len() {
            let mut without = headers.clone();
            let taken = without.remove(index);
            assert_eq!(verify(&by, &without, body, at(now)), Err(Refusal::Missing), "{kind}");
            let mut twice = headers.clone();
            twice.push(taken.clone());
            assert_eq!(verify(&by, &twice, body, at(now)), Err(Refusal::Twice), "{kind}");
            without.push((taken.0, String::new()));
            assert!(verify(&by, &without, body, at(now)).is_err(), "{kind}");
        }
    }
}

#[test]
fn a_time_may_be_five_minutes_from_now_either_way() {
    for Known { kind, secret, headers, body, now } in known() {
        if kind != "stripe" && kind != "standard_webhooks" {
            continue;
        }
        let by = verifier(kind, &[secret]);
        for away in [-300, 300] {
            assert_eq!(verify(&by, &headers, body, at(now + away)), Ok(()), "{kind} {away}");
        }
        for away in [-301, 301, 86_400] {
            let verified = verify(&by, &headers, body, at(now + away));
            assert_eq!(verified, Err(Refusal::Stale), "{kind} {away}");
        }
    }
}

#[test]
fn one_of_several_signatures_of_a_header_will_do() {
    let stripe = |value: String| {
        let by = verifier("stripe", &["webhook_secret"]);
        let body = include_bytes!("vectors/stripe.json");
        verify(&by, &[("stripe-signature", value)], body, at(1_533_204_620))
    };
    let zeros = "0".repeat(64);
    assert_eq!(stripe(format!("t=1533204620,v1={zeros},v1={STRIPE_CODE}")), Ok(()));
    assert_eq!(stripe(format!("v1={STRIPE_CODE},t=1533204620")), Ok(()));
    assert_eq!(stripe(format!("t=1533204620,v1={zeros}")), Err(Refusal::Mismatch));
    assert_eq!(stripe(format!("t=1533204620,v0={STRIPE_CODE}")), Err(Refusal::Malformed));
    assert_eq!(stripe(format!("t=1,t=1533204620,v1={STRIPE_CODE}")), Err(Refusal::Twice));
    assert_eq!(stripe(format!("v1={STRIPE_CODE}")), Err(Refusal::Malformed));
    assert_eq!(stripe(format!("t=+1533204620,v1={STRIPE_CODE}")), Err(Refusal::Malformed));
    assert_eq!(stripe("nonsense".to_owned()), Err(Refusal::Malformed));
    let standard = |value: &str| {
        let by = verifier("standard_webhooks", &["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let of = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            ("webhook-timestamp", "1614265330".to_owned()),
            ("webhook-signature", value.to_owned()),
        ];
        verify(&by, &of, b"{\"test\": 2432232314}", at(1_614_265_330))
    };
    let code = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(standard(&format!("v1a,AAAA v1,AAAA v1,{code}")), Ok(()));
    assert_eq!(standard(&format!("v2,{code}")), Err(Refusal::Malformed));
    assert_eq!(standard(code), Err(Refusal::Malformed));
}

#[test]
fn the_id_that_is_proved_is_the_one_that_counts() {
    let mut of = known().into_iter().find(|one| one.headers[0].0 == "svix-id").unwrap();
    let by = verifier(of.kind, &[of.secret]);
    of.headers.push(("webhook-id", "another".to_owned()));
    assert_eq!(verify(&by, &of.headers, of.body, at(of.now)), Err(Refusal::Missing));
}

#[test]
fn a_declared_string_is_what_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    // Slack's documentation: "Verifying requests from Slack".
    let by = Verifier::resolve(&Signature::Hmac(Hmac {
        header: "X-Slack-Signature".to_owned(),
        string_to_sign: Some(Template::parse("v0:{{ timestamp }}:{{ body }}").unwrap()),
        timestamp: Some(("X-Slack-Request-Timestamp".to_owned(), TOLERANCE)),
        ..plain(written(&dir, &["8f742231b10e8888abcd99yyyzzz85a5"]))
    }));
    let by = by.unwrap();
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let mut of = vec![
        (
            "x-slack-signature",
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503".to_owned(),
        ),
        ("x-slack-request-timestamp", "1531420618".to_owned()),
    ];
    let now = at(1_531_420_618);
    assert_eq!(verify(&by, &of, body, now), Ok(()));
    assert_eq!(verify(&by, &of, body, now + TimeDelta::seconds(301)), Err(Refusal::Stale));
    assert_eq!(verify(&by, &of, b"\xff", now), Err(Refusal::Malformed));
    of[1].1 = "1531420619".to_owned();
    assert_eq!(verify(&by, &of, body, now), Err(Refusal::Mismatch));
}

#[test]
fn a_secret_that_cannot_be_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, text) in [("github", ""), ("standard_webhooks", "no base64"), ("stripe", "\n")] {
        let secrets = written(&dir, &[text]);
        let error = Verifier::resolve(&declared(kind, secrets)).expect_err(kind);
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = format!("{error} {:?}", error.hint_text());
        assert!(text.contains("secret's file") && !text.contains("no base64"), "{text}");
    }
    let missing = vec![SecretRef::Env("LAKEWARD_NO_SUCH_VARIABLE".to_owned())];
    let error = Verifier::resolve(&declared("razorpay", missing)).expect_err("missing");
    assert!(error.to_string().contains("LAKEWARD_NO_SUCH_VARIABLE is not set"), "{error}");
}
