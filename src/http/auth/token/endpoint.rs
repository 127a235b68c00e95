//! One request for a token, with its retries: what the endpoint answered, or why there is no token.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::answer::{Granted, Named, error_of};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::body::charset::Media;
use crate::http::excerpt::Scrubber;
use crate::http::inflate::Codings;
use crate::http::pace;
use crate::http::retry::{self, Verdict};
use crate::http::status::{Class, classify};
use crate::http::transport::{Lost, Reply, Transport};
use crate::page::Meter;
use crate::page::room::Held;
use crate::redact::SafeUrl;
use crate::spec::source::{Format, Retry};

/// A byte order mark, which some servers begin UTF-8 with.
const BOM: &[u8] = b"\xef\xbb\xbf";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a token is asked for with.
pub(in crate::http) struct Caller {
    pub(in crate::http) transport: Arc<Transport>,
    pub(in crate::http) user_agent: String,
    /// Of an answer, inflated.
    pub(in crate::http) most_bytes: u64,
    pub(in crate::http) retry: Retry,
    pub(in crate::http) clock: Arc<dyn Clock>,
    /// Learns the tokens.
    pub(in crate::http) scrubber: Scrubber,
    /// Counts the requests with those for pages.
    pub(in crate::http) meter: Arc<Meter>,
}

/// What is sent to a token endpoint.
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    pub(super) content_type: &'static str,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: String,
}

impl Caller {
    /// Sends `ask`, anew for every attempt, until it is answered, and reads the answer with `read`, which gives the end
    /// of a sentence about what it lacks.
    ///
    /// # Errors
    /// `Credentials` where the endpoint refuses, redirects or answers something else; `Transient` where it cannot answer.
    pub(super) async fn ask<'a>(
        &self,
        ask: impl Fn() -> Result<Ask<'a>>,
        read: impl Fn(&Value) -> Result<Granted, String>,
    ) -> Result<Granted> {
        self.ask_once_open(ask, read, None).await.map(|(granted, _)| granted)
    }

    /// As [`Caller::ask`], where each request must pass `gate`, and is past it until what comes beside the answer is
    /// dropped; not while it waits to be tried again.
    ///
    /// # Errors
    /// As [`Caller::ask`]; `Interrupted` once the gate is closed.
    pub(super) async fn ask_once_open<'a, 'g>(
        &self,
        ask: impl Fn() -> Result<Ask<'a>>,
        read: impl Fn(&Value) -> Result<Granted, String>,
        gate: Option<&'g Semaphore>,
    ) -> Result<(Granted, Option<SemaphorePermit<'g>>)> {
        let mut attempt = 1;
        loop {
            let past = match gate {
                Some(gate) => Some(pass(gate).await?),
                None => None,
            };
            let ask = ask()?;
            let (url, id) = (ask.url, uuid::Uuid::new_v4().to_string());
            let place = |error: Error| {
                error.with("request", format!("POST {}", SafeUrl::new(url))).with("request_id", &id)
            };
            Meter::count(&self.meter.requests);
            let request = self.request(ask, &id)?;
            let (reason, asked) =
                match self.transport.send(request, &Held::default()).await.map_err(place)? {
                    Ok(reply) if is_passing(&reply) => {
                        let asked = pace::asked(&reply.headers, self.clock.now());
                        (format!("it answered {}", reply.status), asked)
                    }
                    Ok(reply) => {
                        let granted = self.read(&reply, &read).map_err(place)?;
                        return Ok((granted, past));
                    }
                    Err(lost) => (lost_to(lost).map_err(place)?, None),
                };
            drop(past);
            self.wait(&reason, asked, attempt, &id).await.map_err(place)?;
            attempt += 1;
            Meter::count(&self.meter.retries);
        }
    }

    /// Waits until the request may be sent again.
    ///
    /// # Errors
    /// `Transient` where it may not.
    async fn wait(
        &self,
        reason: &str,
        asked: Option<Duration>,
        attempt: u32,
        id: &str,
    ) -> Result<()> {
        let error = || {
            let message = format!("the token endpoint could not answer: {reason}");
            Error::new(ErrorKind::Transient, message).with("attempts", attempt)
        };
        match retry::verdict(&self.retry, attempt, asked, rand::random()) {
            Verdict::Wait(wait) => {
                let seconds = wait.as_secs_f64();
                tracing::warn!(request_id = %id, "the token endpoint: {reason}, retrying in {seconds:.1} s");
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Verdict::Later(wait) => {
                let seconds = wait.as_secs();
                Err(error()
                    .hint(format!("it asked for {seconds} s: run the same command again then")))
            }
            Verdict::Exhausted => Err(error()),
        }
    }

    fn request(&self, ask: Ask<'_>, id: &str) -> Result<Request> {
        let mut request = Request::new(Method::POST, ask.url.clone());
        let header = |text: &str| {
            HeaderValue::try_from(text).map_err(|_| {
                Error::new(ErrorKind::Config, "a header would hold a character that none may hold")
            })
        };
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(ask.content_type));
        headers.insert(USER_AGENT, header(&self.user_agent)?);
        headers.insert(REQUEST_ID, header(id)?);
        if let Some(value) = ask.authorization {
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
        *request.body_mut() = Some(ask.body.into());
        Ok(request)
    }

    fn read(
        &self,
        reply: &Reply,
        read: impl Fn(&Value) -> Result<Granted, String>,
    ) -> Result<Granted> {
        let status = reply.status;
        if status.is_redirection() {
            let target = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            let message = format!(
                "the token endpoint leads elsewhere ({status}), where no credential is sent"
            );
            let target = target.map(bare).unwrap_or_default();
            return Err(Error::new(ErrorKind::Credentials, message)
                .with("location", self.scrubber.scrub(&target))
                .hint("declare the URL that answers as token_url"));
        }
        if !status.is_success() {
            return Err(self.refused(reply));
        }
        let body = self.text(reply).unwrap_or_default();
        let answer = serde_json::from_slice(&body).map_err(|_| self.no_token(reply, &body))?;
        read(&answer).map_err(|what| match error_of(&body) {
            Some(named) => self.refused_with(status, &named),
            None => {
                let what = self.scrubber.scrub(&format!("the token endpoint's answer {what}"));
                Error::new(ErrorKind::Credentials, what).hint(
                    "compare it with the provider's documentation; a login's token is where `token` points",
                )
            }
        })
    }

    /// The answer's body as its headers say that it is to be read: inflated, and in UTF-8.
    fn text(&self, reply: &Reply) -> Option<Bytes> {
        let most = usize::try_from(self.most_bytes).unwrap_or(usize::MAX);
        let codings = Codings::of(&reply.headers).ok()?;
        let body = match codings.is_none() {
            true => reply.body.clone(),
            false => codings.inflate(&reply.body, most).ok()?.into(),
        };
        let text = Media::of(&reply.headers).ok()?.utf8(body, Format::Json).ok()?;
        Some(if text.starts_with(BOM) { text.slice(BOM.len()..) } else { text })
    }

    /// An answer of success that is none. Only a page for people is shown: anything else may hold a token.
    fn no_token(&self, reply: &Reply, body: &[u8]) -> Error {
        let kind = reply.headers.get(CONTENT_TYPE).map_or(&b"none"[..], |kind| kind.as_bytes());
        let error = Error::new(ErrorKind::Credentials, "the token endpoint's answer is not JSON")
            .with("content_type", self.scrubber.excerpt(kind));
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        if text.contains("<html") && !text.contains("token") {
            return error
                .with("body", self.scrubber.excerpt(body))
                .hint("check token_url: a login page or a proxy may have answered instead");
        }
        error
            .with("bytes", body.len())
            .hint("check token_url, and that the endpoint answers in JSON; the answer may hold a token and is not shown")
    }

    /// What the endpoint names as the reason (RFC 6749 section 5.2), and what to do about it.
    fn refused(&self, reply: &Reply) -> Error {
        let status = reply.status;
        // In UTF-16, say, a credential that is echoed looks like none.
        let body = self.text(reply).unwrap_or_else(|| reply.body.clone());
        let Some(named) = error_of(&body) else {
            let error = Error::new(
                ErrorKind::Credentials,
                format!("the token endpoint refused ({status})"),
            )
            .with("body", self.scrubber.excerpt(&body));
            return match status {
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                    error.hint("check token_url: nothing there takes a POST")
                }
                _ => error,
            };
        };
        self.refused_with(status, &named)
    }

    fn refused_with(&self, status: StatusCode, (code, described): &Named) -> Error {
        let described = described.as_ref().map_or_else(String::new, |text| format!(", {text}"));
        let said = self.scrubber.excerpt(format!("{code}{described}").as_bytes());
        let message = format!("the token endpoint refused ({status}): {said}");
        let hint = match code.as_str() {
            "invalid_grant" => {
                "the refresh token, login or assertion is expired, used up or revoked: obtain a new one and declare it; of an assertion check the clock and the claims"
            }
            "invalid_client" => {
                "check client_id and client_secret, and whether the endpoint wants client_auth: basic or body"
            }
            "invalid_scope" => "check scope against what the client may ask for",
            "unauthorized_client" | "unsupported_grant_type" => {
                "allow this grant for the client at the provider, or choose another auth type"
            }
            _ => "check the secrets that the source's auth names",
        };
        Error::new(ErrorKind::Credentials, message).hint(hint)
    }
}

