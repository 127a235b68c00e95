//! The values of options: instants, lengths of time, sizes, and the form of a result.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::ValueEnum;

use crate::error::Result;
use crate::spec::size::parse_size;
use crate::window::{parse_duration, parse_instant};

/// How the result is written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A short table for people.
    Table,
    /// One JSON document.
    Json,
}

/// Windows in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// So many.
    Of(u16),
    /// As many as pay.
    Auto,
}

/// A number of jobs, or `auto`.
pub(super) fn jobs(text: &str) -> Result<Jobs, String> {
    if text == "auto" {
        return Ok(Jobs::Auto);
    }
    let number = text.parse::<u16>().ok().filter(|number| (1..=256).contains(number));
    number
        .map(Jobs::Of)
        .ok_or_else(|| format!("`{text}` is no number of jobs: write 1 to 256, or auto"))
}

/// An instant, or a message that shows the form: clap prints no hints.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    with_form(parse_instant(text))
}

/// A length of time, or a message that shows the form.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    with_form(parse_duration(text))
}

/// A length of time over zero.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all: write one such as 10s or 1m")),
        period => Ok(period),
    }
}

/// A number of bytes over zero, or a message that shows the form.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is no size: write a number and a unit, such as 256MiB or 1GiB");
    parse_size(text).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// A part of a whole from 0 to 1, or a message that shows the form.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let read = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    read.ok_or_else(|| format!("`{text}` is no share: write a number from 0 to 1, such as 0.05"))
}

fn with_form<T>(parsed: Result<T>) -> Result<T, String> {
    parsed.map_err(|error| match error.hint_text() {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    })
}
