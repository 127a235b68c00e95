//! Whether a default is a value of its column.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::spec::declared::table as declared;
use crate::spec::document::{Document, Place};
use crate::spec::table::{Field, FieldType, MinorUnits, Scalar};
use crate::spec::yaml::{Kind, Node};

/// The default of `field` as JSON text, if one is written and is a value of the column.
#[expect(clippy::option_option, reason = "absent is fine, wrong is not")]
pub(super) fn default(
    document: &mut Document,
    place: &Place,
    written: &declared::Field,
    field: &Field,
) -> Option<Option<String>> {
    let Some(value) = &written.default else { return Some(None) };
    let node = document.at(place)?;
    let text = json_text(document, node);
    let fits = match (&field.kind, value) {
        (FieldType::Json, _) => Ok(()),
        (FieldType::List(scalar), Value::Array(items)) => {
            let inner = if let Kind::List(nodes) = &node.kind { nodes.as_slice() } else { &[] };
            let mut pairs = items.iter().zip(inner);
            pairs.try_for_each(|(item, node)| {
                is_scalar(*scalar, item, &json_text(document, node), field)
            })
        }
        (FieldType::List(_), _) => Err("a list is wanted".to_owned()),
        (FieldType::Scalar(scalar), value) => is_scalar(*scalar, value, &text, field),
    };
    if let Err(why) = fits {
        let kind = written.r#type.as_deref().unwrap_or_default();
        document.error(place, format!("the default is no value of the type {kind}: {why}"));
        return None;
    }
    Some(Some(text))
}

/// The JSON text of `node`; a number keeps the digits that were written.
fn json_text(document: &Document, node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(value) => value.to_string(),
        Kind::Text(text) => Value::from(text.as_str()).to_string(),
        Kind::Number(number) => {
            let text = document.written(&node.span).trim();
            let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
            if is_json { text.to_owned() } else { number.to_string() }
        }
        Kind::List(items) => {
            let items: Vec<_> = items.iter().map(|item| json_text(document, item)).collect();
            format!("[{}]", items.join(","))
        }
        Kind::Map(entries) => {
            let entry = |entry: &crate::spec::yaml::Entry| {
                format!("{}:{}", Value::from(entry.key.as_str()), json_text(document, &entry.value))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

/// Whether `value`, written as `text`, is a value of `scalar` (DESIGN §4).
fn is_scalar(scalar: Scalar, value: &Value, text: &str, field: &Field) -> Result<(), String> {
    if matches!(value, Value::Array(_) | Value::Object(_) | Value::Null) {
        return Err("a single value is wanted".to_owned());
    }
    match scalar {
        Scalar::String => Ok(()),
        Scalar::Bool => match value {
            Value::Bool(_) => Ok(()),
            Value::String(text) if text == "true" || text == "false" => Ok(()),
            _ => Err("true or false is wanted".to_owned()),
        },
        Scalar::Int32 => integer(value, text, i64::from(i32::MIN), i64::from(i32::MAX), field),
        Scalar::Int64 => integer(value, text, i64::MIN, i64::MAX, field),
        Scalar::Float64 => {
            let number = bare(value, text).parse::<f64>().ok().filter(|number| number.is_finite());
            let number = number.ok_or_else(|| "a number is wanted".to_owned())?;
            within(Decimal::from_f64_retain(number), field)
        }
        Scalar::Decimal { precision, scale } => decimal(value, text, precision, scale, field),
        Scalar::Date => match value {
            Value::String(text) if is_date(text) || is_instant(text) => Ok(()),
            _ => Err("a date such as \"2026-03-17\" is wanted".to_owned()),
        },
        Scalar::Timestamp => match value {
            Value::Number(_) => Ok(()),
            Value::String(text)
                if is_date(text) || is_instant(text) || text.parse::<f64>().is_ok() =>
            {
                Ok(())
            }
            _ => Err("an instant such as \"2026-03-17T00:00:00Z\" is wanted".to_owned()),
        },
    }
}

/// The characters of a number or of a string.
fn bare<'a>(value: &'a Value, text: &'a str) -> &'a str {
    value.as_str().map_or(text, str::trim)
}

fn exact(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

fn within(number: Option<Decimal>, field: &Field) -> Result<(), String> {
    let Some(number) = number else { return Ok(()) };
    match (field.min, field.max) {
        (Some(min), _) if number < min => Err(format!("it is under `min` {min}")),
        (_, Some(max)) if number > max => Err(format!("it is over `max` {max}")),
        _ => Ok(()),
    }
}

fn integer(value: &Value, text: &str, least: i64, most: i64, field: &Field) -> Result<(), String> {
    if value.is_boolean() {
        return Err("a whole number is wanted".to_owned());
    }
    let number = exact(bare(value, text)).filter(|number| number.fract().is_zero());
    let number = number.ok_or_else(|| "a whole number is wanted".to_owned())?;
    if number < Decimal::from(least) || number > Decimal::from(most) {
        return Err(format!("it is not from {least} to {most}"));
    }
    within(Some(number), field)
}

fn decimal(
    value: &Value,
    text: &str,
    precision: u8,
    scale: u8,
    field: &Field,
) -> Result<(), String> {
    let plain = value.as_str().map(|text| plain_decimal(text, field.decimal.decimal_mark));
    let text = plain.as_deref().unwrap_or(text);
    if value.is_boolean() {
        return Err("a number is wanted".to_owned());
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let Some(mut number) = exact(text) else {
        // Over 28 digits no bound can be declared either: the digits alone decide.
        let is_number =
            text.trim_start_matches(['+', '-']).chars().all(|c| c.is_ascii_digit() || c == '.');
        let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let fits = is_number
            && digits > 28
            && digits <= usize::from(precision)
            && fraction <= usize::from(scale);
        return if fits { Ok(()) } else { Err("a number is wanted".to_owned()) };
    };
    let is_integer = value.is_number() && !text.contains(['.', 'e', 'E']);
    if let (true, Some(MinorUnits::Digits(minor))) = (is_integer, &field.decimal.integers) {
        number = Decimal::try_from_i128_with_scale(number.mantissa(), u32::from(*minor))
            .map_err(|_| "it has too many digits".to_owned())?;
    }
    let number = number.normalize();
    let is_exact = number.scale() <= u32::from(scale) || field.decimal.round_half_even;
    if !is_exact {
        return Err(format!("it has more than {scale} fraction digits"));
    }
    let whole = number.trunc().abs().mantissa().to_string();
    let whole = if whole == "0" { 0 } else { whole.len() };
    if whole > usize::from(precision - scale) {
        return Err(format!("it has more than {} digits before the point", precision - scale));
    }
    within(Some(number), field)
}

/// A decimal string with its marks made plain; a text that is ambiguous stays as it is, and is no number.
fn plain_decimal(text: &str, mark: Option<char>) -> String {
    let text = text.trim();
    let mark = mark.or_else(|| match (text.rfind('.'), text.rfind(',')) {
        (Some(point), Some(comma)) => Some(if point > comma { '.' } else { ',' }),
        (None, Some(comma)) if (2..=3).contains(&(text.len() - comma)) => Some(','),
        (Some(_), None) => Some('.'),
        _ => None,
    });
    match mark {
        Some(',') => text.replace('.', "").replace(',', "."),
        Some(_) => text.replace(',', ""),
        None => text.to_owned(),
    }
}

fn is_date(text: &str) -> bool {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn is_instant(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
        || ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .any(|format| NaiveDateTime::parse_from_str(text, format).is_ok())
}
