//! What webhooks missed: the records of polled windows held against what batches of events brought.
//!
//! A record is the same by its primary key. It is stale where the API has a later `version_by` than any event brought, or,
//! without `version_by`, other declared columns than the last event that was received before the poll. A batch counts
//! whatever it was landed for: all of a stream's batches are looked at, but for files that were received before the
//! windows began and hold none of their instants.

pub mod report;
mod rows;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::Result;
use crate::lake::dedupe::values::{Key, Version};
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::snapshot::{WindowState, snapshot};
use crate::manifest::version::DataFile;
use crate::spec::source::Stream;
use crate::webhook::reconcile::report::{Late, StreamReport};
use crate::webhook::reconcile::rows::{Columns, Row, read, read_ids};
use crate::window::Window;

/// Keys of missed records that a report names.
const NAMED: usize = 100;
/// How far a vendor's clock may be ahead of ours.
const SKEW: TimeDelta = TimeDelta::hours(1);

/// Whether records of the stream can be told apart, which is known before anything is polled.
///
/// # Errors
/// `Config` for a table without a primary key.
pub fn is_comparable(stream: &Stream) -> Result<()> {
    Columns::of(&stream.table).map(drop)
}

/// Holds the committed windows of the stream among `windows` against its batches.
///
/// Memory: about 100 bytes a record of the windows.
///
/// # Errors
/// `Config` for a table without a primary key, `Store` where the lake cannot be read.
pub async fn compare(
    lake: &Lake,
    source: &str,
    stream: &Stream,
    windows: &[Window],
) -> Result<StreamReport> {
    let columns = Columns::of(&stream.table)?;
    let dir = TableDir::new(&stream.table.name)?;
    let all = snapshot(lake, &dir).await?.windows;
    let of_stream = |name: &WindowName| name.source() == source && name.stream() == stream.name;
    let all: Vec<WindowState> = all
        .into_iter()
        .filter(|window| of_stream(&window.name) && window.manifest.is_committed())
        .collect();
    let (batches, polled): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|window| window.name.id().is_batch());
    let wanted = |name: &WindowName| name.id().window().is_some_and(|own| windows.contains(&own));
    let polled: Vec<WindowState> =
        polled.into_iter().filter(|window| wanted(&window.name)).collect();
    let files: Vec<&DataFile> = polled.iter().flat_map(|w| &w.manifest.published).collect();

    let mut records = Records::new(columns);
    for file in &files {
        read(lake, file, &records.columns, |row| records.polled.add(row)).await?;
    }
    for file in delivered_files(&batches, &files, windows) {
        read(lake, file, &records.columns, |row| records.polled.deliver(row)).await?;
    }
    let mut report = records.report(stream, &polled);
    name_missed(lake, &files, &records, &mut report).await?;
    Ok(report)
}

/// The files of batches that may hold records of the windows: those received since the windows began, and those that
/// hold the same instants.
fn delivered_files<'a>(
    batches: &'a [WindowState],
    polled: &[&DataFile],
    windows: &[Window],
) -> Vec<&'a DataFile> {
    let begin = windows.iter().map(|window| window.start).min();
    let first = polled.iter().filter_map(|file| file.min_event).min();
    let last = polled.iter().filter_map(|file| file.max_event).max();
    let of_instants = |file: &DataFile| {
        let within = |a: DateTime<Utc>, b: DateTime<Utc>| Some((a <= last?) && (b >= first?));
        file.min_event.zip(file.max_event).is_none_or(|(a, b)| within(a, b).unwrap_or(false))
    };
    let since = |window: &WindowState| {
        begin
            .and_then(|begin| begin.checked_sub_signed(SKEW))
            .is_none_or(|begin| window.manifest.window.end > begin)
    };
    let of_batch = |window: &'a WindowState| {
        let all = since(window);
        window.manifest.published.iter().filter(move |file| all || of_instants(file))
    };
    batches.iter().flat_map(of_batch).collect()
}

/// The polled records, and what events brought of them.
struct Records {
    columns: Columns,
    polled: Polled,
}

#[derive(Default)]
struct Polled {
    by_key: HashMap<Key, Record>,
    versioned: bool,
    /// Whether the record's own time is that of its version: else all of its versions share it.
    timed_by_version: bool,
}

struct Record {
    version: Version,
    content: Key,
    extracted_at: i64,
    delivered: Option<Delivered>,
}

