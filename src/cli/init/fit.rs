//! Whether the sample fits the table that was drawn from it: decoded as an extract would.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::{Clock as _, SystemClock};
use crate::decode::{DecodeOptions, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::json::outline::Outline;
use crate::json::scanner::Scanner;
use crate::json::tape::Paths;
use crate::page::Page;
use crate::spec::keys::record_keys;
use crate::spec::source::Source;

/// What became of the sample's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// Records in it.
    pub(super) records: usize,
    /// Those that fit.
    pub(super) rows: usize,
    /// Values that were made null.
    pub(super) nulled: u64,
    /// Why the first that does not fit does not.
    pub(super) why: Option<String>,
}

/// Decodes `sample` with the only stream of the source file that was written.
///
/// # Errors
/// Where it cannot be read back.
pub(super) fn fit(source: &Path, sample: &str) -> Result<Fit> {
    let source = Source::load(source)?;
    let Some(stream) = source.streams.first() else {
        return Err(Error::new(ErrorKind::Unexpected, "the draft has no stream"));
    };
    let (keys, _) = record_keys(&stream.table, Paths::default());
    let outline = Outline::of_records(stream.records.tokens());
    let body = Bytes::from(sample.to_owned());
    let found = Scanner::new(outline, keys).scan(&body).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "the sample cannot be read again").caused_by(error)
    })?;
    let page = Page::scanned(1, body, found);
    let options = DecodeOptions { extracted_at: SystemClock.now(), clip: None };
    let decoded = Decoder::new(Arc::clone(&stream.table), options)?.decode(&page)?;
    Ok(Fit {
        records: page.records.len(),
        rows: decoded.batch.num_rows(),
        nulled: decoded.nulled,
        why: decoded
            .rejects
            .first()
            .map(|reject| format!("record {}: {}", reject.index, reject.message)),
    })
}
