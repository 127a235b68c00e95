//! Every path of the lake, built and read back in one place (DESIGN §5).

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use crate::error::{Error, ErrorKind, Result};
use crate::window::batch::WindowId;

/// The folder of a table's own records, which readers of data skip (leading underscore).
const OWN: &str = "_lakeward";
/// The partition of rows whose partition field is null, as Hive and Spark name it.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// `<source>.<stream>.<start>_<end>`: a window of one stream, so that two streams into one table don't meet; or
/// `<source>.<stream>.webhook-<first>_<last>`: a batch of its webhook events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowName {
    source: String,
    stream: String,
    id: WindowId,
}

impl WindowName {
    /// The name of a window of a source's stream, or of a batch.
    ///
    /// # Errors
    /// `Config` for a source or stream name that is not of `[A-Za-z0-9_-]`.
    pub fn new(source: &str, stream: &str, id: impl Into<WindowId>) -> Result<Self> {
        check_name("source", source)?;
        check_name("stream", stream)?;
        Ok(Self { source: source.to_owned(), stream: stream.to_owned(), id: id.into() })
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The window of time, or the batch.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// Whether `other` is a window of the same source and stream.
    pub fn same_stream(&self, other: &Self) -> bool {
        self.source == other.source && self.stream == other.stream
    }
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.source, self.stream, self.id)
    }
}

impl FromStr for WindowName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, '.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(source), Some(stream), Some(id)) => {
                Self::new(source, stream, id.parse::<WindowId>()?)
            }
            _ => Err(Error::new(ErrorKind::Usage, format!("`{text}` is not a window's name"))
                .hint("a name is <source>.<stream>.<start>_<end>, or .webhook-<first>_<last>")),
        }
    }
}

/// A table's folder in the lake, and all that stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableDir {
    table: String,
}

impl TableDir {
    /// The folder of the table `name`.
    ///
    /// # Errors
    /// `Config` for a name that is not of `[A-Za-z0-9_-]`, or begins with `_` (readers skip such folders).
    pub fn new(name: &str) -> Result<Self> {
        check_name("table", name)?;
        if name.starts_with('_') {
            return Err(Error::new(ErrorKind::Config, "a table's name must not begin with `_`")
                .with("table", name)
                .hint("Spark and Hive take such folders for hidden ones"));
        }
        Ok(Self { table: name.to_owned() })
    }

    /// The table's name, which is its folder relative to the lake.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The folder that holds one folder a window, each with its manifest's versions.
    pub fn all_windows_dir(&self) -> String {
        format!("{}/{OWN}/windows", self.table)
    }

    /// The folder of a window's manifest versions.
    pub fn windows_dir(&self, name: &WindowName) -> String {
        format!("{}/{name}", self.all_windows_dir())
    }

    /// The manifest's version `n`, from 1.
    pub fn version_path(&self, name: &WindowName, n: u64) -> String {
        format!("{}/{n:08}.json", self.windows_dir(name))
    }

    /// The folder that holds one folder a window, each with what its attempts have staged.
    pub fn all_staging_dir(&self) -> String {
        format!("{}/{OWN}/staging", self.table)
    }

    /// The folder of everything that a window's attempts have staged.
    pub fn staging_root(&self, name: &WindowName) -> String {
        format!("{}/{name}", self.all_staging_dir())
    }

    /// The folder where one attempt stages; nobody else writes there.
    pub fn staging_dir(&self, name: &WindowName, attempt: u64) -> String {
        format!("{}/{attempt}", self.staging_root(name))
    }

    /// A data file while it is staged. Its file name is already the final one.
    pub fn staged_path(&self, name: &WindowName, attempt: u64, n: u32) -> String {
        format!("{}/{name}-{attempt}-{n}.parquet", self.staging_dir(name, attempt))
    }

    /// The folder of the published dead letters.
    pub fn rejects_dir(&self) -> String {
        format!("{}/{OWN}/rejects", self.table)
    }

    /// The published dead letters of an attempt.
    pub fn rejects_path(&self, name: &WindowName, attempt: u64) -> String {
        format!("{}/{name}-{attempt}.ndjson", self.rejects_dir())
    }

    /// The folder of the drift reports.
    pub fn drift_dir(&self) -> String {
        format!("{}/{OWN}/drift", self.table)
    }

    /// The drift report of an attempt.
    pub fn drift_path(&self, name: &WindowName, attempt: u64) -> String {
        format!("{}/{name}-{attempt}.json", self.drift_dir())
    }

    /// The folder of a partition's data files; `""` is the table without partitions.
    pub fn partition_dir(&self, partition: &str) -> String {
        if partition.is_empty() {
            self.table.clone()
        } else {
            format!("{}/{partition}", self.table)
        }
    }

    /// A published data file.
    pub fn data_path(&self, partition: &str, name: &WindowName, attempt: u64, n: u32) -> String {
        format!("{}/{name}-{attempt}-{n}.parquet", self.partition_dir(partition))
    }

    /// Where the staged file `staged` goes when its window is published.
    ///
    /// # Errors
    /// `Store` when `staged` is not the path of a data file.
    pub fn published_path(&self, partition: &str, staged: &str) -> Result<String> {
        let file = DataFileName::of_path(staged)?;
        Ok(self.data_path(partition, &file.window, file.attempt, file.n))
    }
}

/// The partition folder of a day, or of no day: `date=2026-03-17`.
pub fn partition_name(column: &str, day: Option<NaiveDate>) -> String {
    match day {
        Some(day) => format!("{column}={}", day.format("%Y-%m-%d")),
        None => format!("{column}={NULL_PARTITION}"),
    }
}

