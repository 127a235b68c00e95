//! Rows in their partitions, and settled, against a model.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::lake::budget::Budget;
use crate::lake::read_back::DataFileReader;
use crate::lake::tests::{Row, batch, rows, schema, table};
use crate::spec::table::ParquetOptions;
use crate::window::batch::WindowId;

const DAY: i64 = 86_400_000_000;
/// 2026-03-17T00:00:00Z.
const START: i64 = 20_529 * DAY;

fn name() -> WindowName {
    let window: WindowId = "20260317T000000Z_20260320T000000Z".parse().expect("window");
    WindowName::new("gateway", "payments", window).expect("name")
}

fn options(table: Table, attempt: u64, keys: Option<KeyIndex>) -> WriteOptions {
    let keys = keys.unwrap_or_else(|| KeyIndex::new(&table));
    WriteOptions {
        dir: TableDir::new("t").expect("dir"),
        schema: schema(),
        window_name: name(),
        attempt,
        footer: vec![("lakeward.window".to_owned(), name().to_string())],
        first_file: 1,
        keys,
        memory: two_files(&table),
        table: Arc::new(table),
    }
}

/// So much memory that two files may be open.
fn two_files(table: &Table) -> WindowMemory {
    let budget = Budget::of(184 << 20, 1, false, [table]).expect("budget");
    let memory = Arc::new(budget).window(table);
    assert_eq!(memory.open_files(), 2);
    memory
}

fn row(id: &str, part: i64, created_at: Option<i64>) -> Row {
    Row { id: Some(id.to_owned()), part, version: None, created_at }
}

async fn read_all(lake: &Lake, files: &[StagedFile]) -> Vec<(String, Row)> {
    let mut all = Vec::new();
    for file in files {
        let mut reader = DataFileReader::open(lake, &file.path, file.bytes).await.expect("open");
        assert_eq!(reader.schema(), &schema());
        let mut count = 0;
        while let Some(batch) = reader.next().await.expect("next") {
            count += batch.num_rows() as u64;
            all.extend(rows(&batch).into_iter().map(|row| (file.partition.clone(), row)));
        }
        assert_eq!(count, file.rows);
    }
    all
}

#[tokio::test]
async fn rows_go_to_their_utc_day_and_files_say_what_is_in_them() {
    let lake = Lake::in_memory();
    let mut options = options(table(vec![0], None, Some(3)), 2, None);
    options.memory = Arc::new(Budget::default()).window(&options.table);
    let mut writer = PartitionWriter::new(lake.clone(), options).expect("writer");
    let given = [
        row("a", 0, Some(START)),
        row("b", 1, Some(START - 1)),
        row("c", 2, None),
        row("d", 3, Some(START + DAY - 1)),
        row("e", 4, Some(i64::MAX)),
    ];
    assert!(writer.write(&batch(&given)).await.expect("write").is_empty());
    let files = writer.barrier().await.expect("barrier");
    let show: Vec<String> = files
        .iter()
        .map(|file| {
            let path = file.path.replace(&name().to_string(), "<window>");
            let event = |t: Option<chrono::DateTime<chrono::Utc>>| {
                t.map_or("none".to_owned(), |t| t.to_rfc3339())
            };
            let (min, max) = (event(file.min_event), event(file.max_event));
            format!("{path} {} {} {min} {max}", file.partition, file.rows)
        })
        .collect();
    insta::assert_snapshot!(show.join("\n"), @r"
    t/_lakeward/staging/<window>/2/<window>-2-1.parquet date=__HIVE_DEFAULT_PARTITION__ 2 none none
    t/_lakeward/staging/<window>/2/<window>-2-2.parquet date=2026-03-16 1 2026-03-16T23:59:59.999999+00:00 2026-03-16T23:59:59.999999+00:00
    t/_lakeward/staging/<window>/2/<window>-2-3.parquet date=2026-03-17 2 2026-03-17T00:00:00+00:00 2026-03-17T23:59:59.999999+00:00
    ");
    let mut all = read_all(&lake, &files).await;
    all.sort_by_key(|(_, row)| row.part);
    assert_eq!(all.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), given);
    assert!(writer.barrier().await.expect("again").is_empty());
}

