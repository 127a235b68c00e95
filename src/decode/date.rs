//! Dates: date strings as they stand, timestamps by their UTC date.
//!
//! A string of eight digits is the date `YYYYMMDD` of ISO 8601's basic form, not a number of seconds in 1970.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Date32Type;

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::decode::iso::{DAY, read_date};
use crate::decode::timestamp;
use crate::decode::units::Unit;
use crate::decode::values::Values;
use crate::error::Result;
use crate::json::escape::unescape;
use crate::json::span::Form;
use crate::spec::table::{Field, TimeRules, TimeUnit};

/// Builds a `Date32` column.
pub(crate) struct DateColumn {
    values: Values<Date32Type>,
    rules: TimeRules,
}

impl DateColumn {
    /// The column of `field`.
    pub(crate) fn new(field: &Field) -> Self {
        Self { values: Values::new(), rules: field.time.clone() }
    }

    fn read(&self, raw: &str) -> Result<(i32, Option<TimeUnit>), Invalid> {
        const WHAT: Invalid = Invalid::value("is not a date");
        if raw.starts_with('"') {
            let (text, _) = unescape(raw);
            if let Some(days) = read_date(&text) {
                return Ok((days, None));
            }
            if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
                return Err(WHAT);
            }
        }
        let instant = timestamp::read(raw, &self.rules)
            .map_err(|invalid| if invalid.code == WHAT.code { WHAT } else { invalid })?;
        let days = i32::try_from(instant.micros.div_euclid(DAY)).map_err(|_| WHAT)?;
        Ok((days, instant.unit))
    }
}

impl ColumnDecoder for DateColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let value = cell.map(|cell| self.read(cell.raw)).transpose();
        self.values.push_option(value.ok().flatten().map(|(days, _)| days));
        let unit = |(_, unit): (_, Option<TimeUnit>)| unit.map(Unit::Time);
        value.map(|value| Seen { unit: value.and_then(unit), ..Seen::default() })
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        self.values.push_run(run, |_, span| match span.form() {
            Form::String => read_date(run.raw(span).trim_matches('"')),
            _ => None,
        })
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.values.finish()))
    }
}