/// A redirect's target without what may be a token: its query, its fragment, and who it is meant for.
fn bare(target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    match path.split_once("//") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}//{host}{path}")
        }
        None => path.to_owned(),
    }
}

/// Passes a gate that is closed when the run ends.
async fn pass(gate: &Semaphore) -> Result<SemaphorePermit<'_>> {
    gate.acquire().await.map_err(|_| {
        Error::new(ErrorKind::Interrupted, "the run ends: no token is used up any more")
    })
}

/// Whether the endpoint's trouble is expected to pass.
fn is_passing(reply: &Reply) -> bool {
    classify(reply.status.as_u16(), &Default::default()) == Class::Passing
}

/// Why a request that had no answer is worth another.
///
/// # Errors
/// Where it is not.
fn lost_to(lost: Lost) -> Result<String> {
    Ok(match lost {
        Lost::Network(error) => network(&error),
        Lost::Deadline => "it did not answer in time".to_owned(),
        Lost::Corrupt(error) => format!("its answer is cut or corrupt: {error}"),
        Lost::TooLarge => {
            let message = "the token endpoint's answer is larger than a page may be";
            return Err(Error::new(ErrorKind::Credentials, message).hint("check token_url"));
        }
    })
}

/// A network error with its innermost cause.
fn network(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_connect() { format!("could not connect: {cause}") } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_endpoint_leads_is_shown_bare() {
        for (target, shown) in [
            ("https://u:p@h.example/x?code=1#t", "https://h.example/x"),
            ("//u@h.example", "//h.example"),
            ("/login?next=//a@b", "/login"),
            ("login", "login"),
            ("http://h/a@b", "http://h/a@b"),
            ("", ""),
        ] {
            assert_eq!(bare(target), shown);
        }
    }
}
