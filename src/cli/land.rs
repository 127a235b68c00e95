//! `lakeward land`: the events of an inbox into the lake, once or again and again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::args::LogFormat;
use crate::cli::args::landing::LandArgs;
use crate::cli::args::values::Format;
use crate::cli::lineage::Lineage;
use crate::cli::render::{json, line, out};
use crate::cli::{extract, failures, metrics_file, signals};
use crate::clock::SystemClock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::Lake;
use crate::run::extract::new_run_id;
use crate::run::land::LandOptions;
use crate::run::progress::Progress;
use crate::run::report::{RunReport, WindowReport};
use crate::run::stop::{Cause, Stop};
use crate::spec::source::Source;
use crate::webhook::land::{Inlet, land};

/// Lands what is in the inbox, and prints what became of it.
pub(crate) async fn run(args: LandArgs, log: LogFormat) -> Result<u8> {
    let lineage = Lineage::start(args.openlineage.as_deref())?;
    let ended = once_or_again(args, log, &lineage).await;
    lineage.finish().await;
    ended
}

async fn once_or_again(args: LandArgs, log: LogFormat, lineage: &Lineage) -> Result<u8> {
    let stop = Stop::default();
    signals::stop_on_signals(stop.clone(), "stopping after this batch", None)?;
    // What is wrong with the files or the options ends the command at once, also one that is to go on for ever.
    let mut resting = Resting::default();
    let first = once(&args, &stop, &resting, lineage).await;
    let Some(every) = args.every else { return told(&args, log, first, stop.cause()) };
    let mut landed = first.map(Some).or_else(|error| passing(error, log))?;
    loop {
        if let Some(report) = landed.take().filter(|report| !is_empty(report)) {
            print(&args, log, &report)?;
            resting.note(&report, every);
        }
        if let Some(cause) = stopped(&stop, every).await {
            tracing::info!("stopped: the inbox keeps what has not landed");
            return Ok(cause.kind().exit_code());
        }
        landed = once(&args, &stop, &resting, lineage).await.map(Some).unwrap_or_else(|error| {
            failures::print_error(log, &error);
            None
        });
    }
}

/// Lands once.
async fn once(
    args: &LandArgs,
    stop: &Stop,
    resting: &Resting,
    lineage: &Lineage,
) -> Result<RunReport> {
    let source = Source::load(&args.source)?;
    let resting = resting.names(Instant::now());
    let inlet = Inlet { inbox: args.inbox.clone(), streams: args.streams.clone(), resting };
    let options = LandOptions {
        run_id: new_run_id(),
        source: Arc::new(source),
        lake: Lake::open(&args.lake)?,
        accept_drift: args.accept_drift,
        memory: args.memory,
        clock: Arc::new(SystemClock),
        stop: stop.clone(),
        progress: Arc::new(Progress::new(0).telling(lineage.listener())),
    };
    land(&inlet, options).await
}

fn told(
    args: &LandArgs,
    log: LogFormat,
    landed: Result<RunReport>,
    stopped: Option<Cause>,
) -> Result<u8> {
    let report = match landed {
        Ok(report) => report,
        Err(error) => {
            let failed = RunReport::failed(new_run_id(), &error);
            metrics_file::write_run(args.metrics_file.as_deref(), &failed);
            if args.report == Format::Json {
                json(&failed)?;
            }
            return Err(error);
        }
    };
    print(args, log, &report)?;
    // Stopped between two batches, none of them says so.
    let stopped = stopped.map_or(0, |cause| cause.kind().exit_code());
    Ok(if report.exit == 0 { stopped } else { report.exit })
}

fn print(args: &LandArgs, log: LogFormat, report: &RunReport) -> Result<()> {
    metrics_file::write_run(args.metrics_file.as_deref(), report);
    match args.report {
        // One document a line, where there are several.
        Format::Json if args.every.is_some() => line(report)?,
        Format::Json => json(report)?,
        Format::Table if is_empty(report) => {
            out("nothing of this source waits in the inbox (`lakeward inbox list` shows all)\n")?;
        }
        Format::Table if report.windows.is_empty() => {}
        Format::Table => out(&extract::table(report))?,
    }
    failures::print_failures(log, report);
    let code = ErrorKind::Config.exit_code();
    report.left.iter().for_each(|left| failures::print_failure(log, code, left));
    Ok(())
}

fn is_empty(report: &RunReport) -> bool {
    report.windows.is_empty() && report.left.is_empty()
}

/// Batches that stay as they are without a change of the source, and how long each is left alone: twice as long each
/// time, as every try leaves a manifest, a report and dead letters.
#[derive(Debug, Default)]
struct Resting(HashMap<String, (Duration, Instant)>);

impl Resting {
    /// The longest rest: how long a mended schema file may have to wait.
    const MOST: Duration = Duration::from_secs(900);

    fn names(&self, now: Instant) -> BTreeSet<String> {
        let rests = self.0.iter().filter(|(_, (_, until))| now < *until);
        rests.map(|(name, _)| name.clone()).collect()
    }

    fn note(&mut self, report: &RunReport, every: Duration) {
        let name = |window: &WindowReport| {
            format!("{}.{}.{}", window.source, window.stream, window.window.id)
        };
        let failed = |window: &&WindowReport| window.error.as_ref().is_some_and(|e| !e.transient);
        // With `history: true` a batch is two windows, of which one may have landed.
        let stopped: BTreeSet<String> = report.windows.iter().filter(failed).map(name).collect();
        for landed in report.windows.iter().map(name).filter(|name| !stopped.contains(name)) {
            self.0.remove(&landed);
        }
        for name in stopped {
            let rest = self.0.get(&name).map_or(every, |(rest, _)| rest.saturating_mul(2));
            let rest = rest.min(Self::MOST.max(every));
            let until = Instant::now().checked_add(rest).unwrap_or_else(Instant::now);
            self.0.insert(name, (rest, until));
        }
    }
}

/// Goes on where the same may succeed later without a change.
fn passing(error: Error, log: LogFormat) -> Result<Option<RunReport>> {
    if !error.kind().is_transient() {
        return Err(error);
    }
    failures::print_error(log, &error);
    Ok(None)
}

/// Waits; the cause where the wait was ended, or was not begun.
async fn stopped(stop: &Stop, every: Duration) -> Option<Cause> {
    let ended = stop.child();
    let _ = ended.run_until_cancelled(tokio::time::sleep(every)).await;
    stop.cause()
}
