//! What the windows of a run share: one client with one pace, one lake, one clock.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::client::Client;
use crate::lake::budget::Budget;
use crate::lake::store::Lake;
use crate::manifest::history::Profiles;
use crate::page::Meter;
use crate::run::notice::{Happened, Notice};
use crate::run::plan::Unit;
use crate::run::progress::Progress;
use crate::run::stop::Stop;
use crate::spec::source::Source;

/// What the windows of a run share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) run_id: String,
    pub(crate) source: Arc<Source>,
    /// What asks the API; none of a run that asks nothing.
    pub(crate) client: Option<Client>,
    pub(crate) lake: Lake,
    pub(crate) history: Profiles,
    pub(crate) budget: Arc<Budget>,
    pub(crate) refresh: bool,
    pub(crate) accept_drift: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: Stop,
    pub(crate) progress: Arc<Progress>,
    pub(crate) extracted_at: DateTime<Utc>,
    /// What all windows have cost so far.
    pub(crate) meter: Meter,
}

impl Run {
    /// What asks the API.
    ///
    /// # Errors
    /// `Unexpected` in a run that is to ask nothing.
    pub(crate) fn client(&self) -> Result<&Client> {
        self.client.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, "this run has nothing to ask the API with")
        })
    }

    /// Tells who listens what befell a window.
    pub(crate) fn tell(&self, unit: &Unit, happened: impl FnOnce() -> Happened) {
        self.progress.tell(|| Notice {
            at: self.clock.now(),
            run_id: self.run_id.clone(),
            source: Arc::clone(&self.source),
            lake: self.lake.clone(),
            unit: unit.clone(),
            happened: happened(),
        });
    }

    /// Text of a record, maybe cut at its end, without the credentials that its API was asked with.
    pub(crate) fn scrub_cut(&self, text: &str) -> String {
        self.client.as_ref().map_or_else(|| text.to_owned(), |client| client.scrub_cut(text))
    }
}
