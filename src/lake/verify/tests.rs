//! Damaged files, each told by its own word.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};

use super::*;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::parquet::{DataFileFormat, DataFileWriter};
use crate::lake::tests::{Row, batch, json_column, schema, table};

const START: i64 = 20_529 * 86_400_000_000;

fn rows() -> Vec<Row> {
    (0..3)
        .map(|part| Row {
            id: None,
            part,
            version: None,
            created_at: Some(START + part * 1_000_000),
        })
        .collect()
}

async fn write(lake: &Lake, batch: RecordBatch, window: &str) -> StagedFile {
    let name: WindowName = "s.t.20260317T000000Z_20260318T000000Z".parse().expect("name");
    let partition = "date=2026-03-17".to_owned();
    let path = TableDir::new("t").expect("dir").data_path(&partition, &name, 1, 1);
    let footer = [("lakeward.window".to_owned(), window.to_owned())];
    let options = table(vec![], None, None).parquet;
    let format =
        DataFileFormat::new(batch.schema(), &options, Some("_raw"), &footer).expect("format");
    let mut writer = DataFileWriter::create(lake, &path, &format).expect("create");
    writer.write(batch).await.expect("write");
    let written = writer.close().await.expect("close");
    StagedFile {
        path,
        partition,
        rows: written.rows,
        bytes: written.bytes,
        sha256: written.sha256,
        min_event: instant(START),
        max_event: instant(START + 2_000_000),
    }
}

fn expected() -> Expected {
    Expected { schema: Some(schema()), partition_by: Some("created_at".to_owned()) }
}

async fn codes(lake: &Lake, file: &StagedFile, expected: &Expected) -> Vec<&'static str> {
    let problems = verify_file(lake, file, expected).await.expect("verify");
    problems.into_iter().map(|problem| problem.code).collect()
}

const WINDOW: &str = "s.t.20260317T000000Z_20260318T000000Z";

#[tokio::test]
async fn a_file_that_is_what_its_manifest_says_has_no_problem() {
    let lake = Lake::in_memory();
    let file = write(&lake, batch(&rows()), WINDOW).await;
    assert_eq!(verify_file(&lake, &file, &expected()).await.expect("verify"), []);
    assert_eq!(verify_file(&lake, &file, &Expected::default()).await.expect("verify"), []);
}

#[tokio::test]
async fn each_difference_is_told() {
    let lake = Lake::in_memory();
    let good = write(&lake, batch(&rows()), WINDOW).await;
    let all = expected();
    let wrong = StagedFile { path: "t/gone.parquet".to_owned(), ..good.clone() };
    assert_eq!(codes(&lake, &wrong, &all).await, ["missing"]);
    let wrong = StagedFile { rows: 4, ..good.clone() };
    assert_eq!(codes(&lake, &wrong, &all).await, ["rows", "rows"]);
    let wrong = StagedFile { sha256: "0".repeat(64), bytes: 1, ..good.clone() };
    assert_eq!(codes(&lake, &wrong, &all).await, ["size", "sha256"]);
    let wrong = StagedFile { partition: "date=2026-03-18".to_owned(), ..good.clone() };
    assert_eq!(codes(&lake, &wrong, &all).await, ["partition"]);
    let wrong = StagedFile { max_event: None, ..good.clone() };
    assert_eq!(codes(&lake, &wrong, &all).await, ["events"]);
    let missing = Expected { partition_by: Some("no".to_owned()), ..all.clone() };
    assert_eq!(codes(&lake, &good, &missing).await, ["schema"]);
    let columns = vec![Field::new("id", DataType::Int32, true), json_column("part")];
    let other = Expected { schema: Some(Arc::new(Schema::new(columns))), ..all.clone() };
    assert_eq!(codes(&lake, &good, &other).await, ["schema", "schema", "schema"]);
    let file = write(&lake, batch(&rows()), "s.t.another").await;
    assert_eq!(codes(&lake, &file, &all).await, ["footer"]);
}

#[tokio::test]
async fn a_damaged_file_is_told_not_failed() {
    let lake = Lake::in_memory();
    let file = write(&lake, batch(&rows()), WINDOW).await;
    let whole = lake.read(&file.path).await.expect("read").expect("there");
    for length in (0..whole.len()).step_by(97) {
        lake.put(&file.path, whole.slice(..length)).await.expect("put");
        let codes = codes(&lake, &file, &expected()).await;
        assert_eq!(codes[..2], ["size", "sha256"], "{length}");
        assert!(codes.contains(&"unreadable"), "{length}: {codes:?}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        lake.put(&file.path, bytes.into()).await.expect("put");
        let codes = codes(&lake, &file, &expected()).await;
        assert!(codes.contains(&"sha256"), "{at}: {codes:?}");
    }
}
