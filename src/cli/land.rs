//! `lakeward land`: the events of an inbox into the lake, once or again and again.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::LogFormat;
use crate::cli::args::landing::LandArgs;
use crate::cli::args::values::Format;
use crate::cli::render::{json, line, out};
use crate::cli::{extract, failures, signals};
use crate::clock::SystemClock;
use crate::error::{Error, Result};
use crate::lake::store::Lake;
use crate::run::extract::new_run_id;
use crate::run::land::LandOptions;
use crate::run::report::RunReport;
use crate::run::stop::{Cause, Stop};
use crate::spec::source::Source;
use crate::webhook::land::{Inlet, land};

/// Lands what is in the inbox, and prints what became of it.
pub(crate) async fn run(args: LandArgs, log: LogFormat) -> Result<u8> {
    let stop = Stop::default();
    signals::stop_on_signals(stop.clone(), "stopping after this batch", None)?;
    // What is wrong with the files or the options ends the command at once, also one that is to go on for ever.
    let first = once(&args, &stop).await;
    let Some(every) = args.every else { return told(&args, log, first, stop.cause()) };
    let mut landed = first.map(Some).or_else(|error| passing(error, log))?;
    loop {
        if let Some(report) = landed.take().filter(|report| !report.windows.is_empty()) {
            print(&args, log, &report)?;
        }
        if let Some(cause) = stopped(&stop, every).await {
            tracing::info!("stopped: the inbox keeps what has not landed");
            return Ok(cause.kind().exit_code());
        }
        landed = once(&args, &stop).await.map(Some).unwrap_or_else(|error| {
            failures::print_error(log, &error);
            None
        });
    }
}

/// Lands once.
async fn once(args: &LandArgs, stop: &Stop) -> Result<RunReport> {
    let source = Source::load(&args.source)?;
    let inlet = Inlet { inbox: args.inbox.clone(), streams: args.streams.clone() };
    let options = LandOptions {
        run_id: new_run_id(),
        source: Arc::new(source),
        lake: Lake::open(&args.lake)?,
        accept_drift: args.accept_drift,
        memory: args.memory,
        clock: Arc::new(SystemClock),
        stop: stop.clone(),
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
            if args.report == Format::Json {
                json(&RunReport::failed(new_run_id(), &error))?;
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
    match args.report {
        // One document a line, where there are several.
        Format::Json if args.every.is_some() => line(report)?,
        Format::Json => json(report)?,
        Format::Table if report.windows.is_empty() => out("nothing waits in the inbox\n")?,
        Format::Table => out(&extract::table(report))?,
    }
    failures::print_failures(log, report);
    Ok(())
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
