//! What the targets share: a table built in code, and a page around some bytes.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use lakeward::decode::shape::Shape;
use lakeward::decode::{DecodeOptions, Decoded, Decoder};
use lakeward::json::outline::Outline;
use lakeward::json::scanner::Scanner;
use lakeward::json::tape::Paths;
use lakeward::page::Page;
use lakeward::spec::keys::record_keys;
use lakeward::spec::pointer::Pointer;
use lakeward::spec::table::{
    DecimalRules, DriftPolicy, Field, FieldType, OnInvalid, ParquetOptions, Table, TimeRules,
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
        drift: DriftPolicy::default(),
        pii: false,
    }
}

/// A table of these fields that warns of every drift.
pub fn table(fields: Vec<Field>) -> Table {
    Table {
        file: PathBuf::from("fuzz.yaml"),
        name: "fuzz".to_owned(),
        primary_key: Vec::new(),
        version_by: None,
        partition_by: None,
        partition_column: "date".to_owned(),
        raw_column: Some("_raw".to_owned()),
        reject_limit: 0.05,
        drift: DriftPolicy::default(),
        fields,
        parquet: ParquetOptions::default(),
    }
}

/// A scanner of bodies that are arrays of a table's records.
pub fn scanner(table: &Table) -> Scanner {
    Scanner::new(Outline::of_records(&[]), record_keys(table, Paths::default()).0)
}

/// Rounds after which enough was seen of everything: what is learned from a page no longer changes.
const MANY_ROUNDS: usize = 20;

/// What a page of a table's records is decoded to: the rows, and what was observed. The usual way and every field's
/// whole rule must agree, also with what was learned from the page before; for one page in eight, which takes as long as
/// all others, until nothing more is learned.
pub fn decode(table: Table, page: &Page) -> (Decoded, Shape) {
    let options = DecodeOptions { extracted_at: DateTime::UNIX_EPOCH, clip: None };
    let decoder = || Decoder::new(Arc::new(table.clone()), options.clone()).expect("decoder");
    let (mut usual, mut plain) = (decoder(), decoder().plain());
    let rounds = if page.records.is_empty() {
        1
    } else if page.body.len().is_multiple_of(8) {
        MANY_ROUNDS
    } else {
        2
    };
    let mut first = None;
    for _ in 0..rounds {
        let decode = |by: &mut Decoder| by.decode(page).expect("a record is never an error");
        let (one, two) = (decode(&mut usual), decode(&mut plain));
        assert_eq!(one.batch, two.batch);
        assert_eq!(
            (&one.records, &one.rejects, one.nulled),
            (&two.records, &two.rejects, two.nulled)
        );
        assert_eq!(usual.shape(), plain.shape());
        first.get_or_insert_with(|| (one, usual.shape().clone()));
    }
    first.expect("at least one round")
}

/// Decodes `{"x": <text as a JSON string>}` and, where it is JSON, `{"x": <text>}`.
pub fn both_ways(kind: &FieldType, text: &str) -> Vec<Decoded> {
    let quoted = serde_json::Value::from(text).to_string();
    let values = [quoted.as_str(), text].into_iter();
    let decoded = values.filter_map(|value| {
        let body = Bytes::from(format!("[{{\"x\":{value}}}]"));
        let table = table(vec![field("x", kind.clone(), &["/x"])]);
        let found = scanner(&table).scan(&body).ok()?;
        Some(decode(table, &Page::scanned(1, body, found)).0)
    });
    decoded.collect()
}
