//! The usual way: `serde_json::Value`, then a lookup a column, the record printed again as its raw text, and a walk
//! that notes every path.
//!
//! Does not: keep the exact text (keys keep their order here, numbers and escapes do not), nor money exact.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use serde_json::Value;

use crate::columns::{Columns, FIELDS, Kind, Object, Scalar};

/// The columns and the paths seen so far.
pub(crate) struct Reader {
    columns: Columns,
    paths: HashSet<String>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { columns: Columns::new(true), paths: HashSet::new() }
    }

    pub(crate) fn decode(&mut self, body: &[u8]) -> RecordBatch {
        let page: Value = serde_json::from_slice(body).expect("JSON");
        let mut path = String::new();
        for item in page["items"].as_array().expect("items") {
            for (column, (_, object, key, kind)) in FIELDS.iter().enumerate() {
                let object = match object {
                    Object::Record => Some(item),
                    Object::Card => item.get("card"),
                    Object::Acquirer => item.get("acquirer_data"),
                };
                let value = object.and_then(|object| object.get(key)).unwrap_or(&Value::Null);
                if *kind == Kind::Json && !value.is_null() {
                    self.columns.push(column, Scalar::Text(&value.to_string()));
                } else {
                    self.columns.push(column, scalar(value));
                }
            }
            self.columns.push_raw(&item.to_string());
            self.note(item, &mut path);
        }
        self.columns.finish()
    }

    fn note(&mut self, value: &Value, path: &mut String) {
        let Value::Object(members) = value else { return };
        for (key, value) in members {
            let length = path.len();
            path.push('/');
            path.push_str(key);
            if !self.paths.contains(path.as_str()) {
                self.paths.insert(path.clone());
            }
            self.note(value, path);
            path.truncate(length);
        }
    }
}

fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::String(text) => Scalar::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Scalar::Integer(integer),
            (None, Some(float)) => Scalar::Float(float),
            _ => Scalar::Null,
        },
        _ => Scalar::Null,
    }
}
