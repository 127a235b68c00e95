//! `lakeward redecode` and `lakeward rejects replay`: rows anew from what the lake holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::cli::args::lake::RedecodeArgs;
use crate::cli::args::values::Format;
use crate::cli::render::{Align, TextTable, json, out, shown, thousands};
use crate::cli::selection::Bounds;
use crate::cli::signals;
use crate::clock::SystemClock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::Lake;
use crate::manifest::history::Profiles;
use crate::manifest::snapshot::{WindowState, find_table, snapshot};
use crate::manifest::version::Manifest;
use crate::run::extract::new_run_id;
use crate::run::redecode::{Plan, Redecode};
use crate::run::rewrite::completed;
use crate::run::stop::Stop;
use crate::spec::table::Table;

const GO_ON: &str = "the same command goes on with the windows that were not reached";

#[derive(Serialize)]
struct Document {
    run_id: String,
    dry_run: bool,
    table: String,
    schema_fingerprint: String,
    /// Windows that were by the schema already, or had no dead letter to try.
    unchanged: u64,
    windows: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    source: String,
    stream: String,
    window: String,
    #[serde(skip)]
    shown: String,
    written_before: u64,
    rejected_before: u64,
    written: Option<u64>,
    rejected: Option<u64>,
    drift: Option<u64>,
    /// Why it is left as it is.
    left: Option<&'static str>,
    error: Option<String>,
}

/// Decodes anew the windows whose rows are by another schema.
pub(crate) async fn run(args: RedecodeArgs) -> Result<u8> {
    decode(args, false).await
}

/// Decodes anew the windows that have dead letters.
pub(crate) async fn replay(args: RedecodeArgs) -> Result<u8> {
    decode(args, true).await
}

async fn decode(args: RedecodeArgs, rejects: bool) -> Result<u8> {
    let table = Arc::new(Table::load(&args.schema)?);
    if table.raw_column.is_none() {
        let message = "the schema has `raw_column: null`: the records' text would be gone for good";
        return Err(Error::new(ErrorKind::Usage, message)
            .with("schema", args.schema.display())
            .hint("leave the raw column in, or extract the windows again with --refresh"));
    }
    let lake = Lake::open_existing(&args.lake)?;
    let within = Bounds::of(&args.within)?;
    let dir = find_table(&lake, &table.name).await?;
    let by = Redecode {
        lake: lake.clone(),
        dir: dir.clone(),
        table,
        run_id: new_run_id(),
        clock: Arc::new(SystemClock),
        history: Profiles::default(),
        accept_drift: args.accept_drift,
    };
    let mut windows = snapshot(&lake, &dir).await?.windows;
    let all = windows.clone();
    windows.retain(|window| within.touch(&window.manifest.window));
    of_streams(&mut windows, &args.streams)?;
    let rest = all.iter().filter(|window| windows.iter().all(|own| own.name != window.name));
    by.goes_with(rest)?;
    // Earlier ones first: a window's drift is judged by those before it.
    windows.sort_by_key(|window| window.manifest.window.start);
    let mut document = Document {
        run_id: by.run_id.clone(),
        dry_run: args.dry_run,
        table: by.table.name.clone(),
        schema_fingerprint: by.table.fingerprint(),
        unchanged: 0,
        windows: Vec::new(),
    };
    let failed = each(&by, windows, rejects, &mut document).await?;
    match args.format {
        Format::Json => json(&document)?,
        Format::Table => out(&text(&document))?,
    }
    failed.map_or(Ok(0), |error| Err(document.so_far(error)))
}

/// Leaves the windows of the streams that are named: a schema file is written for the records of one, as a rule.
fn of_streams(windows: &mut Vec<WindowState>, wanted: &[String]) -> Result<()> {
    let names = |window: &WindowState| {
        let WindowState { manifest, .. } = window;
        [format!("{}.{}", manifest.source, manifest.stream), manifest.stream.clone()]
    };
    let [all, short]: [BTreeSet<String>; 2] = [0, 1]
        .map(|at| windows.iter().filter_map(|window| names(window).get(at).cloned()).collect());
    let unknown = wanted.iter().find(|name| !all.contains(*name) && !short.contains(*name));
    let message = match unknown {
        Some(name) => format!("no windows of stream `{name}`"),
        None if wanted.is_empty() && all.len() > 1 => {
            "the table has rows of several streams".to_owned()
        }
        None => {
            let named =
                |window: &WindowState| names(window).iter().any(|name| wanted.contains(name));
            windows.retain(|window| wanted.is_empty() || named(window));
            return Ok(());
        }
    };
    let all: Vec<String> = all.into_iter().collect();
    Err(Error::new(ErrorKind::Usage, message)
        .hint(format!("say which the schema file is of, by --stream: {}", all.join(", "))))
}

