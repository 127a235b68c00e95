//! simd-json: a copy of the body (it is overwritten), its tape, and the tape's values to the columns.
//!
//! Does not: raw (the tape has no places in the body), exact money (fractions are doubles), drift, rejects.

use arrow::array::RecordBatch;
use simd_json::Buffers;
use simd_json::prelude::{TypedScalarValue, ValueAsScalar, Writable};
use simd_json::value::tape::{Object as Members, Value};

use crate::columns::{Columns, FIELDS, Keys, Kind, Object, Scalar};

/// The columns, and buffers that are used again.
pub(crate) struct Reader {
    columns: Columns,
    keys: Keys,
    copy: Vec<u8>,
    buffers: Buffers,
}

type Found<'t, 'b> = [Value<'t, 'b>; FIELDS.len()];

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            columns: Columns::new(false),
            keys: Keys::new(),
            copy: Vec::new(),
            buffers: Buffers::new(0),
        }
    }

    pub(crate) fn decode(&mut self, body: &[u8]) -> RecordBatch {
        self.copy.clear();
        self.copy.extend_from_slice(body);
        let tape = simd_json::to_tape_with_buffers(&mut self.copy, &mut self.buffers);
        let tape = tape.expect("JSON");
        let page = tape.as_value();
        let page = page.as_object().expect("an object");
        let items = page.get("items").expect("items");
        for item in items.as_array().expect("an array").iter() {
            let mut found = [Value::NULL; FIELDS.len()];
            find(&self.keys, Object::Record, &item.as_object().expect("an object"), &mut found);
            for (column, value) in found.into_iter().enumerate() {
                push(&mut self.columns, column, value);
            }
        }
        self.columns.finish()
    }
}

fn find<'t, 'b>(keys: &Keys, of: Object, object: &Members<'t, 'b>, found: &mut Found<'t, 'b>) {
    for (key, value) in object {
        match (keys.column(of, key), of.below(key), value.as_object()) {
            (Some(column), ..) => found[column] = value,
            (None, Some(below), Some(members)) => find(keys, below, &members, found),
            _ => {}
        }
    }
}

fn push(columns: &mut Columns, column: usize, value: Value<'_, '_>) {
    let (.., kind) = FIELDS[column];
    if kind == Kind::Json && !value.is_null() {
        return columns.push(column, Scalar::Text(&value.encode()));
    }
    let scalar = if let Some(text) = value.as_str() {
        Scalar::Text(text)
    } else if let Some(integer) = value.as_i64() {
        Scalar::Integer(integer)
    } else if let Some(float) = value.as_f64() {
        Scalar::Float(float)
    } else {
        value.as_bool().map_or(Scalar::Null, Scalar::Bool)
    };
    columns.push(column, scalar);
}
