//! A window that this run holds: heartbeat, checkpoints and the three ways to end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::drift::profile::Profile;
use crate::error::{Error, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::layout::WindowName;
use crate::manifest::chain::Chain;
use crate::manifest::checkpoint::{Checkpoint, Parts};
use crate::manifest::overlap;
use crate::manifest::place::Held;
use crate::manifest::publish;
use crate::manifest::version::{Counts, DataFile, Drift, Failure, Manifest, State};
use crate::page::{Position, Validator};

/// What a checkpoint makes durable. Everything it names must be durable already.
#[derive(Clone, Debug)]
pub struct Progress {
    /// All staged files of the window so far.
    pub files: Vec<StagedFile>,
    /// The position after the last page in them.
    pub position: Position,
    /// Fingerprints of the pages so far.
    pub seen: Vec<u64>,
    /// What else a resume needs.
    pub parts: Parts,
    /// By what the pages so far can be asked for again.
    pub validators: Vec<Validator>,
    /// What became of every record so far.
    pub counts: Counts,
}

/// What an attempt ends with.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The settled staged files.
    pub files: Vec<StagedFile>,
    /// The drift report, already written.
    pub drift: Option<Drift>,
    /// What the records were like.
    pub profile: Option<Profile>,
    /// The dead letters, already written to their final path.
    pub rejects: Option<String>,
    /// What became of every record.
    pub counts: Counts,
}

/// What an earlier attempt left to go on from.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The attempt that left it.
    pub attempt: u64,
    /// The staged files; their paths stay those of the attempts that wrote them.
    pub files: Vec<StagedFile>,
    /// The checkpoint: position, fingerprints and parts.
    pub checkpoint: Checkpoint,
    /// What became of the records behind it.
    pub counts: Counts,
    /// Whether it failed by the contract and is taken over all the same: nothing judges its rows again.
    pub accepted: bool,
}

/// A window that this run holds. Dropped without an end, it looks like a kill: the next run resumes.
#[derive(Debug)]
pub struct WindowRun {
    held: Arc<Held>,
    heartbeat: AbortOnDropHandle<()>,
    resumed: Option<Resumed>,
    attempt: u64,
    refresh: bool,
}

impl WindowRun {
    pub(crate) fn start(
        held: Arc<Held>,
        attempt: u64,
        resumed: Option<Resumed>,
        refresh: bool,
    ) -> Self {
        let heartbeat = held.start_heartbeat();
        Self { held, heartbeat, resumed, attempt, refresh }
    }

    /// The window's chain, with its lake and its table's folders.
    pub fn chain(&self) -> &Chain {
        &self.held.chain
    }

    /// The window's name.
    pub fn name(&self) -> &WindowName {
        self.held.chain.name()
    }

    /// This attempt's number: staging folder and file names are unique to it.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// What to go on from; `None` to start with the first page.
    pub fn resumed(&self) -> Option<&Resumed> {
        self.resumed.as_ref()
    }

    /// Gives up what there was to go on from, because the lake has lost a part of it: the attempt begins with
    /// the first page, and nothing of an earlier one stays staged.
    ///
    /// # Errors
    /// As [`WindowRun::checkpoint`].
    pub async fn start_anew(&mut self) -> Result<()> {
        let now = self.held.clock.now();
        self.held
            .write(|next| {
                next.files = Vec::new();
                next.checkpoint = Checkpoint::start();
                next.counts = Counts::default();
                next.started_at = now;
            })
            .await?;
        self.resumed = None;
        publish::discard(&self.held.chain, &self.held.newest().await.1).await
    }

    /// Cancelled once the window is lost to another run: stop, nothing more can be committed.
    pub fn lost(&self) -> CancellationToken {
        self.held.lost()
    }

    /// The version that this run wrote last.
    pub async fn manifest(&self) -> Manifest {
        self.held.newest().await.1
    }

    /// Names what is durable by now, so that a rerun goes on after it.
    ///
    /// # Errors
    /// `Held` when the window is lost; `Store` when the outcome is not known.
    pub async fn checkpoint(&self, progress: Progress) -> Result<()> {
        let Progress { files, position, seen, parts, validators, counts } = progress;
        self.held
            .write(|next| {
                next.files = data_files(files);
                next.checkpoint =
                    Checkpoint { validators, ..Checkpoint::at(position, seen, parts) };
                next.counts = counts;
            })
            .await
    }

    /// An orderly end before the last page: the checkpoint stays, and any host may resume at once.
    ///
    /// # Errors
    /// As [`WindowRun::checkpoint`].
    pub async fn release(self, failure: Failure) -> Result<Manifest> {
        self.end(|next| next.failure = Some(failure)).await
    }

