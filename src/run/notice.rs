//! What a run tells of its windows while it goes, to who listens.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::lake::store::Lake;
use crate::run::plan::Unit;
use crate::run::report::WindowReport;
use crate::spec::source::Source;

/// A window, or a batch, and what befell it.
#[derive(Clone, Debug)]
pub struct Notice {
    /// When.
    pub at: DateTime<Utc>,
    /// The run's id.
    pub run_id: String,
    /// Where its records come from.
    pub source: Arc<Source>,
    /// Where its rows go.
    pub lake: Lake,
    /// The window.
    pub unit: Unit,
    /// What befell it.
    pub happened: Happened,
}

/// What befalls a window.
#[derive(Clone, Debug)]
pub enum Happened {
    /// This run holds it now, and begins to work on it.
    Begun,
    /// It ended, well or not; also one that was never begun.
    Ended(Box<WindowReport>),
}
