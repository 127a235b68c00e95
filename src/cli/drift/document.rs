//! What is told of a lake's drift, in whatever form.

use serde::Serialize;

use crate::drift::changes::Change;
use crate::drift::profile::Profile;
use crate::drift::report::DriftReport;

/// What is told of one stream of a table.
#[derive(Debug, Serialize)]
pub(super) struct StreamDrift {
    pub(super) table: String,
    pub(super) source: String,
    pub(super) stream: String,
    /// Whether these are batches of webhook events: what they are like says nothing of windows, nor these of them.
    pub(super) by_webhook: bool,
    /// What changed over all of its windows.
    pub(super) changes: Vec<Change>,
    /// Each window that has a report.
    pub(super) windows: Vec<WindowDrift>,
}

/// What is told of a window.
#[derive(Debug, Serialize)]
pub(super) struct WindowDrift {
    /// `committed`, or `failed` where the report kept it from being published.
    pub(super) state: &'static str,
    /// Where the report is, relative to the lake.
    pub(super) path: String,
    pub(super) report: DriftReport,
    /// What its records were like, for the timeline.
    #[serde(skip)]
    pub(super) profile: Option<Profile>,
}

/// What is told of a lake.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    pub(super) lake: String,
    pub(super) streams: Vec<StreamDrift>,
}
