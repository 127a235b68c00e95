//! `lakeward extract`: windows of time from an API into the lake.

use std::sync::Arc;

use crate::cli::args::values::{Format, Jobs};
use crate::cli::args::{ExtractArgs, LogFormat};
use crate::cli::lineage::Lineage;
use crate::cli::render::{Align, TextTable, json, out, shown, thousands};
use crate::cli::{failures, metrics_file, progress, selection, signals};
use crate::clock::{Clock as _, SystemClock};
use crate::error::Result;
use crate::lake::store::Lake;
use crate::run::extract::{Extraction, Limits, extract, new_run_id};
use crate::run::plan::units;
use crate::run::progress::Progress;
use crate::run::report::{Outcome, RunReport};
use crate::run::stop::Stop;
use crate::spec::source::Source;

/// Extracts, prints the report on stdout and the failures on stderr.
pub(crate) async fn run(args: ExtractArgs, log: LogFormat) -> Result<u8> {
    let (format, metrics) = (args.report, args.metrics_file.clone());
    let run_id = new_run_id();
    let report = match report(args, run_id.clone()).await {
        Ok(report) => report,
        Err(error) => {
            // Who asked for a document gets one, also of a run that came to no window.
            let failed = RunReport::failed(run_id, &error);
            metrics_file::write_run(metrics.as_deref(), &failed);
            if format == Format::Json {
                json(&failed)?;
            }
            return Err(error);
        }
    };
    metrics_file::write_run(metrics.as_deref(), &report);
    match format {
        Format::Json => json(&report)?,
        Format::Table => out(&table(&report))?,
    }
    failures::print_failures(log, &report);
    Ok(report.exit)
}

async fn report(args: ExtractArgs, run_id: String) -> Result<RunReport> {
    let lineage = Lineage::start(args.openlineage.as_deref())?;
    let ended = extracted(args, run_id, &lineage).await;
    lineage.finish().await;
    ended
}

async fn extracted(args: ExtractArgs, run_id: String, lineage: &Lineage) -> Result<RunReport> {
    let source = Source::load(&args.source)?;
    let windows = selection::windows(&args.windows, args.lookback, SystemClock.now())?;
    let units = units(&source, &args.streams, &windows)?;
    let extraction = Extraction {
        run_id,
        source: Arc::new(source),
        lake: Lake::open(&args.lake)?,
        progress: Arc::new(Progress::new(units.len()).telling(lineage.listener())),
        units,
        refresh: args.refresh || args.lookback.is_some(),
        accept_drift: args.accept_drift,
        jobs: match args.jobs {
            Jobs::Of(number) => Some(usize::from(number)),
            Jobs::Auto => None,
        },
        memory: args.memory,
        limits: Limits { deadline: args.deadline, requests: args.max_requests },
        clock: Arc::new(SystemClock),
        stop: Stop::default(),
    };
    watched(extraction).await
}

/// Extracts with a progress bar, and ends in order at a signal.
pub(crate) async fn watched(extraction: Extraction) -> Result<RunReport> {
    let run_id = Some(extraction.run_id.clone());
    signals::stop_on_signals(extraction.stop.clone(), "stopping: saving a checkpoint", run_id)?;
    let bar = progress::show(Arc::clone(&extraction.progress));
    let ended = extract(extraction).await;
    if let Some(bar) = bar {
        bar.abort();
        let _ = bar.await;
    }
    ended
}

/// The report for a person: a line a window, and what the lines may not say.
pub(crate) fn table(report: &RunReport) -> String {
    let mut table = TextTable::new(&[
        ("stream", Align::Left),
        ("window", Align::Left),
        ("outcome", Align::Left),
        ("written", Align::Right),
        ("rejected", Align::Right),
        ("duplicates", Align::Right),
        ("outside", Align::Right),
        ("drift", Align::Right),
        ("files", Align::Right),
        ("exit", Align::Right),
    ]);
    for window in &report.windows {
        let counts = window.counts.unwrap_or_default();
        table.row(vec![
            window.stream.clone(),
            shown(&window.window.id),
            window.outcome.name().to_owned(),
            thousands(counts.written),
            thousands(counts.rejected),
            thousands(counts.duplicates),
            thousands(counts.outside),
            window.drift.as_ref().map_or(0, |drift| drift.findings).to_string(),
            window.files.len().to_string(),
            window.exit.to_string(),
        ]);
    }
    let mut text = table.text();
    let unchanged = |batch: bool| {
        let all = report.windows.iter().filter(|w| w.outcome == Outcome::Unchanged);
        all.filter(|w| w.window.id.is_batch() == batch).count()
    };
    let (unchanged, landed) = (unchanged(false), unchanged(true));
    if landed > 0 {
        text.push_str(&format!(
            "{landed} of {} batches were in the lake already, and have left the inbox now\n",
            report.windows.len()
        ));
    }
    if unchanged > 0 {
        let what = if unchanged == report.windows.len() { "nothing to do: " } else { "" };
        text.push_str(&format!(
            "{what}{unchanged} of {} windows already committed (--refresh fetches them again)\n",
            report.windows.len()
        ));
    }
    let asked = report.windows.iter().filter(|w| w.outcome == Outcome::NotModified).count();
    if asked > 0 {
        text.push_str(&format!(
            "{asked} of {} windows have not changed since their commit, says the API (304)\n",
            report.windows.len()
        ));
    }
    let traffic = report.traffic;
    if traffic.retries > 0 || traffic.throttled > 0 {
        text.push_str(&format!(
            "{} requests, {} of them sent again; the API asked {} times to slow down\n",
            thousands(traffic.requests),
            thousands(traffic.retries),
            thousands(traffic.throttled)
        ));
    }
    text.push_str(&failed(report));
    text
}

/// How much of the run failed, and what the counts of those lines mean.
fn failed(report: &RunReport) -> String {
    let failed: Vec<_> = report.windows.iter().filter(|w| w.outcome == Outcome::Failed).collect();
    if failed.is_empty() {
        return String::new();
    }
    let staged =
        failed.iter().any(|w| w.counts.is_some_and(|c| c.written > 0) && w.files.is_empty());
    let staged = if staged { "; their counts are of rows that no reader sees yet" } else { "" };
    format!(
        "{} of {} windows failed, nothing of them was published in this run{staged}\n",
        failed.len(),
        report.windows.len()
    )
}
