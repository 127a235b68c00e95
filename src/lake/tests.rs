//! Tables and batches that the tests of this folder share.

mod multipart;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, StringViewBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field as Column, Schema, SchemaRef, TimeUnit};

use crate::spec::table::{DecimalRules, Field, FieldType, OnInvalid, TimeRules};
use crate::spec::table::{DriftPolicy, ParquetOptions, Scalar, Table};

/// A table of the fields `id`, `part`, `version` (which tests of one module may read otherwise) and
/// `created_at`, by index.
pub(super) fn table(
    primary_key: Vec<usize>,
    version_by: Option<usize>,
    partition_by: Option<usize>,
) -> Table {
    let field = |name: &str, scalar| Field {
        name: name.to_owned(),
        kind: FieldType::Scalar(scalar),
        from: Vec::new(),
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
    };
    Table {
        file: PathBuf::from("t.yaml"),
        name: "t".to_owned(),
        primary_key,
        version_by,
        partition_by,
        partition_column: "date".to_owned(),
        raw_column: Some("_raw".to_owned()),
        reject_limit: 0.05,
        drift: DriftPolicy::default(),
        fields: vec![
            field("id", Scalar::String),
            field("part", Scalar::Int64),
            field("version", Scalar::Int64),
            field("created_at", Scalar::Timestamp),
        ],
        parquet: ParquetOptions::default(),
    }
}

/// A field that Parquet annotates as JSON.
pub(super) fn json_column(name: &str) -> Column {
    let metadata = [("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Column::new(name, DataType::Utf8View, true).with_metadata(metadata)
}

/// The columns of [`table`], and its raw one.
pub(super) fn schema() -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Column::new("id", DataType::Utf8, true),
        Column::new("part", DataType::Int64, true),
        Column::new("version", DataType::Int64, true),
        Column::new("created_at", utc, true),
        json_column("_raw"),
    ]))
}

/// A row of [`schema`]: `id`, `part`, `version`, `created_at` in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) id: Option<String>,
    pub(super) part: i64,
    pub(super) version: Option<i64>,
    pub(super) created_at: Option<i64>,
}

impl Row {
    pub(super) fn raw(&self) -> String {
        format!("{{\"part\": {}, \"text\": \"longer than a view holds inline\"}}", self.part)
    }
}

/// The rows as a batch whose raw column points into one page buffer, as the decoder makes it.
pub(super) fn batch(rows: &[Row]) -> RecordBatch {
    let texts: Vec<String> = rows.iter().map(Row::raw).collect();
    let mut raw = StringViewBuilder::new();
    let block = raw.append_block(Buffer::from_vec(texts.concat().into_bytes()));
    let mut at = 0;
    for text in &texts {
        let length = u32::try_from(text.len()).expect("length");
        raw.try_append_view(block, at, length).expect("view");
        at += length;
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.id.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.part)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.version).collect::<Int64Array>()),
        Arc::new(
            rows.iter()
                .map(|row| row.created_at)
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        Arc::new(raw.finish()),
    ];
    RecordBatch::try_new(schema(), columns).expect("batch")
}

/// The rows of a batch, checked against their raw text.
pub(super) fn rows(batch: &RecordBatch) -> Vec<Row> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
    let int = |column: usize| batch.column(column).as_primitive::<Int64Type>().iter();
    let id = batch.column(0).as_string::<i32>().iter();
    let at = batch.column(3).as_primitive::<TimestampMicrosecondType>().iter();
    let raw = batch.column(4).as_string_view().iter();
    id.zip(int(1))
        .zip(int(2))
        .zip(at.zip(raw))
        .map(|(((id, part), version), (created_at, raw))| {
            let id = id.map(ToOwned::to_owned);
            let row = Row { id, part: part.expect("part"), version, created_at };
            assert_eq!(raw, Some(row.raw().as_str()));
            row
        })
        .collect()
}
