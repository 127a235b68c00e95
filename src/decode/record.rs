//! One record before its columns: the limits of size and depth, and the reasons for which it is refused.

use bytes::Bytes;

use crate::decode::shape::shorten;

/// The largest record, in bytes (DESIGN §4).
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The deepest record, in objects and arrays inside one another, its own object included (DESIGN §4).
pub(crate) const MAX_DEPTH: usize = 128;

/// A record that was refused: where it stood, why, and its exact text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The page, from 1.
    pub page: u64,
    /// The record in the page, from 0.
    pub index: u64,
    /// Why: `not_an_object`, `not_json`, `too_large`, `too_deep`, `missing`, `empty`, `invalid`, `out_of_range`, or
    /// `drift_` and a kind of drift.
    pub code: &'static str,
    /// The column whose value it was, where it was one.
    pub field: Option<String>,
    /// The reason as a sentence, with the value shortened to 60 characters.
    pub message: String,
    /// The record's exact text, a slice of the page's body.
    pub record: Bytes,
}

/// Why a record is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reject {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

impl Reject {
    /// Refused as a whole.
    pub(crate) fn record(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    /// Refused for a field, with the value where there is one.
    pub(crate) fn field(code: &'static str, name: &str, reason: &str, raw: Option<&str>) -> Self {
        let message = match raw {
            Some(raw) => format!("{name}: {} {reason}", quote(raw)),
            None => format!("{name} {reason}"),
        };
        Self { code, field: Some(name.to_owned()), message }
    }

    /// The dead letter of the record at `page` and `index`.
    pub(crate) fn at(self, page: u64, index: u64, record: Bytes) -> DeadLetter {
        let Self { code, field, message } = self;
        DeadLetter { page, index, code, field, message, record }
    }
}

/// The text of a record that is worth walking: a JSON object within the limits.
///
/// # Errors
/// Why it is not.
pub(crate) fn admit(bytes: &[u8]) -> Result<&str, Reject> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the record has {} bytes, more than 16 MiB", bytes.len());
        return Err(Reject::record("too_large", message));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Reject::record("not_json", format!("the record is not UTF-8: {error}")))?;
    if text.as_bytes().first() != Some(&b'{') {
        let message = format!("{} is not a JSON object", quote(text));
        return Err(Reject::record("not_an_object", message));
    }
    if exceeds_depth(text.as_bytes()) {
        let message = "the record is nested deeper than 128 objects and arrays";
        return Err(Reject::record("too_deep", message));
    }
    Ok(text)
}

fn exceeds_depth(bytes: &[u8]) -> bool {
    // Nearly every record has fewer brackets than the limit, which a vectorised count tells.
    let opening = bytes.iter().filter(|b| matches!(b, b'{' | b'[')).count();
    opening > MAX_DEPTH && depth(bytes) > MAX_DEPTH
}

/// The depth of nesting, brackets in strings aside.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A value in a message.
pub(crate) fn quote(raw: &str) -> String {
    format!("`{}`", shorten(raw))
}
