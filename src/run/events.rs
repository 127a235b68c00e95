//! A batch of webhook events as pages from memory: the records that they hold, and those that hold none.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, Stream as Pages};

use crate::decode::{DeadLetter, Decoded};
use crate::error::{Error, ErrorKind, Result};
use crate::json::outline::Outline;
use crate::json::scanner::Scanner;
use crate::json::tape::Paths;
use crate::json::utf8::utf8;
use crate::page::{Cursor, Page, Position};
use crate::run::stamps::{array_of, stamped};
use crate::spec::keys::record_keys;
use crate::spec::table::Table;

/// Events of a page at most, and about how many bytes of records.
const PAGE_EVENTS: usize = 1_000;
const PAGE_BYTES: usize = 4 << 20;

/// Why an event holds no record that a stream takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlandable {
    /// Its body is no JSON.
    NotJson,
    /// Its type is routed to no stream.
    NoRoute,
    /// Nothing stands where the route says that the record is.
    NoRecord,
}

impl Unlandable {
    /// The word for it in dead letters.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotJson => "event_not_json",
            Self::NoRoute => "event_without_route",
            Self::NoRecord => "event_without_record",
        }
    }
}

/// Whether a dead letter of this code is an event and no record: nothing decodes it.
pub(crate) fn is_event_code(code: &str) -> bool {
    [Unlandable::NotJson, Unlandable::NoRoute, Unlandable::NoRecord]
        .iter()
        .any(|why| why.code() == code)
}

/// What an event comes to.
#[derive(Clone, Debug)]
pub enum Content {
    /// Its record's JSON text, as it stands in the body.
    Record(Bytes),
    /// No record: a dead letter.
    Unlandable {
        /// Why, as a word.
        why: Unlandable,
        /// Why, for people.
        message: String,
        /// The event as JSON text.
        event: Bytes,
    },
}

/// An event on its way into a table.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// When it was received: its row's `_extracted_at`.
    pub received_at: DateTime<Utc>,
    /// What it comes to.
    pub content: Content,
}

/// The events of a batch, in the order of the inbox.
#[derive(Clone, Debug)]
pub struct Events {
    /// A fingerprint of the events themselves: another inbox may give a batch the same name.
    pub fingerprint: String,
    /// The events.
    pub records: Vec<EventRecord>,
}

/// A page, and what there is to say of its records beside their text.
#[derive(Debug)]
pub(crate) struct Fed {
    pub(crate) page: Page,
    pub(crate) beside: Option<Beside>,
}

/// What is known of a page's events.
#[derive(Debug)]
pub(crate) struct Beside {
    /// When each record was received, in microseconds since the epoch.
    stamps: Vec<i64>,
    /// The place of each record's event among the page's.
    places: Vec<u64>,
    /// The events that hold no record.
    unlandable: Vec<DeadLetter>,
}

impl From<Page> for Fed {
    fn from(page: Page) -> Self {
        Self { page, beside: None }
    }
}

impl Beside {
    /// Puts what is known into what became of the page; gives how many events hold no record.
    pub(crate) fn apply(self, decoded: &mut Decoded) -> Result<usize> {
        let Self { stamps, places, unlandable } = self;
        let of = |record: usize| stamps.get(record).copied().unwrap_or_default();
        decoded.batch = stamped(&decoded.batch, &decoded.records, of)?;
        for reject in &mut decoded.rejects {
            let place = usize::try_from(reject.index).ok().and_then(|at| places.get(at));
            reject.index = place.copied().unwrap_or(reject.index);
        }
        let count = unlandable.len();
        decoded.rejects.extend(unlandable);
        decoded.rejects.sort_by_key(|reject| reject.index);
        Ok(count)
    }
}

impl Events {
    /// The events as pages of `table`'s records; none where they have landed by `from`.
    pub(crate) fn pages(
        self: Arc<Self>,
        table: &Table,
        from: &Position,
    ) -> impl Pages<Item = Result<Fed>> + Send + 'static {
        let keys = record_keys(table, Paths::default()).0;
        let mut scanner = Scanner::new(Outline::of_records(&[]), keys);
        let chunks = if from.next.is_some() { self.chunks() } else { Vec::new() };
        let last = chunks.len();
        stream::iter((1..).zip(chunks).map(move |(number, chunk)| {
            let end = chunk.end as u64;
            let next = (number < last as u64).then_some(Cursor::Offset { offset: end });
            let after = Position { next, pages: number, records: end, total: None };
            self.page(&mut scanner, chunk, after)
        }))
    }

    /// The events page by page.
    fn chunks(&self) -> Vec<Range<usize>> {
        let mut chunks = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (at, record) in self.records.iter().enumerate() {
            if at > start && (at - start >= PAGE_EVENTS || bytes >= PAGE_BYTES) {
                chunks.push(start..at);
                (start, bytes) = (at, 0);
            }
            bytes += match &record.content {
                Content::Record(text) => text.len(),
                Content::Unlandable { event, .. } => event.len(),
            };
        }
        if start < self.records.len() {
            chunks.push(start..self.records.len());
        }
        chunks
    }

    fn page(&self, scanner: &mut Scanner, chunk: Range<usize>, after: Position) -> Result<Fed> {
        let mut beside = Beside { stamps: Vec::new(), places: Vec::new(), unlandable: Vec::new() };
        let mut texts = Vec::new();
        let events = self.records.get(chunk).unwrap_or_default();
        for (place, event) in (0..).zip(events) {
            match &event.content {
                Content::Record(text) => {
                    texts.push(utf8(text).map_err(broken)?);
                    beside.stamps.push(event.received_at.timestamp_micros());
                    beside.places.push(place);
                }
                Content::Unlandable { why, message, event } => beside.unlandable.push(DeadLetter {
                    page: after.pages,
                    index: place,
                    code: why.code(),
                    field: None,
                    message: message.clone(),
                    record: event.clone(),
                }),
            }
        }
        let body = array_of(texts.into_iter());
        let found = scanner.scan(&body).map_err(broken)?;
        let page = Page { after: after.clone(), ..Page::scanned(after.pages, body, found) };
        if page.records.len() != beside.stamps.len() {
            return Err(Error::new(ErrorKind::Unexpected, "a page has other records than events"));
        }
        Ok(Fed { page, beside: Some(beside) })
    }
}

/// Of a record's text that was taken from a body which was JSON.
fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unexpected, "an event's record is no JSON by itself").caused_by(cause)
}
