//! What the fuzz targets share: a table built in code, and a page around some bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use lakeward::decode::{DecodeOptions, Decoded, Decoder};
use lakeward::page::{Page, Position};
use lakeward::spec::pointer::Pointer;
use lakeward::spec::table::{
    Compression, DecimalRules, DriftAction, DriftPolicy, Field, FieldType, OnInvalid,
    ParquetOptions, Table, TimeRules,
};

/// An optional field whose invalid values become null.
pub fn field(name: &str, kind: FieldType, from: &[&str]) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        from: from.iter().map(|text| Pointer::parse(text).expect("pointer")).collect(),
        required: false,
        on_invalid: OnInvalid::Null,
        default: None,
        known: Vec::new(),
        case: None,
        min: None,
        max: None,
        decimal: DecimalRules::default(),
        time: TimeRules::default(),
    }
}

/// A table of these fields that warns of every drift.
pub fn table(fields: Vec<Field>) -> Table {
    let warn = DriftAction::Warn;
    Table {
        file: PathBuf::from("fuzz.yaml"),
        name: "fuzz".to_owned(),
        primary_key: Vec::new(),
        version_by: None,
        partition_by: None,
        partition_column: "date".to_owned(),
        raw_column: Some("_raw".to_owned()),
        reject_limit: 0.05,
        drift: DriftPolicy {
            new_field: warn,
            missing_field: warn,
            type_changed: warn,
            new_value: warn,
            renamed: warn,
            invalid_value: warn,
            mixed_units: warn,
        },
        fields,
        parquet: ParquetOptions {
            compression: Compression::Uncompressed,
            row_group_bytes: 1 << 27,
            target_file_bytes: 1 << 29,
        },
    }
}

/// Decodes the records at `records` of `body`.
pub fn decode(table: Table, body: &[u8], records: Vec<std::ops::Range<usize>>) -> Decoded {
    let page = Page {
        number: 1,
        request_id: String::new(),
        body: Bytes::copy_from_slice(body),
        records,
        seen: Vec::new(),
        after: Position::start(),
        round_trip: Duration::ZERO,
    };
    let options = DecodeOptions { extracted_at: DateTime::UNIX_EPOCH, clip: None };
    let mut decoder = Decoder::new(Arc::new(table), options).expect("decoder");
    decoder.decode(&page).expect("a record is never an error")
}

/// Decodes `{"x": <text as a JSON string>}` and `{"x": <text>}`, which need not be JSON.
pub fn both_ways(kind: &FieldType, text: &str) -> [Decoded; 2] {
    let quoted = serde_json::Value::from(text).to_string();
    [quoted.as_str(), text].map(|value| {
        let body = format!("{{\"x\":{value}}}");
        let whole = vec![0..body.len()];
        decode(table(vec![field("x", kind.clone(), &["/x"])]), body.as_bytes(), whole)
    })
}
