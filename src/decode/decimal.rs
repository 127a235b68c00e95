//! Decimals, exact from the text: JSON numbers in minor or major units, strings in major units with either mark.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Decimal128Type, validate_decimal_precision_and_scale};

use crate::decode::column::{Bounds, Cell, ColumnDecoder, Invalid, Run, Seen, Taken, unbuilt};
use crate::decode::currency::exponent;
use crate::decode::digits;
use crate::decode::exact::{Exact, Misfit, Rounding};
use crate::decode::units::Unit;
use crate::decode::values::Values;
use crate::error::Result;
use crate::json::escape::unescape;
use crate::json::span::{Form, Span};
use crate::spec::table::{DecimalRules, Field, MinorUnits};

/// Builds a `Decimal128` column.
pub(crate) struct DecimalColumn {
    values: Values<Decimal128Type>,
    precision: u8,
    arrow_scale: i8,
    rule: DecimalRule,
}

/// What makes a value of the column.
struct DecimalRule {
    scale: u8,
    /// Ten to the precision: the first magnitude that does not fit.
    limit: u128,
    rules: DecimalRules,
    bounds: Bounds,
    /// The last record's currency, as it stood there, and its exponent.
    currency: (String, u8),
}

impl DecimalColumn {
    /// The column of `field`, with `precision` digits of which `scale` are fraction.
    ///
    /// # Errors
    /// `Unexpected` for a precision and scale that Arrow does not have; the schema file's check excludes them.
    pub(crate) fn new(field: &Field, precision: u8, scale: u8) -> Result<Self> {
        let arrow_scale = i8::try_from(scale).unwrap_or(i8::MAX);
        validate_decimal_precision_and_scale::<Decimal128Type>(precision, arrow_scale)
            .map_err(unbuilt)?;
        Ok(Self {
            values: Values::new(),
            precision,
            arrow_scale,
            rule: DecimalRule {
                scale,
                limit: 10u128.checked_pow(u32::from(precision)).unwrap_or(u128::MAX),
                rules: field.decimal.clone(),
                bounds: Bounds::new(field, u32::from(scale)),
                currency: (String::new(), 0),
            },
        })
    }
}

impl DecimalRule {
    fn read(&self, cell: Cell<'_>) -> Result<(i128, Option<Unit>), Invalid> {
        let (number, unit) = match cell.raw.as_bytes().first() {
            Some(b'"') => {
                let (number, unit) = read_text(&unescape(cell.raw).0, self.rules.decimal_mark)?;
                // Beside integers of minor units it is another one also without a mark.
                (number, unit.or(self.rules.integers.as_ref().map(|_| Unit::Major)))
            }
            _ => self.read_number(cell).map(|(number, unit)| (number, Some(unit)))?,
        };
        let rounding =
            if self.rules.round_half_even { Rounding::HalfEven } else { Rounding::Refuse };
        let value =
            number.at_scale(i64::from(self.scale), rounding).map_err(|misfit| match misfit {
                Misfit::Inexact => {
                    Invalid::value("has more fraction digits than the column's scale")
                }
                Misfit::Overflow => OVERFLOW,
            })?;
        if value.unsigned_abs() >= self.limit {
            return Err(OVERFLOW);
        }
        self.bounds.check(value)?;
        Ok((value, unit))
    }

    fn read_number(&self, cell: Cell<'_>) -> Result<(Exact, Unit), Invalid> {
        let (mut number, integer) =
            Exact::from_json(cell.raw).ok_or(Invalid::value("is not a decimal number"))?;
        if let (true, Some(units)) = (integer, &self.rules.integers) {
            number.exponent -= i64::from(minor_digits(units, cell.currency)?);
            return Ok((number, Unit::Minor));
        }
        Ok((number, Unit::Major))
    }
}

