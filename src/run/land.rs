//! Batches of webhook events into the lake: the same decode, settle and publish as windows, their pages from memory.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::error::Result;
use crate::lake::budget::Budget;
use crate::lake::store::Lake;
use crate::manifest::history::Profiles;
use crate::page::Meter;
use crate::run::events::Events;
use crate::run::evolution;
use crate::run::plan::Unit;
use crate::run::progress::Progress;
use crate::run::report::WindowReport;
use crate::run::shared::Run;
use crate::run::stop::Stop;
use crate::run::window::{self, Feed};
use crate::spec::source::Source;
use crate::spec::table::Table;

/// Where batches go, and on whose behalf.
#[derive(Debug)]
pub struct LandOptions {
    /// The run's id, in every log line, manifest and data file of it.
    pub run_id: String,
    /// The source whose webhooks these are.
    pub source: Arc<Source>,
    /// Where the rows go.
    pub lake: Lake,
    /// Whether the staged rows of batches that the contract stopped are published, unjudged.
    pub accept_drift: bool,
    /// Bytes of memory for the run; without it only the bounds of each batch hold.
    pub memory: Option<u64>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Asks for an early, orderly end.
    pub stop: Stop,
    /// Raised as the run goes.
    pub progress: Arc<Progress>,
}

/// A run that lands batch after batch.
#[derive(Debug)]
pub struct Lander {
    run: Run,
}

impl Lander {
    /// Opens the lake for batches of these tables. Nothing is asked of the API, and no secret of it is needed.
    ///
    /// # Errors
    /// `Usage` for too little memory, `Store` for a lake that cannot be written.
    pub async fn open<'a>(
        options: LandOptions,
        tables: impl IntoIterator<Item = &'a Table>,
    ) -> Result<Self> {
        let LandOptions { run_id, source, lake, accept_drift, .. } = options;
        let LandOptions { memory, clock, stop, progress, .. } = options;
        let budget = match memory {
            Some(total) => Budget::of(total, 1, lake.is_local(), tables)?,
            None => Budget::default(),
        };
        lake.probe().await?;
        Ok(Self {
            run: Run {
                run_id,
                client: None,
                source,
                lake,
                history: Profiles::default(),
                budget: Arc::new(budget),
                refresh: false,
                accept_drift,
                extracted_at: clock.now(),
                clock,
                stop,
                progress,
                meter: Meter::default(),
            },
        })
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.run.clock.now()
    }

    /// Lands the events of a batch, whole or not at all, and says what became of it; a batch that the lake has is left as
    /// it is.
    pub async fn land(&self, unit: &Unit, events: Events) -> WindowReport {
        let span = tracing::info_span!("batch", stream = %unit.stream.name, window = %unit.id());
        let landed = async {
            if let Err(error) = evolution::check(&self.run, std::slice::from_ref(unit)).await {
                return WindowReport::failed(&self.run.source.name, unit, &error);
            }
            window::run(&self.run, unit, &Feed::Events(Arc::new(events))).await
        };
        landed.instrument(span).await
    }
}
