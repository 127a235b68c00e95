//! What a JSON Schema wants, as far as the declared files use one, and in words.

use serde_json::Value;

use crate::spec::yaml::{Kind, Node};

/// The value of `type` that chooses `branch`.
pub(crate) fn tag_of(branch: &Value) -> Option<&str> {
    branch.pointer("/properties/type/const").and_then(Value::as_str)
}

/// The keys that `branch` knows.
pub(crate) fn keys_of(branch: &Value) -> impl Iterator<Item = &str> {
    branch
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
}

/// Whether `branch` knows `key`.
pub(crate) fn has_key(branch: &Value, key: &str) -> bool {
    keys_of(branch).any(|known| known == key)
}

/// `a, b or c`.
pub(crate) fn either<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", first.join(", "), last.as_ref())
        }
    }
}

/// A JSON type in the words of messages.
pub(crate) fn words(type_name: &str) -> &'static str {
    match type_name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "null",
        _ => "a value",
    }
}

/// Whether `node` is of the type that `schema` wants.
pub(crate) fn is_type(schema: &Value, node: &Node) -> bool {
    let fits = |name: &str| match &node.kind {
        Kind::Null => name == "null",
        Kind::Bool(_) => name == "boolean",
        Kind::Number(number) => name == "number" || name == "integer" && !number.is_f64(),
        Kind::Text(_) => name == "string",
        Kind::List(_) => name == "array",
        Kind::Map(_) => name == "object",
    };
    match schema.get("type") {
        Some(Value::String(name)) => fits(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(fits),
        _ => true,
    }
}