/// Reads a partition folder's name back: its day, or `None` for that of nulls.
///
/// # Errors
/// `Store` when it is neither.
pub fn partition_day(partition: &str) -> Result<Option<NaiveDate>> {
    let value = partition.split_once('=').map(|(_, value)| value);
    match value {
        Some(NULL_PARTITION) => Some(None),
        Some(value) => NaiveDate::parse_from_str(value, "%Y-%m-%d").map(Some).ok(),
        None => None,
    }
    .ok_or_else(|| {
        Error::new(ErrorKind::Store, "that is no partition of a day").with("partition", partition)
    })
}

/// What a data file's name says: `<window>-<attempt>-<n>.parquet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFileName {
    /// Its window.
    pub window: WindowName,
    /// The attempt that wrote it.
    pub attempt: u64,
    /// Its number within the attempt.
    pub n: u32,
}

impl DataFileName {
    /// Reads the last component of `path`.
    ///
    /// # Errors
    /// `Store` when it is no data file's name.
    pub fn of_path(path: &str) -> Result<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        Self::read(name).ok_or_else(|| {
            Error::new(ErrorKind::Store, "that is no data file of lakeward").with("path", path)
        })
    }

    fn read(name: &str) -> Option<Self> {
        let (rest, n) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
        let (window, attempt) = rest.rsplit_once('-')?;
        let window = window.parse().ok()?;
        Some(Self { window, attempt: attempt.parse().ok()?, n: n.parse().ok()? })
    }
}

/// The version number of a manifest file's path or name: `00000001.json`.
pub fn version_of(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let digits = name.strip_suffix(".json")?;
    let plain = digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// Refuses a name that could mean something to a path, a query or a pattern.
fn check_name(what: &'static str, name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Error::new(ErrorKind::Config, format!("{name:?} cannot be a {what}'s name"))
            .hint("names are letters, digits, `_` and `-`: they become folder names"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;
    use crate::window::batch::Batch;

    fn name() -> WindowName {
        let window: Window = "20260317T000000Z_20260318T000000Z".parse().expect("window");
        WindowName::new("gate-way", "payments", window).expect("name")
    }

    #[test]
    fn paths_are_those_of_the_design() {
        let dir = TableDir::new("payments").expect("table");
        let name = name();
        let text = "gate-way.payments.20260317T000000Z_20260318T000000Z";
        assert_eq!(name.to_string(), text);
        let all = [
            dir.version_path(&name, 1),
            dir.staging_dir(&name, 2),
            dir.rejects_path(&name, 2),
            dir.drift_path(&name, 2),
            dir.data_path("date=2026-03-17", &name, 2, 7),
            dir.data_path("", &name, 2, 7),
        ];
        let all = all.join("\n").replace(text, "<window>");
        insta::assert_snapshot!(all, @r"
        payments/_lakeward/windows/<window>/00000001.json
        payments/_lakeward/staging/<window>/2
        payments/_lakeward/rejects/<window>-2.ndjson
        payments/_lakeward/drift/<window>-2.json
        payments/date=2026-03-17/<window>-2-7.parquet
        payments/<window>-2-7.parquet
        ");
        let staged = dir.staged_path(&name, 2, 7);
        let published = dir.published_path("date=2026-03-17", &staged).expect("published");
        assert_eq!(published, dir.data_path("date=2026-03-17", &name, 2, 7));
    }

    #[test]
    fn names_read_back() {
        let name = name();
        assert_eq!(name.to_string().parse::<WindowName>().expect("parse"), name);
        let file = DataFileName::of_path(&format!("t/date=x/{name}-12-3.parquet")).expect("file");
        assert_eq!((file.window, file.attempt, file.n), (name, 12, 3));
        let batch = Batch::new(1, 1000).expect("batch");
        let name = WindowName::new("gate-way", "payments", batch).expect("name");
        let text = "gate-way.payments.webhook-0000000000000001_0000000000001000";
        assert_eq!(name.to_string(), text);
        let file = DataFileName::of_path(&format!("t/date=x/{text}-12-3.parquet")).expect("file");
        assert_eq!((file.window, file.attempt, file.n), (name, 12, 3));
        for wrong in ["part-0.parquet", "x.parquet", "", "a.b.c-1-1.parquet"] {
            assert!(DataFileName::of_path(wrong).is_err(), "{wrong}");
        }
        assert_eq!(version_of("a/b/00000012.json"), Some(12));
        assert_eq!(version_of("12.json"), None);
        assert_eq!(version_of("+0000012.json"), None);
    }

    #[test]
    fn partitions_read_back() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 17);
        assert_eq!(partition_name("date", day), "date=2026-03-17");
        assert_eq!(partition_name("date", None), "date=__HIVE_DEFAULT_PARTITION__");
        for day in [day, None] {
            assert_eq!(partition_day(&partition_name("date", day)).expect("day"), day);
        }
        assert!(partition_day("date=tomorrow").is_err());
        assert!(partition_day("").is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let window = name().id();
        for wrong in ["", "..", "a/b", "a.b", "a b", "a#1", "ä", "*"] {
            assert!(WindowName::new(wrong, "s", window).is_err(), "{wrong}");
            assert!(WindowName::new("s", wrong, window).is_err(), "{wrong}");
            assert!(TableDir::new(wrong).is_err(), "{wrong}");
        }
        assert!(TableDir::new("_hidden").is_err());
    }
}
