//! What a comparison needs of the rows of data files: key, version, content and instants.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::dedupe::values::{Key, Version, keys, versions};
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;
use crate::manifest::version::DataFile;
use crate::spec::table::{EXTRACTED_AT, FieldType, Scalar, Table};

/// The columns that are compared.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Those of the primary key.
    pub(super) key: Vec<String>,
    /// That of the version.
    pub(super) version: Option<String>,
    /// Without a version: all declared ones, and whether they hold JSON text.
    content: Vec<(String, bool)>,
    /// That of the record's own time.
    pub(super) time: Option<String>,
}

impl Columns {
    /// The columns of the table.
    ///
    /// # Errors
    /// `Config` for a table without a primary key: nothing tells which records are the same.
    pub(super) fn of(table: &Table) -> Result<Self> {
        let field = |at: &usize| table.fields.get(*at);
        let key: Vec<String> =
            table.primary_key.iter().filter_map(field).map(|field| field.name.clone()).collect();
        if key.is_empty() {
            let message = "the table has no primary_key: nothing tells which records are the same";
            return Err(Error::new(ErrorKind::Config, message)
                .with("schema", table.file.display())
                .hint("declare primary_key in the schema file, and extract by it"));
        }
        let is_time = |at: &&usize| {
            field(at).is_some_and(|field| field.kind == FieldType::Scalar(Scalar::Timestamp))
        };
        let name = |at: &usize| field(at).map(|field| field.name.clone());
        let times = table.version_by.iter().chain(&table.partition_by);
        let content = match table.version_by {
            Some(_) => Vec::new(),
            None => {
                let of = |field: &crate::spec::table::Field| {
                    (field.name.clone(), field.kind == FieldType::Json)
                };
                table.fields.iter().map(of).collect()
            }
        };
        Ok(Self {
            key,
            version: table.version_by.as_ref().and_then(name),
            content,
            time: times.clone().find(is_time).and_then(name),
        })
    }

    fn wanted(&self) -> Vec<String> {
        let named = self.key.iter().chain(&self.version).chain(&self.time);
        let content = self.content.iter().map(|(name, _)| name);
        let mut wanted: Vec<String> = named.chain(content).cloned().collect();
        wanted.push(EXTRACTED_AT.to_owned());
        wanted
    }
}

/// A row, as far as it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) key: Key,
    /// Orders as `version_by` does; the same for all without one.
    pub(super) version: Version,
    /// A hash of all declared columns; the same for all where there is a version.
    pub(super) content: Key,
    /// `_extracted_at`, in microseconds since the epoch: when a webhook's event was received, or a poll began.
    pub(super) extracted_at: i64,
    /// The record's own time, in microseconds since the epoch.
    pub(super) time: Option<i64>,
}

/// Gives every row of the file that has a key to `each`. Memory: a batch of rows.
///
/// # Errors
/// `Store` for a file that cannot be read, `Usage` for one without the key.
pub(super) async fn read(
    lake: &Lake,
    file: &DataFile,
    columns: &Columns,
    mut each: impl FnMut(Row),
) -> Result<()> {
    let wanted = columns.wanted();
    let is_wanted = move |name: &str| wanted.iter().any(|wanted| wanted == name);
    let mut reader = DataFileReader::open_columns(lake, &file.path, file.bytes, is_wanted).await?;
    while let Some(batch) = reader.next().await? {
        rows(&batch, columns, &mut each).map_err(|error| error.with("path", &file.path))?;
    }
    Ok(())
}

fn rows(batch: &RecordBatch, columns: &Columns, each: &mut impl FnMut(Row)) -> Result<()> {
    let key = keys(batch, &places(batch, &columns.key)?)?;
    let version = columns.version.as_ref().and_then(|name| place(batch, name));
    let version = version.map(|at| versions(batch, at)).transpose()?.unwrap_or_default();
    let content = match columns.content.is_empty() {
        true => Vec::new(),
        false => contents(batch, columns)?,
    };
    let extracted = instants(batch, EXTRACTED_AT);
    let time = columns.time.as_ref().and_then(|name| instants(batch, name));
    for (row, key) in key.into_iter().enumerate() {
        let Some(key) = key else { continue };
        let at = |of: &Option<&arrow::array::TimestampMicrosecondArray>| {
            of.filter(|of| of.is_valid(row)).map(|of| of.value(row))
        };
        each(Row {
            key,
            version: version.get(row).copied().unwrap_or_default(),
            content: content.get(row).copied().flatten().unwrap_or_default(),
            extracted_at: at(&extracted).unwrap_or_default(),
            time: at(&time),
        });
    }
    Ok(())
}

