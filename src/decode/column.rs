//! What every column decoder shares: the trait, the cell it is given, and what it says about it.

use arrow::array::ArrayRef;
use rust_decimal::Decimal;

use crate::decode::units::Unit;
use crate::error::{Error, ErrorKind, Result};
use crate::json::span::Span;
use crate::spec::table::Field;

/// One value of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    /// Its exact JSON text, without whitespace around it; never `null`.
    pub(crate) raw: &'a str,
    /// The JSON text of the record's currency, for decimals that depend on it.
    pub(crate) currency: Option<&'a str>,
}

/// What a value that was read has to say beside itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The unit of a numeric timestamp or an amount.
    pub(crate) unit: Option<Unit>,
    /// A value outside `known`, after `case`.
    pub(crate) unknown: Option<String>,
    /// Lone surrogates that became U+FFFD.
    pub(crate) surrogates: u64,
}

/// Why a value is not one of its column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// The dead letter's code.
    pub(crate) code: &'static str,
    /// The end of a sentence that begins with the value.
    pub(crate) reason: &'static str,
}

impl Invalid {
    /// A value that cannot be read as the type.
    pub(crate) const fn value(reason: &'static str) -> Self {
        Self { code: "invalid", reason }
    }

    /// A value beyond the type's or the declared bounds.
    pub(crate) const fn range(reason: &'static str) -> Self {
        Self { code: "out_of_range", reason }
    }
}

/// Values of one field in records that follow each other: each of a natural form, null or absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// The page.
    pub(crate) text: &'a str,
    /// Where the values stand.
    pub(crate) spans: &'a [Span],
    /// Which of them are there and not null, a bit each from the lowest on; what is above belongs to no run.
    pub(crate) present: u64,
    /// Where the records' currencies stand, for decimals that depend on them; else empty.
    pub(crate) currencies: &'a [Span],
    /// The unit of the column's numeric timestamps or amounts so far, once it was seen often enough.
    pub(crate) unit: Option<Unit>,
}

/// How much of a run was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Values, nulls with them.
    pub(crate) rows: usize,
    /// Of them numeric timestamps and amounts, all of the run's unit.
    pub(crate) units: u64,
}

impl<'a> Run<'a> {
    /// The text of a value; empty where there is none.
    #[inline]
    pub(crate) fn raw(&self, span: Span) -> &'a str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

/// Turns the values of one column into an Arrow array.
pub(crate) trait ColumnDecoder: Send {
    /// Appends exactly one slot: the value, or null for `None` and for an invalid one.
    ///
    /// # Errors
    /// Why the value is invalid; a value, not a failure: the slot was appended.
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid>;

    /// Appends the first values of a run, up to one that is not plain: whose reading takes more than the usual rule, or
    /// has something to say. That one is [`ColumnDecoder::push`]'s, as all are of a column without usual rules.
    fn push_plain(&mut self, _run: Run<'_>) -> Taken {
        Taken::default()
    }

    /// The array of what was pushed; the decoder is empty again.
    ///
    /// # Errors
    /// `Unexpected` where Arrow refuses what was built.
    fn finish(&mut self) -> Result<ArrayRef>;
}

/// Declared bounds in a column's own units, so that a check is two integer comparisons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    min: i128,
    max: i128,
}

impl Bounds {
    /// The bounds of `field` in units of `10^-scale`: the least value inside and the greatest.
    pub(crate) fn new(field: &Field, scale: u32) -> Self {
        let min = field.min.map_or(i128::MIN, |bound| rescale(bound, scale, true));
        let max = field.max.map_or(i128::MAX, |bound| rescale(bound, scale, false));
        Self { min, max }
    }

    /// Checks a value in the same units.
    ///
    /// # Errors
    /// Which bound it breaks.
    pub(crate) fn check(&self, value: i128) -> Result<(), Invalid> {
        if value < self.min {
            return Err(Invalid::range("is below the declared `min`"));
        }
        if value > self.max {
            return Err(Invalid::range("is above the declared `max`"));
        }
        Ok(())
    }
}

/// A bound at `scale`; where it has more digits, the next unit inside. Saturates, which no column value reaches.
fn rescale(bound: Decimal, scale: u32, up: bool) -> i128 {
    let mantissa = bound.mantissa();
    let far = if mantissa < 0 { i128::MIN } else { i128::MAX };
    if bound.scale() <= scale {
        let factor = 10i128.checked_pow(scale - bound.scale());
        return factor.and_then(|factor| mantissa.checked_mul(factor)).unwrap_or(far);
    }
    let Some(divisor) = 10i128.checked_pow(bound.scale() - scale) else { return 0 };
    let floor = mantissa.div_euclid(divisor);
    if up && mantissa.rem_euclid(divisor) != 0 { floor + 1 } else { floor }
}

/// Wraps Arrow's complaint about an array of ours.
pub(crate) fn unbuilt(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Unexpected, "a decoded column could not be built").caused_by(error)
}