#[tokio::test]
async fn without_partition_by_files_stand_in_the_table() {
    let lake = Lake::in_memory();
    let options = options(table(vec![], None, None), 1, None);
    let dir = options.dir.clone();
    let mut writer = PartitionWriter::new(lake.clone(), options).expect("writer");
    writer.write(&batch(&[row("a", 0, None), row("a", 1, Some(5))])).await.expect("write");
    let files = writer.barrier().await.expect("barrier");
    assert_eq!(files.len(), 1);
    assert_eq!((files[0].partition.as_str(), files[0].rows), ("", 2));
    assert_eq!((files[0].min_event, files[0].max_event), (None, None));
    let published = dir.published_path("", &files[0].path).expect("path");
    assert_eq!(published, format!("t/{}-1-1.parquet", name()));
    assert_eq!(writer.settle(files.clone()).await.expect("settle"), files);
}

#[tokio::test]
async fn open_files_are_bounded_and_full_ones_are_told() {
    let lake = Lake::in_memory();
    let mut spec = table(vec![], None, Some(3));
    spec.parquet = ParquetOptions { target_file_bytes: 2_000, ..spec.parquet };
    let mut writer = PartitionWriter::new(lake.clone(), options(spec, 1, None)).expect("writer");
    let many = |day: i64| -> Vec<Row> {
        (0..1_000).map(|n| row(&n.to_string(), n, Some(START + day * DAY))).collect()
    };
    for day in 0..5 {
        writer.write(&batch(&many(day)[..900])).await.expect("write");
    }
    assert_eq!((writer.open.len(), writer.begun().count()), (0, 0), "they were full");
    for day in 0..5 {
        let written = writer.write(&batch(&many(day)[..5])).await.expect("write");
        assert!(written.is_empty());
    }
    assert_eq!((writer.open.len(), writer.begun().count()), (5, 0), "their rows wait");
    let full = writer.write(&batch(&many(0))).await.expect("write");
    assert_eq!(full.len(), 1);
    let closed = writer.barrier().await.expect("barrier");
    assert!(closed.contains(&full[0]));
    assert_eq!(closed.len(), 10);
    assert_eq!(closed.iter().map(|file| file.rows).sum::<u64>(), 5 * 905 + 1_000);
}

#[tokio::test]
async fn of_more_partitions_a_page_than_may_be_open_most_stay_open() {
    let spec = table(vec![], None, Some(3));
    let mut writer =
        PartitionWriter::new(Lake::in_memory(), options(spec, 1, None)).expect("writer");
    let thousand = |day: i64| (0..1_000).map(move |n| row("a", n, Some(START + day * DAY)));
    let page: Vec<Row> = (0..3).flat_map(thousand).collect();
    for _ in 0..10 {
        writer.write(&batch(&page)).await.expect("write");
        assert!(writer.begun().count() <= 2);
    }
    // About half of what each page needs is still open; if the oldest were closed, nothing would be: 30 files.
    assert_eq!(writer.barrier().await.expect("barrier").len(), 16);
    // Days that follow one another close the one that was left.
    for day in [4, 4, 5, 4, 5] {
        writer.write(&batch(&thousand(day).collect::<Vec<_>>())).await.expect("write");
    }
    assert_eq!(writer.barrier().await.expect("barrier").len(), 2);
}

/// By what they are once they are encoded, not by what they were before.
#[tokio::test]
async fn what_is_merged_is_as_large_as_it_should_be() {
    let lake = Lake::in_memory();
    let mut spec = table(vec![], None, None);
    spec.parquet.target_file_bytes = 12_000;
    let mut writer = PartitionWriter::new(lake, options(spec, 1, None)).expect("writer");
    let mut files = Vec::new();
    for page in 0..60 {
        let rows: Vec<Row> = (0..100).map(|n| row("a", 100 * page + n, None)).collect();
        writer.write(&batch(&rows)).await.expect("write");
        files.extend(writer.barrier().await.expect("barrier"));
    }
    let settled = writer.settle(files.clone()).await.expect("settle");
    assert!(settled.len() < files.len() / 3, "{} of {}", settled.len(), files.len());
    let (_, but_last) = settled.split_last().expect("files");
    assert!(but_last.iter().all(|file| file.bytes >= 12_000), "{settled:?}");
}

