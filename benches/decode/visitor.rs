//! A streaming serde visitor: no tree, each value a `RawValue` of the body, undeclared keys noted.
//!
//! Does not: drift of types, several pointers a field, rejects. Exact, and the raw text is the received one.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use arrow::array::RecordBatch;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::columns::{Columns, FIELDS, Keys, Kind, Object, Scalar};

/// The columns and the undeclared keys seen so far.
pub(crate) struct Reader {
    columns: Columns,
    keys: Keys,
    strays: HashSet<String>,
}

type Found<'a> = [Option<&'a str>; FIELDS.len()];

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { columns: Columns::new(true), keys: Keys::new(), strays: HashSet::new() }
    }

    pub(crate) fn decode(&mut self, body: &[u8]) -> RecordBatch {
        let envelope: Envelope<'_> = serde_json::from_slice(body).expect("JSON");
        for item in envelope.items {
            let mut found = [None; FIELDS.len()];
            let seed = ObjectSeed {
                keys: &self.keys,
                object: Object::Record,
                found: &mut found,
                strays: &mut self.strays,
            };
            let mut record = serde_json::Deserializer::from_str(item.get());
            seed.deserialize(&mut record).expect("an object");
            for (column, text) in found.into_iter().enumerate() {
                push(&mut self.columns, column, text);
            }
            self.columns.push_raw(item.get());
        }
        self.columns.finish()
    }
}

struct ObjectSeed<'s, 'a> {
    keys: &'s Keys,
    object: Object,
    found: &'s mut Found<'a>,
    strays: &'s mut HashSet<String>,
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> DeserializeSeed<'a> for ObjectSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ObjectSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = members.next_key()? {
            if let Some(object) = self.object.below(&key) {
                let (found, strays) = (&mut *self.found, &mut *self.strays);
                members.next_value_seed(ObjectSeed { keys: self.keys, object, found, strays })?;
                continue;
            }
            let value: &RawValue = members.next_value()?;
            match self.keys.column(self.object, &key) {
                Some(column) => self.found[column] = Some(value.get()),
                None if self.strays.contains(&*key) => {}
                None => drop(self.strays.insert(key.into_owned())),
            }
        }
        Ok(())
    }
}

fn push(columns: &mut Columns, column: usize, text: Option<&str>) {
    let (.., kind) = FIELDS[column];
    let Some(text) = text.filter(|text| *text != "null") else {
        return columns.push(column, Scalar::Null);
    };
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match inside {
        _ if kind == Kind::Json => columns.push(column, Scalar::Text(text)),
        Some(plain) if !plain.contains('\\') => columns.push(column, Scalar::Text(plain)),
        Some(_) => {
            let text: String = serde_json::from_str(text).expect("a string");
            columns.push(column, Scalar::Text(&text));
        }
        None => columns.push(
            column,
            match (text, text.parse()) {
                ("true" | "false", _) => Scalar::Bool(text == "true"),
                (_, Ok(integer)) => Scalar::Integer(integer),
                _ => Scalar::Exact(text),
            },
        ),
    }
}
