//! A lake read back with no help from lakeward: rows through the parquet crate, manifests as plain JSON, leftovers by listing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::paged_api::Truth;

/// One row, as far as the tests compare it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// `payment_id`.
    pub(crate) id: String,
    /// `amount`, in paise.
    pub(crate) paise: i128,
    /// The value of the `date=` folder.
    pub(crate) partition: String,
}

/// A lake on local disk.
#[derive(Clone, Debug)]
pub(crate) struct LakeDir {
    /// Its folder.
    pub(crate) path: PathBuf,
}

impl LakeDir {
    /// The lake at `path`, which need not exist yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The data files that a reader of `TABLE/date=*/*.parquet` sees, sorted.
    pub(crate) fn listed_files(&self, table: &str) -> Vec<PathBuf> {
        let dir = self.path.join(table);
        let mut files = Vec::new();
        for (name, partition) in entries(&dir) {
            if name.starts_with("date=") {
                let inside = entries(&partition);
                files.extend(inside.into_iter().filter_map(|(name, path)| {
                    (name.ends_with(".parquet") && !name.starts_with(['_', '.'])).then_some(path)
                }));
            }
        }
        files.sort();
        files
    }

    /// Every row that a reader of `TABLE/date=*/*.parquet` sees, with all of its columns but when it was extracted, as
    /// text, sorted; the folder of its partition comes first.
    pub(crate) fn whole_rows(&self, table: &str) -> Vec<String> {
        let mut rows = Vec::new();
        for file in self.listed_files(table) {
            let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap());
            for batch in reader.unwrap().build().unwrap() {
                let batch = batch.unwrap();
                let schema = batch.schema();
                let names = || schema.fields().iter().map(|field| field.name().as_str());
                let shown = FormatOptions::default().with_null("null");
                let plain: Vec<_> = batch.columns().iter().map(without_zone).collect();
                let columns: Vec<_> = names()
                    .zip(&plain)
                    .filter(|(name, _)| *name != "_extracted_at")
                    .map(|(name, column)| (name, ArrayFormatter::try_new(column, &shown).unwrap()))
                    .collect();
                rows.extend((0..batch.num_rows()).map(|row| {
                    let cells =
                        columns.iter().map(|(name, of)| format!("{name}={}", of.value(row)));
                    format!("{folder} {}", cells.collect::<Vec<_>>().join(" "))
                }));
            }
        }
        rows.sort();
        rows
    }

    /// Every row that a reader of `TABLE/date=*/*.parquet` sees, by the names of its columns, as text; a null is "".
    pub(crate) fn cells(&self, table: &str) -> Vec<BTreeMap<String, String>> {
        self.listed_files(table).iter().flat_map(|file| read_cells(file)).collect()
    }

    /// Of each `payment_id` the row that `lakeward sql` calls the latest, by the names of its columns, as text.
    pub(crate) fn latest(
        &self,
        table: &str,
        version_by: Option<&str>,
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut latest: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for row in self.cells(table) {
            let order = |row: &BTreeMap<String, String>| {
                let version = version_by.and_then(|name| row.get(name).cloned());
                (version.unwrap_or_default(), row["_extracted_at"].clone())
            };
            let id = row["payment_id"].clone();
            if latest.get(&id).is_none_or(|known| order(known) < order(&row)) {
                latest.insert(id, row);
            }
        }
        latest
    }

    /// Every row that a reader of `TABLE/date=*/*.parquet` sees, sorted.
    pub(crate) fn rows(&self, table: &str) -> Vec<Row> {
        let files = self.listed_files(table);
        let mut rows: Vec<Row> = files.iter().flat_map(|file| read_rows(file).unwrap()).collect();
        rows.sort();
        rows
    }

    /// Every row of the files that the newest manifests publish; `None` where one of the files went
    /// away between the listing and the reading, as a refresh does to old ones.
    pub(crate) fn published_rows(&self, table: &str) -> Option<Vec<Row>> {
        let mut rows = Vec::new();
        for file in self.published_files(table) {
            rows.extend(read_rows(&self.path.join(file)).ok()?);
        }
        rows.sort();
        Some(rows)
    }

    /// The paths in `published[]` of every window's newest manifest, relative to the lake.
    pub(crate) fn published_files(&self, table: &str) -> BTreeSet<String> {
        let manifests = self.manifests(table).into_values();
        let files = manifests.flat_map(|manifest| manifest["published"].as_array().cloned());
        files
            .flatten()
            .map(|file| file["path"].as_str().expect("a published file has a path").to_owned())
            .collect()
    }

    /// The newest manifest of every window of a table.
    pub(crate) fn manifests(&self, table: &str) -> BTreeMap<String, Value> {
        let windows = entries(&self.path.join(table).join("_lakeward/windows"));
        windows
            .into_iter()
            .filter_map(|(window, dir)| newest(&dir).map(|manifest| (window, manifest)))
            .collect()
    }

    /// The newest manifest of the only window of a table.
    pub(crate) fn manifest(&self, table: &str) -> Value {
        let manifests = self.manifests(table);
        assert_eq!(manifests.len(), 1, "one window expected: {:?}", manifests.keys());
        manifests.into_values().next().unwrap()
    }

    /// How many pages of the only window are behind its newest checkpoint; 0 before the first version.
    pub(crate) fn checkpoint_pages(&self, table: &str) -> usize {
        let manifests = self.manifests(table);
        let pages = manifests.values().next().map(|m| m["checkpoint"]["pages"].clone());
        pages.and_then(|pages| pages.as_u64()).map_or(0, |pages| usize::try_from(pages).unwrap())
    }

    /// Every file under the table that nothing accounts for: data files that no manifest publishes,
    /// anything staged, temporary names. Empty after every committed run.
    pub(crate) fn leftovers(&self, table: &str) -> Vec<String> {
        let published = self.published_files(table);
        let mut leftovers = Vec::new();
        for file in files_below(&self.path) {
            let path = file.strip_prefix(&self.path).unwrap().to_str().unwrap().to_owned();
            let known = published.contains(&path) || is_record(table, &path);
            if !known {
                leftovers.push(path);
            }
        }
        leftovers
    }

    /// Asserts that the lake holds exactly the truth, each row once and in its day's folder, that
    /// listing and manifests agree, and that nothing is left over.
    #[track_caller]
    pub(crate) fn assert_holds(&self, table: &str, truth: &Truth) {
        let rows = self.rows(table);
        let wanted: Vec<Row> = truth
            .rows
            .iter()
            .map(|(id, (paise, day))| Row {
                id: id.clone(),
                paise: *paise,
                partition: day.to_string(),
            })
            .collect();
        let ids = |rows: &[Row]| rows.iter().map(|row| row.id.clone()).collect::<BTreeSet<_>>();
        let (have, want) = (ids(&rows), ids(&wanted));
        let lost: Vec<&String> = want.difference(&have).take(5).collect();
        let extra: Vec<&String> = have.difference(&want).take(5).collect();
        assert!(lost.is_empty() && extra.is_empty(), "lost {lost:?}, extra {extra:?}");
        assert_eq!(rows.len(), wanted.len(), "{} rows are doubled", rows.len() - have.len());
        let wrong: Vec<_> = rows.iter().zip(&wanted).filter(|(a, b)| a != b).take(5).collect();
        assert!(wrong.is_empty(), "rows differ (have, want): {wrong:?}");
        assert_eq!(rows.iter().map(|row| row.paise).sum::<i128>(), truth.sum());
        assert_eq!(
            self.published_rows(table).as_ref(),
            Some(&rows),
            "listing and manifests differ"
        );
        assert_eq!(self.leftovers(table), Vec::<String>::new(), "left over");
        for (window, manifest) in self.manifests(table) {
            assert_eq!(manifest["state"], "committed", "{window}");
            assert_counts_add_up(&manifest);
        }
    }

    /// Asserts that no reader sees a row: no data file, no manifest with a `published[]`.
    #[track_caller]
    pub(crate) fn assert_nothing_published(&self, table: &str) {
        assert_eq!(self.listed_files(table), Vec::<PathBuf>::new(), "published files");
        assert_eq!(self.published_files(table), BTreeSet::new(), "published in a manifest");
    }
}

