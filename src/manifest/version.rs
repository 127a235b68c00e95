//! One numbered version of a window's manifest: its JSON, exactly as in DESIGN §5.
//!
//! Keys that this version of lakeward does not know are ignored, so that a later one can add to
//! version 1; another `version`, a cut file or a missing key is an error that names the object.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::drift::profile::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::manifest::checkpoint::Checkpoint;
use crate::manifest::owner::Owner;
use crate::window::Window;

/// The only manifest format so far.
pub const FORMAT: u32 = 1;

/// What a window's newest version says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being extracted, or left with a checkpoint to resume from.
    Running,
    /// Ended by the contract or by a count that disagrees: reports written, nothing published.
    Failed,
    /// Every final name is decided; the files are being moved. Anyone may finish it.
    Publishing,
    /// `published[]` is this attempt's files.
    Committed,
}

impl State {
    /// The state's name, as in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Publishing => "publishing",
            Self::Committed => "committed",
        }
    }
}

/// One Parquet file that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Where it is (or, while publishing, where it will be), relative to the lake.
    pub path: String,
    /// `date=2026-03-17`, or `""` where the table has no `partition_by`.
    pub partition: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Hex SHA-256 of the file.
    pub sha256: String,
    /// The earliest value of the `partition_by` field.
    pub min_event: Option<DateTime<Utc>>,
    /// The latest value of the `partition_by` field.
    pub max_event: Option<DateTime<Utc>>,
    /// Only while publishing: where the file is moved from, relative to the lake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
}

impl From<StagedFile> for DataFile {
    fn from(file: StagedFile) -> Self {
        Self {
            path: file.path,
            partition: file.partition,
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256,
            min_event: file.min_event,
            max_event: file.max_event,
            staged: None,
        }
    }
}

impl From<DataFile> for StagedFile {
    fn from(file: DataFile) -> Self {
        Self {
            path: file.path,
            partition: file.partition,
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256,
            min_event: file.min_event,
            max_event: file.max_event,
        }
    }
}

/// What became of every record: `fetched = written + rejected + duplicates + outside`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Pages received.
    pub pages: u64,
    /// Records received.
    pub fetched: u64,
    /// Rows in the data files.
    pub written: u64,
    /// Records in the dead letters.
    pub rejected: u64,
    /// Records that a later version of the same key replaced.
    pub duplicates: u64,
    /// Records outside the window, dropped by `clip`.
    pub outside: u64,
    /// Values nulled by `on_invalid: null`.
    pub nulled: u64,
    /// The last total that the API named.
    pub api_total: Option<u64>,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Responses that asked us to slow down.
    pub throttled: u64,
}

impl Counts {
    /// Whether every record fetched is accounted for.
    pub fn add_up(&self) -> bool {
        let known = [self.written, self.rejected, self.duplicates, self.outside];
        known.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n)) == Some(self.fetched)
    }
}

/// The drift report of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The report, relative to the lake.
    pub path: String,
    /// How many findings it has.
    pub findings: u64,
    /// The severest policy that a finding met: `ignore`, `warn`, `discard_row` or `fail`.
    pub worst: Option<String>,
}

/// Why an attempt ended without a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exit code (DESIGN §6).
    pub exit: u8,
    /// The error kind's name.
    pub kind: String,
    /// What happened, without secrets.
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            exit: error.kind().exit_code(),
            kind: error.kind().name().to_owned(),
            message: error.to_string(),
        }
    }
}

/// The attempt behind `published[]`, kept while a later attempt is under way or has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The attempt that committed.
    pub attempt: u64,
    /// Its run.
    pub run_id: String,
    /// Its table's fingerprint.
    pub schema_fingerprint: String,
    /// Its source's fingerprint.
    pub source_fingerprint: String,
    /// Its last checkpoint.
    pub checkpoint: Checkpoint,
    /// Its dead letters.
    pub rejects: Option<String>,
    /// Its drift report.
    pub drift: Option<Drift>,
    /// What its records were like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Its counts.
    pub counts: Counts,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The field by which its rows were held to the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
}

/// A window's manifest: checkpoint, commit record and audit in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format: [`FORMAT`].
    pub version: u32,
    /// Random, fresh in every version: tells our own write from a rival's after an error.
    pub commit_id: String,
    /// The table.
    pub table: String,
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub stream: String,
    /// The window.
    pub window: Window,
    /// The state.
    pub state: State,
    /// The attempt, from 1; names of files are unique to it.
    pub attempt: u64,
    /// The run whose attempt this is (another one may have completed its publish).
    pub run_id: String,
    /// Who works on the window; `null` after an orderly end.
    pub owner: Option<Owner>,
    /// Fingerprint of what decides typed rows.
    pub schema_fingerprint: String,
    /// Fingerprint of what decides which records are fetched.
    pub source_fingerprint: String,
    /// Where a rerun goes on.
    pub checkpoint: Checkpoint,
    /// The data files of this attempt.
    pub files: Vec<DataFile>,
    /// The data files that readers use.
    pub published: Vec<DataFile>,
    /// Files that this publish replaces and has not yet deleted, relative to the lake.
    pub replaces: Vec<String>,
    /// The dead letters, relative to the lake.
    pub rejects: Option<String>,
    /// The drift report.
    pub drift: Option<Drift>,
    /// What the records of a settled attempt were like: later windows are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What became of every record.
    pub counts: Counts,
    /// When the attempt began.
    pub started_at: DateTime<Utc>,
    /// When `published[]` was committed; `null` before the first commit.
    pub committed_at: Option<DateTime<Utc>>,
    /// Why the attempt ended without a commit.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// Whether this attempt takes over what the contract had stopped (`--accept-drift`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// The field by which rows of this attempt are held to the window (`clip` of the stream).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// Windows that `published[]` stands for besides its own: readers leave their chains out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// Windows whose chains this attempt's publish is to end; moves to `covers` on commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<String>,
    /// The window that replaced this one; its rows are published there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// The attempt behind `published[]` where that is an earlier one, or the one just replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit: Option<CommitRecord>,
}

