//! Integers (integral numbers and strings, `5.0` included) and floats.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::Float64Type;
use rust_decimal::prelude::ToPrimitive;

use crate::decode::column::{Bounds, Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::decode::digits;
use crate::decode::exact::{Exact, Misfit, Rounding, split_digits};
use crate::decode::values::Values;
use crate::error::Result;
use crate::json::escape::unescape;
use crate::json::span::Span;
use crate::spec::table::Field;

/// Builds an `Int32` or `Int64` column.
pub(crate) struct IntColumn<T: ArrowPrimitiveType> {
    values: Values<T>,
    bounds: Bounds,
}

impl<T: ArrowPrimitiveType<Native: TryFrom<i128>>> IntColumn<T> {
    /// The column of `field`.
    pub(crate) fn new(field: &Field) -> Self {
        Self { values: Values::new(), bounds: Bounds::new(field, 0) }
    }

    fn read(&self, raw: &str) -> Result<T::Native, Invalid> {
        let value = read_integer(raw)?;
        let native = T::Native::try_from(value)
            .map_err(|_| Invalid::range("does not fit the column's integer type"))?;
        self.bounds.check(value)?;
        Ok(native)
    }
}

impl<T: ArrowPrimitiveType<Native: TryFrom<i128>>> ColumnDecoder for IntColumn<T> {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let value = cell.map(|cell| self.read(cell.raw)).transpose();
        self.values.push_option(value.ok().flatten());
        value.map(|_| Seen::default())
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        self.values.push_run(run, |_, span| plain_integer::<T>(run, span, self.bounds))
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.values.finish()))
    }
}

/// The usual integers: up to 18 digits.
fn plain_integer<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(
    run: Run<'_>,
    span: Span,
    bounds: Bounds,
) -> Option<T::Native> {
    let text = run.text.as_bytes();
    let mut range = span.range();
    let negative = text.get(range.start)? == &b'-';
    range.start += usize::from(negative);
    let digits = i128::from(digits::parse(text, range)?);
    let value = if negative { -digits } else { digits };
    bounds.check(value).ok()?;
    T::Native::try_from(value).ok()
}

fn read_integer(raw: &str) -> Result<i128, Invalid> {
    const WHAT: Invalid = Invalid::value("is not an integer");
    let number = if raw.starts_with('"') {
        let (text, _) = unescape(raw);
        let plain = text.strip_prefix('+').unwrap_or(&text);
        match padded_integer(plain) {
            Some(number) => number,
            None => Exact::from_json(plain).ok_or(WHAT)?.0,
        }
    } else {
        Exact::from_json(raw).ok_or(WHAT)?.0
    };
    number.at_scale(0, Rounding::Refuse).map_err(|misfit| match misfit {
        Misfit::Inexact => Invalid::value("has a fraction and is not an integer"),
        Misfit::Overflow => Invalid::range("does not fit the column's integer type"),
    })
}

/// A string of digits with zeros before them, which JSON numbers may not have.
fn padded_integer(text: &str) -> Option<Exact> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let (digits, rest) = split_digits(digits);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let mut number = Exact::signed(text.starts_with('-'));
    number.push_all(digits, false);
    Some(number)
}

/// Builds a `Float64` column.
pub(crate) struct FloatColumn {
    values: Values<Float64Type>,
    range: FloatRange,
}

/// The declared bounds of a `Float64` column.
struct FloatRange {
    min: f64,
    max: f64,
}

impl FloatColumn {
    /// The column of `field`.
    pub(crate) fn new(field: &Field) -> Self {
        let min = field.min.and_then(|bound| bound.to_f64()).unwrap_or(f64::NEG_INFINITY);
        let max = field.max.and_then(|bound| bound.to_f64()).unwrap_or(f64::INFINITY);
        Self { values: Values::new(), range: FloatRange { min, max } }
    }
}

impl FloatRange {
    fn read(&self, raw: &str) -> Result<f64, Invalid> {
        let (text, _) = unescape(raw);
        // The grammar is JSON's: Rust's parser would take `inf`, `NaN` and `1.` too.
        Exact::from_json(&text).ok_or(Invalid::value("is not a number"))?;
        self.parse(&text)
    }

    fn parse(&self, text: &str) -> Result<f64, Invalid> {
        let value: f64 = text.parse().map_err(|_| Invalid::value("is not a number"))?;
        if value.is_infinite() {
            return Err(Invalid::range("is beyond the largest double"));
        }
        if value < self.min {
            return Err(Invalid::range("is below the declared `min`"));
        }
        if value > self.max {
            return Err(Invalid::range("is above the declared `max`"));
        }
        Ok(value)
    }
}

impl ColumnDecoder for FloatColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let value = cell.map(|cell| self.range.read(cell.raw)).transpose();
        self.values.push_option(value.ok().flatten());
        value.map(|_| Seen::default())
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        // Of the natural forms only numbers are left, whose grammar the scan has checked.
        self.values.push_run(run, |_, span| self.range.parse(run.raw(span)).ok())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.values.finish()))
    }
}
