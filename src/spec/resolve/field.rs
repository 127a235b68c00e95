//! One column.

use std::str::FromStr;

use rust_decimal::Decimal;

use crate::spec::declared::table as declared;
use crate::spec::diagnostic::nearest;
use crate::spec::document::{Document, Place};
use crate::spec::pointer::Pointer;
use crate::spec::resolve::default;
use crate::spec::resolve::drift;
use crate::spec::resolve::values::pointer;
use crate::spec::table::{
    Case, DecimalRules, DriftPolicy, Field, FieldType, MinorUnits, OnInvalid, Scalar, TimeRules,
    TimeUnit, Zone,
};
use crate::spec::yaml::Kind;

/// The types without parameters.
const TYPES: [&str; 8] =
    ["string", "bool", "int32", "int64", "float64", "date", "timestamp", "json"];

/// Those that a list can hold.
const SCALARS: [&str; 7] = ["string", "bool", "int32", "int64", "float64", "date", "timestamp"];

/// What a field is resolved beside: the names of all fields, which of them are strings, and the table's drift policy.
pub(super) struct Siblings<'a> {
    /// What drift leads to where the field does not say otherwise.
    pub(super) drift: DriftPolicy,
    /// The names, by index; empty where a name is missing.
    pub(super) names: Vec<&'a str>,
    /// The types as written, by index.
    pub(super) types: Vec<&'a str>,
}

/// Resolves the field at `place`.
pub(super) fn field(
    document: &mut Document,
    place: &Place,
    written: &declared::Field,
    siblings: &Siblings<'_>,
) -> Option<Field> {
    let name = written.name.as_deref().filter(|name| is_column(document, &place.key("name"), name));
    let kind = written.r#type.as_deref();
    let kind = kind.and_then(|text| field_type(document, &place.key("type"), text));
    let from = from(document, &place.key("from"), written, name);
    let fits = kind.as_ref().is_none_or(|kind| keys_fit(document, place, written, kind));
    let bounds = bounds(document, place, written);
    let decimal = decimal_rules(document, place, written, siblings);
    let zone = written.assume_zone.as_deref();
    let zone = zone
        .map_or(Some(None), |text| zone_of(document, &place.key("assume_zone"), text).map(Some));
    let required = written.required.unwrap_or(false);
    let case = written.case.map(|case| match case {
        declared::Case::Lower => Case::Lower,
        declared::Case::Upper => Case::Upper,
    });
    let (min, max) = bounds?;
    let pii = written.pii.unwrap_or(false);
    let usual = (siblings.drift, pii);
    let drift = drift::of_field(document, &place.key("drift"), written.drift.as_ref(), usual);
    let field = Field {
        name: name?.to_owned(),
        kind: kind?,
        from: from?,
        required,
        on_invalid: match written.on_invalid {
            Some(declared::OnInvalid::Reject) => OnInvalid::Reject,
            Some(declared::OnInvalid::Null) => OnInvalid::Null,
            None if required => OnInvalid::Reject,
            None => OnInvalid::Null,
        },
        default: None,
        known: known(written, case),
        case,
        min,
        max,
        decimal: decimal?,
        time: TimeRules { unit: written.unit.map(unit), assume_zone: zone? },
        drift,
        pii,
    };
    let default = default::default(document, &place.key("default"), written, &field)?;
    fits.then_some(Field { default, ..field })
}

/// Whether `name` can name a column in every reader.
fn is_column(document: &mut Document, place: &Place, name: &str) -> bool {
    let legal = !name.trim().is_empty() && name.len() <= 200 && !name.chars().any(char::is_control);
    if !legal {
        document.error(place, "no name for a column: it is empty, too long or has a line break");
    }
    legal
}

/// Parses a type.
pub(super) fn field_type(document: &mut Document, place: &Place, text: &str) -> Option<FieldType> {
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let inner = tight.strip_prefix("list(").and_then(|rest| rest.strip_suffix(')'));
    let (scalar, is_list) = inner.map_or((tight.as_str(), false), |inner| (inner, true));
    match (scalar_type(scalar), is_list) {
        (Ok(scalar), false) => Some(FieldType::Scalar(scalar)),
        (Ok(scalar), true) => Some(FieldType::List(scalar)),
        (Err(_), false) if scalar == "json" => Some(FieldType::Json),
        (Err(Some(why)), _) => {
            document.error(place, format!("`{text}`: {why}"));
            None
        }
        (Err(None), _) => {
            let message = if is_list {
                format!("`{scalar}` is no type that a list can hold")
            } else {
                format!("`{text}` is no type")
            };
            let finding = document.error(place, message);
            match meant(scalar) {
                Some(meant) => finding.meant(meant),
                None if is_list => finding.nearest(scalar, SCALARS),
                None => finding.nearest(scalar, TYPES),
            };
            finding.hint(format!("one of {}, decimal(p, s), list(T)", TYPES.join(", ")));
            None
        }
    }
}

