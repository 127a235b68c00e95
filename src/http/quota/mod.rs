//! What an API says in its headers about its quotas: the `X-RateLimit-*` dialects and the IETF's `RateLimit` fields.
//!
//! | dialect | headers |
//! |---|---|
//! | common | `X-RateLimit-Limit`, `-Remaining` or `-Used`, `-Reset` (epoch seconds, epoch milliseconds, seconds from now, a date) or `-Reset-After` |
//! | other spellings | `X-Rate-Limit-*`, `RateLimit-*` (the IETF's drafts up to 06), each also with `-Second`, `-Minute`, `-Hour`, `-Day` behind |
//! | drafts from 07 on | `RateLimit`, `RateLimit-Policy`: see [`fields`] |
//!
//! What cannot be understood is left out: a header that says nothing sure holds nothing back.

mod fields;
pub(super) mod sentences;
pub(super) mod told;

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::HeaderMap;

use crate::http::quota::told::{Reading, Reset, Told};

/// The spellings of the common dialect, and the periods that some gateways (Kong) put behind.
const PREFIXES: [&str; 3] = ["x-ratelimit-", "x-rate-limit-", "ratelimit-"];
const PERIODS: [(&str, Option<u64>); 5] = [
    ("", None),
    ("-second", Some(1)),
    ("-minute", Some(60)),
    ("-hour", Some(3600)),
    ("-day", Some(86_400)),
];

/// Reads what `headers` tell of quotas.
pub(super) fn read(headers: &HeaderMap) -> Reading {
    let speaks = |name: &str| name.contains("ratelimit") || name.contains("rate-limit");
    if !headers.keys().any(|name| speaks(name.as_str())) {
        return Reading::default();
    }
    let mut told = Vec::new();
    for prefix in PREFIXES {
        for (suffix, seconds) in PERIODS {
            told.extend(common(headers, prefix, suffix, seconds));
        }
    }
    fields::read(headers, told)
}

/// One quota of the common dialect.
fn common(headers: &HeaderMap, prefix: &str, suffix: &str, seconds: Option<u64>) -> Option<Told> {
    let text = |what: &str| text(headers, &format!("{prefix}{what}{suffix}"));
    let limit = text("limit").and_then(count);
    let remaining = match (text("remaining").and_then(count), text("used").and_then(count)) {
        (Some(remaining), _) => remaining,
        (None, Some(used)) => limit?.saturating_sub(used),
        (None, None) => return None,
    };
    // Where nothing is counted, some say that there is nothing.
    if limit == Some(0) {
        return None;
    }
    let reset = text("reset-after").and_then(number).map(after);
    Some(Told {
        name: format!("{prefix}{suffix}"),
        limit,
        remaining,
        reset: reset.or_else(|| text("reset").and_then(when)),
        period: seconds.map(Duration::from_secs),
    })
}

/// A header's text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// The first number of a value such as `100`, `100, 100;w=60` or `"100"`.
fn number(text: &str) -> Option<f64> {
    let first = text.split([',', ';']).next()?.trim().trim_matches('"');
    // What a float may be called besides digits is no number here.
    let is_number = first.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    first.parse().ok().filter(|_| is_number && !first.is_empty())
}

/// A number of requests; below nothing is nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates, and a share of a request is none"
)]
fn count(text: &str) -> Option<u64> {
    number(text).map(|number| number as u64)
}

/// From here on a number is an instant in seconds (2001) or milliseconds (1973), below it is a wait.
const EPOCH_SECONDS: f64 = 1e9;
const EPOCH_MILLIS: f64 = 1e11;

/// A reset in any of its notations.
fn when(text: &str) -> Option<Reset> {
    match number(text) {
        Some(number) if number >= EPOCH_MILLIS => at(number / 1000.0),
        Some(number) if number >= EPOCH_SECONDS => at(number),
        Some(number) => Some(after(number)),
        None => {
            let iso = DateTime::parse_from_rfc3339(text).map(Into::into).ok();
            iso.or_else(|| httpdate::parse_http_date(text).ok().map(Into::into)).map(Reset::At)
        }
    }
}

fn at(seconds: f64) -> Option<Reset> {
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    let micros = i64::try_from(since.as_micros()).ok()?;
    DateTime::from_timestamp_micros(micros).map(Reset::At)
}

fn after(seconds: f64) -> Reset {
    let wait = seconds.max(0.0);
    Reset::In(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests;
