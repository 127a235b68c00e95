//! A page's body as it came, made ready: inflated, in UTF-8, lines as an array, then scanned for its envelope; off the
//! threads that send requests unless it is small.

pub(crate) mod charset;
pub(crate) mod csv;
pub(crate) mod ndjson;

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Cause, Error, ErrorKind, Result};
use crate::http::body::charset::Media;
use crate::http::body::csv::NoArray;
use crate::http::body::ndjson::{Lines, broken_line};
use crate::http::envelope::{Envelope, Plan};
use crate::http::inflate::{Bad, Codings};
use crate::http::transport::Lost;
use crate::json::outline::NotJson;
use crate::json::utf8::utf8;
use crate::spec::source::Format;

/// Bodies above this are scanned beside the runtime's threads, so that a large page delays no other.
const SCAN_ELSEWHERE: usize = 1024 * 1024;

/// Compressed bodies up to this are inflated where they arrive: to hand them over takes longer.
const INFLATE_HERE: usize = 16 * 1024;

/// What such a body may grow to; a larger one is begun again elsewhere.
const INFLATED_HERE: usize = 512 * 1024;

/// A body that can be read.
pub(super) struct Opened {
    /// JSON; or the text that could not be read as the declared format.
    pub(super) body: Bytes,
    /// Its envelope, or why it has none.
    pub(super) scanned: std::result::Result<Envelope, Cause>,
}

/// What a body is opened with.
#[derive(Clone)]
pub(super) struct Opener {
    /// What its response says of it.
    pub(super) media: Media,
    /// The most bytes that it may have at any step.
    pub(super) most: usize,
    pub(super) plan: Arc<Plan>,
}

/// Undoes `codings`, and scans what comes out.
///
/// # Errors
/// `Unexpected` when a thread's work is lost; the inner one as [`Codings::inflate`].
pub(super) async fn open(
    body: Bytes,
    codings: Codings,
    opener: Opener,
) -> Result<std::result::Result<Opened, Lost>> {
    if codings.is_none() || body.is_empty() {
        if body.len() <= SCAN_ELSEWHERE {
            return Ok(opener.read(body));
        }
    } else if body.len() <= INFLATE_HERE {
        match codings.inflate(&body, opener.most.min(INFLATED_HERE)) {
            Err(Bad::TooLarge) if opener.most > INFLATED_HERE => {}
            inflated => return Ok(opener.inflated(inflated)),
        }
    }
    let work = move || {
        if codings.is_none() {
            opener.read(body)
        } else {
            opener.inflated(codings.inflate(&body, opener.most))
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Unexpected, "the reading of a body ended early").caused_by(error)
    })
}

impl Opener {
    fn inflated(
        &self,
        inflated: std::result::Result<Vec<u8>, Bad>,
    ) -> std::result::Result<Opened, Lost> {
        match inflated {
            Ok(inflated) => self.read(inflated.into()),
            Err(Bad::TooLarge) => Err(Lost::TooLarge),
            Err(Bad::Corrupt(error)) => Err(Lost::Corrupt(error)),
        }
    }

    /// Reads a body that is no longer compressed.
    fn read(&self, body: Bytes) -> std::result::Result<Opened, Lost> {
        let format = self.plan.format();
        let body = match self.media.utf8(body.clone(), format) {
            Ok(utf8) => utf8,
            Err(malformed) => return Ok(Opened { body, scanned: Err(malformed.into()) }),
        };
        if body.len() > self.most {
            return Err(Lost::TooLarge);
        }
        let opened = match format {
            Format::Json => {
                let scanned = self.plan.scan(&body).map_err(Cause::from);
                Opened { body, scanned }
            }
            Format::Ndjson => self.lines(body),
            Format::Csv => match self.rows(&body) {
                Ok(opened) => opened,
                Err(Unread::TooLarge) => return Err(Lost::TooLarge),
                Err(Unread::Broken(cause)) => Opened { body, scanned: Err(cause) },
            },
        };
        Ok(opened)
    }

    /// A JSON value a line.
    fn lines(&self, body: Bytes) -> Opened {
        let text = match checked(&body) {
            Ok(text) => text,
            Err(cause) => return Opened { body, scanned: Err(cause) },
        };
        let mut lines = Lines::join(text);
        let array = Bytes::from(std::mem::take(&mut lines.array));
        let scanned = match self.plan.scan(&array) {
            Ok(envelope) if lines.hold(envelope.spans()) => {
                return Opened { body: array, scanned: Ok(envelope) };
            }
            Ok(_) => Cause::from("a line is not one JSON value"),
            Err(error) => error.into(),
        };
        let named = broken_line(text).map(Cause::from);
        Opened { scanned: Err(named.unwrap_or(scanned)), body }
    }

    /// Rows behind a header.
    fn rows(&self, body: &Bytes) -> std::result::Result<Opened, Unread> {
        if self.media.is_markup_or_json() {
            let message = format!("its content type is {}", self.media.essence);
            return Err(Unread::Broken(message.into()));
        }
        let text = checked(body).map_err(Unread::Broken)?;
        let array = csv::to_array(text, self.most).map_err(|error| match error {
            NoArray::TooLarge => Unread::TooLarge,
            NoArray::Broken(broken) => Unread::Broken(broken.into()),
        })?;
        let body = Bytes::from(array);
        let scanned = self.plan.scan(&body).map_err(Cause::from);
        Ok(Opened { body, scanned })
    }
}

/// Why a body is no list of rows.
enum Unread {
    TooLarge,
    Broken(Cause),
}

/// The text of a body of lines.
///
/// # Errors
/// The byte, and its line, that is not UTF-8.
fn checked(body: &[u8]) -> std::result::Result<&str, Cause> {
    utf8(body).map_err(NotJson::Utf8).map_err(|error| {
        let valid = std::str::from_utf8(body).err().map_or(0, |error| error.valid_up_to());
        let before = body.get(..valid).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Cause::from(format!("line {line}: {error}"))
    })
}
