//! The plain reading of a page, by serde_json: the rule of what the text means, and what `fast` leaves to it.

mod body;
mod record;

use std::ops::Range;

use crate::json::keys::Keys;
use crate::json::outline::{Found, NotJson, Outline, Records};
use crate::json::tape::Tape;

pub(super) use self::record::record;

/// Reads a page, which is `text` from `start` on.
///
/// # Errors
/// What is wrong with the JSON.
pub(super) fn scan(
    outline: &Outline,
    keys: &mut Keys,
    text: &str,
    start: usize,
) -> Result<Found, NotJson> {
    let (records, values) = body::scan(outline, text, start).map_err(NotJson::Syntax)?;
    let mut tape = Tape::new(keys.slots(), keys.paths().clone());
    let spans: &[Range<usize>] = if let Records::Found(spans) = &records { spans } else { &[] };
    for (index, span) in (0_u32..).zip(spans) {
        record(keys, &mut tape, text, span.clone(), index);
    }
    Ok(Found { records, values, tape })
}
