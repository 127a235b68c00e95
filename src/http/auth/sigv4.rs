//! `type: aws_sigv4`: AWS Signature Version 4.
//!
//! By [AWS's description](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html); its
//! published vectors are the tests.

use chrono::{DateTime, Utc};
use hmac::Hmac;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use super::signing::{Signing, hex, mac};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The credentials of the environment, and whose requests they sign.
#[derive(Clone, Debug)]
pub struct Sigv4 {
    region: String,
    service: String,
    id: Secret,
    secret: Secret,
    session: Option<Secret>,
}

impl Sigv4 {
    /// # Errors
    /// `Config` that names the variable which is missing.
    pub(super) fn resolve(region: &str, service: &str) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let required = |name: &str| {
            variable(name).map(Secret::new).ok_or_else(|| {
                Error::new(ErrorKind::Config, format!("the environment variable {name} is not set"))
                    .hint("aws_sigv4 signs with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is one, AWS_SESSION_TOKEN; `aws configure export-credentials --format env` prints them for a profile")
            })
        };
        Ok(Self {
            region: region.to_owned(),
            service: service.to_owned(),
            id: required("AWS_ACCESS_KEY_ID")?,
            secret: required("AWS_SECRET_ACCESS_KEY")?,
            session: variable("AWS_SESSION_TOKEN").map(Secret::new),
        })
    }

    /// Signs the request as it stands. Only the headers that are needed are signed, as a proxy may change others.
    ///
    /// # Errors
    /// `Config` when a credential holds what no header can hold.
    pub(super) fn apply(&self, request: &mut Request, signing: &Signing<'_>) -> Result<()> {
        let content = hex(&Sha256::digest(signing.body));
        let stamp = signing.now.format("%Y%m%dT%H%M%SZ").to_string();
        let headers = request.headers_mut();
        headers.insert(DATE, value(&stamp)?);
        // S3 wants it; to the others it says the same that they compute.
        if self.service == "s3" {
            headers.insert(CONTENT, value(&content)?);
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, value(session.expose())?);
        }
        let mut signed: Vec<(String, String)> = vec![("host".to_owned(), host(request.url()))];
        for name in [CONTENT, DATE, SESSION] {
            let text = request.headers().get(&name).and_then(|value| value.to_str().ok());
            signed.extend(text.map(|text| (name.as_str().to_owned(), text.to_owned())));
        }
        let canonical = self.canonical(request, &signed, &content);
        let authorization = self.authorization(&canonical, &signed, signing.now)?;
        request.headers_mut().insert(AUTHORIZATION, value(&authorization)?);
        Ok(())
    }

    fn canonical(&self, request: &Request, signed: &[(String, String)], content: &str) -> String {
        use std::fmt::Write as _;
        let url = request.url();
        // For all services but S3 the path is normalised (dots were, by the URL itself), and escaped once more than it is
        // sent. So the suite's vectors of paths that are sent unescaped are none for a client that never does.
        let path = match &*self.service {
            "s3" => url.path().to_owned(),
            _ => escaped(&single_slashes(url.path()), true),
        };
        let mut text = format!("{}\n{path}\n{}\n", request.method(), query(url));
        for (name, value) in signed {
            // Writing to a String does not fail.
            let _ =
                writeln!(text, "{name}:{}", value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let _ = write!(text, "\n{}\n{content}", names(signed));
        text
    }

    fn authorization(
        &self,
        canonical: &str,
        signed: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<String> {
        let day = now.format("%Y%m%d").to_string();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let stamp = now.format("%Y%m%dT%H%M%SZ");
        let hash = hex(&Sha256::digest(canonical.as_bytes()));
        let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{hash}");
        let mut key = format!("AWS4{}", self.secret.expose()).into_bytes();
        for part in [&day, &self.region, &self.service, "aws4_request"] {
            key = mac::<Hmac<Sha256>>(&key, part.as_bytes())?;
        }
        let signature = hex(&mac::<Hmac<Sha256>>(&key, to_sign.as_bytes())?);
        let (id, names) = (self.id.expose(), names(signed));
        Ok(format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        ))
    }

    pub(super) fn carries(name: &str) -> bool {
        name.eq_ignore_ascii_case(SESSION.as_str())
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        let session = self.session.iter().cloned();
        [self.secret.clone(), self.id.clone()].into_iter().chain(session).collect()
    }
}

/// Host and port as the client sends them: the port only where it is not the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn names(signed: &[(String, String)]) -> String {
    signed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

/// The query's pairs, each decoded and escaped by AWS's rule, in the order of names and values.
fn query(url: &Url) -> String {
    let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (escaped(&decoded(name), false), escaped(&decoded(value), false))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// What a pair's text means: `+` is a space in it.
fn decoded(text: &str) -> String {
    let pair = format!("{text}=");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

fn single_slashes(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !text.ends_with('/') {
            text.push(c);
        }
    }
    text
}

/// Percent-escapes all bytes but the unreserved ones (RFC 3986 section 2.3), and slashes of a path.
fn escaped(text: &str, path: bool) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            b'/' if path => escaped.push('/'),
            byte => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

fn value(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        let what = "an AWS credential holds a character that no header may hold";
        Error::new(ErrorKind::Config, what).hint("look for a line break or a space at its end")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's aws-sig-v4-test-suite: its credentials, region, service and instant.
    fn signer(session: Option<&str>) -> Sigv4 {
        Sigv4 {
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
            id: Secret::new("AKIDEXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(Secret::new),
        }
    }

    fn signature(method: &str, url: &str, session: Option<&str>) -> (String, String) {
        let method = method.parse().expect("method");
        let mut request = Request::new(method, url.parse().expect("url"));
        let now = "2015-08-30T12:36:00Z".parse().expect("instant");
        signer(session).apply(&mut request, &Signing { body: b"", now }).expect("signed");
        let text = request.headers()["authorization"].to_str().expect("text").to_owned();
        let (_, rest) = text.split_once("SignedHeaders=").expect("headers");
        let (names, signature) = rest.split_once(", Signature=").expect("signature");
        (names.to_owned(), signature.to_owned())
    }

    #[test]
    fn the_published_vectors() {
        let host = "https://example.amazonaws.com";
        for (name, method, target, wanted) in [
            (
                "get-vanilla",
                "GET",
                "/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-vanilla-query-unreserved",
                "GET",
                "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
            ),
            (
                "get-vanilla-utf8-query",
                "GET",
                "/?ሴ=bar",
                "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
            ),
            (
                "get-unreserved",
                "GET",
                "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "get-relative",
                "GET",
                "/example/..",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-slash",
                "GET",
                "//",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-slashes",
                "GET",
                "//example//",
                "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (
                "get-slash-pointless-dot",
                "GET",
                "/./example",
                "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-vanilla-query",
                "POST",
                "/?Param1=value1",
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
        ] {
            let (names, signature) = signature(method, &format!("{host}{target}"), None);
            assert_eq!((names.as_str(), signature.as_str()), ("host;x-amz-date", wanted), "{name}");
        }
    }

    #[test]
    fn a_session_token_and_a_port_are_signed() {
        let plain = signature("GET", "https://example.amazonaws.com/", None);
        let (names, with) = signature("GET", "https://example.amazonaws.com/", Some("S"));
        assert_eq!(names, "host;x-amz-date;x-amz-security-token");
        assert_ne!(with, plain.1);
        assert_ne!(signature("GET", "https://example.amazonaws.com:8443/", None), plain);
        assert_eq!(signature("GET", "https://example.amazonaws.com:443/", None), plain);
        // Pairs that the query says otherwise, and orders otherwise, are the same pairs.
        let sent = signature("GET", "https://example.amazonaws.com/?b=x+y&a=%7e", None);
        assert_eq!(signature("GET", "https://example.amazonaws.com/?a=~&b=x%20y", None), sent);
    }
}
