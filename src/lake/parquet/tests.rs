//! What data files hold, read back by the Parquet reader.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::basic::{Encoding, LogicalType};
use sha2::{Digest, Sha256};

use super::*;
use crate::error::ErrorKind;
use crate::lake::parquet::weight::batch_bytes;
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;
use crate::lake::tests::{Row, batch, rows, schema, table};
use crate::spec::table::{Compression, ParquetOptions};

fn format(schema: SchemaRef, change: impl FnOnce(&mut ParquetOptions)) -> DataFileFormat {
    let mut options = table(vec![], None, None).parquet;
    change(&mut options);
    let footer =
        [(FOOTER_WINDOW.to_owned(), "w".to_owned()), (FOOTER_RUN_ID.to_owned(), "r".to_owned())];
    DataFileFormat::new(schema, &options, Some("_raw"), &footer).expect("format")
}

fn many(count: i64) -> Vec<Row> {
    (0..count)
        .map(|part| Row {
            id: (part % 7 != 0).then(|| format!("pay_{part}")),
            part,
            version: (part % 3 != 0).then_some(part * 7),
            created_at: Some(part * 1_000_003),
        })
        .collect()
}

async fn write(lake: &Lake, format: &DataFileFormat, batches: &[RecordBatch]) -> WrittenFile {
    let mut writer = DataFileWriter::create(lake, "t/x.parquet", format).expect("create");
    for batch in batches {
        writer.write(batch.clone()).await.expect("write");
    }
    writer.close().await.expect("close")
}

#[tokio::test]
async fn a_file_reads_back_and_is_what_close_said() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lake = Lake::open(dir.path().to_str().expect("utf-8")).expect("lake");
    let given = many(20_000);
    let batches: Vec<RecordBatch> = given.chunks(1_000).map(batch).collect();
    let format = format(schema(), |options| options.row_group = Some(400_000));
    let written = write(&lake, &format, &batches).await;
    let bytes = lake.read("t/x.parquet").await.expect("read").expect("there");
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.sha256, hex(&Sha256::digest(&bytes)));
    assert_eq!(written.rows, 20_000);
    let mut reader = DataFileReader::open(&lake, "t/x.parquet", written.bytes).await.expect("open");
    let groups = reader.metadata().num_row_groups();
    assert!((3..=8).contains(&groups), "{groups} row groups");
    let mut back = Vec::new();
    while let Some(batch) = reader.next().await.expect("next") {
        back.extend(rows(&batch));
    }
    assert_eq!(back, given);
    let left: Vec<_> = std::fs::read_dir(dir.path().join("t")).expect("dir").collect();
    assert_eq!(left.len(), 1, "no staging file is left");
}

#[tokio::test]
async fn a_file_of_many_blocks_and_row_groups_reads_back() {
    let lake = Lake::in_memory();
    let given = many(60_000);
    let format = format(schema(), |options| {
        options.compression = Compression::Uncompressed;
        options.row_group = Some(3 << 20);
    });
    let written = write(&lake, &format, &[batch(&given[..50_000]), batch(&given[50_000..])]).await;
    assert!(written.bytes > 4 << 20, "{} bytes", written.bytes);
    let mut reader = DataFileReader::open(&lake, "t/x.parquet", written.bytes).await.expect("open");
    assert!(reader.metadata().num_row_groups() > 1);
    let mut back = Vec::new();
    while let Some(batch) = reader.next().await.expect("next") {
        back.extend(rows(&batch));
    }
    assert!(back == given, "{} rows read, {} written", back.len(), given.len());
}

