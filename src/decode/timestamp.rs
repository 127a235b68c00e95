//! Timestamps in microseconds: numbers by magnitude or declared unit, ISO 8601 text; years 1 to 9999.
//!
//! Every reader of the lake holds years 1 to 9999, so an instant outside is out of range rather than a surprise later.
//! Digits below the microsecond are dropped toward the past. A local time that a zone has twice (the end of summer
//! time) is the earlier; one that it does not have (the beginning) is invalid.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, TimeZone};

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::decode::digits;
use crate::decode::exact::{Exact, Rounding};
use crate::decode::iso::{Written, read_instant};
use crate::decode::units::Unit;
use crate::decode::values::Values;
use crate::error::Result;
use crate::json::escape::unescape;
use crate::json::span::{Form, Span};
use crate::spec::table::{Field, TimeRules, TimeUnit, Zone};

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The largest magnitudes that are seconds, milliseconds and microseconds (DESIGN §4).
const SECONDS: u64 = 10_000_000_000;
const MILLIS: u64 = 100_000_000_000_000;
const MICROS: u64 = 100_000_000_000_000_000;

const OUTSIDE: Invalid = Invalid::range("is an instant outside the years 1 to 9999");

/// Builds a `Timestamp(Microsecond, "UTC")` column.
pub(crate) struct TimestampColumn {
    values: Values<TimestampMicrosecondType>,
    rules: TimeRules,
}

impl TimestampColumn {
    /// The column of `field`.
    pub(crate) fn new(field: &Field) -> Self {
        Self { values: Values::new(), rules: field.time.clone() }
    }
}

/// A usual instant: an integer of the column's unit.
#[inline]
fn plain_number(rules: &TimeRules, run: Run<'_>, span: Span) -> Option<i64> {
    let number = digits::parse(run.text.as_bytes(), span.range())?;
    let unit = rules.unit.unwrap_or(match number {
        number if number <= SECONDS => TimeUnit::Seconds,
        number if number <= MILLIS => TimeUnit::Millis,
        number if number <= MICROS => TimeUnit::Micros,
        _ => TimeUnit::Nanos,
    });
    if run.unit != Some(Unit::Time(unit)) {
        return None;
    }
    let micros = match unit {
        TimeUnit::Seconds => number.checked_mul(1_000_000)?,
        TimeUnit::Millis => number.checked_mul(1_000)?,
        TimeUnit::Micros => number,
        TimeUnit::Nanos => number / 1_000,
    };
    i64::try_from(micros).ok().filter(|micros| RANGE.contains(micros))
}

/// A usual instant: with its offset.
#[inline]
fn plain_text(run: Run<'_>, span: Span) -> Option<i64> {
    let text = span.range();
    let written = read_instant(run.text.get(text.start + 1..text.end - 1)?)?;
    // A basic date of digits alone is a number first.
    let micros = written.local - i64::from(written.offset?) * 1_000_000;
    RANGE.contains(&micros).then_some(micros)
}

impl ColumnDecoder for TimestampColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let value = cell.map(|cell| read(cell.raw, &self.rules)).transpose();
        self.values.push_option(value.ok().flatten().map(|instant| instant.micros));
        let unit = |instant: Instant| instant.unit.map(Unit::Time);
        value.map(|instant| Seen { unit: instant.and_then(unit), ..Seen::default() })
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        let mut units = 0;
        let Self { values, rules } = self;
        let taken = values.push_run(run, |_, span| match span.form() {
            Form::Integer => {
                let micros = plain_number(rules, run, span)?;
                units += 1;
                Some(micros)
            }
            Form::String if !span.is_escaped() => plain_text(run, span),
            _ => None,
        });
        Taken { units, ..taken }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.values.finish().with_timezone("UTC")))
    }
}

/// An instant, and the unit where it was a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant {
    /// Microseconds from the epoch, UTC.
    pub(crate) micros: i64,
    /// The number's unit.
    pub(crate) unit: Option<TimeUnit>,
}

/// Reads a timestamp's raw JSON text.
///
/// # Errors
/// Why it is none.
pub(crate) fn read(raw: &str, rules: &TimeRules) -> Result<Instant, Invalid> {
    if !raw.starts_with('"') {
        let (number, _) = Exact::from_json(raw).ok_or(Invalid::value("is not a timestamp"))?;
        return of_number(&number, rules);
    }
    let (text, _) = unescape(raw);
    if let Some((number, _)) = Exact::from_json(&text) {
        return of_number(&number, rules);
    }
    let written = read_instant(&text)
        .ok_or(Invalid::value("is neither a number nor an ISO 8601 date or time"))?;
    let micros = in_utc(written, rules.assume_zone)?;
    RANGE.contains(&micros).then_some(Instant { micros, unit: None }).ok_or(OUTSIDE)
}

fn of_number(number: &Exact, rules: &TimeRules) -> Result<Instant, Invalid> {
    let unit = rules.unit.unwrap_or_else(|| unit_of(number));
    let scale = match unit {
        TimeUnit::Seconds => 6,
        TimeUnit::Millis => 3,
        TimeUnit::Micros => 0,
        TimeUnit::Nanos => -3,
    };
    let micros = number
        .at_scale(scale, Rounding::Floor)
        .ok()
        .and_then(|micros| i64::try_from(micros).ok())
        .filter(|micros| RANGE.contains(micros))
        .ok_or(OUTSIDE)?;
    Ok(Instant { micros, unit: Some(unit) })
}

/// The unit by magnitude (DESIGN §4): up to 1e10 seconds, 1e14 milliseconds, 1e17 microseconds.
fn unit_of(number: &Exact) -> TimeUnit {
    match number {
        n if n.is_at_most(SECONDS.into()) => TimeUnit::Seconds,
        n if n.is_at_most(MILLIS.into()) => TimeUnit::Millis,
        n if n.is_at_most(MICROS.into()) => TimeUnit::Micros,
        _ => TimeUnit::Nanos,
    }
}

fn in_utc(written: Written, zone: Option<Zone>) -> Result<i64, Invalid> {
    let east = |seconds: i32| written.local - i64::from(seconds) * 1_000_000;
    match (written.offset, written.date_only, zone) {
        (Some(offset), _, _) => Ok(east(offset)),
        (None, true, _) | (None, false, None) => Ok(written.local),
        (None, false, Some(Zone::Offset(offset))) => Ok(east(offset)),
        (None, false, Some(Zone::Named(zone))) => DateTime::from_timestamp_micros(written.local)
            .and_then(|local| zone.from_local_datetime(&local.naive_utc()).earliest())
            .map(|instant| instant.timestamp_micros())
            .ok_or(Invalid::value("is a local time that its zone skips")),
    }
}