    /// Ends the attempt by the contract or the counts: nothing published, staged rows and reports kept.
    ///
    /// A checkpoint after the last page comes first, so that the staged rows can still be accepted.
    ///
    /// # Errors
    /// As [`WindowRun::checkpoint`].
    pub async fn fail(self, failure: Failure, outcome: Outcome) -> Result<Manifest> {
        self.end(|next| {
            next.state = State::Failed;
            next.failure = Some(failure);
            next.files = data_files(outcome.files);
            next.drift = outcome.drift;
            next.profile = outcome.profile;
            next.rejects = outcome.rejects;
            next.counts = outcome.counts;
        })
        .await
    }

    async fn end(self, change: impl FnOnce(&mut Manifest) + Send) -> Result<Manifest> {
        drop(self.heartbeat);
        self.held
            .write(|next| {
                change(next);
                next.owner = None;
            })
            .await?;
        Ok(self.held.newest().await.1)
    }

    /// Commits the attempt: its files become `published[]`, what they replace is deleted.
    ///
    /// # Errors
    /// `Held` when the window is lost, `Usage` when an overlapping one was committed meanwhile, `Store` when
    /// the lake fails; the next run then completes what was begun.
    pub async fn publish(self, outcome: Outcome) -> Result<Manifest> {
        match self.begin_publish(outcome).await {
            Ok(()) => self.complete().await,
            Err(error) => self.settle_error(error).await,
        }
    }

    /// Commits `files`, staged or published as they are, which hold the rows of the last commit: all else stays as that
    /// says it.
    ///
    /// # Errors
    /// As [`WindowRun::publish`].
    pub async fn replace_files(self, commit: Manifest, files: Vec<StagedFile>) -> Result<Manifest> {
        let Manifest { drift, profile, rejects, counts, .. } = commit.clone();
        let outcome = Outcome { files, drift, profile, rejects, counts };
        self.replace_rows(commit, outcome).await
    }

    /// Commits what `outcome` holds in place of the last commit, which was decoded from the same records: the
    /// fingerprints are those of `commit`, and so is where its requests had come to.
    ///
    /// # Errors
    /// As [`WindowRun::publish`].
    pub async fn replace_rows(self, commit: Manifest, outcome: Outcome) -> Result<Manifest> {
        let same = |next: &mut Manifest| {
            next.schema_fingerprint = commit.schema_fingerprint;
            next.source_fingerprint = commit.source_fingerprint;
            next.checkpoint = commit.checkpoint;
            next.started_at = commit.started_at;
        };
        match self.begin(outcome, same).await {
            Ok(()) => self.complete().await,
            Err(error) => self.settle_error(error).await,
        }
    }

    /// Takes a publish that was begun to its end.
    pub(crate) async fn complete(self) -> Result<Manifest> {
        match publish::complete(&self.held).await {
            Ok(manifest) => Ok(manifest),
            Err(error) => self.settle_error(error).await,
        }
    }

    pub(crate) async fn begin_publish(&self, outcome: Outcome) -> Result<()> {
        self.begin(outcome, |_| ()).await
    }

    async fn begin(
        &self,
        outcome: Outcome,
        change: impl FnOnce(&mut Manifest) + Send,
    ) -> Result<()> {
        let now = self.held.clock.now();
        let covered = overlap::covered(&self.held.chain, now, self.refresh).await?;
        let files = publish::final_names(self.held.chain.dir(), data_files(outcome.files))?;
        self.held
            .write(|next| {
                next.state = State::Publishing;
                next.replaces = publish::replaced(next, &covered);
                next.ends = covered.iter().map(|window| window.name.to_string()).collect();
                next.files = files;
                next.drift = outcome.drift;
                next.profile = outcome.profile;
                next.rejects = outcome.rejects;
                next.counts = outcome.counts;
                next.failure = None;
                change(next);
            })
            .await
    }

    /// A publish that another run completed for us is a success; else the window is let go, so that any
    /// host may complete it at once.
    async fn settle_error(self, error: Error) -> Result<Manifest> {
        let (number, ours) = self.held.newest().await;
        match self.held.chain.newest().await {
            Ok(Some((top, newest))) if top > number => match newest.as_committed() {
                Some(commit) if commit.attempt == self.attempt => Ok(commit),
                _ => Err(self.held.chain.lost().await),
            },
            Ok(_) if ours.state != State::Committed => {
                let failure = Failure::from(&error);
                if let Err(second) = self.end(|next| next.failure = Some(failure)).await {
                    tracing::debug!(error = %second, "the window's owner could not be cleared");
                }
                Err(error)
            }
            Ok(_) | Err(_) => Err(error),
        }
    }
}

pub(crate) fn data_files(files: Vec<StagedFile>) -> Vec<DataFile> {
    files.into_iter().map(DataFile::from).collect()
}
