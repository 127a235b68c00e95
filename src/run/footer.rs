//! What a data file's footer says of its table, for those who read the lake without the schema file.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::parquet::{FOOTER_RUN_ID, FOOTER_SCHEMA, FOOTER_WINDOW};
use crate::lake::read_back::DataFileReader;
use crate::spec::table::Table;

const FOOTER_KEY: &str = "lakeward.primary_key";
const FOOTER_VERSION: &str = "lakeward.version_by";
const FOOTER_KEY_RULES: &str = "lakeward.key_rules";
const FOOTER_PARTITION: &str = "lakeward.partition_by";

/// The table as a data file remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// The fields of the primary key; may be empty.
    pub primary_key: Vec<String>,
    /// The field that says which version of a record is later.
    pub version_by: Option<String>,
    /// How those fields were read; of files of earlier versions nothing.
    pub key_rules: Vec<Value>,
    /// The field whose UTC date is the partition.
    pub partition_by: Option<String>,
    /// Fingerprint of the schema that the rows were decoded by.
    pub schema_fingerprint: Option<String>,
}

impl Footer {
    /// What the files of the table remember.
    pub(crate) fn of(table: &Table) -> Self {
        let name = |index: &usize| table.fields.get(*index).map(|field| field.name.clone());
        Self {
            primary_key: table.primary_key.iter().filter_map(name).collect(),
            version_by: table.version_by.as_ref().and_then(name),
            key_rules: table.key_rules(),
            partition_by: table.partition_by.as_ref().and_then(name),
            schema_fingerprint: Some(table.fingerprint()),
        }
    }

    /// The key-values of a file that a run writes.
    pub(crate) fn entries(table: &Table, window: &str, run_id: &str) -> Vec<(String, String)> {
        let Self { primary_key, version_by, key_rules, partition_by, .. } = Self::of(table);
        let of = |key: &str, value: String| (key.to_owned(), value);
        let mut entries = vec![
            of(FOOTER_WINDOW, window.to_owned()),
            of(FOOTER_RUN_ID, run_id.to_owned()),
            of(FOOTER_SCHEMA, table.fingerprint()),
            of(FOOTER_KEY, Value::from(primary_key).to_string()),
            of(FOOTER_KEY_RULES, Value::from(key_rules).to_string()),
        ];
        entries.extend(version_by.map(|field| of(FOOTER_VERSION, field)));
        entries.extend(partition_by.map(|field| of(FOOTER_PARTITION, field)));
        entries
    }

    /// Reads the footer of an open data file.
    ///
    /// # Errors
    /// `Store` for an entry that lakeward did not write so.
    pub fn read(file: &DataFileReader) -> Result<Self> {
        let mut footer = Self::default();
        let entries = file.metadata().file_metadata().key_value_metadata();
        for entry in entries.into_iter().flatten() {
            let Some(value) = entry.value.clone() else { continue };
            match entry.key.as_str() {
                FOOTER_KEY => footer.primary_key = list(&value)?,
                FOOTER_KEY_RULES => footer.key_rules = list(&value)?,
                FOOTER_VERSION => footer.version_by = Some(value),
                FOOTER_PARTITION => footer.partition_by = Some(value),
                FOOTER_SCHEMA => footer.schema_fingerprint = Some(value),
                _ => {}
            }
        }
        Ok(footer)
    }

    /// Whether rows of this file are told apart by the table as they were when it was written: the same fields, read the
    /// same way. One more pointer at the end changes no key that a row had; nor does a wider integer.
    pub(crate) fn has_key_of(&self, table: &Table) -> bool {
        let own = Self::of(table);
        let names = (&self.primary_key, &self.version_by) == (&own.primary_key, &own.version_by);
        let rules = self.key_rules.iter().zip(&own.key_rules);
        names && rules.clone().all(|(before, now)| same_key(before, now))
    }
}

/// What of a field's rules has no part in which key a row has.
const NO_PART: [&str; 6] = ["from", "type", "required", "on_invalid", "min", "max"];

fn same_key(before: &Value, now: &Value) -> bool {
    let rest = |rules: &Value| {
        let mut rest = rules.as_object().cloned().unwrap_or_default();
        NO_PART.iter().for_each(|key| drop(rest.remove(*key)));
        rest
    };
    let from = |rules: &Value| rules.get("from").and_then(Value::as_array).cloned();
    let kind = |rules: &Value| match rules.get("type").and_then(Value::as_str) {
        Some("int32" | "int64") => Some("int".to_owned()),
        other => other.map(str::to_owned),
    };
    let (Some(first), Some(all)) = (from(before), from(now)) else { return false };
    all.starts_with(&first) && kind(before) == kind(now) && rest(before) == rest(now)
}

fn list<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(ErrorKind::Store, "the footer's key is not a list").caused_by(error)
    })
}
