//! `lakeward compact`: the small files of each window's partitions into few.

use std::sync::Arc;

use serde::Serialize;

use crate::cli::args::lake::CompactArgs;
use crate::cli::args::values::Format;
use crate::cli::render::{Align, TextTable, json, out, shown, thousands};
use crate::cli::signals;
use crate::cli::tables::chosen;
use crate::clock::{Clock as _, SystemClock};
use crate::error::Result;
use crate::lake::layout::TableDir;
use crate::lake::store::Lake;
use crate::manifest::snapshot::{WindowState, snapshot};
use crate::manifest::version::{DataFile, Manifest};
use crate::run::compact::{Plan, compact, planned};
use crate::run::extract::new_run_id;
use crate::run::rewrite::completed;
use crate::run::stop::Stop;

const GO_ON: &str = "the same command goes on with the windows that were not reached";

#[derive(Serialize)]
struct Compacted {
    run_id: String,
    dry_run: bool,
    windows: Vec<Entry>,
}

/// A window that had small files to merge.
#[derive(Serialize)]
struct Entry {
    table: String,
    source: String,
    stream: String,
    window: String,
    #[serde(skip)]
    shown: String,
    files_before: usize,
    /// With `--dry-run` about as many.
    files_after: usize,
    bytes_before: u64,
    /// Not known before the files are written.
    bytes_after: Option<u64>,
    /// Why it is left as it is.
    left: Option<&'static str>,
    error: Option<String>,
}

/// Merges what there is to merge, window by window, and says what became of it; exit as the first failure.
pub(crate) async fn run(args: CompactArgs) -> Result<u8> {
    let lake = Lake::open_existing(&args.lake)?;
    let mut done = Compacted { run_id: new_run_id(), dry_run: args.dry_run, windows: Vec::new() };
    let mut first = None;
    let stop = Stop::default();
    let run_id = Some(done.run_id.clone());
    signals::stop_on_signals(stop.clone(), "stopping after this window", run_id)?;
    'windows: for dir in chosen(&lake, args.table.as_deref()).await? {
        for window in snapshot(&lake, &dir).await?.windows {
            if let Some(cause) = stop.cause() {
                first = first.or_else(|| Some(cause.error().hint(GO_ON)));
                break 'windows;
            }
            let clock = Arc::new(SystemClock);
            let window = match args.dry_run {
                true => window,
                false => completed((&lake, &dir), window, &done.run_id, clock).await?,
            };
            let Some(plan) = planned(&window, args.target_file, SystemClock.now()) else {
                continue;
            };
            let mut entry = Entry::new(&window, plan);
            if !args.dry_run
                && matches!(plan, Plan::Merge(_))
                && let Err(error) =
                    merge(&lake, &dir, &window, &args, &done.run_id, &mut entry).await
            {
                tracing::error!(window = %window.name, "could not compact: {error}");
                entry.files_after = entry.files_before;
                entry.error = Some(error.to_string());
                first = first.or(Some(error));
            }
            done.windows.push(entry);
        }
    }
    match args.format {
        Format::Json => json(&done)?,
        Format::Table => out(&text(&done))?,
    }
    first.map_or(Ok(0), Err)
}

async fn merge(
    lake: &Lake,
    dir: &TableDir,
    window: &WindowState,
    args: &CompactArgs,
    run_id: &str,
    entry: &mut Entry,
) -> Result<()> {
    let clock = Arc::new(SystemClock);
    // Somebody who came between has left other files: those are looked at the next time.
    match compact(lake, dir, window, args.target_file, run_id, clock).await? {
        Some(manifest) => entry.done(&manifest),
        None => entry.files_after = entry.files_before,
    }
    Ok(())
}

impl Entry {
    fn new(window: &WindowState, plan: Plan) -> Self {
        let manifest = &window.manifest;
        let (files_after, left) = match plan {
            Plan::Merge(after) => (after, None),
            Plan::Leave(why) => (manifest.published.len(), Some(why)),
        };
        Self {
            table: manifest.table.clone(),
            source: manifest.source.clone(),
            stream: manifest.stream.clone(),
            window: window.name.id().to_string(),
            shown: shown(&window.name.id()),
            files_before: manifest.published.len(),
            files_after,
            bytes_before: bytes(&manifest.published),
            bytes_after: None,
            left,
            error: None,
        }
    }

    fn done(&mut self, manifest: &Manifest) {
        self.files_after = manifest.published.len();
        self.bytes_after = Some(bytes(&manifest.published));
    }
}

fn bytes(files: &[DataFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

fn text(done: &Compacted) -> String {
    if done.windows.is_empty() {
        return "no window has small files to merge\n".to_owned();
    }
    let mut table = TextTable::new(&[
        ("table", Align::Left),
        ("stream", Align::Left),
        ("window", Align::Left),
        ("files", Align::Right),
        (if done.dry_run { "would be" } else { "now" }, Align::Right),
        ("bytes", Align::Right),
        ("now", Align::Right),
        ("note", Align::Left),
    ]);
    for entry in &done.windows {
        table.row(vec![
            entry.table.clone(),
            entry.stream.clone(),
            entry.shown.clone(),
            entry.files_before.to_string(),
            entry.files_after.to_string(),
            thousands(entry.bytes_before),
            entry.bytes_after.map(thousands).unwrap_or_default(),
            entry.error.as_deref().or(entry.left).unwrap_or_default().to_owned(),
        ]);
    }
    table.text()
}
