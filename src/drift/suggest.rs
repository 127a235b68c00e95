//! Suggestions: the lines of the schema file that would accept a finding.

use crate::decode::shape::{FieldShape, Kind, PathShape};
use crate::drift::finding::FindingKind;
use crate::drift::renamed::Renaming;
use crate::spec::table::{Field, FieldType, Scalar};

/// A type as the schema file names it.
pub(crate) fn type_name(kind: &FieldType) -> String {
    match kind {
        FieldType::Scalar(scalar) => scalar_name(*scalar),
        FieldType::Json => "json".to_owned(),
        FieldType::List(scalar) => format!("list({})", scalar_name(*scalar)),
    }
}

fn scalar_name(scalar: Scalar) -> String {
    match scalar {
        Scalar::String => "string".to_owned(),
        Scalar::Bool => "bool".to_owned(),
        Scalar::Int32 => "int32".to_owned(),
        Scalar::Int64 => "int64".to_owned(),
        Scalar::Float64 => "float64".to_owned(),
        Scalar::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        Scalar::Date => "date".to_owned(),
        Scalar::Timestamp => "timestamp".to_owned(),
    }
}

/// Stops reporting a kind.
pub(crate) fn ignored(kind: FindingKind) -> String {
    format!("drift: {{ {}: ignore }}", kind.name())
}

/// Declares the path, with a type guessed from kinds and samples.
pub(crate) fn new_field(path: &PathShape) -> String {
    let name = column_name(&path.path);
    let name = yaml(&name);
    format!("- {{ name: {name}, type: {}, from: {} }}", guess(path), yaml(&path.path))
}

fn guess(path: &PathShape) -> String {
    let kinds: Vec<Kind> = path.kinds.seen().map(|(k, _)| k).filter(|k| *k != Kind::Null).collect();
    match kinds.as_slice() {
        [] | [Kind::String] => "string".to_owned(),
        [Kind::Bool] => "bool".to_owned(),
        [Kind::Number] => {
            let fraction = |sample: &String| sample.contains(['.', 'e', 'E']);
            let plain = !path.kinds.number.samples.iter().any(fraction);
            // Exact either way: a float would bend what may be money.
            if plain { "int64".to_owned() } else { quoted("decimal(38, 9)") }
        }
        _ => "json".to_owned(),
    }
}

/// Takes the column out, or lets it be absent.
pub(crate) fn missing(field: &Field) -> String {
    if field.required {
        line(field, &type_name(&field.kind), &from(field), "required: false")
    } else {
        ignored(FindingKind::MissingField)
    }
}

/// Gives the field a type that reads what was seen.
pub(crate) fn type_changed(field: &Field, kinds: &[Kind]) -> String {
    let nested = kinds.iter().any(|kind| matches!(kind, Kind::Array | Kind::Object));
    let kind = if nested { "json" } else { "string" };
    line(field, kind, &from(field), "")
}

/// Adds the values to `known`.
pub(crate) fn new_value(field: &Field, seen: &FieldShape) -> String {
    let new = seen.unknown_values.iter().map(|value| &value.value);
    let known: Vec<String> = field.known.iter().chain(new).map(|value| yaml(value)).collect();
    line(field, &type_name(&field.kind), &from(field), &format!("known: [{}]", known.join(", ")))
}

/// Keeps the value as text.
pub(crate) fn invalid_value(field: &Field) -> String {
    let kind = if matches!(field.kind, FieldType::List(_)) { "json" } else { "string" };
    line(field, kind, &from(field), "")
}

/// Reads the new path first, the old one after it.
pub(crate) fn renamed(field: &Field, renaming: &Renaming) -> String {
    let mut paths: Vec<String> = field.from.iter().map(ToString::to_string).collect();
    paths.retain(|path| *path != renaming.to);
    paths.insert(0, renaming.to.clone());
    line(field, &type_name(&field.kind), &list(&paths), "")
}

fn line(field: &Field, kind: &str, from: &str, more: &str) -> String {
    let kind = if kind.contains('(') { quoted(kind) } else { kind.to_owned() };
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!("- {{ name: {}, type: {kind}, from: {from}{more} }}", yaml(&field.name))
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

/// A text as a YAML scalar in a flow mapping: plain where that is safe, else double-quoted as in JSON.
fn yaml(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-' | '.');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_'));
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off"
    );
    if starts && !word && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
