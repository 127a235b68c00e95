//! What goes over the wire, noted for who wants to look at it, in the form that may be shown.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use crate::http::excerpt::Scrubber;
use crate::http::quota::sentences::sentences;
use crate::http::transport::Reply;
use crate::redact::REDACTED;

/// Notes the requests of the clients that it is given to, redirects and renewals included.
#[derive(Debug, Default)]
pub struct Witness(Mutex<Vec<Sight>>);

/// One request and its response, without credentials.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What was asked for.
    pub asked: Asked,
    /// The response's status.
    pub status: u16,
    /// What is understood of the API's quota, a sentence each.
    pub quota: Vec<String>,
    /// The response's headers; names in lower case, cookies hidden.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body as they came.
    pub received: usize,
    /// The body as it was read: inflated, in UTF-8, and where it could be read as the declared format, as JSON. Of a
    /// status other than 2xx what came of it.
    pub body: Bytes,
    /// From the request's first byte to the body's last.
    pub took: Duration,
}

/// A request, without credentials.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The headers, those that carry credentials hidden.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// What is to be shown of a request; `hides` tells the headers that carry credentials.
    pub(super) fn new(
        method: &str,
        url: String,
        headers: &HeaderMap,
        hides: impl Fn(&str) -> bool,
        scrubber: &Scrubber,
    ) -> Self {
        let headers = shown(headers, hides, scrubber);
        Self { method: method.to_owned(), url, headers }
    }
}

impl Witness {
    /// The requests so far.
    pub fn sights(&self) -> Vec<Sight> {
        self.lock().clone()
    }

    /// Notes a response.
    pub(super) fn saw(&self, asked: Asked, reply: &Reply, scrubber: &Scrubber) {
        let hides = |name: &str| name.eq_ignore_ascii_case("set-cookie");
        self.lock().push(Sight {
            asked,
            status: reply.status.as_u16(),
            quota: sentences(&reply.headers),
            headers: shown(&reply.headers, hides, scrubber),
            received: reply.body.len(),
            body: if reply.status.is_success() { Bytes::new() } else { reply.body.clone() },
            took: reply.took,
        });
    }

    /// Notes the last response's body, once it can be read.
    pub(super) fn read(&self, body: &Bytes) {
        if let Some(last) = self.lock().last_mut() {
            last.body = body.clone();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(
    headers: &HeaderMap,
    hides: impl Fn(&str) -> bool,
    scrubber: &Scrubber,
) -> Vec<(String, String)> {
    let value = |name: &str, value: &[u8]| {
        if hides(name) {
            return REDACTED.to_owned();
        }
        scrubber.scrub(&String::from_utf8_lossy(value))
    };
    headers
        .iter()
        .map(|(name, of)| (name.as_str().to_owned(), value(name.as_str(), of.as_bytes())))
        .collect()
}
