//! The envelope of a page: where its records stand, and what it says of the pages that follow.
//!
//! [`Plan`] turns a stream's pointers into an outline once; [`Plan::scan`] walks a body along it in one pass that
//! validates all of it as strict JSON (RFC 8259) and notes on the way where each record and its declared values stand.

mod missing;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::json::outline::{Found, NotJson, Outline, Records, kind};
use crate::json::scanner::{Scanner, text_at};
use crate::json::tape::{Paths, Tape};
use crate::spec::keys::record_keys;
use crate::spec::pagination::{CursorFrom, Pagination};
use crate::spec::pointer::Pointer;
use crate::spec::source::{Format, Stream, TotalFrom};

/// A pointer and the place that the scan notes its value in.
#[derive(Clone, Debug)]
struct Slot {
    index: usize,
    pointer: Pointer,
}

/// A stream's pointers, ready to scan bodies with.
#[derive(Debug)]
pub(super) struct Plan {
    /// As it was before the first page.
    scanner: Scanner,
    /// Those that have learned from earlier pages and wait for the next.
    idle: Mutex<Vec<Scanner>>,
    format: Format,
    /// Whether a lost record would be noticed.
    counted: bool,
    records: Pointer,
    error: Option<Slot>,
    total: Option<Slot>,
    has_more: Option<Slot>,
    cursors: Vec<Slot>,
}

/// What a body holds at a plan's pointers.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    /// The whole body.
    body: Bytes,
    found: Found,
}

/// What a page says of the number of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// No pointer is declared.
    Undeclared,
    /// The pointer leads nowhere, or to null.
    Missing,
    /// Something that is no count, as it stands there.
    Odd(String),
    /// The count.
    Count(u64),
}

impl Total {
    /// Reads a count: a JSON integer, a string of digits or a header's text.
    pub(super) fn read(text: &str) -> Self {
        let digits = text.trim().trim_matches('"').trim();
        digits.parse().map_or_else(|_| Self::Odd(text.chars().take(40).collect()), Self::Count)
    }
}

impl Plan {
    /// The plan of a stream. Undeclared paths of its records are numbered by `paths`.
    pub(super) fn new(stream: &Stream, paths: Paths) -> Self {
        let mut outline = Outline::of_records(stream.records.tokens());
        let mut slot = |pointer: &Pointer| Slot {
            index: outline.note(pointer.tokens()),
            pointer: pointer.clone(),
        };
        let error = stream.error.as_ref().map(&mut slot);
        let total = match &stream.total {
            Some(TotalFrom::Body(pointer)) => Some(slot(pointer)),
            Some(TotalFrom::Header(_)) | None => None,
        };
        let (has_more, cursors) = pointers(&stream.pagination);
        let has_more = has_more.map(&mut slot);
        let cursors = cursors.iter().map(&mut slot).collect();
        Self {
            scanner: Scanner::new(outline, record_keys(&stream.table, paths).0),
            idle: Mutex::default(),
            format: stream.format,
            counted: stream.total.is_some(),
            records: stream.records.clone(),
            error,
            total,
            has_more,
            cursors,
        }
    }

    /// How bodies are written.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Whether the API names the number of records, so that one which is lost is noticed.
    pub(super) fn is_counted(&self) -> bool {
        self.counted
    }

