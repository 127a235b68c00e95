//! Schemas of an OpenAPI document as columns.

use serde_json::{Map, Value};

use crate::cli::init::openapi::document::Document;
use crate::cli::sample::columns::{Column, Columns, Names};
use crate::cli::sample::envelope::pointer;
use crate::cli::sample::names::{has_word, is_money, is_time};

/// Schemas inside one another that are followed.
const DEPTH: usize = 24;

/// Columns at most.
const MOST_COLUMNS: usize = 500;

/// Values of an enumeration at most.
const MOST_KNOWN: usize = 50;

/// A schema with its parts put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Whole {
    /// The types, null aside.
    pub(super) types: Vec<String>,
    /// Whether null is allowed.
    pub(super) nullable: bool,
    /// The properties of an object, unresolved.
    pub(super) properties: Map<String, Value>,
    /// Those that must be there.
    pub(super) required: Vec<String>,
    /// The items of an array, unresolved.
    pub(super) items: Option<Value>,
    /// The format.
    pub(super) format: String,
    /// The values of an enumeration.
    pub(super) known: Vec<Value>,
    /// What the property means.
    pub(super) description: String,
}

/// Puts a schema together: its reference, `allOf`, and what the branches of `oneOf` and `anyOf` have.
pub(super) fn whole(document: &Document, schema: &Value) -> Whole {
    let mut found = Whole::default();
    found.add(document, schema, DEPTH, true);
    if found.types.is_empty() {
        let told = if found.items.is_some() {
            "array"
        } else if !found.properties.is_empty() {
            "object"
        } else {
            return found;
        };
        found.types.push(told.to_owned());
    }
    found
}

impl Whole {
    fn add(&mut self, document: &Document, schema: &Value, depth: usize, all: bool) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let Ok(schema) = document.resolve(schema) else { return };
        let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
        match schema.get("type") {
            Some(Value::String(name)) => self.add_type(name),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).for_each(|name| self.add_type(name))
            }
            _ => {}
        }
        self.nullable |= schema.get("nullable").and_then(Value::as_bool).unwrap_or_default();
        for (name, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            self.properties.entry(name.clone()).or_insert_with(|| property.clone());
        }
        if all {
            self.required.extend(list("required").filter_map(Value::as_str).map(str::to_owned));
        }
        if self.items.is_none() {
            self.items = schema.get("items").cloned();
        }
        if let Some(format) = schema.get("format").and_then(Value::as_str) {
            format.clone_into(&mut self.format);
        }
        self.known.extend(list("enum").filter(|value| !value.is_null()).cloned());
        if self.description.is_empty() {
            let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            self.description = text.to_lowercase();
        }
        list("allOf").for_each(|part| self.add(document, part, depth, all));
        for branch in list("oneOf").chain(list("anyOf")) {
            self.add(document, branch, depth, false);
        }
    }

    fn add_type(&mut self, name: &str) {
        if name == "null" {
            self.nullable = true;
        } else if !self.types.iter().any(|known| known == name) {
            self.types.push(name.to_owned());
        }
    }

    /// Whether it is of this type alone.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.types.as_slice(), [only] if only == name)
    }
}

/// The schema of the records in the list at these reference tokens; `None` where they are no objects.
pub(super) fn item(document: &Document, schema: &Value, tokens: &[String]) -> Option<Value> {
    let mut node = schema.clone();
    for token in tokens {
        node = whole(document, &node).properties.remove(token)?;
    }
    let list = whole(document, &node);
    let item = if list.is("array") { list.items? } else { node };
    let object = whole(document, &item);
    (object.is("object") && !object.properties.is_empty()).then_some(item)
}

/// The columns of records with this schema.
pub(super) fn columns(document: &Document, item: &Value, stream: &str) -> Columns {
    let record = whole(document, item);
    let mut names = Names::default();
    let mut must = Vec::new();
    let mut table = Columns {
        left_out: record.properties.len().saturating_sub(MOST_COLUMNS),
        ..Columns::default()
    };
    for (name, property) in record.properties.iter().take(MOST_COLUMNS) {
        let property = whole(document, property);
        must.push(record.required.contains(name) && !property.nullable);
        table.columns.push(column(document, names.give(name), name, &property));
    }
    // Where nothing is declared to be required, nothing is known of it.
    let told = !record.required.is_empty();
    let whole = |at: usize| !told || must.get(at).copied().unwrap_or_default();
    table.choose(stream, whole, whole);
    if table.partition_by.is_none() {
        // What is optional may still date a record: without it, it goes to the partition of nulls.
        let mut optional = table.clone();
        optional.choose(stream, |_| true, whole);
        table.partition_by = optional.partition_by;
    }
    for (column, must) in table.columns.iter_mut().zip(&must) {
        column.required &= *must || table.primary_key.as_ref() == Some(&column.name);
    }
    table
}

fn column(document: &Document, name: String, key: &str, property: &Whole) -> Column {
    let (kind, note) = kind(document, key, property);
    let known = property.known.iter().filter_map(Value::as_str).map(str::to_owned);
    let known: Vec<String> = if kind == "string" { known.collect() } else { Vec::new() };
    Column {
        name,
        kind,
        from: pointer(&[key.to_owned()]),
        required: false,
        known: if known.len() > MOST_KNOWN { Vec::new() } else { known },
        note: note.map(str::to_owned),
    }
}

/// The type of a property, and what is to be said of it.
fn kind(document: &Document, name: &str, property: &Whole) -> (String, Option<&'static str>) {
    const CENTS: &str =
        "whole numbers: if they are cents, declare type: \"decimal(18, 2)\", integers: minor";
    const EXACT: &str = "exact; a value with more digits is invalid, unless `round: half_even`";
    let plain = |kind: &str| (kind.to_owned(), None);
    let [only] = property.types.as_slice() else {
        let scalar = |name: &String| name != "object" && name != "array";
        let all = !property.types.is_empty() && property.types.iter().all(scalar);
        return plain(if all { "string" } else { "json" });
    };
    match (only.as_str(), property.format.as_str()) {
        ("boolean", _) => plain("bool"),
        ("string", "date-time") => plain("timestamp"),
        ("string", "date") => plain("date"),
        ("string" | "number", "decimal") => ("decimal(38, 9)".to_owned(), Some(EXACT)),
        ("string", _) => plain("string"),
        ("integer", format) => {
            let says_time = ["unix", "epoch", "timestamp"]
                .iter()
                .any(|word| property.description.contains(word));
            if format.contains("unix") || (is_time(name) && says_time) {
                return (
                    "timestamp".to_owned(),
                    Some("a number since the epoch, its unit told by its size"),
                );
            }
            let kind = if format == "int32" { "int32" } else { "int64" };
            (kind.to_owned(), is_money(name).then_some(CENTS))
        }
        ("number", format) => {
            if is_money(name) {
                return ("decimal(18, 2)".to_owned(), Some(EXACT));
            }
            let measured =
                has_word(name, &["lat", "lng", "lon", "latitude", "longitude", "score", "ratio"]);
            if measured || matches!(format, "float" | "double") {
                return plain("float64");
            }
            ("decimal(38, 9)".to_owned(), Some(EXACT))
        }
        ("array", _) => {
            let items = property.items.as_ref().map(|items| whole(document, items));
            let scalar = items.filter(|items| !items.is("object") && !items.is("array"));
            let of = scalar.map(|items| kind(document, "", &items).0).filter(|kind| kind != "json");
            of.map_or_else(|| plain("json"), |of| (format!("list({of})"), None))
        }
        _ => plain("json"),
    }
}