#[tokio::test]
async fn columns_are_annotated_and_encoded_as_declared() {
    let lake = Lake::in_memory();
    let decimals = |precision, scale| {
        let values = Decimal128Array::from(vec![Some(1), None, Some(-3)]);
        Arc::new(values.with_precision_and_scale(precision, scale).expect("decimal")) as ArrayRef
    };
    let rows = batch(&many(3));
    let mut fields: Vec<Field> = schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut columns = rows.columns().to_vec();
    for (name, column) in [
        ("d9", decimals(9, 2)),
        ("d18", decimals(18, 2)),
        ("d38", decimals(38, 6)),
        ("day", Arc::new(Date32Array::from(vec![1, 2, 3])) as ArrayRef),
        ("status", Arc::new(StringArray::from(vec!["a", "a", "b"])) as ArrayRef),
    ] {
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let wide = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("batch");
    let written = write(&lake, &format(wide.schema(), |_| {}), &[wide]).await;
    let mut reader = DataFileReader::open(&lake, "t/x.parquet", written.bytes).await.expect("open");
    let group = reader.metadata().row_group(0);
    let shown: Vec<String> = group
        .columns()
        .iter()
        .map(|column| {
            let encodings: Vec<String> = column
                .encodings()
                .filter(|encoding| *encoding != Encoding::RLE)
                .map(|encoding| format!("{encoding}"))
                .collect();
            let statistics = if column.statistics().is_some() { "statistics" } else { "-" };
            format!(
                "{} {} {} {statistics} {}",
                column.column_path(),
                column.column_type(),
                column.compression(),
                encodings.join("+"),
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    "id" BYTE_ARRAY ZSTD(ZstdLevel(1)) statistics PLAIN+RLE_DICTIONARY
    "part" INT64 ZSTD(ZstdLevel(1)) statistics PLAIN+RLE_DICTIONARY
    "version" INT64 ZSTD(ZstdLevel(1)) statistics PLAIN+RLE_DICTIONARY
    "created_at" INT64 ZSTD(ZstdLevel(1)) statistics DELTA_BINARY_PACKED
    "_raw" BYTE_ARRAY ZSTD(ZstdLevel(1)) - PLAIN
    "d9" INT32 ZSTD(ZstdLevel(1)) statistics DELTA_BINARY_PACKED
    "d18" INT64 ZSTD(ZstdLevel(1)) statistics DELTA_BINARY_PACKED
    "d38" FIXED_LEN_BYTE_ARRAY ZSTD(ZstdLevel(1)) statistics PLAIN+RLE_DICTIONARY
    "day" INT32 ZSTD(ZstdLevel(1)) statistics PLAIN+RLE_DICTIONARY
    "status" BYTE_ARRAY ZSTD(ZstdLevel(1)) statistics PLAIN+RLE_DICTIONARY
    "#);
    let raw = group.columns().iter().find(|c| c.column_path().string() == "_raw").expect("raw");
    let logical = raw.column_descr().logical_type_ref();
    assert_eq!(logical, Some(&LogicalType::Json));
    let footer = reader.metadata().file_metadata();
    let pairs = footer.key_value_metadata().expect("footer");
    let window = pairs.iter().find(|pair| pair.key == FOOTER_WINDOW).expect("window");
    assert_eq!(window.value.as_deref(), Some("w"));
    assert!(footer.created_by().is_some_and(|by| by.starts_with("lakeward version ")));
    assert!(reader.next().await.expect("next").is_some());
}

#[tokio::test]
async fn codecs_are_those_declared() {
    for (declared, codec) in [
        (Compression::Uncompressed, "UNCOMPRESSED"),
        (Compression::Snappy, "SNAPPY"),
        (Compression::Zstd(3), "ZSTD"),
    ] {
        let lake = Lake::in_memory();
        let format = format(schema(), |options| options.compression = declared);
        let written = write(&lake, &format, &[batch(&many(10))]).await;
        let reader = DataFileReader::open(&lake, "t/x.parquet", written.bytes).await.expect("open");
        let found = reader.metadata().row_group(0).column(0).compression().to_string();
        assert!(found.starts_with(codec), "{found}");
    }
    let mut options = table(vec![], None, None).parquet;
    options.compression = Compression::Zstd(40);
    let error = DataFileFormat::new(schema(), &options, None, &[]).expect_err("level");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_file_given_up_is_not_there() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lake = Lake::open(dir.path().to_str().expect("utf-8")).expect("lake");
    let format = format(schema(), |options| options.compression = Compression::Uncompressed);
    let mut writer = DataFileWriter::create(&lake, "t/x.parquet", &format).expect("create");
    writer.write(batch(&many(200_000))).await.expect("write");
    writer.flush().await.expect("flush");
    assert_eq!(writer.memory(), 0);
    writer.abort().await.expect("abort");
    assert!(lake.list("").await.expect("list").is_empty());
    assert_eq!(lake.sweep("t", "").await.expect("sweep"), 0);
}

#[tokio::test]
async fn the_bytes_do_not_depend_on_how_fast_the_encoders_are() {
    let lake = Lake::in_memory();
    let given = many(30_000);
    let batches: Vec<RecordBatch> = given.chunks(700).map(batch).collect();
    let format = format(schema(), |options| options.row_group = Some(600_000));
    let one = write(&lake, &format, &batches).await;
    let mut writer = DataFileWriter::create(&lake, "t/y.parquet", &format).expect("create");
    let mut told = Vec::new();
    for batch in &batches {
        writer.write(batch.clone()).await.expect("write");
        // Every encoder is idle before the next.
        let (memory, size) = (writer.memory(), writer.size());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        told.push((memory, size));
    }
    assert_eq!(writer.close().await.expect("close"), one);
    let mut writer = DataFileWriter::create(&lake, "t/z.parquet", &format).expect("create");
    for (batch, told) in batches.iter().zip(told) {
        writer.write(batch.clone()).await.expect("write");
        assert_eq!((writer.memory(), writer.size()), told);
    }
}

#[tokio::test]
async fn a_dropped_call_gives_the_file_up() {
    let lake = Lake::in_memory();
    let format = format(schema(), |_| {});
    let mut writer = DataFileWriter::create(&lake, "t/x.parquet", &format).expect("create");
    writer.write(batch(&many(50_000))).await.expect("write");
    {
        let mut flush = std::pin::pin!(writer.flush());
        assert!(futures::poll!(&mut flush).is_pending());
    }
    let error = writer.write(batch(&many(1))).await.expect_err("given up");
    assert_eq!(error.message(), "a data file was given up while it was written");
    assert!(writer.close().await.is_err());
    assert!(lake.list("").await.expect("list").is_empty());
}

#[tokio::test]
async fn a_batch_of_other_columns_is_refused() {
    let lake = Lake::in_memory();
    let format = format(schema(), |_| {});
    let rows = batch(&many(10));
    let mut writer = DataFileWriter::create(&lake, "t/x.parquet", &format).expect("create");
    let fewer = rows.project(&[0, 1]).expect("project");
    assert_eq!(writer.write(fewer).await.expect_err("columns").kind(), ErrorKind::Unexpected);
    // Of the same number, but not of the same types: the encoders find out, and a later call says so.
    let mut writer = DataFileWriter::create(&lake, "t/y.parquet", &format).expect("create");
    let other = rows.project(&[4, 3, 2, 1, 0]).expect("project");
    let first = writer.write(other).await;
    let error = match first {
        Ok(()) => writer.close().await.expect_err("types"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Unexpected);
}

#[test]
fn weight_counts_the_rows_and_not_their_shared_buffers() {
    let all = batch(&many(1_000));
    let part = all.slice(10, 10);
    let (whole, part) = (batch_bytes(&all), batch_bytes(&part));
    assert!(part * 90 < whole && whole < part * 110, "{part} of {whole}");
}
