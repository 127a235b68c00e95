//! A whole run: several windows at once, each on its own, and one report.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::client::Client;
use crate::lake::budget::Budget;
use crate::lake::store::Lake;
use crate::manifest::history::Profiles;
use crate::page::Meter;
use crate::run::evolution;
use crate::run::plan::Unit;
use crate::run::progress::Progress;
use crate::run::report::{Outcome, RunReport, Traffic, WindowReport};
use crate::run::shared::Run;
use crate::run::stop::{Cause, Stop};
use crate::run::window::{self, Feed};
use crate::spec::source::Source;

/// Bounds of a whole run; past either, a checkpoint is saved and the run ends with exit 5.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// From the start of the run.
    pub deadline: Option<Duration>,
    /// Requests of all windows, retries included.
    pub requests: Option<u64>,
}

/// A new run's id; ids sort by time.
pub fn new_run_id() -> String {
    Uuid::now_v7().to_string()
}

/// What to extract, from where, and how.
#[derive(Debug)]
pub struct Extraction {
    /// The run's id, in every log line, manifest and data file of it.
    pub run_id: String,
    /// The API.
    pub source: Arc<Source>,
    /// Where the rows go.
    pub lake: Lake,
    /// The windows, in the order that decides the exit code.
    pub units: Vec<Unit>,
    /// Whether committed windows are fetched again and replaced.
    pub refresh: bool,
    /// Whether the staged rows of windows that the contract stopped are published, unjudged and without a request.
    pub accept_drift: bool,
    /// Windows in flight at once, at least 1; `None` for as many as pay on this machine and fit in the memory.
    pub jobs: Option<usize>,
    /// Bytes of memory for the whole run; without it only the bounds of each window hold.
    pub memory: Option<u64>,
    /// Bounds of the whole run.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Asks for an early, orderly end.
    pub stop: Stop,
    /// Raised as the run goes.
    pub progress: Arc<Progress>,
}

/// Tries every window; a failure stops only its own.
///
/// # Errors
/// Only what concerns no window: a client that cannot be built, a lake that cannot be opened, too little memory.
pub async fn extract(extraction: Extraction) -> Result<RunReport> {
    let span = tracing::info_span!("run", run_id = %extraction.run_id);
    extract_all(extraction).instrument(span).await
}

async fn extract_all(extraction: Extraction) -> Result<RunReport> {
    let Extraction { run_id, source, lake, units, refresh, jobs, .. } = extraction;
    let Extraction { accept_drift, memory, limits, clock, stop, progress, .. } = extraction;
    let (jobs, budget) = jobs_and_budget(jobs, memory, &lake, &units)?;
    lake.probe().await?;
    let client = Client::new(&source, Arc::clone(&clock))?.with_room(budget.room());
    progress.watch(client.clone());
    let run = Arc::new(Run {
        run_id,
        client: Some(match limits.requests {
            Some(requests) => client.with_budget(requests),
            None => client,
        }),
        source,
        lake,
        history: Profiles::default(),
        budget: Arc::new(budget),
        refresh,
        accept_drift,
        extracted_at: clock.now(),
        clock,
        stop: stop.clone(),
        progress,
        meter: Meter::default(),
    });
    evolution::check(&run, &units).await?;
    let deadline = limits.deadline.map(|deadline| {
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stop.because(Cause::Deadline);
        })
    });
    let windows = futures::stream::iter(units)
        .map(|unit| one(Arc::clone(&run), unit))
        .buffered(jobs)
        .collect::<Vec<WindowReport>>()
        .await;
    if let Some(deadline) = deadline {
        deadline.abort();
    }
    run.client()?.settle().await;
    let traffic = Traffic::from(&run.meter);
    Ok(RunReport::new(run.run_id.clone(), windows, traffic))
}

/// How many windows are in flight at once, and what they may take.
fn jobs_and_budget(
    jobs: Option<usize>,
    memory: Option<u64>,
    lake: &Lake,
    units: &[Unit],
) -> Result<(usize, Budget)> {
    let mut at_once = jobs.unwrap_or_else(usual_jobs).min(units.len()).max(1);
    let Some(total) = memory else { return Ok((at_once, Budget::default())) };
    loop {
        let tables = units.iter().map(|unit| &*unit.stream.table);
        match Budget::of(total, at_once, lake.is_local(), tables) {
            Ok(budget) => return Ok((at_once, budget)),
            Err(_) if jobs.is_none() && at_once > 1 => at_once -= 1,
            Err(error) => return Err(error),
        }
    }
}

/// Windows whose requests overlap while the cores have enough to decode: an API's round trip is longer than what its page
/// takes of a core.
fn usual_jobs() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    (cores * 4).min(32)
}

/// One window on a task of its own, so that windows share the cores.
async fn one(run: Arc<Run>, unit: Unit) -> WindowReport {
    let span = tracing::info_span!(
        "window",
        stream = %unit.stream.name,
        window = %unit.id(),
    );
    let of = (Arc::clone(&run), unit.clone());
    let task = async move { window::run(&of.0, &of.1, &Feed::Api).await };
    let task = tokio::spawn(task.instrument(span));
    let report = match task.await {
        Ok(report) => report,
        Err(panic) => {
            let error =
                Error::new(ErrorKind::Unexpected, "the window's task stopped").caused_by(panic);
            WindowReport::failed(&run.source.name, &unit, &error)
        }
    };
    run.progress.window_done(report.outcome != Outcome::Unchanged);
    report
}
