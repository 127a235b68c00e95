//! Suggestions: the lines of the schema file that would accept a finding.

use std::collections::HashSet;

use crate::decode::shape::{FieldShape, PathShape};
use crate::drift::finding::{FindingKind, action_name};
use crate::drift::renamed::Renaming;
use crate::json::span::Kind;
use crate::spec::pointer::Pointer;
use crate::spec::scalar::{quoted, yaml};
use crate::spec::table::{
    Case, DecimalRules, DriftAction, DriftPolicy, Field, FieldType, MinorUnits, OnInvalid, Samples,
    Scalar, Table, TimeRules, TimeUnit, Zone,
};

/// Stops reporting a kind of the whole table: its `drift` key as it is, with this in it.
pub(crate) fn ignored(kind: FindingKind, policy: &DriftPolicy) -> String {
    let keys = policy_keys(&kind.with_action(policy, DriftAction::Ignore), &DriftPolicy::default());
    format!("drift: {{ {keys} }}")
}

/// Stops reporting a kind of one field.
pub(crate) fn ignored_of(kind: FindingKind, field: &Field, table: &Table) -> String {
    let drift = kind.with_action(&field.drift, DriftAction::Ignore);
    line(&Field { drift, ..field.clone() }, table)
}

/// What a policy says otherwise than the `usual` one, as keys of a `drift` key.
fn policy_keys(policy: &DriftPolicy, usual: &DriftPolicy) -> String {
    let kinds = FindingKind::ALL.into_iter().filter_map(|kind| {
        let action = kind.action(policy);
        let differs = action != kind.action(usual);
        differs.then(|| format!("{}: {}", kind.name(), action_name(action)))
    });
    let samples = (policy.samples != usual.samples).then(|| {
        let samples = match policy.samples {
            Samples::None => "none",
            Samples::Redacted => "redacted",
            Samples::Full => "full",
        };
        format!("samples: {samples}")
    });
    kinds.chain(samples).collect::<Vec<_>>().join(", ")
}

/// Declares the path, with a type guessed from kinds and samples and a name that no column has.
///
/// No pointer means every item of an array, so what lies inside of one is declared as the whole array.
pub(crate) fn new_field(path: &PathShape, table: &Table, given: &mut HashSet<String>) -> String {
    let array =
        path.path.split_once("/*").map(|(array, _)| array).filter(|array| !array.is_empty());
    let pointer = array.unwrap_or(&path.path);
    let kind = if array.is_some() { "json".to_owned() } else { guess(path) };
    let name = free_name(&column_name(pointer), table, given);
    format!("- {{ name: {}, type: {kind}, from: {} }}", yaml(&name), yaml(pointer))
}

/// The name, with a number where a column or an earlier suggestion has it already.
fn free_name(name: &str, table: &Table, given: &mut HashSet<String>) -> String {
    let own =
        [Some(table.partition_column.as_str()), table.raw_column.as_deref(), Some("_extracted_at")];
    let fields = || table.fields.iter().map(|field| field.name.as_str());
    let free = |name: &String| {
        let mut taken = fields().chain(own.into_iter().flatten());
        !given.contains(name) && taken.all(|other| !other.eq_ignore_ascii_case(name))
    };
    let numbered = (2u32..).map(|n| format!("{name}_{n}"));
    let name = std::iter::once(name.to_owned()).chain(numbered).find(free).unwrap_or_default();
    given.insert(name.clone());
    name
}

fn guess(path: &PathShape) -> String {
    let kinds: Vec<Kind> = path.kinds.seen().map(|(k, _)| k).filter(|k| *k != Kind::Null).collect();
    match kinds.as_slice() {
        [] | [Kind::String] => "string".to_owned(),
        [Kind::Bool] => "bool".to_owned(),
        [Kind::Number] => {
            // Over 18 digits a number may be beyond an int64.
            let fraction = |sample: &String| sample.len() > 18 || sample.contains(['.', 'e', 'E']);
            let plain = !path.kinds.number.samples.iter().any(fraction);
            // Exact either way: a float would bend what may be money.
            if plain { "int64".to_owned() } else { quoted("decimal(38, 9)") }
        }
        _ => "json".to_owned(),
    }
}

/// Lets the column be absent.
pub(crate) fn missing(field: &Field, table: &Table) -> String {
    if field.required {
        let own = Field { required: false, on_invalid: OnInvalid::Null, ..field.clone() };
        let line = line(&own, table);
        format!("{}, required: false }}", line.strip_suffix(" }").unwrap_or(&line))
    } else {
        ignored_of(FindingKind::MissingField, field, table)
    }
}

/// Gives the field a type that reads what was seen.
pub(crate) fn type_changed(field: &Field, kinds: &[Kind], table: &Table) -> String {
    let nested = kinds.iter().any(|kind| matches!(kind, Kind::Array | Kind::Object));
    // A string reads numbers and booleans, which stay a finding unless it says that they are expected.
    let text = !nested && kinds.iter().any(|kind| matches!(kind, Kind::Number | Kind::Bool));
    let drift = match text {
        true => FindingKind::TypeChanged.with_action(&field.drift, DriftAction::Ignore),
        false => field.drift,
    };
    retyped(FindingKind::TypeChanged, &Field { drift, ..field.clone() }, nested, table)
}

/// Adds the values to `known`.
pub(crate) fn new_value(field: &Field, seen: &FieldShape, table: &Table) -> String {
    // A value that was cut would accept nothing.
    let new = seen.unknown_values.iter().filter(|value| !value.value.ends_with('…'));
    let known = field.known.iter().cloned().chain(new.map(|value| value.value.clone())).collect();
    line(&Field { known, ..field.clone() }, table)
}