/// The name that lakeward has for another system's type.
fn meant(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "text" | "varchar" | "str" => "string",
        "integer" | "int" | "long" | "bigint" => "int64",
        "double" | "float" | "number" => "float64",
        "decimal" | "numeric" | "money" => "decimal(18, 2)",
        "datetime" | "timestamptz" | "time" => "timestamp",
        "boolean" => "bool",
        "object" | "map" | "struct" | "jsonb" => "json",
        "list" | "array" => "list(string)",
        _ => return None,
    })
}

fn scalar_type(text: &str) -> Result<Scalar, Option<String>> {
    Ok(match text {
        "string" => Scalar::String,
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "float64" => Scalar::Float64,
        "date" => Scalar::Date,
        "timestamp" => Scalar::Timestamp,
        _ => {
            let inner = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
            let (precision, scale) = inner.ok_or(None)?.split_once(',').ok_or_else(|| {
                Some("a decimal has a precision and a scale, as in decimal(18, 2)".to_owned())
            })?;
            let number = |text: &str| {
                text.parse::<u8>().map_err(|_| Some(format!("`{text}` is no number of digits")))
            };
            let (precision, scale) = (number(precision)?, number(scale)?);
            if !(1..=38).contains(&precision) {
                return Err(Some("the precision must be from 1 to 38".to_owned()));
            }
            if scale > precision {
                return Err(Some("the scale must not be over the precision".to_owned()));
            }
            Scalar::Decimal { precision, scale }
        }
    })
}

fn from(
    document: &mut Document,
    place: &Place,
    written: &declared::Field,
    name: Option<&str>,
) -> Option<Vec<Pointer>> {
    match &written.from {
        None => Some(vec![Pointer::key(name?)]),
        Some(declared::OneOrMore::One(text)) => Some(vec![pointer(document, place, text)?]),
        Some(declared::OneOrMore::More(texts)) if texts.is_empty() => {
            document.error(place, "the list of pointers is empty");
            None
        }
        Some(declared::OneOrMore::More(texts)) => {
            let pointers: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(index, text)| pointer(document, &place.item(index), text))
                .collect();
            pointers.into_iter().collect()
        }
    }
}

/// Reports the keys that mean nothing for a field of `kind`.
fn keys_fit(
    document: &mut Document,
    place: &Place,
    written: &declared::Field,
    kind: &FieldType,
) -> bool {
    let scalar = match kind {
        FieldType::Scalar(scalar) | FieldType::List(scalar) => Some(*scalar),
        FieldType::Json => None,
    };
    let string = scalar == Some(Scalar::String);
    let decimal = matches!(scalar, Some(Scalar::Decimal { .. }));
    let time = scalar == Some(Scalar::Timestamp);
    let number = decimal || matches!(scalar, Some(Scalar::Int32 | Scalar::Int64 | Scalar::Float64));
    let keys = [
        ("known", written.known.is_some(), string, "a string"),
        ("case", written.case.is_some(), string, "a string"),
        ("min", written.min.is_some(), number, "a number"),
        ("max", written.max.is_some(), number, "a number"),
        ("integers", written.integers.is_some(), decimal, "a decimal"),
        ("minor_digits", written.minor_digits.is_some(), decimal, "a decimal"),
        ("currency", written.currency.is_some(), decimal, "a decimal"),
        ("round", written.round.is_some(), decimal, "a decimal"),
        ("decimal_mark", written.decimal_mark.is_some(), decimal, "a decimal"),
        ("unit", written.unit.is_some(), time, "a timestamp"),
        ("assume_zone", written.assume_zone.is_some(), time, "a timestamp"),
    ];
    let mut fit = true;
    for (key, is_written, fits, wanted) in keys {
        if is_written && !fits {
            fit = false;
            let kind = written.r#type.as_deref().unwrap_or_default();
            document.key_error(place, key, format!("`{key}` is for {wanted}, not for {kind}"));
        }
    }
    fit
}