/// The usual amounts: up to 18 digits, of which as many are fraction as the column has at most.
impl DecimalRule {
    fn plain(&mut self, run: Run<'_>, row: usize, span: Span) -> Option<i128> {
        let text = run.text.as_bytes();
        let mut range = span.range();
        let scale = u32::from(self.scale);
        let units = match (span.form(), &self.rules.integers) {
            (Form::Integer, Some(MinorUnits::Digits(digits))) => u32::from(*digits),
            (Form::Integer, Some(MinorUnits::Currency(_))) => {
                u32::from(self.exponent_of(run, row)?)
            }
            (Form::String, _) => {
                if span.is_escaped() || self.rules.decimal_mark.is_some_and(|mark| mark != '.') {
                    return None;
                }
                range = range.start + 1..range.end - 1;
                0
            }
            _ => 0,
        };
        let negative = text.get(range.start)? == &b'-';
        range.start += usize::from(negative);
        let value = match span.form() {
            Form::Integer => {
                let digits = digits::parse(text, range)?;
                scaled(digits, scale.checked_sub(units)?)?
            }
            _ => major(text, range, scale)?,
        };
        let value = if negative { -value } else { value };
        let fits = value.unsigned_abs() < self.limit && self.bounds.check(value).is_ok();
        fits.then_some(value)
    }

    /// The unit of a usual amount, as [`DecimalRule::read`] has it.
    fn plain_unit(&self, run: Run<'_>, span: Span) -> Option<Unit> {
        match (span.form(), &self.rules.integers) {
            (Form::Integer, Some(_)) => Some(Unit::Minor),
            (Form::String, None) => run.raw(span).contains('.').then_some(Unit::Major),
            _ => Some(Unit::Major),
        }
    }

    /// The exponent of a record's currency, which mostly is the last record's.
    fn exponent_of(&mut self, run: Run<'_>, row: usize) -> Option<u8> {
        let raw = run.raw(*run.currencies.get(row)?);
        if raw != self.currency.0 || raw.is_empty() {
            let known = Some(raw).filter(|raw| raw.starts_with('"'));
            self.currency = (raw.to_owned(), exponent(&unescape(known?).0)?);
        }
        Some(self.currency.1)
    }
}

/// Digits with a point among the last, or none.
#[inline]
fn major(text: &[u8], range: std::ops::Range<usize>, scale: u32) -> Option<i128> {
    let tail = text.get(range.clone())?.iter().rev().take(scale as usize + 1);
    let Some(after) = tail.clone().position(|byte| *byte == b'.') else {
        return scaled(digits::parse(text, range)?, scale);
    };
    let point = range.end - 1 - after;
    let whole = digits::parse(text, range.start..point)?;
    let fraction = digits::parse(text, point + 1..range.end)?;
    let missing = scale - u32::try_from(after).ok()?;
    scaled(whole, scale)?.checked_add(scaled(fraction, missing)?)
}

/// `None` beyond an `i128`: 18 digits are, from a scale of 21 on.
#[inline]
fn scaled(digits: u64, scale: u32) -> Option<i128> {
    i128::from(digits).checked_mul(10_i128.checked_pow(scale)?)
}

const OVERFLOW: Invalid = Invalid::range("has more digits than the column's precision");

fn minor_digits(units: &MinorUnits, currency: Option<&str>) -> Result<u8, Invalid> {
    match units {
        MinorUnits::Digits(digits) => Ok(*digits),
        MinorUnits::Currency(_) => currency
            .filter(|raw| raw.starts_with('"'))
            .and_then(|raw| exponent(&unescape(raw).0))
            .ok_or(Invalid::value("is in minor units of a currency that is not in ISO 4217")),
    }
}

