//! One record before its columns: the limits of size and depth, and the reasons for which it is refused.

use bytes::Bytes;

use crate::decode::sighting::shorten;
use crate::json::tape::Refusal;

/// A record that was refused: where it stood, why, and its exact text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The page, from 1.
    pub page: u64,
    /// The record in the page, from 0.
    pub index: u64,
    /// Why: `not_an_object`, `too_large`, `too_deep`, `missing`, `empty`, `invalid`, `out_of_range`, or
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

/// Why a record that has no row is refused.
pub(crate) fn refused(refusal: Refusal, raw: &str) -> Reject {
    match refusal {
        Refusal::TooLarge => {
            let message = format!("the record has {} bytes, more than 16 MiB", raw.len());
            Reject::record("too_large", message)
        }
        Refusal::TooDeep => {
            Reject::record("too_deep", "the record is nested deeper than 128 objects and arrays")
        }
        Refusal::NotAnObject => {
            Reject::record("not_an_object", format!("{} is not a JSON object", quote(raw)))
        }
    }
}

/// A value in a message.
pub(crate) fn quote(raw: &str) -> String {
    format!("`{}`", shorten(raw))
}
