//! All that is to be said of a page, before it is text or JSON.

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use crate::cli::peek::envelope::{self, Place};
use crate::cli::peek::fields::{self, Declared, Undeclared};
use crate::cli::peek::quota;
use crate::cli::sample::tree::Tree;
use crate::error::Error;
use crate::http::witness::Sight;
use crate::page::Cursor;
use crate::redact::REDACTED;
use crate::run::peek::{Peek, Peeked};
use crate::spec::source::{Source, Stream};
use crate::window::{Window, show};

/// Rejected records that are named.
const REJECTS: usize = 5;

/// A page, looked at.
#[derive(Debug, Serialize)]
pub(super) struct View {
    pub(super) source: String,
    pub(super) stream: String,
    pub(super) from: String,
    pub(super) to: String,
    /// What went over the wire, redirects and renewals included.
    pub(super) exchanges: Vec<Exchanged>,
    /// What the API says of its quota.
    pub(super) quota: Vec<String>,
    /// `json`, `ndjson` or `csv`.
    pub(super) format: &'static str,
    /// What stands in the body.
    pub(super) envelope: Vec<Place>,
    /// What the source file may lack.
    pub(super) differences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<PageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failed>,
}

/// A request and its response.
#[derive(Debug, Serialize)]
pub(super) struct Exchanged {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) request_headers: Map<String, Value>,
    pub(super) status: u16,
    pub(super) ms: u64,
    /// Bytes of the body as they came, maybe compressed.
    pub(super) bytes: usize,
    pub(super) response_headers: Map<String, Value>,
}

/// The page as an extract would take it.
#[derive(Debug, Serialize)]
pub(super) struct PageView {
    pub(super) records: usize,
    pub(super) total: Option<u64>,
    /// What the next request would ask for; nothing behind the last page.
    pub(super) next: Option<String>,
    pub(super) rows: usize,
    pub(super) rejected: usize,
    pub(super) outside: u64,
    pub(super) nulled: u64,
    pub(super) rejects: Vec<Rejected>,
    pub(super) fields: Vec<Declared>,
    pub(super) undeclared: Vec<Undeclared>,
}

/// A record that does not fit.
#[derive(Debug, Serialize)]
pub(super) struct Rejected {
    pub(super) index: u64,
    pub(super) code: &'static str,
    pub(super) field: Option<String>,
    pub(super) message: String,
}

/// What an extract would end with.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) kind: &'static str,
    pub(super) exit: u8,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Looks at what one request brought.
pub(super) fn of(source: &Source, stream: &Stream, window: Window, peek: &Peek) -> View {
    let scrub = |text: &str| peek.scrub(text);
    let last = peek.sights.last();
    let headers = last.map(|last| last.headers.as_slice()).unwrap_or_default();
    let mut view = View {
        source: source.name.clone(),
        stream: stream.name.clone(),
        from: show(window.start),
        to: show(window.end),
        exchanges: peek.sights.iter().map(exchanged).collect(),
        quota: quota::told(headers, last.map(|last| last.quota.as_slice()).unwrap_or_default()),
        format: stream.format.key(),
        envelope: Vec::new(),
        differences: Vec::new(),
        page: None,
        error: peek.page.as_ref().err().map(failed),
    };
    // A refusal is shown by its error, with the beginning of its body.
    let read = last.filter(|last| (200..300).contains(&last.status));
    let body = read.and_then(|last| Tree::parse(std::str::from_utf8(&last.body).ok()?).ok());
    if let (Some(body), Some(last)) = (&body, last) {
        let guess = envelope::guess(body, stream, headers, &params(&last.asked.url));
        view.envelope = envelope::places(body, stream, &guess, scrub);
        view.differences = envelope::differences(stream, &guess, body);
    }
    if let Ok(seen) = &peek.page
        && seen.page.after.next.is_none()
        && let Some(total) = seen.page.after.total.filter(|total| *total > seen.page.after.records)
    {
        let records = seen.page.after.records;
        view.differences
            .push(format!("the API names {total} records, and nothing follows these {records}"));
    }
    view.page = peek.page.as_ref().ok().map(|seen| page(stream, seen, &scrub));
    view
}

fn exchanged(sight: &Sight) -> Exchanged {
    let headers = |all: &[(String, String)]| {
        all.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    };
    Exchanged {
        method: sight.asked.method.clone(),
        url: sight.asked.url.clone(),
        request_headers: headers(&sight.asked.headers),
        status: sight.status,
        ms: u64::try_from(sight.took.as_millis()).unwrap_or(u64::MAX),
        bytes: sight.received,
        response_headers: headers(&sight.headers),
    }
}

fn params(url: &str) -> Vec<(String, Option<String>)> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    url.query_pairs().map(|(name, value)| (name.into_owned(), Some(value.into_owned()))).collect()
}

fn failed(error: &Error) -> Failed {
    Failed {
        kind: error.kind().name(),
        exit: error.kind().exit_code(),
        message: error.to_string(),
        hint: error.advice().map(str::to_owned),
    }
}

fn page(stream: &Stream, seen: &Peeked, scrub: &dyn Fn(&str) -> String) -> PageView {
    let Peeked { page, decoded, shape } = seen;
    // Samples are short by now: where the API echoes a credential, one may end within it.
    let text = String::from_utf8_lossy(&page.body);
    let echoes = scrub(&text) != text;
    let hide =
        |text: &str| if echoes && text.contains('…') { REDACTED.to_owned() } else { scrub(text) };
    let rejects = decoded.rejects.iter().take(REJECTS).map(|reject| Rejected {
        index: reject.index,
        code: reject.code,
        field: reject.field.clone(),
        message: hide(&reject.message),
    });
    PageView {
        records: page.records.len(),
        total: page.after.total,
        next: page.after.next.as_ref().map(|next| named(next, scrub)),
        rows: decoded.batch.num_rows(),
        rejected: decoded.rejects.len(),
        outside: decoded.outside,
        nulled: decoded.nulled,
        rejects: rejects.collect(),
        fields: fields::declared(&stream.table, shape, &hide),
        undeclared: fields::undeclared(shape, &hide),
    }
}

fn named(next: &Cursor, scrub: &dyn Fn(&str) -> String) -> String {
    match next {
        Cursor::Start => "the first page".to_owned(),
        Cursor::Page { page } => format!("page {page}"),
        Cursor::Offset { offset } => format!("offset {offset}"),
        Cursor::Token { token } => {
            let token = scrub(token);
            let shown: String = token.chars().take(60).collect();
            let more = if shown.len() < token.len() { "…" } else { "" };
            format!("cursor {shown}{more}")
        }
        Cursor::Url { url } => {
            let safe = url.parse().map(|url| crate::redact::SafeUrl::new(&url).to_string());
            scrub(&safe.unwrap_or_default())
        }
    }
}
