//! `lakeward reconcile`: polls the windows that webhooks should have brought, and says what they missed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::landing::ReconcileArgs;
use crate::cli::args::values::Format;
use crate::cli::args::{LogFormat, Windows};
use crate::cli::lineage::Lineage;
use crate::cli::render::{Align, TextTable, json, out, thousands};
use crate::cli::{extract, failures, metrics_file, selection};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Result};
use crate::lake::store::Lake;
use crate::run::extract::{Extraction, Limits, new_run_id};
use crate::run::land::LandOptions;
use crate::run::plan::units;
use crate::run::progress::Progress;
use crate::run::report::RunReport;
use crate::run::stop::Stop;
use crate::spec::source::{Source, Stream};
use crate::webhook::land::{Inlet, land, streams};
use crate::webhook::reconcile::report::{Reconciled, StreamReport};
use crate::webhook::reconcile::{compare, is_comparable};
use crate::window::Window;

/// A window where `--lookback` says nothing else.
const HOUR: Duration = Duration::from_secs(3_600);
/// The same of `--date` and of `--from` and `--to`.
const DAY: Duration = Duration::from_secs(86_400);
/// Missed records that the table names.
const NAMED: usize = 5;

/// Lands, polls, compares, prints; exit as what was landed or polled, or 7 where too much was missed.
pub(crate) async fn run(args: ReconcileArgs, log: LogFormat) -> Result<u8> {
    let (format, run_id) = (args.report, new_run_id());
    let metrics = args.metrics_file.clone();
    let reconciled = match reconcile(args, run_id.clone()).await {
        Ok(reconciled) => reconciled,
        Err(error) => {
            let failed = RunReport::failed(run_id, &error);
            metrics_file::write_run(metrics.as_deref(), &failed);
            if format == Format::Json {
                json(&failed)?;
            }
            return Err(error);
        }
    };
    metrics_file::write_reconciled(metrics.as_deref(), &reconciled);
    match format {
        Format::Json => json(&reconciled)?,
        Format::Table => out(&text(&reconciled))?,
    }
    if let Some(landed) = &reconciled.landed {
        failures::print_failures(log, landed);
    }
    failures::print_failures(log, &reconciled.polled);
    if let Some(failure) = &reconciled.error {
        failures::print_failure(log, reconciled.exit, failure);
    }
    Ok(reconciled.exit)
}

async fn reconcile(args: ReconcileArgs, run_id: String) -> Result<Reconciled> {
    let lineage = Lineage::start(args.openlineage.as_deref())?;
    let ended = reconciled(args, run_id, &lineage).await;
    lineage.finish().await;
    ended
}

async fn reconciled(args: ReconcileArgs, run_id: String, lineage: &Lineage) -> Result<Reconciled> {
    let source = Arc::new(Source::load(&args.source)?);
    let windows = windows(&args)?;
    let streams = streams(&source, &args.streams)?;
    streams.iter().try_for_each(|stream| is_comparable(stream))?;
    let names: Vec<String> = streams.iter().map(|stream| stream.name.clone()).collect();
    let units = units(&source, &names, &windows)?;
    let (lake, stop) = (Lake::open(&args.lake)?, Stop::default());
    let landed = landed(&args, &source, &lake, &names, (&run_id, &stop, lineage)).await?;
    let extraction = Extraction {
        run_id: run_id.clone(),
        source: Arc::clone(&source),
        lake: lake.clone(),
        progress: Arc::new(Progress::new(units.len()).telling(lineage.listener())),
        units,
        refresh: true,
        accept_drift: false,
        jobs: Some(usize::from(args.jobs)),
        memory: args.memory,
        limits: Limits::default(),
        clock: Arc::new(SystemClock),
        stop,
    };
    let polled = extract::watched(extraction).await?;
    let streams = compared(&lake, &source, &streams, (&windows, &polled)).await?;
    Ok(Reconciled::new(run_id, (landed, polled), streams, args.max_missed))
}

