//! `lakeward extract`: windows of time from an API into the lake.

use std::sync::Arc;

use crate::cli::args::{ExtractArgs, Format};
use crate::cli::render::{Align, TextTable, json, out, thousands};
use crate::cli::{progress, selection, signals};
use crate::clock::{Clock as _, SystemClock};
use crate::error::Result;
use crate::lake::store::Lake;
use crate::run::extract::{Extraction, Limits, extract};
use crate::run::plan::units;
use crate::run::progress::Progress;
use crate::run::report::{Outcome, RunReport};
use crate::run::stop::Stop;
use crate::spec::source::Source;

/// Extracts, prints the report on stdout and the failures on stderr.
pub(crate) async fn run(args: ExtractArgs) -> Result<u8> {
    let source = Source::load(&args.source)?;
    let windows = selection::windows(&args.windows, args.lookback, SystemClock.now())?;
    let units = units(&source, &args.streams, &windows)?;
    let stop = Stop::default();
    signals::stop_on_signals(stop.clone())?;
    let progress = Arc::new(Progress::new(units.len()));
    let bar = progress::show(Arc::clone(&progress));
    let extraction = Extraction {
        source: Arc::new(source),
        lake: Lake::open(&args.lake)?,
        units,
        refresh: args.refresh || args.lookback.is_some(),
        jobs: usize::from(args.jobs),
        limits: Limits { deadline: args.deadline, requests: args.max_requests },
        clock: Arc::new(SystemClock),
        stop,
        progress,
    };
    let ended = extract(extraction).await;
    if let Some(bar) = bar {
        bar.abort();
        let _ = bar.await;
    }
    let report = ended?;
    match args.report {
        Format::Json => json(&report)?,
        Format::Table => out(&table(&report))?,
    }
    Ok(report.exit)
}

/// The report for a person: a line a window, and what failed below.
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
            window.window.to_string(),
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
    let unchanged = report.windows.iter().filter(|w| w.outcome == Outcome::Unchanged).count();
    if unchanged > 0 {
        let what = if unchanged == report.windows.len() { "nothing to do: " } else { "" };
        text.push_str(&format!(
            "{what}{unchanged} of {} windows already committed (--refresh fetches them again)\n",
            report.windows.len()
        ));
    }
    text
}
