//! A request as it was posted, and why it proves nothing.

use std::time::Duration;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};

/// Beyond this a time is in milliseconds: seconds reach it in the year 5138.
const MILLISECONDS: i64 = 100_000_000_000;

/// A request as it was posted.
#[derive(Clone, Copy, Debug)]
pub struct Posted<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a str,
    /// Its target: the path with the query, as sent.
    pub target: &'a str,
    /// Its body, byte for byte.
    pub body: &'a [u8],
    /// When it came.
    pub now: DateTime<Utc>,
}

/// Why a request proves nothing. For metrics; whoever sent it is told none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A header of the signature is missing.
    Missing,
    /// A header of the signature stands there twice: which one counts is not said.
    Twice,
    /// A header of the signature is not of its form.
    Malformed,
    /// Its time is too far from now.
    Stale,
    /// No secret gives this signature.
    Mismatch,
}

impl Posted<'_> {
    /// The one value of a header.
    ///
    /// # Errors
    /// Where there is none, several, or one that is no text.
    pub(super) fn header(&self, name: &str) -> Result<&str, Refusal> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().ok_or(Refusal::Missing)?;
        if values.next().is_some() {
            return Err(Refusal::Twice);
        }
        value.to_str().map_err(|_| Refusal::Malformed)
    }

    /// Whether a header is there, however often.
    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// A time since the epoch, in seconds or milliseconds, written as plain digits, that is near now.
    ///
    /// # Errors
    /// Where it is no such number, or more than `tolerance` away in either direction.
    pub(super) fn timely(&self, text: &str, tolerance: Duration) -> Result<i64, Refusal> {
        let time: i64 = text.parse().map_err(|_| Refusal::Malformed)?;
        if time < 0 || time.to_string() != text {
            return Err(Refusal::Malformed);
        }
        let millis = if time < MILLISECONDS { time.saturating_mul(1_000) } else { time };
        let away = self.now.timestamp_millis().abs_diff(millis);
        // Of a time in seconds the fraction is not known.
        let allowed = tolerance.as_millis().saturating_add(999);
        if u128::from(away) > allowed { Err(Refusal::Stale) } else { Ok(time) }
    }
}
