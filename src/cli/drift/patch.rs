//! `lakeward drift --patch`: the schema file with the lines that accept what the last window showed.

use std::path::Path;

use crate::cli::drift::document::StreamDrift;
use crate::cli::drift::words::path;
use crate::cli::render::{one_line, out};
use crate::drift::changes::Change;
use crate::drift::finding::{Finding, FindingKind};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::patch::patched;
use crate::spec::table::Table;

/// Prints the patched file; the log says what was left out of it.
pub(super) fn run(schema: &Path, streams: &[StreamDrift]) -> Result<u8> {
    let table = Table::load(schema)?.name;
    if let Some(other) = streams.iter().find(|stream| stream.table != table) {
        let message = format!("the schema file is of table `{table}`, not of `{}`", other.table);
        return Err(Error::new(ErrorKind::Usage, message).with("schema", schema.display()));
    }
    let changes = streams.iter().flat_map(|stream| &stream.changes);
    let (mut lines, mut left) = (Vec::new(), Vec::new());
    for change in changes.filter(|change| change.current) {
        match accepts(change) {
            true => lines.extend(change.finding.suggestion.lines()),
            false => left.push(change),
        }
    }
    out(&patched(schema, &lines)?)?;
    for change in left {
        tracing::warn!(
            "not in the patch: {} {}: {}",
            change.finding.kind.name(),
            one_line(path(&change.finding)),
            one_line(&change.finding.suggestion)
        );
    }
    tracing::info!(lines = lines.len(), "patched {}", schema.display());
    Ok(0)
}

/// Whether the proposal makes rows of what was found, and does not just silence it.
fn accepts(change: &Change) -> bool {
    let Finding { kind, suggestion, .. } = &change.finding;
    let silences = match kind {
        FindingKind::NullRate
        | FindingKind::RangeMoved
        | FindingKind::RowCount
        | FindingKind::MixedUnits
        | FindingKind::MissingField => format!("{}: ignore", kind.name()),
        _ => return !suggestion.starts_with('#'),
    };
    let drift = suggestion.rsplit_once("drift: {").map(|(_, drift)| drift);
    !suggestion.starts_with('#') && !drift.is_some_and(|drift| drift.contains(&silences))
}