impl Manifest {
    /// Reads a version; `path` is for the message.
    ///
    /// # Errors
    /// `Store`, naming the object, for another format, a cut file or one that is no manifest.
    pub fn decode(bytes: &[u8], path: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            version: u32,
        }
        let broken = |cause: serde_json::Error| {
            Error::new(ErrorKind::Store, "the manifest version is cut or not a manifest")
                .with("object", path)
                .hint("nothing was deleted: restore the object, or look at it and the versions before it")
                .caused_by(cause)
        };
        let format: Format = serde_json::from_slice(bytes).map_err(broken)?;
        if format.version != FORMAT {
            return Err(Error::new(
                ErrorKind::Store,
                format!("the manifest has format {}, this lakeward reads {FORMAT}", format.version),
            )
            .with("object", path)
            .hint("use the lakeward that wrote it, or a later one; nothing was deleted"));
        }
        serde_json::from_slice(bytes).map_err(broken)
    }

    /// The JSON of this version, indented for the people who open it.
    ///
    /// # Errors
    /// `Unexpected` where it cannot be written as JSON.
    pub fn encode(&self) -> Result<Bytes> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|cause| {
            Error::new(ErrorKind::Unexpected, "could not write the manifest as JSON")
                .caused_by(cause)
        })?;
        text.push(b'\n');
        Ok(text.into())
    }

    /// The version after this one: the same, with a commit id of its own.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { commit_id: new_commit_id(), ..self.clone() }
    }

    /// What the window is for those who look at it: `committed` also while a refresh is under way or has failed,
    /// and `stopped` where nobody is at it any more; else the state.
    pub fn phase(&self) -> &'static str {
        match self.state {
            _ if self.is_committed() => State::Committed.name(),
            State::Running if self.owner.is_none() => "stopped",
            state => state.name(),
        }
    }

    /// Whether readers have rows (or a known absence of rows) of this window.
    pub fn is_committed(&self) -> bool {
        self.committed_at.is_some() && self.ended_by.is_none()
    }

    /// Whether a publish has begun and its last version is not yet written.
    pub fn is_unfinished(&self) -> bool {
        match self.state {
            State::Publishing => true,
            State::Committed => {
                self.owner.is_some() || !self.replaces.is_empty() || !self.ends.is_empty()
            }
            State::Running | State::Failed => false,
        }
    }

    /// The commit that readers see, as its own manifest, whatever is under way since.
    pub fn as_committed(&self) -> Option<Self> {
        if !self.is_committed() {
            return None;
        }
        if self.state == State::Committed {
            return Some(Self { last_commit: None, ..self.clone() });
        }
        let record = self.last_commit.clone()?;
        Some(Self {
            state: State::Committed,
            attempt: record.attempt,
            run_id: record.run_id,
            owner: None,
            schema_fingerprint: record.schema_fingerprint,
            source_fingerprint: record.source_fingerprint,
            checkpoint: record.checkpoint,
            files: self.published.clone(),
            replaces: Vec::new(),
            rejects: record.rejects,
            drift: record.drift,
            profile: record.profile,
            counts: record.counts,
            started_at: record.started_at,
            clip: record.clip,
            failure: None,
            ends: Vec::new(),
            last_commit: None,
            ..self.clone()
        })
    }

    /// The record of the commit that a later attempt carries along.
    pub(crate) fn commit_record(&self) -> Option<CommitRecord> {
        self.as_committed().map(|commit| CommitRecord {
            attempt: commit.attempt,
            run_id: commit.run_id,
            schema_fingerprint: commit.schema_fingerprint,
            source_fingerprint: commit.source_fingerprint,
            checkpoint: commit.checkpoint,
            rejects: commit.rejects,
            drift: commit.drift,
            profile: commit.profile,
            counts: commit.counts,
            started_at: commit.started_at,
            clip: commit.clip,
        })
    }

    /// The dead letters and the drift report of this attempt.
    pub fn reports(&self) -> impl Iterator<Item = &str> {
        let drift = self.drift.iter().map(|drift| drift.path.as_str());
        self.rejects.iter().map(String::as_str).chain(drift)
    }
}

/// A fresh random commit id (UUID v4).
pub(crate) fn new_commit_id() -> String {
    Uuid::new_v4().to_string()
}