/// The known values, brought to the case in which they are compared.
fn known(written: &declared::Field, case: Option<Case>) -> Vec<String> {
    let cased = |text: &String| match case {
        Some(Case::Lower) => text.to_lowercase(),
        Some(Case::Upper) => text.to_uppercase(),
        None => text.clone(),
    };
    written.known.iter().flatten().map(cased).collect()
}

type Bounds = (Option<Decimal>, Option<Decimal>);

fn bounds(document: &mut Document, place: &Place, written: &declared::Field) -> Option<Bounds> {
    let min = written.min.as_ref().map(|_| bound(document, &place.key("min")));
    let max = written.max.as_ref().map(|_| bound(document, &place.key("max")));
    if let (Some(Some(min)), Some(Some(max))) = (min, max)
        && min > max
    {
        document.error(&place.key("min"), format!("`min` {min} is over `max` {max}"));
        return None;
    }
    Some((
        min.map_or(Some(None), |min| min.map(Some))?,
        max.map_or(Some(None), |max| max.map(Some))?,
    ))
}

/// A bound, exact from what is written.
fn bound(document: &mut Document, place: &Place) -> Option<Decimal> {
    let written = document.at(place).filter(|node| matches!(node.kind, Kind::Number(_)));
    let text = written.map(|node| document.written(&node.span).trim().to_owned())?;
    let text = text.strip_prefix('+').unwrap_or(&text);
    let number = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text));
    if number.is_err() {
        document.error(place, format!("`{text}` is no decimal number of up to 28 digits"));
    }
    number.ok()
}

fn decimal_rules(
    document: &mut Document,
    place: &Place,
    written: &declared::Field,
    siblings: &Siblings<'_>,
) -> Option<DecimalRules> {
    let is_minor = written.integers == Some(declared::Integers::Minor);
    let before = document.found();
    for (key, is_written) in
        [("minor_digits", written.minor_digits.is_some()), ("currency", written.currency.is_some())]
    {
        if is_written && !is_minor {
            document.key_error(
                place,
                key,
                format!("`{key}` says nothing without `integers: minor`"),
            );
        }
    }
    if written.minor_digits.is_some() && written.currency.is_some() {
        document.key_error(
            place,
            "currency",
            "`minor_digits` and `currency` both give the exponent: keep one",
        );
    }
    let at = place.key("currency");
    let currency = written.currency.as_deref();
    let currency = currency.map(|name| currency_field(document, &at, name, siblings));
    (document.found() == before).then_some(())?;
    let minor = match currency {
        Some(index) => MinorUnits::Currency(index?),
        None => MinorUnits::Digits(written.minor_digits.unwrap_or(2)),
    };
    Some(DecimalRules {
        integers: is_minor.then_some(minor),
        round_half_even: written.round.is_some(),
        decimal_mark: written.decimal_mark.map(|mark| match mark {
            declared::DecimalMark::Point => '.',
            declared::DecimalMark::Comma => ',',
        }),
    })
}

fn currency_field(
    document: &mut Document,
    place: &Place,
    name: &str,
    siblings: &Siblings<'_>,
) -> Option<usize> {
    let Some(index) = siblings.names.iter().position(|known| *known == name) else {
        document
            .error(place, format!("`currency: {name}` is no field"))
            .nearest(name, siblings.names.iter().copied());
        return None;
    };
    if siblings.types.get(index).is_some_and(|kind| kind.trim() != "string") {
        document
            .error(place, format!("the field `{name}` holds no currency codes: it is no string"));
        return None;
    }
    Some(index)
}

fn unit(unit: declared::Unit) -> TimeUnit {
    match unit {
        declared::Unit::S => TimeUnit::Seconds,
        declared::Unit::Ms => TimeUnit::Millis,
        declared::Unit::Us => TimeUnit::Micros,
        declared::Unit::Ns => TimeUnit::Nanos,
    }
}

fn zone_of(document: &mut Document, place: &Place, text: &str) -> Option<Zone> {
    if let Some(seconds) = offset(text) {
        return Some(Zone::Offset(seconds));
    }
    if let Ok(zone) = chrono_tz::Tz::from_str(text) {
        return Some(Zone::Named(zone));
    }
    let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let finding = document.error(place, format!("`{text}` is no time zone"));
    match nearest(text, names) {
        Some(name) => finding.meant(name),
        None => finding.hint("write an offset such as \"+05:30\" or a name such as Asia/Kolkata"),
    };
    None
}

/// Seconds east of UTC of `+05:30` or `Z`.
fn offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<i32>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    ((0..=18).contains(&hours) && (0..60).contains(&minutes))
        .then_some(sign * (hours * 3_600 + minutes * 60))
}