/// The event that counts, and the delay that is measured.
struct Delivered {
    version: Version,
    content: Key,
    received_at: i64,
    /// When the event was received whose delay is measured, and the delay.
    measured: (i64, Option<i64>),
}

impl Polled {
    fn add(&mut self, row: Row) {
        let record = self.by_key.entry(row.key).or_insert(Record {
            version: row.version,
            content: row.content,
            extracted_at: row.extracted_at,
            delivered: None,
        });
        // Of a record that moved from one window into another, the later version.
        if (row.version, row.extracted_at) > (record.version, record.extracted_at) {
            record.version = row.version;
            record.content = row.content;
            record.extracted_at = row.extracted_at;
        }
    }

    fn deliver(&mut self, row: Row) {
        let by_version = self.timed_by_version;
        let Some(record) = self.by_key.get_mut(&row.key) else { return };
        let delay = row.time.map(|time| row.extracted_at.saturating_sub(time));
        let new = Delivered {
            version: row.version,
            content: row.content,
            received_at: row.extracted_at,
            measured: (row.extracted_at, delay),
        };
        let Some(known) = &mut record.delivered else {
            record.delivered = Some(new);
            return;
        };
        let later = (new.version, new.received_at) > (known.version, known.received_at);
        let measured = match (by_version, later) {
            (true, true) => new.measured,
            (true, false) => known.measured,
            (false, _) => new.measured.min(known.measured),
        };
        if later {
            *known = new;
        }
        known.measured = measured;
    }
}

impl Record {
    fn is_stale(&self, versioned: bool) -> bool {
        self.delivered.as_ref().is_some_and(|event| match versioned {
            true => event.version < self.version,
            // An event that came after the poll had begun may be the later one.
            false => event.content != self.content && event.received_at <= self.extracted_at,
        })
    }
}

impl Records {
    fn new(columns: Columns) -> Self {
        let versioned = columns.version.is_some();
        let timed_by_version = versioned && columns.time == columns.version;
        let polled = Polled { versioned, timed_by_version, ..Polled::default() };
        Self { columns, polled }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    fn report(&self, stream: &Stream, windows: &[WindowState]) -> StreamReport {
        let versioned = self.polled.versioned;
        let count = |is: &dyn Fn(&Record) -> bool| {
            let all = self.polled.by_key.values();
            u64::try_from(all.filter(|record| is(record)).count()).unwrap_or(u64::MAX)
        };
        let polled = count(&|_| true);
        let delivered = count(&|record| record.delivered.is_some());
        let missed = polled - delivered;
        let events = self.polled.by_key.values().filter_map(|record| record.delivered.as_ref());
        let delays: Vec<i64> = events.filter_map(|event| event.measured.1).collect();
        let time = self.columns.time.as_deref();
        let of = if self.polled.timed_by_version { "version" } else { "first" };
        StreamReport {
            stream: stream.name.clone(),
            table: stream.table.name.clone(),
            windows: windows.iter().map(|window| window.name.id().to_string()).collect(),
            polled,
            delivered,
            missed,
            missed_share: if polled == 0 { 0.0 } else { missed as f64 / polled as f64 },
            stale: count(&|record| record.is_stale(versioned)),
            late: time.and_then(|since| Late::of(since, of, delays)),
            missed_ids: Vec::new(),
            missed_ids_left_off: 0,
        }
    }
}

/// Reads the keys of the missed from the files again, as far as they are named.
async fn name_missed(
    lake: &Lake,
    files: &[&DataFile],
    records: &Records,
    report: &mut StreamReport,
) -> Result<()> {
    let wanted = usize::try_from(report.missed).unwrap_or(usize::MAX).min(NAMED);
    let mut named: HashMap<Key, String> = HashMap::new();
    for file in files {
        if named.len() >= wanted {
            break;
        }
        read_ids(lake, file, &records.columns, |key, text| {
            let record = records.polled.by_key.get(&key);
            let missed = record.is_some_and(|record| record.delivered.is_none());
            if missed && named.len() < wanted && !named.contains_key(&key) {
                let text = text();
                report.missed_ids.push(text.clone());
                named.insert(key, text);
            }
        })
        .await?;
    }
    let left_off = usize::try_from(report.missed).unwrap_or(usize::MAX) - named.len();
    report.missed_ids_left_off = u64::try_from(left_off).unwrap_or(u64::MAX);
    Ok(())
}