/// Keeps the value as text.
pub(crate) fn invalid_value(field: &Field, nested: bool, table: &Table) -> String {
    let nested = nested || matches!(field.kind, FieldType::List(_));
    retyped(FindingKind::InvalidValue, field, nested, table)
}

/// The field as a string or as JSON, without the keys that such a field does not take.
///
/// A field that orders, partitions or identifies rows cannot become one.
fn retyped(kind: FindingKind, field: &Field, nested: bool, table: &Table) -> String {
    let is = |at: usize| table.fields.get(at).is_some_and(|other| other.name == field.name);
    let currency =
        |other: &Field| matches!(other.decimal.integers, Some(MinorUnits::Currency(at)) if is(at));
    let bound = [table.partition_by, table.version_by].into_iter().flatten().any(is);
    let scalar = table.primary_key.iter().copied().any(is) || table.fields.iter().any(currency);
    if bound || (nested && scalar) {
        return ignored_of(kind, field, table);
    }
    let text = FieldType::Scalar(Scalar::String);
    let was_text = field.kind == text;
    line(
        &Field {
            kind: if nested { FieldType::Json } else { text },
            min: None,
            max: None,
            known: if was_text && !nested { field.known.clone() } else { Vec::new() },
            case: field.case.filter(|_| was_text && !nested),
            decimal: DecimalRules::default(),
            time: TimeRules::default(),
            ..field.clone()
        },
        table,
    )
}

/// Reads the new path first, the old one after it.
pub(crate) fn renamed(field: &Field, renaming: &Renaming, table: &Table) -> String {
    let mut from: Vec<Pointer> =
        field.from.iter().filter(|path| path.to_string() != renaming.to).cloned().collect();
    from.splice(0..0, Pointer::parse(&renaming.to).ok());
    line(&Field { from, ..field.clone() }, table)
}

/// The field as a line of the schema file, with everything that is declared of it.
fn line(field: &Field, table: &Table) -> String {
    let kind = field.kind.to_string();
    let kind = if kind.contains('(') { quoted(&kind) } else { kind };
    let mut keys = vec![
        format!("name: {}", yaml(&field.name)),
        format!("type: {kind}"),
        format!("from: {}", from(field)),
    ];
    keys.extend(field.required.then(|| "required: true".to_owned()));
    keys.extend(match (field.on_invalid, field.required) {
        (OnInvalid::Reject, false) => Some("on_invalid: reject".to_owned()),
        (OnInvalid::Null, true) => Some("on_invalid: \"null\"".to_owned()),
        _ => None,
    });
    keys.extend(field.default.as_ref().map(|json| format!("default: {json}")));
    keys.extend(field.case.map(|case| match case {
        Case::Lower => "case: lower".to_owned(),
        Case::Upper => "case: upper".to_owned(),
    }));
    if !field.known.is_empty() {
        let known: Vec<String> = field.known.iter().map(|value| yaml(value)).collect();
        keys.push(format!("known: [{}]", known.join(", ")));
    }
    keys.extend(field.min.map(|bound| format!("min: {bound}")));
    keys.extend(field.max.map(|bound| format!("max: {bound}")));
    decimal_keys(field, table, &mut keys);
    time_keys(field, &mut keys);
    keys.extend(field.pii.then(|| "pii: true".to_owned()));
    let hidden = if field.pii { Samples::Redacted } else { Samples::Full };
    let usual = DriftPolicy { samples: table.drift.samples.min(hidden), ..table.drift };
    let drift = policy_keys(&field.drift, &usual);
    keys.extend((!drift.is_empty()).then(|| format!("drift: {{ {drift} }}")));
    format!("- {{ {} }}", keys.join(", "))
}

fn decimal_keys(field: &Field, table: &Table, keys: &mut Vec<String>) {
    let rules = &field.decimal;
    keys.extend(rules.integers.as_ref().map(|_| "integers: minor".to_owned()));
    match rules.integers {
        Some(MinorUnits::Digits(digits)) if digits != 2 => {
            keys.push(format!("minor_digits: {digits}"));
        }
        Some(MinorUnits::Currency(at)) => {
            let currency = table.fields.get(at).map(|other| yaml(&other.name));
            keys.extend(currency.map(|name| format!("currency: {name}")));
        }
        _ => {}
    }
    keys.extend(rules.round_half_even.then(|| "round: half_even".to_owned()));
    keys.extend(rules.decimal_mark.map(|mark| format!("decimal_mark: \"{mark}\"")));
}

fn time_keys(field: &Field, keys: &mut Vec<String>) {
    keys.extend(field.time.unit.map(|unit| {
        let unit = match unit {
            TimeUnit::Seconds => "s",
            TimeUnit::Millis => "ms",
            TimeUnit::Micros => "us",
            TimeUnit::Nanos => "ns",
        };
        format!("unit: {unit}")
    }));
    keys.extend(field.time.assume_zone.map(|zone| match zone {
        Zone::Named(zone) => format!("assume_zone: {}", yaml(zone.name())),
        Zone::Offset(seconds) => {
            let (sign, minutes) =
                (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
            format!("assume_zone: \"{sign}{:02}:{:02}\"", minutes / 60, minutes % 60)
        }
    }));
}

fn from(field: &Field) -> String {
    list(&field.from.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn list(paths: &[String]) -> String {
    match paths {
        [path] => yaml(path),
        paths => {
            format!("[{}]", paths.iter().map(|path| yaml(path)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A column name from a path's last keys: letters, digits and `_`.
fn column_name(path: &str) -> String {
    let name: String = path
        .trim_start_matches('/')
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("f_{name}") }
}
