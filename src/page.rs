//! What is asked for and what comes back, as plain values: requests, pages and cursors.

pub mod room;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::json::outline::{Found, Records};
use crate::json::tape::Tape;
use crate::page::room::Held;

/// The HTTP methods that read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    #[default]
    Get,
    /// `POST`, for search endpoints that take their query in a body.
    Post,
}

impl Method {
    /// The method as it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One request, before authentication.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The page it asks for, from 1.
    pub page: u64,
    /// The method.
    pub method: Method,
    /// The whole URL with its query, without credentials.
    pub url: Url,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// A JSON body, for `POST`.
    pub body: Option<Bytes>,
}

/// Where a stream of pages stands: what the next request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Cursor {
    /// The first page.
    Start,
    /// Page number `page`.
    Page {
        /// The number as it is sent.
        page: u64,
    },
    /// The records from `offset` on.
    Offset {
        /// Records before the page.
        offset: u64,
    },
    /// The page that the API named by an opaque token.
    Token {
        /// The token as received.
        token: String,
    },
    /// The page that the API named by a URL.
    Url {
        /// The absolute URL.
        url: String,
    },
}

/// Where a window's pages stand after some page: what a checkpoint saves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// What to ask for next; `None` after the last page.
    pub next: Option<Cursor>,
    /// Pages received.
    pub pages: u64,
    /// Records received (with rejects), for offsets and totals.
    pub records: u64,
    /// The last total that the API named.
    pub total: Option<u64>,
}

impl Position {
    /// Before the first page.
    pub fn start() -> Self {
        Self { next: Some(Cursor::Start), pages: 0, records: 0, total: None }
    }
}

/// What the API said of a page, by which it can be asked later whether the page is still the same (RFC 9110 §8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// The page's number in the window, from 1.
    pub page: u64,
    /// What it was asked for by.
    pub asked: Cursor,
    /// `ETag`, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified`, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Fingerprint of the headers beside the body that page or count: the validator does not speak of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<u64>,
}

/// One page as received: its body, where the records stand in it, and what follows.
#[derive(Debug)]
pub struct Page {
    /// The page's number in the window, from 1.
    pub number: u64,
    /// The request's `X-Request-Id`.
    pub request_id: String,
    /// The inflated body; empty for 204, 205 and `on_status: empty`.
    pub body: Bytes,
    /// Where each record's JSON text stands in `body`.
    pub records: Vec<Range<usize>>,
    /// Where the declared values stand in them.
    pub tape: Tape,
    /// Fingerprints of the page's body and of the cursor it names, for finding loops.
    pub seen: Vec<u64>,
    /// By what the API can be asked whether it is still the same; only of a `conditional` stream.
    pub validator: Option<Validator>,
    /// Where the stream stands once this page is durable.
    pub after: Position,
    /// From the request's first byte to the body's last.
    pub round_trip: Duration,
    /// What it takes of the memory of its run, given back with it.
    pub held: Held,
}

impl Page {
    /// A page that no request brought: a body and what a scan found in it. It is the last of its window.
    pub fn scanned(number: u64, body: Bytes, found: Found) -> Self {
        let records = if let Records::Found(spans) = found.records { spans } else { Vec::new() };
        Self {
            number,
            request_id: String::new(),
            body,
            records,
            tape: found.tape,
            seen: Vec::new(),
            validator: None,
            after: Position { next: None, ..Position::start() },
            round_trip: Duration::ZERO,
            held: Held::default(),
        }
    }
}

/// What a window's requests cost; shared between the requests and the manifest.
#[derive(Debug, Default)]
pub struct Meter {
    /// Requests sent, retries included.
    pub requests: AtomicU64,
    /// Requests that were sent again.
    pub retries: AtomicU64,
    /// Responses that asked us to slow down (429, or 503 with `Retry-After`).
    pub throttled: AtomicU64,
}

impl Meter {
    /// Adds one to a counter.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what another meter has counted.
    pub fn add(&self, other: &Self) {
        let (requests, retries, throttled) = other.read();
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.retries.fetch_add(retries, Ordering::Relaxed);
        self.throttled.fetch_add(throttled, Ordering::Relaxed);
    }

    /// The three counters: requests, retries, throttled.
    pub fn read(&self) -> (u64, u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.requests), of(&self.retries), of(&self.throttled))
    }
}