#[tokio::test]
async fn few_rows_of_many_days_wait_within_the_memory_that_there_is() {
    let spec = table(vec![0], None, Some(3));
    let mut writer =
        PartitionWriter::new(Lake::in_memory(), options(spec, 1, None)).expect("writer");
    let days = |page: i64| {
        (0..300).map(move |day| row(&format!("{page}-{day}"), page, Some(START + day * DAY)))
    };
    for page in 0..200 {
        writer.write(&batch(&days(page).collect::<Vec<_>>())).await.expect("write");
        let most = writer.memory.row_groups(writer.begun().count());
        assert!(writer.taken() <= most, "page {page}: {} of {most}", writer.taken());
    }
    let files = writer.barrier().await.expect("barrier");
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 60_000);
    // With two open files, and rows that do not wait, it would be one a row.
    assert!(files.len() < 2_000, "{} files", files.len());
    let settled = writer.settle(files).await.expect("settle");
    assert_eq!(settled.len(), 300);
}

#[tokio::test]
async fn the_later_row_wins_within_a_batch_whatever_its_partition() {
    let lake = Lake::in_memory();
    let options = options(table(vec![0], None, Some(3)), 1, None);
    let mut writer = PartitionWriter::new(lake.clone(), options).expect("writer");
    let given = [
        row("k", 0, Some(START + DAY)),
        row("x", 1, Some(START + DAY)),
        row("k", 2, Some(START)),
        row("y", 3, Some(START + DAY)),
    ];
    writer.write(&batch(&given)).await.expect("write");
    let files = writer.barrier().await.expect("barrier");
    let files = writer.settle(files).await.expect("settle");
    let mut left: Vec<i64> =
        read_all(&lake, &files).await.into_iter().map(|(_, row)| row.part).collect();
    left.sort_unstable();
    assert_eq!(left, [1, 2, 3]);
    assert_eq!(writer.duplicates(), 1);
}

#[tokio::test]
async fn saving_and_settling_take_a_barrier_first() {
    let lake = Lake::in_memory();
    let options = options(table(vec![0], None, Some(3)), 1, None);
    let mut writer = PartitionWriter::new(lake, options).expect("writer");
    writer.write(&batch(&[row("k", 0, Some(START))])).await.expect("write");
    assert!(writer.save_keys(1).await.is_err());
    assert!(writer.settle(Vec::new()).await.is_err());
    writer.barrier().await.expect("barrier");
    let saved = writer.save_keys(1).await.expect("save").expect("path");
    assert!(saved.ends_with("/1/keys-1.bin"), "{saved}");
}

#[tokio::test]
async fn a_staged_file_that_changed_stops_the_settling() {
    let lake = Lake::in_memory();
    let options = options(table(vec![0], None, Some(3)), 1, None);
    let mut writer = PartitionWriter::new(lake.clone(), options).expect("writer");
    writer.write(&batch(&[row("k", 0, Some(START)), row("k", 1, Some(START))])).await.expect("w");
    let files = writer.barrier().await.expect("barrier");
    let mut wrong = files.clone();
    wrong[0].rows = 3;
    assert_eq!(writer.settle(wrong).await.expect_err("rows").kind(), ErrorKind::Store);
    lake.put(&files[0].path, vec![0; 100].into()).await.expect("put");
    assert_eq!(writer.settle(files).await.expect_err("bytes").kind(), ErrorKind::Store);
}

#[test]
fn columns_other_than_the_tables_are_refused() {
    for other in [vec![0, 1], vec![1, 0, 2, 3, 4]] {
        let mut options = options(table(vec![0], None, Some(3)), 1, None);
        options.schema = Arc::new(schema().project(&other).expect("schema"));
        let error = PartitionWriter::new(Lake::in_memory(), options).expect_err("columns");
        assert_eq!(error.kind(), ErrorKind::Unexpected);
    }
}

#[tokio::test]
async fn after_a_failure_no_barrier_says_that_all_is_well() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lake = Lake::open(dir.path().to_str().expect("utf-8")).expect("lake");
    // A file where the staging folder should be.
    lake.put("t/_lakeward", "x".into()).await.expect("put");
    let given = batch(&[row("k", 0, Some(START))]);
    let mut writer = PartitionWriter::new(lake, options(table(vec![0], None, Some(3)), 1, None))
        .expect("writer");
    writer.write(&given).await.expect("not yet on disk");
    let failed = writer.barrier().await.expect_err("no folder");
    assert_eq!(failed.kind(), ErrorKind::Store);
    assert!(writer.barrier().await.is_err());
    assert!(writer.write(&given).await.is_err());
    assert!(writer.save_keys(1).await.is_err());
    assert!(writer.settle(Vec::new()).await.is_err());
}