/// The texts of the primary keys of the file's rows, beside the rows.
///
/// # Errors
/// As [`read`].
pub(super) async fn read_ids(
    lake: &Lake,
    file: &DataFile,
    columns: &Columns,
    mut each: impl FnMut(Key, &dyn Fn() -> String),
) -> Result<()> {
    let wanted = columns.key.clone();
    let is_wanted = move |name: &str| wanted.iter().any(|wanted| wanted == name);
    let mut reader = DataFileReader::open_columns(lake, &file.path, file.bytes, is_wanted).await?;
    while let Some(batch) = reader.next().await? {
        let places = places(&batch, &columns.key)?;
        let shown = FormatOptions::default().with_null("null");
        let texts = places.iter().filter_map(|at| batch.columns().get(*at));
        let texts = texts.map(|column| ArrayFormatter::try_new(column, &shown));
        let texts = texts.collect::<Result<Vec<_>, _>>().map_err(|cause| {
            Error::new(ErrorKind::Unexpected, "could not show a key").caused_by(cause)
        })?;
        for (row, key) in keys(&batch, &places)?.into_iter().enumerate() {
            let text = || {
                let values: Vec<String> =
                    texts.iter().map(|text| text.value(row).to_string()).collect();
                values.join(", ")
            };
            if let Some(key) = key {
                each(key, &text);
            }
        }
    }
    Ok(())
}

fn place(batch: &RecordBatch, name: &str) -> Option<usize> {
    batch.schema().index_of(name).ok()
}

fn places(batch: &RecordBatch, names: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        place(batch, name).ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("a data file has no column `{name}` of the key"))
                .hint("`lakeward redecode` makes the rows anew by the schema of today")
        })
    };
    names.iter().map(place).collect()
}

fn instants<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Option<&'a arrow::array::TimestampMicrosecondArray> {
    batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()
}

/// A hash of each row's declared columns. JSON text counts without its layout, which a webhook may have otherwise.
fn contents(batch: &RecordBatch, columns: &Columns) -> Result<Vec<Option<Key>>> {
    let of = |(name, json): &(String, bool)| -> Option<ArrayRef> {
        let column = batch.column_by_name(name)?;
        Some(if *json { without_layout(column) } else { Arc::clone(column) })
    };
    let arrays: Vec<(String, ArrayRef)> = columns
        .content
        .iter()
        .map(|name| {
            let absent = || Arc::new(StringArray::new_null(batch.num_rows())) as ArrayRef;
            (name.0.clone(), of(name).unwrap_or_else(absent))
        })
        .collect();
    let all: Vec<usize> = (0..arrays.len()).collect();
    let batch = RecordBatch::try_from_iter_with_nullable(
        arrays.into_iter().map(|(name, array)| (name, array, true)),
    )
    .map_err(|cause| {
        Error::new(ErrorKind::Unexpected, "could not compare rows").caused_by(cause)
    })?;
    keys(&batch, &all)
}

fn without_layout(column: &ArrayRef) -> ArrayRef {
    let compacted = |text: Option<&str>| text.map(compact);
    let texts: StringArray = match column.data_type() {
        DataType::Utf8View => column.as_string_view().iter().map(compacted).collect(),
        DataType::Utf8 => column.as_string::<i32>().iter().map(compacted).collect(),
        _ => return Arc::clone(column),
    };
    Arc::new(texts)
}

/// JSON text without whitespace between its tokens.
fn compact(text: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::with_capacity(text.len()), false, false);
    for letter in text.chars() {
        if in_string {
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else if matches!(letter, ' ' | '\n' | '\r' | '\t') {
            continue;
        } else {
            in_string = letter == '"';
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_all_that_is_left_out() {
        for (text, wanted) in [
            ("{ \"a\" : [1, 2 ] }", "{\"a\":[1,2]}"),
            (r#"{"a b": "x \" y\\", "c": 1}"#, r#"{"a b":"x \" y\\","c":1}"#),
            ("\"\\\\\" ", "\"\\\\\""),
        ] {
            assert_eq!(compact(text), wanted);
        }
    }
}