/// Asserts `fetched = written + rejected + duplicates + outside`, and that `published[]` has `written` rows.
#[track_caller]
pub(crate) fn assert_counts_add_up(manifest: &Value) {
    let counts = &manifest["counts"];
    let count = |name: &str| {
        counts[name].as_u64().unwrap_or_else(|| panic!("the count `{name}` is missing: {counts}"))
    };
    let sum = ["written", "rejected", "duplicates", "outside"].map(count).iter().sum::<u64>();
    assert_eq!(count("fetched"), sum, "fetched is not the sum of the rest: {counts}");
    if manifest["state"] == "committed" {
        let published = manifest["published"].as_array().expect("published is a list");
        let rows: u64 = published.iter().map(|file| file["rows"].as_u64().unwrap()).sum();
        assert_eq!(rows, count("written"), "rows of the published files: {counts}");
    }
}

/// The rows of one data file by the names of their columns, as text; a null is "".
fn read_cells(path: &Path) -> Vec<BTreeMap<String, String>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let schema = batch.schema();
        let plain: Vec<_> = batch.columns().iter().map(without_zone).collect();
        let shown = FormatOptions::default();
        let cells: Vec<_> = schema
            .fields()
            .iter()
            .zip(&plain)
            .map(|(field, column)| (field.name(), ArrayFormatter::try_new(column, &shown).unwrap()))
            .collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            cells.iter().map(|(name, of)| ((*name).clone(), of.value(row).to_string())).collect()
        }));
    }
    rows
}

/// The column as text shows it: instants without their zone, which is UTC.
fn without_zone(column: &arrow::array::ArrayRef) -> arrow::array::ArrayRef {
    match column.data_type() {
        DataType::Timestamp(unit, _) => cast(column, &DataType::Timestamp(*unit, None)).unwrap(),
        _ => column.clone(),
    }
}

