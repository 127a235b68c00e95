//! The rules of DESIGN §4, each with its sentence, and the properties that hold for every input.

mod properties;
mod records;
mod rules;
mod shapes;
mod usual;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};

use crate::decode::{DecodeOptions, Decoded, Decoder};
use crate::json::outline::Outline;
use crate::json::scanner::Scanner;
use crate::json::tape::Paths;
use crate::page::Page;
use crate::spec::keys::record_keys;
use crate::spec::pointer::Pointer;
use crate::spec::table::{
    Compression, DecimalRules, DriftAction, DriftPolicy, Field, FieldType, OnInvalid,
    ParquetOptions, Scalar, Table, TimeRules,
};
use crate::window::Window;

pub(super) const STRING: FieldType = FieldType::Scalar(Scalar::String);
pub(super) const TIMESTAMP: FieldType = FieldType::Scalar(Scalar::Timestamp);

pub(super) fn decimal(precision: u8, scale: u8) -> FieldType {
    FieldType::Scalar(Scalar::Decimal { precision, scale })
}

pub(super) fn field(name: &str, kind: FieldType) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        from: vec![Pointer::key(name)],
        required: false,
        on_invalid: OnInvalid::Null,
        default: None,
        known: Vec::new(),
        case: None,
        min: None,
        max: None,
        decimal: DecimalRules::default(),
        time: TimeRules::default(),
        drift: DriftPolicy::default(),
        pii: false,
    }
}

pub(super) fn required(field: Field) -> Field {
    Field { required: true, on_invalid: OnInvalid::Reject, ..field }
}

pub(super) fn from(field: Field, pointers: &[&str]) -> Field {
    let from = pointers.iter().map(|text| Pointer::parse(text).expect("pointer")).collect();
    Field { from, ..field }
}

pub(super) fn table(fields: Vec<Field>) -> Table {
    Table {
        file: PathBuf::from("t.yaml"),
        name: "t".to_owned(),
        primary_key: Vec::new(),
        version_by: None,
        partition_by: None,
        partition_column: "date".to_owned(),
        raw_column: Some("_raw".to_owned()),
        reject_limit: 0.05,
        drift: DriftPolicy::default(),
        fields,
        parquet: ParquetOptions {
            compression: Compression::Zstd(1),
            row_group: Some(1 << 27),
            open_partitions: 32,
            target_file_bytes: 1 << 29,
        },
    }
}

/// A page of `table` whose body is an array of records, as a scan finds them.
pub(super) fn page_of(table: &Table, body: &str) -> Page {
    page_by(&mut scanner(table), body)
}

pub(super) fn scanner(table: &Table) -> Scanner {
    Scanner::new(Outline::of_records(&[]), record_keys(table, Paths::default()).0)
}

pub(super) fn page_by(scanner: &mut Scanner, body: &str) -> Page {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let found = scanner.scan(&body).expect("JSON");
    Page::scanned(1, body, found)
}

pub(super) fn decoder(table: Table, clip: Option<(&str, Window)>) -> Decoder {
    let extracted_at = DateTime::from_timestamp(1_773_000_000, 0).expect("instant");
    let clip = clip.map(|(field, window)| (field.to_owned(), window));
    Decoder::new(Arc::new(table), DecodeOptions { extracted_at, clip }).expect("decoder")
}

pub(super) fn decode(table: Table, body: &str) -> (Decoder, Decoded) {
    let page = page_of(&table, body);
    let mut decoder = decoder(table, None);
    let decoded = decoder.decode(&page).expect("decoded");
    (decoder, decoded)
}

/// What a field `x` makes of one JSON value: its text as Arrow shows it, `null`, or the reject's code.
pub(super) fn read(field: Field, value: &str) -> String {
    let name = field.name.clone();
    let (_, decoded) = decode(table(vec![required(field)]), &format!("[{{\"{name}\":{value}}}]"));
    match decoded.rejects.first() {
        Some(reject) => reject.code.to_owned(),
        None => shown(&decoded, 0, 0),
    }
}

pub(super) fn shown(decoded: &Decoded, column: usize, row: usize) -> String {
    let column = decoded.batch.column(column);
    if column.is_null(row) {
        return "null".to_owned();
    }
    if let Some(instants) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        let instant = DateTime::from_timestamp_micros(instants.value(row)).expect("instant");
        return instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    }
    arrow::util::display::array_value_to_string(column, row).expect("shown")
}