#[derive(Clone, Debug)]
enum Act {
    Write(Vec<(u8, Option<i64>, Option<i64>)>),
    Checkpoint,
    /// The run dies; another goes on from the last checkpoint.
    Crash,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let created = prop::option::weighted(0.9, (0_i64..3, 0_i64..DAY));
    let row = (0_u8..20, prop::option::of(-2_i64..3), created)
        .prop_map(|(id, version, at)| (id, version, at.map(|(day, us)| START + day * DAY + us)));
    let act = prop_oneof![
        6 => prop::collection::vec(row, 1..30).prop_map(Act::Write),
        2 => Just(Act::Checkpoint),
        1 => Just(Act::Crash),
    ];
    prop::collection::vec(act, 0..14)
}

#[derive(Clone, Default)]
struct Saved {
    files: Vec<StagedFile>,
    keys: Vec<String>,
    rows: Vec<Row>,
}

/// Runs the acts; what is left after the last barrier, settled, and all rows that were ever checkpointed.
async fn run(lake: &Lake, spec: &Table, acts: Vec<Act>) -> (Vec<StagedFile>, Vec<Row>, u64) {
    let mut attempt = 1;
    let open = |attempt, keys| {
        PartitionWriter::new(lake.clone(), options(spec.clone(), attempt, keys)).expect("writer")
    };
    let mut writer = open(attempt, None);
    let (mut saved, mut pending) = (Saved::default(), Vec::new());
    for (step, act) in acts.into_iter().chain([Act::Checkpoint]).enumerate() {
        match act {
            Act::Write(given) => {
                let first = i64::try_from(step * 1_000).expect("step");
                let new = (first..).zip(given).map(|(part, (id, version, created_at))| Row {
                    id: Some(id.to_string()),
                    part,
                    version,
                    created_at,
                });
                let new: Vec<Row> = new.collect();
                writer.write(&batch(&new)).await.expect("write");
                pending.extend(new);
            }
            Act::Checkpoint => {
                saved.files.extend(writer.barrier().await.expect("barrier"));
                saved.keys.extend(writer.save_keys(step as u64).await.expect("save"));
                saved.rows.append(&mut pending);
            }
            Act::Crash => {
                attempt += 1;
                pending.clear();
                let keys = KeyIndex::load(lake, spec, &saved.keys).await.expect("load");
                writer = open(attempt, Some(keys.expect("whole")));
            }
        }
    }
    let duplicates = writer.duplicates();
    let again = writer.settle(saved.files.clone()).await.expect("settle");
    let settled = writer.settle(again.clone()).await.expect("settled");
    assert_eq!(settled, again, "settling what is settled changes nothing");
    (settled, saved.rows, duplicates)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_settled_is_what_the_model_keeps(
        acts in acts(), keyed: bool, versioned: bool, target in prop_oneof![Just(3_000_u64), Just(512 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let lake = Lake::in_memory();
        let key = if keyed { vec![0] } else { vec![] };
        let mut spec = table(key, versioned.then_some(2), Some(3));
        spec.parquet.target_file_bytes = target;
        let (files, given, duplicates) = runtime.block_on(run(&lake, &spec, acts));
        let mut model: HashMap<String, Row> = HashMap::new();
        for row in &given {
            let key = if keyed { row.id.clone().unwrap_or_default() } else { row.part.to_string() };
            let known = model.entry(key).or_insert_with(|| row.clone());
            if !versioned || !keyed || row.version >= known.version {
                *known = row.clone();
            }
        }
        let mut expected: Vec<Row> = model.into_values().collect();
        expected.sort();
        let read = runtime.block_on(read_all(&lake, &files));
        for (partition, row) in &read {
            let day = row.created_at.and_then(|at| calendar(i32::try_from(at / DAY).expect("day")));
            prop_assert_eq!(partition, &partition_name("date", day));
        }
        if target > 3_000 {
            let mut partitions: Vec<&String> = files.iter().map(|file| &file.partition).collect();
            partitions.dedup();
            prop_assert_eq!(partitions.len(), files.len(), "one file a partition is left");
        }
        let mut left: Vec<Row> = read.into_iter().map(|(_, row)| row).collect();
        left.sort();
        prop_assert_eq!(duplicates, (given.len() - left.len()) as u64);
        prop_assert_eq!(left, expected);
    }
}