impl ColumnDecoder for DecimalColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let read = cell.map(|cell| self.rule.read(cell)).transpose();
        self.values.push_option(read.ok().flatten().map(|(value, _)| value));
        read.map(|read| Seen { unit: read.and_then(|(_, unit)| unit), ..Seen::default() })
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        let mut units = 0;
        let Self { values, rule, .. } = self;
        let taken = values.push_run(run, |row, span| {
            let unit = rule.plain_unit(run, span);
            if unit.is_some() && run.unit != unit {
                return None;
            }
            let value = rule.plain(run, row, span)?;
            units += u64::from(unit.is_some());
            Some(value)
        });
        Taken { units, ..taken }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let array = self.values.finish().with_precision_and_scale(self.precision, self.arrow_scale);
        Ok(Arc::new(array.map_err(unbuilt)?))
    }
}

/// Reads a string in major units: an optional sign, digits, at most one decimal mark, groups of three. Without a mark
/// nothing tells which one it would have.
fn read_text(text: &str, declared: Option<char>) -> Result<(Exact, Option<Unit>), Invalid> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let Marks { mark, group } = marks_of(digits, declared)?;
    let (whole, fraction) = match mark.and_then(|mark| digits.iter().rposition(|b| *b == mark)) {
        Some(at) => (digits.get(..at).unwrap_or(&[]), digits.get(at + 1..).unwrap_or(&[])),
        None => (digits, &[][..]),
    };
    let mut number = Exact::signed(negative);
    match group {
        Some(group) if whole.contains(&group) => read_groups(whole, group, &mut number)?,
        _ => read_digits(whole, false, &mut number)?,
    }
    read_digits(fraction, true, &mut number)?;
    if whole.is_empty() && fraction.is_empty() {
        return Err(Invalid::value("is not a decimal number"));
    }
    let unit = match mark.filter(|mark| digits.contains(mark)) {
        Some(b',') if declared.is_none() => Some(Unit::Comma),
        Some(_) => Some(Unit::Major),
        None => None,
    };
    Ok((number, unit))
}

/// Which byte is the decimal mark and which groups digits.
struct Marks {
    mark: Option<u8>,
    group: Option<u8>,
}

fn marks_of(digits: &[u8], declared: Option<char>) -> Result<Marks, Invalid> {
    let other = |mark: u8| Some(if mark == b',' { b'.' } else { b',' });
    if let Some(mark) = declared.and_then(|mark| u8::try_from(mark).ok()) {
        return Ok(Marks { mark: Some(mark), group: other(mark) });
    }
    let commas = digits.iter().filter(|b| **b == b',').count();
    let points = digits.iter().filter(|b| **b == b'.').count();
    match (commas, points) {
        (0, 0 | 1) => Ok(Marks { mark: Some(b'.'), group: None }),
        (1, 0) => match digits.iter().rev().take_while(|b| **b != b',').count() {
            1 | 2 => Ok(Marks { mark: Some(b','), group: None }),
            3 => Err(Invalid::value(
                "is ambiguous: its comma may group digits or mark decimals; declare `decimal_mark`",
            )),
            _ => {
                Err(Invalid::value("has a comma that neither groups by threes nor marks decimals"))
            }
        },
        (0, _) | (_, 0) => Err(Invalid::value(
            "repeats a mark: declare `decimal_mark` and the other groups digits",
        )),
        _ => {
            let mark = digits.iter().rev().copied().find(|b| matches!(b, b'.' | b','));
            Ok(Marks { mark, group: mark.and_then(other) })
        }
    }
}

fn read_groups(whole: &[u8], group: u8, number: &mut Exact) -> Result<(), Invalid> {
    for (index, part) in whole.split(|b| *b == group).enumerate() {
        let sized = if index == 0 { (1..=3).contains(&part.len()) } else { part.len() == 3 };
        if !sized {
            return Err(Invalid::value("has digits that are not grouped by threes"));
        }
        read_digits(part, false, number)?;
    }
    Ok(())
}

fn read_digits(digits: &[u8], fraction: bool, number: &mut Exact) -> Result<(), Invalid> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Invalid::value("is not a decimal number"));
    }
    number.push_all(digits, fraction);
    Ok(())
}