/// The rows of one data file.
fn read_rows(path: &Path) -> std::io::Result<Vec<Row>> {
    let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let partition = folder.strip_prefix("date=").unwrap_or(folder);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).unwrap().build();
    let mut rows = Vec::new();
    for batch in reader.unwrap() {
        let batch = batch.unwrap();
        let ids = batch.column_by_name("payment_id").expect("a column payment_id");
        let ids = cast(ids, &DataType::Utf8).unwrap();
        let amounts = batch.column_by_name("amount").expect("a column amount");
        assert_eq!(amounts.data_type(), &DataType::Decimal128(18, 2));
        let amounts = amounts.as_primitive::<Decimal128Type>();
        let ids = ids.as_string::<i32>().iter().map(|id| id.unwrap_or_default());
        rows.extend(ids.zip(amounts.iter()).map(|(id, paise)| Row {
            id: id.to_owned(),
            paise: paise.unwrap_or_default(),
            partition: partition.to_owned(),
        }));
    }
    Ok(rows)
}

/// The manifest with the highest number in a window's folder. A version that is pruned between the
/// listing and the reading has a newer one, so the listing is repeated.
fn newest(dir: &Path) -> Option<Value> {
    loop {
        let mut versions = entries(dir);
        versions.retain(|(name, _)| is_version(name));
        let (_, path) = versions.pop()?;
        if let Ok(text) = std::fs::read(&path) {
            return Some(
                serde_json::from_slice(&text).unwrap_or_else(|error| {
                    panic!("{} is not whole JSON: {error}", path.display())
                }),
            );
        }
    }
}

fn is_version(name: &str) -> bool {
    name.strip_suffix(".json")
        .is_some_and(|n| n.len() == 8 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a path (relative to the lake) is a manifest or a report.
fn is_record(table: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(&format!("{table}/_lakeward/")) else { return false };
    match rest.split('/').collect::<Vec<_>>()[..] {
        ["windows", _, version] => is_version(version),
        ["rejects", name] => name.ends_with(".ndjson"),
        ["drift", name] => name.ends_with(".json"),
        _ => false,
    }
}

/// Names and paths in a folder, sorted by name; none where it does not exist.
fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let Ok(listing) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut entries: Vec<(String, PathBuf)> = listing
        .flatten()
        .map(|entry| (entry.file_name().to_str().unwrap().to_owned(), entry.path()))
        .collect();
    entries.sort();
    entries
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (_, path) in entries(dir) {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn write(path: &Path, rows: &[(&str, i128)]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0)));
        let amounts = Decimal128Array::from_iter_values(rows.iter().map(|r| r.1));
        let amounts: ArrayRef = Arc::new(amounts.with_precision_and_scale(18, 2).unwrap());
        let batch = RecordBatch::try_from_iter([("payment_id", ids), ("amount", amounts)]).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None);
        let writer = writer.as_mut().unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }

    #[test]
    fn reads_rows_manifests_and_leftovers() {
        let dir = tempfile::tempdir().unwrap();
        let lake = LakeDir::new(dir.path());
        assert!(lake.rows("payments").is_empty() && lake.manifests("payments").is_empty());
        let table = dir.path().join("payments");
        write(&table.join("date=2026-03-17/a.parquet"), &[("p2", 5), ("p1", 3)]);
        write(&table.join("_lakeward/staging/w/1/b.parquet"), &[("p3", 1)]);
        let windows = table.join("_lakeward/windows/w");
        std::fs::create_dir_all(&windows).unwrap();
        std::fs::write(windows.join("00000001.json"), "{}").unwrap();
        let text = r#"{"state":"committed","published":[{"path":"payments/date=2026-03-17/a.parquet","rows":2}],
            "counts":{"fetched":5,"written":2,"rejected":1,"duplicates":2,"outside":0},"checkpoint":{"pages":4}}"#;
        std::fs::write(windows.join("00000002.json"), text).unwrap();
        assert_eq!(lake.rows("payments")[1].id, "p2");
        assert_eq!(lake.published_rows("payments").unwrap(), lake.rows("payments"));
        assert_eq!(lake.checkpoint_pages("payments"), 4);
        assert_counts_add_up(&lake.manifest("payments"));
        assert_eq!(lake.leftovers("payments"), ["payments/_lakeward/staging/w/1/b.parquet"]);
    }

    #[test]
    #[should_panic(expected = "fetched is not the sum")]
    fn notices_counts_that_do_not_add_up() {
        let text =
            r#"{"counts":{"fetched":5,"written":2,"rejected":1,"duplicates":1,"outside":0}}"#;
        assert_counts_add_up(&serde_json::from_str(text).unwrap());
    }

    #[test]
    #[should_panic(expected = "lost [\"p1\"]")]
    fn notices_a_lost_row() {
        let dir = tempfile::tempdir().unwrap();
        let day = chrono::NaiveDate::from_ymd_opt(2026, 3, 17).unwrap();
        let truth = Truth { rows: [("p1".to_owned(), (3, day))].into() };
        LakeDir::new(dir.path()).assert_holds("payments", &truth);
    }
}