/// Lands what waits in the inbox, where one is named.
async fn landed(
    args: &ReconcileArgs,
    source: &Arc<Source>,
    lake: &Lake,
    names: &[String],
    (run_id, stop, lineage): (&str, &Stop, &Lineage),
) -> Result<Option<RunReport>> {
    let Some(inbox) = &args.inbox else { return Ok(None) };
    let inlet = Inlet { inbox: inbox.clone(), streams: names.to_vec(), resting: BTreeSet::new() };
    let options = LandOptions {
        run_id: run_id.to_owned(),
        source: Arc::clone(source),
        lake: lake.clone(),
        accept_drift: false,
        memory: args.memory,
        clock: Arc::new(SystemClock),
        stop: stop.clone(),
        progress: Arc::new(Progress::new(0).telling(lineage.listener())),
    };
    land(&inlet, options).await.map(Some)
}

/// Compares what was polled; a window that could not be polled says nothing of what was missed.
async fn compared(
    lake: &Lake,
    source: &Source,
    streams: &[Arc<Stream>],
    (windows, polled): (&[Window], &RunReport),
) -> Result<Vec<StreamReport>> {
    let mut reports = Vec::new();
    for stream in streams {
        let has = |window: &&Window| {
            polled.windows.iter().any(|report| {
                let same = report.stream == stream.name && report.window.window == **window;
                same && report.exit == 0
            })
        };
        let windows: Vec<Window> = windows.iter().filter(has).copied().collect();
        reports.push(compare(lake, &source.name, stream, &windows).await?);
    }
    Ok(reports)
}

fn windows(args: &ReconcileArgs) -> Result<Vec<Window>> {
    let ReconcileArgs { date, from, to, lookback, every, .. } = args;
    let every = every.unwrap_or(if lookback.is_some() { HOUR } else { DAY });
    let windows = Windows { date: *date, from: *from, to: *to, every };
    let wrong = |error: Error| {
        error.hint("name them with --lookback 2h, --date 2026-03-17, or --from and --to")
    };
    selection::windows(&windows, *lookback, SystemClock.now()).map_err(wrong)
}

/// For a person: what was polled, then a line a stream, then the missed by name.
fn text(reconciled: &Reconciled) -> String {
    let mut text = String::new();
    if let Some(landed) = reconciled.landed.as_ref().filter(|landed| !landed.windows.is_empty()) {
        text.push_str(&format!("landed\n{}\n", extract::table(landed)));
    }
    text.push_str(&format!("polled\n{}\nby webhook\n", extract::table(&reconciled.polled)));
    let columns =
        ["polled", "delivered", "missed", "share", "stale", "late p50", "p90", "p99", "max"];
    let mut columns: Vec<(&str, Align)> = columns.map(|name| (name, Align::Right)).to_vec();
    columns.insert(0, ("stream", Align::Left));
    let mut table = TextTable::new(&columns);
    for stream in &reconciled.streams {
        let late = stream.late.as_ref();
        let late = late.map_or([None; 4], |late| {
            [late.p50_ms, late.p90_ms, late.p99_ms, late.max_ms].map(Some)
        });
        let mut row = vec![stream.stream.clone()];
        row.extend([stream.polled, stream.delivered, stream.missed].map(thousands));
        row.push(format!("{:.2} %", stream.missed_share * 100.0));
        row.push(thousands(stream.stale));
        row.extend(late.map(|ms| ms.map(seconds).unwrap_or_default()));
        table.row(row);
    }
    text.push_str(&table.text());
    if reconciled.unlanded > 0 {
        let batches = if reconciled.unlanded == 1 { "batch" } else { "batches" };
        text.push_str(&format!(
            "{} {batches} of events not landed: their records count as missed\n",
            reconciled.unlanded
        ));
    }
    for stream in reconciled.streams.iter().filter(|stream| stream.missed > 0) {
        let ids: Vec<&str> = stream.missed_ids.iter().take(NAMED).map(String::as_str).collect();
        let more = stream.missed.saturating_sub(ids.len() as u64);
        let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
        text.push_str(&format!("{} missed: {}{more}\n", stream.stream, ids.join(", ")));
    }
    text
}

/// Milliseconds as people read them.
fn seconds(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    match ms {
        0..10_000 => format!("{sign}{}.{:03} s", ms / 1_000, ms % 1_000),
        10_000..600_000 => format!("{sign}{} s", ms / 1_000),
        600_000..36_000_000 => format!("{sign}{} min", ms / 60_000),
        _ => format!("{sign}{} h", thousands(ms / 3_600_000)),
    }
}
