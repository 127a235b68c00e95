//! Any header and any body under every type of signature: never a panic, nothing accepted that the secret did not sign,
//! and everything accepted that it did.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use lakeward::spec::auth::{HmacAlgorithm, SecretRef, SignatureEncoding};
use lakeward::spec::webhook::{Hmac as DeclaredHmac, Signature};
use lakeward::webhook::signature::Verifier;
use lakeward::webhook::signature::posted::Posted;
use sha2::Sha256;

/// Base64 of the three bytes `key`, so that it is a secret of Standard Webhooks too.
const SECRET: &str = "a2V5";
const NOW: i64 = 1_614_265_330;

/// A type, the headers that carry its signature, and what reads them.
struct Kind {
    headers: &'static [&'static str],
    by: Verifier,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("lakeward-fuzz-{}.secret", std::process::id()));
    std::fs::write(&file, SECRET).expect("a file");
    let secrets = || vec![SecretRef::File(file.clone())];
    let tolerance = Duration::from_secs(300);
    let declared = DeclaredHmac {
        secrets: secrets(),
        header: "x-signature".to_owned(),
        algorithm: HmacAlgorithm::Sha256,
        encoding: SignatureEncoding::Hex,
        prefix: "v0=".to_owned(),
        string_to_sign: None,
        timestamp: None,
    };
    let kinds: [(&[&str], Signature); 6] = [
        (&["x-razorpay-signature"], Signature::Razorpay { secrets: secrets() }),
        (&["x-shopify-hmac-sha256"], Signature::Shopify { secrets: secrets() }),
        (&["x-hub-signature-256"], Signature::Github { secrets: secrets() }),
        (&["x-signature"], Signature::Hmac(declared)),
        (&["stripe-signature"], Signature::Stripe { secrets: secrets(), tolerance }),
        (
            &["webhook-signature", "webhook-id", "webhook-timestamp"],
            Signature::StandardWebhooks { secrets: secrets(), tolerance },
        ),
    ];
    let kind = |(headers, signature): (&'static [&'static str], Signature)| Kind {
        headers,
        by: Verifier::resolve(&signature).expect("a secret"),
    };
    kinds.into_iter().map(kind).collect()
});

fn code(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the values are those that the secret gives for the body.
fn is_signed(header: &str, values: &[&str], body: &[u8]) -> bool {
    let plain = code(SECRET.as_bytes(), &[body]);
    let value = values.first().copied().unwrap_or_default();
    match header {
        "x-razorpay-signature" => value.to_lowercase() == hex(&plain),
        "x-shopify-hmac-sha256" => value == STANDARD.encode(&plain),
        "x-hub-signature-256" => {
            value.strip_prefix("sha256=").is_some_and(|code| code.to_lowercase() == hex(&plain))
        }
        "x-signature" => {
            value.strip_prefix("v0=").is_some_and(|code| code.to_lowercase() == hex(&plain))
        }
        "stripe-signature" => {
            let mut parts = value.split(',').filter_map(|part| part.trim().split_once('='));
            let time = parts.clone().find(|(key, _)| *key == "t").map_or("", |(_, time)| time);
            let wanted = hex(&code(SECRET.as_bytes(), &[time.as_bytes(), b".", body]));
            parts.any(|(key, code)| key == "v1" && code.to_lowercase() == wanted)
        }
        _ => {
            let [_, id, time, ..] = values else { return false };
            let signed: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
            let wanted = format!("v1,{}", STANDARD.encode(code(b"key", &signed)));
            value.split(' ').any(|one| one == wanted)
        }
    }
}

fn verify(kind: &Kind, values: &[&str], body: &[u8]) -> Option<bool> {
    let mut headers = HeaderMap::new();
    for (name, value) in kind.headers.iter().zip(values) {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    }
    let now = DateTime::from_timestamp(NOW, 0).expect("a time");
    let posted = Posted { headers: &headers, method: "POST", target: "/", body, now };
    Some(kind.by.verify(&posted).is_ok())
}

/// Holds the entrance to what it promises. The first line is the values of headers, parted by tabs; the rest is the body.
pub fn run(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(line) = std::str::from_utf8(line) else { return };
    let values: Vec<&str> = line.split('\t').collect();
    let plain = code(SECRET.as_bytes(), &[body]);
    let now = NOW.to_string();
    for kind in KINDS.iter() {
        let header = kind.headers[0];
        if verify(kind, &values, body) == Some(true) {
            assert!(is_signed(header, &values, body), "{header}: {line}");
        }
        let signed = match header {
            "x-razorpay-signature" => hex(&plain),
            "x-shopify-hmac-sha256" => STANDARD.encode(&plain),
            "x-hub-signature-256" => format!("sha256={}", hex(&plain)),
            "x-signature" => format!("v0={}", hex(&plain)),
            "stripe-signature" => {
                let code = code(SECRET.as_bytes(), &[now.as_bytes(), b".", body]);
                format!("t={now},v1={}", hex(&code))
            }
            _ => {
                let code = code(b"key", &[b"id.", now.as_bytes(), b".", body]);
                format!("v1,{}", STANDARD.encode(code))
            }
        };
        assert_eq!(verify(kind, &[&signed, "id", &now], body), Some(true), "{header}");
    }
}
