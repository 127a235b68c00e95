//! `lakeward status`: the windows and days of a lake, and the exact files that readers should use.

mod calendar;
mod days;
mod page;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::args::lake::{StatusArgs, StatusFormat};
use crate::cli::render::{Align, TextTable, json, out, shortened, shown, thousands};
use crate::cli::status::days::{Calendar, calendars};
use crate::cli::tables::chosen;
use crate::error::Result;
use crate::lake::store::Lake;
use crate::manifest::snapshot::{Snapshot, WindowState, snapshot};
use crate::manifest::version::{Counts, Drift, Failure};

/// Characters of a failure in the table; `--format json` has all of it.
const NOTE: usize = 48;

/// Prints the table, the JSON document or the file list.
pub(crate) async fn run(args: StatusArgs) -> Result<u8> {
    let lake = Lake::open_existing(&args.lake)?;
    let mut snapshots = Vec::new();
    for dir in chosen(&lake, args.table.as_deref()).await? {
        snapshots.push(snapshot(&lake, &dir).await?);
    }
    match (args.files, args.format) {
        (true, _) => out(&files(&lake, &snapshots))?,
        (false, StatusFormat::Json) => json(&document(&lake, &snapshots))?,
        (false, StatusFormat::Html) => out(&page::page(lake.describe(), &calendars(&snapshots)))?,
        (false, StatusFormat::Table) => {
            // Of all tables at once the days would bury the windows.
            let days = args.table.is_some().then(|| calendar::text(&calendars(&snapshots)));
            out(&(table(&lake, &snapshots) + &days.unwrap_or_default()))?;
        }
    }
    Ok(0)
}

/// One path a line, as an engine takes it.
fn files(lake: &Lake, snapshots: &[Snapshot]) -> String {
    let paths = snapshots.iter().flat_map(Snapshot::files);
    paths.map(|file| lake.url_of(&file.path) + "\n").collect()
}

#[derive(Serialize)]
struct Document<'a> {
    lake: &'a str,
    windows: Vec<Entry<'a>>,
    calendars: Vec<Calendar<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    table: &'a str,
    source: &'a str,
    stream: &'a str,
    window: String,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    state: &'static str,
    attempt: u64,
    rows: u64,
    bytes: u64,
    files: Vec<&'a str>,
    counts: Counts,
    drift: Option<Drift>,
    rejects: Option<String>,
    schema_fingerprint: String,
    committed_at: Option<DateTime<Utc>>,
    failure: &'a Option<Failure>,
}

fn document<'a>(lake: &'a Lake, snapshots: &'a [Snapshot]) -> Document<'a> {
    let windows = snapshots.iter().flat_map(|snapshot| &snapshot.windows);
    Document {
        lake: lake.describe(),
        windows: windows.map(entry).collect(),
        calendars: calendars(snapshots),
    }
}

fn entry(window: &WindowState) -> Entry<'_> {
    let manifest = &window.manifest;
    // What readers have, whatever a refresh has come to since.
    let commit = manifest.as_committed().unwrap_or_else(|| manifest.clone());
    Entry {
        table: &manifest.table,
        source: &manifest.source,
        stream: &manifest.stream,
        window: window.name.id().to_string(),
        start: manifest.window.start,
        end: manifest.window.end,
        state: manifest.phase(),
        attempt: commit.attempt,
        rows: manifest.published.iter().map(|file| file.rows).sum(),
        bytes: manifest.published.iter().map(|file| file.bytes).sum(),
        files: manifest.published.iter().map(|file| file.path.as_str()).collect(),
        counts: commit.counts,
        drift: commit.drift,
        rejects: commit.rejects,
        schema_fingerprint: commit.schema_fingerprint,
        committed_at: manifest.committed_at,
        failure: &manifest.failure,
    }
}

fn table(lake: &Lake, snapshots: &[Snapshot]) -> String {
    let windows: Vec<&WindowState> = snapshots.iter().flat_map(|s| &s.windows).collect();
    if windows.is_empty() {
        return format!(
            "{} holds no windows yet: `lakeward extract` makes them\n",
            lake.describe()
        );
    }
    let mut table = TextTable::new(&[
        ("table", Align::Left),
        ("stream", Align::Left),
        ("window", Align::Left),
        ("state", Align::Left),
        ("rows", Align::Right),
        ("files", Align::Right),
        ("bytes", Align::Right),
        ("rejected", Align::Right),
        ("drift", Align::Right),
        ("note", Align::Left),
    ]);
    for window in windows {
        let entry = entry(window);
        let note = window.manifest.failure.as_ref();
        table.row(vec![
            entry.table.to_owned(),
            entry.stream.to_owned(),
            shown(&window.name.id()),
            entry.state.to_owned(),
            thousands(entry.rows),
            entry.files.len().to_string(),
            thousands(entry.bytes),
            thousands(entry.counts.rejected),
            entry.drift.as_ref().map_or(0, |drift| drift.findings).to_string(),
            note.map(|failure| {
                format!("exit {}: {}", failure.exit, shortened(&failure.message, NOTE))
            })
            .unwrap_or_default(),
        ]);
    }
    table.text()
}