/// Decodes window after window, and gives back the first failure.
async fn each(
    by: &Redecode,
    windows: Vec<WindowState>,
    rejects: bool,
    document: &mut Document,
) -> Result<Option<Error>> {
    let stop = Stop::default();
    signals::stop_on_signals(stop.clone(), "stopping after this window", Some(by.run_id.clone()))?;
    let mut first = None;
    for window in windows {
        if let Some(cause) = stop.cause() {
            return Ok(first.or_else(|| Some(cause.error().hint(GO_ON))));
        }
        let window = match document.dry_run {
            true => window,
            false => {
                completed((&by.lake, &by.dir), window, &by.run_id, Arc::clone(&by.clock)).await?
            }
        };
        let plan = by.planned(&window, rejects);
        if plan == Plan::Same {
            document.unchanged += 1;
            continue;
        }
        let mut entry = Entry::new(&window, plan);
        if let Plan::Leave(why) = plan
            && window.manifest.is_committed()
        {
            let error =
                Error::new(ErrorKind::Held, format!("windows were left as they are: {why}"));
            first = first
                .or_else(|| Some(error.hint("run the same command again when that has ended")));
        }
        if plan == Plan::Decode && !document.dry_run {
            match by.window(&window).await {
                Ok(Some(manifest)) => entry.done(&manifest),
                Ok(None) => entry.left = Some("another run came between: run the command again"),
                Err(error) => first = first.or(Some(entry.failed(error))),
            }
        }
        document.windows.push(entry);
    }
    Ok(first)
}

impl Document {
    /// The error, with what was decoded anew before it: windows of two schemas stand in one table then.
    fn so_far(&self, error: Error) -> Error {
        match self.windows.iter().filter(|entry| entry.written.is_some()).count() {
            0 => error,
            done => error.with(
                "decoded",
                format!("{done} of {} windows are by this schema now, the others by theirs: end it, or decode by the old schema to go back", self.windows.len()),
            ),
        }
    }
}

impl Entry {
    fn new(window: &WindowState, plan: Plan) -> Self {
        let manifest = &window.manifest;
        let counts = manifest.as_committed().map(|commit| commit.counts).unwrap_or_default();
        Self {
            source: manifest.source.clone(),
            stream: manifest.stream.clone(),
            window: window.name.id().to_string(),
            shown: shown(&window.name.id()),
            written_before: counts.written,
            rejected_before: counts.rejected,
            written: None,
            rejected: None,
            drift: None,
            left: if let Plan::Leave(why) = plan { Some(why) } else { None },
            error: None,
        }
    }

    fn done(&mut self, manifest: &Manifest) {
        self.written = Some(manifest.counts.written);
        self.rejected = Some(manifest.counts.rejected);
        self.drift = manifest.drift.as_ref().map(|drift| drift.findings);
    }

    fn failed(&mut self, error: Error) -> Error {
        tracing::error!(window = %self.window, "could not decode anew: {error}");
        self.error = Some(error.to_string());
        error
    }
}

fn text(document: &Document) -> String {
    let unchanged = match document.unchanged {
        0 => String::new(),
        n => format!("{} left as they are: nothing to do for them\n", thousands(n)),
    };
    if document.windows.is_empty() {
        return format!("no window to decode anew\n{unchanged}");
    }
    let mut table = TextTable::new(&[
        ("stream", Align::Left),
        ("window", Align::Left),
        ("rows", Align::Right),
        (if document.dry_run { "would be" } else { "now" }, Align::Right),
        ("rejected", Align::Right),
        ("now", Align::Right),
        ("drift", Align::Right),
        ("note", Align::Left),
    ]);
    let number = |count: Option<u64>| match count {
        Some(count) => thousands(count),
        None if document.dry_run => "?".to_owned(),
        None => String::new(),
    };
    for entry in &document.windows {
        table.row(vec![
            entry.stream.clone(),
            entry.shown.clone(),
            thousands(entry.written_before),
            number(entry.written),
            thousands(entry.rejected_before),
            number(entry.rejected),
            number(entry.drift),
            entry.error.as_deref().or(entry.left).unwrap_or_default().to_owned(),
        ]);
    }
    table.text() + &unchanged
}