    /// Validates `body`, which is JSON by now, and finds what the plan's pointers name. A leading byte order mark is skipped.
    ///
    /// # Errors
    /// What is wrong with the JSON.
    pub(super) fn scan(&self, body: &Bytes) -> Result<Envelope, NotJson> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut scanner = waiting.unwrap_or_else(|| self.scanner.clone());
        let found = scanner.scan(body);
        idle().push(scanner);
        Ok(Envelope { body: body.clone(), found: found? })
    }

    /// Whether the body reports an error: what stands there is neither null, false nor empty.
    pub(super) fn reports_error(&self, envelope: &Envelope) -> Option<&Pointer> {
        let slot = self.error.as_ref()?;
        let text = envelope.value(slot)?;
        (!matches!(text, "false" | "\"\"" | "[]")).then_some(&slot.pointer)
    }

    /// Where the records stand in the body; null stands for none.
    ///
    /// # Errors
    /// `Api` when the pointer leads nowhere (with what there is instead) or to something that is no array.
    pub(super) fn records(&self, envelope: &Envelope) -> Result<Vec<Range<usize>>> {
        match &envelope.found.records {
            Records::Found(spans) => Ok(spans.clone()),
            Records::Null => Ok(Vec::new()),
            Records::Missing => Err(missing::error(&self.records, &envelope.body)),
            Records::NotArray(kind) => Err(missing::not_array(&self.records, kind, &envelope.body)),
        }
    }

    /// Whether the API says that more pages follow; `None` where it is silent (absent or null).
    ///
    /// # Errors
    /// `Api` when it says anything but true or false.
    pub(super) fn has_more(&self, envelope: &Envelope) -> Result<Option<bool>> {
        let Some(slot) = &self.has_more else { return Ok(None) };
        match envelope.value(slot) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Error::new(
                ErrorKind::Api,
                format!("has_more `{}` is {}, neither true nor false", slot.pointer, kind(other)),
            )),
        }
    }

    /// What the page says of the number of records.
    pub(super) fn total(&self, envelope: &Envelope) -> Total {
        match &self.total {
            None => Total::Undeclared,
            Some(slot) => envelope.value(slot).map_or(Total::Missing, Total::read),
        }
    }

    /// The first declared cursor that is present and neither null nor empty.
    ///
    /// # Errors
    /// As [`token`].
    pub(super) fn cursor(&self, envelope: &Envelope) -> Result<Option<String>> {
        for slot in &self.cursors {
            if let Some(text) = envelope.value(slot)
                && let Some(token) = token(text, &slot.pointer)?
            {
                return Ok(Some(token));
            }
        }
        Ok(None)
    }
}

impl Envelope {
    /// The envelope of a response that has no body by its status.
    pub(super) fn empty() -> Self {
        let found = Found { records: Records::Null, ..Found::default() };
        Self { body: Bytes::new(), found }
    }

    /// Where the records stand; nowhere without an array of them.
    pub(super) fn spans(&self) -> &[Range<usize>] {
        if let Records::Found(spans) = &self.found.records { spans } else { &[] }
    }

    /// Where the declared values stand in the records.
    pub(super) fn take_tape(&mut self) -> Tape {
        std::mem::take(&mut self.found.tape)
    }

    /// The JSON text at a pointer, unless it is absent or null.
    fn value(&self, slot: &Slot) -> Option<&str> {
        let span = self.found.values.get(slot.index)?.clone()?;
        let text = std::str::from_utf8(self.body.get(span)?).ok()?;
        (text != "null").then_some(text)
    }
}

/// The value at `pointer` in one record's text, as a cursor.
///
/// # Errors
/// `Api` when the record has no such value.
pub(super) fn token_of_record(record: &Bytes, pointer: &Pointer) -> Result<String> {
    let found = text_at(pointer.tokens(), record);
    found.filter(|text| *text != "null").map_or(Ok(None), |text| token(text, pointer))?.ok_or_else(
        || {
            Error::new(
                ErrorKind::Api,
                format!("the page's last record has no `{pointer}` to ask for the next page with"),
            )
            .hint("`last_record` is the JSON Pointer of a field that every record has")
        },
    )
}

/// Where a stream's bodies say whether more pages follow, and how they are asked for.
fn pointers(pagination: &Pagination) -> (Option<&Pointer>, &[Pointer]) {
    match pagination {
        Pagination::None | Pagination::LinkHeader => (None, &[]),
        Pagination::Page(page) => (page.has_more.as_ref(), &[]),
        Pagination::Offset(offset) => (offset.has_more.as_ref(), &[]),
        Pagination::NextUrl { next } => (None, std::slice::from_ref(next)),
        Pagination::Cursor(cursor) => match &cursor.cursor {
            CursorFrom::Body(pointers) => (cursor.has_more.as_ref(), pointers),
            CursorFrom::Header(_) | CursorFrom::LastRecord(_) => (cursor.has_more.as_ref(), &[]),
        },
    }
}

/// A cursor's text: of a string its content, of a number its digits; none for an empty string.
///
/// # Errors
/// `Api` for any other kind of value.
fn token(text: &str, pointer: &Pointer) -> Result<Option<String>> {
    let odd = || {
        Error::new(
            ErrorKind::Api,
            format!("cursor `{pointer}` is {}, not a string or number", kind(text)),
        )
    };
    match text.as_bytes().first() {
        Some(b'"') => {
            let token: String = serde_json::from_str(text).map_err(|_| {
                Error::new(ErrorKind::Api, format!("cursor `{pointer}` is not valid Unicode"))
            })?;
            Ok((!token.is_empty()).then_some(token))
        }
        Some(b'-' | b'0'..=b'9') => Ok(Some(text.to_owned())),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests;
