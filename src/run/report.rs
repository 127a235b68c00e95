//! What a run did, window by window: the JSON document that orchestrators read.

use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::manifest::version::{Counts, DataFile, Drift, Manifest};
use crate::page::Meter;
use crate::run::plan::Unit;
use crate::window::batch::WindowId;
use crate::window::{Window, show};

/// What a run has asked of the API, over all of its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Responses that asked us to slow down.
    pub throttled: u64,
}

impl From<&Meter> for Traffic {
    fn from(meter: &Meter) -> Self {
        let (requests, retries, throttled) = meter.read();
        Self { requests, retries, throttled }
    }
}

/// What a whole run did.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The run's id, in every log line and manifest of it.
    pub run_id: String,
    /// One entry a window, in window order.
    pub windows: Vec<WindowReport>,
    /// What it asked of the API in this run alone.
    pub traffic: Traffic,
    /// The process's exit code: that of the first failure in window order, else of what was left.
    pub exit: u8,
    /// Events that stay in the inbox as the source file has no place for them: why, and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Failure>,
    /// Why the run came to no window; absent where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl RunReport {
    /// The report of these windows.
    pub fn new(run_id: String, windows: Vec<WindowReport>, traffic: Traffic) -> Self {
        let exit = windows.iter().map(|window| window.exit).find(|&exit| exit != 0).unwrap_or(0);
        Self { run_id, windows, traffic, exit, left: Vec::new(), error: None }
    }

    /// The report of a run that came to no window.
    pub fn failed(run_id: String, error: &Error) -> Self {
        let exit = error.kind().exit_code();
        Self {
            run_id,
            windows: Vec::new(),
            traffic: Traffic::default(),
            exit,
            left: Vec::new(),
            error: Some(error.into()),
        }
    }

    /// The exit code without those of windows that another run holds.
    pub fn exit_but_held(&self) -> u8 {
        let held = ErrorKind::Held.exit_code();
        let of_windows = self.windows.iter().map(|window| window.exit);
        match of_windows.into_iter().find(|exit| ![0, held].contains(exit)) {
            Some(exit) => exit,
            None if self.exit == held => 0,
            None => self.exit,
        }
    }

    /// The report, and that these were left.
    #[must_use]
    pub fn leaving(mut self, left: &[Error]) -> Self {
        if let Some(first) = left.first().filter(|_| self.exit == 0) {
            self.exit = first.kind().exit_code();
        }
        self.left = left.iter().map(Failure::from).collect();
        self
    }
}

/// What became of a window in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its rows were published.
    Committed,
    /// It was committed before; nothing was asked for.
    Unchanged,
    /// It was committed before, and the API says that nothing has changed since.
    #[serde(rename = "unchanged")]
    NotModified,
    /// It was not published; what readers see is as before.
    Failed,
}

impl Outcome {
    /// The outcome in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Unchanged | Self::NotModified => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// What became of one window.
#[derive(Clone, Debug, Serialize)]
pub struct WindowReport {
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub stream: String,
    /// The table's name.
    pub table: String,
    /// The window's bounds and name.
    pub window: Bounds,
    /// What became of it in this run.
    pub outcome: Outcome,
    /// The state of its newest manifest; absent where there is none.
    pub state: Option<&'static str>,
    /// The attempt that the manifest speaks of.
    pub attempt: Option<u64>,
    /// The counts of that attempt.
    pub counts: Option<Counts>,
    /// What readers use, relative to the lake.
    pub files: Vec<DataFile>,
    /// The dead letters, relative to the lake.
    pub rejects: Option<String>,
    /// The drift report, relative to the lake.
    pub drift: Option<Drift>,
    /// The exit code that this window alone would end with.
    pub exit: u8,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// Why a window failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The kind's name.
    pub kind: &'static str,
    /// Whether the same command is expected to succeed later without a change.
    pub transient: bool,
    /// What happened and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The message without its place: failures that share it are told once.
    #[serde(skip)]
    pub summary: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().name(),
            transient: error.kind().is_transient(),
            message: error.to_string(),
            hint: error.advice().map(str::to_owned),
            summary: error.message().to_owned(),
        }
    }
}

/// A window as a report has it: its instants, and how its name ends; of a batch, the instants at which its events were
/// received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The instants.
    pub window: Window,
    /// What the name ends with.
    pub id: WindowId,
}

impl Serialize for Bounds {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            start: String,
            end: String,
            name: String,
        }
        let (start, end) = (show(self.window.start), show(self.window.end));
        Written { start, end, name: self.id.to_string() }.serialize(to)
    }
}

impl WindowReport {
    /// A window of which nothing more is known than its outcome.
    pub fn new(source: &str, unit: &Unit, outcome: Outcome) -> Self {
        Self {
            source: source.to_owned(),
            stream: unit.stream.name.clone(),
            table: unit.stream.table.name.clone(),
            window: Bounds { window: unit.window, id: unit.id() },
            outcome,
            state: None,
            attempt: None,
            counts: None,
            files: Vec::new(),
            rejects: None,
            drift: None,
            exit: 0,
            error: None,
        }
    }

    /// A window that failed.
    pub fn failed(source: &str, unit: &Unit, error: &Error) -> Self {
        let exit = error.kind().exit_code();
        Self { exit, error: Some(error.into()), ..Self::new(source, unit, Outcome::Failed) }
    }

    /// Fills in what the newest manifest says.
    #[must_use]
    pub fn with_manifest(mut self, manifest: &Manifest) -> Self {
        self.state = Some(manifest.phase());
        self.attempt = Some(manifest.attempt);
        self.counts = Some(manifest.counts);
        self.files.clone_from(&manifest.published);
        self.rejects.clone_from(&manifest.rejects);
        self.drift.clone_from(&manifest.drift);
        self
    }
}
