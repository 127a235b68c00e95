//! A window that this run holds: heartbeat, checkpoints and the three ways to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::layout::WindowName;
use crate::manifest::chain::{Chain, Head};
use crate::manifest::checkpoint::{Checkpoint, Parts};
use crate::manifest::overlap;
use crate::manifest::owner::Owner;
use crate::manifest::publish;
use crate::manifest::version::{Counts, DataFile, Drift, Failure, Manifest, State};
use crate::page::Position;

/// How long a version may be the newest before the heartbeat writes another (DESIGN §5).
pub const HEARTBEAT: Duration = Duration::from_secs(20);

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

/// The chain and our place in it, shared with the heartbeat.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    place: Mutex<Place>,
    lost: CancellationToken,
}

#[derive(Debug)]
struct Place {
    head: Head,
    written: Instant,
}

impl Held {
    pub(crate) fn new(chain: Chain, clock: Arc<dyn Clock>, head: Head) -> Self {
        let place = Mutex::new(Place { head, written: Instant::now() });
        Self { chain, clock, place, lost: CancellationToken::new() }
    }

    /// The version that this run wrote or took over last, and its number.
    pub(crate) async fn newest(&self) -> (u64, Manifest) {
        let place = self.place.lock().await;
        (place.head.number, place.head.manifest.clone())
    }

    /// Writes the next version: the last one, changed, with our owner's heartbeat where it has one.
    ///
    /// # Errors
    /// `Held` when the window is lost, now or earlier; `Store` when the outcome is not known.
    pub(crate) async fn write(&self, change: impl FnOnce(&mut Manifest) + Send) -> Result<()> {
        let mut place = self.place.lock().await;
        self.write_locked(&mut place, change).await
    }

    async fn write_locked(
        &self,
        place: &mut Place,
        change: impl FnOnce(&mut Manifest) + Send,
    ) -> Result<()> {
        if self.lost.is_cancelled() {
            return Err(self.chain.lost().await);
        }
        let mut next = place.head.manifest.next();
        change(&mut next);
        if let Some(owner) = &mut next.owner {
            *owner = Owner::current(self.clock.now());
        }
        let written = place.head.advance(&self.chain, next).await;
        match &written {
            Ok(()) => place.written = Instant::now(),
            Err(error) if error.kind() == ErrorKind::Held => self.lost.cancel(),
            Err(_) => {}
        }
        written
    }

    /// Writes a heartbeat if the newest version is old enough; how long until the next one is due.
    pub(crate) async fn beat(&self) -> Duration {
        let mut place = self.place.lock().await;
        let age = place.written.elapsed();
        if let Some(rest) = HEARTBEAT.checked_sub(age).filter(|rest| !rest.is_zero()) {
            return rest;
        }
        if place.head.manifest.owner.is_none() {
            return HEARTBEAT;
        }
        if let Err(error) = self.write_locked(&mut place, |_| ()).await {
            tracing::warn!(window = %self.chain.name(), %error, "could not write the heartbeat");
        }
        HEARTBEAT
    }

    /// Makes the newest version as old as a heartbeat lets it become.
    #[cfg(test)]
    pub(crate) async fn make_due(&self) {
        let mut place = self.place.lock().await;
        place.written = place.written.checked_sub(HEARTBEAT).unwrap_or(place.written);
    }

    /// Beats until the window is lost.
    fn start_heartbeat(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let held = Arc::clone(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut wait = HEARTBEAT;
            while held.lost.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
                wait = held.beat().await;
            }
        }))
    }
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

    /// Cancelled once the window is lost to another run: stop, nothing more can be committed.
    pub fn lost(&self) -> CancellationToken {
        self.held.lost.clone()
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
        let Progress { files, position, seen, parts, counts } = progress;
        self.held
            .write(|next| {
                next.files = data_files(files);
                next.checkpoint = Checkpoint::at(position, seen, parts);
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

    /// Takes a publish that was begun to its end.
    pub(crate) async fn complete(self) -> Result<Manifest> {
        match publish::complete(&self.held).await {
            Ok(manifest) => Ok(manifest),
            Err(error) => self.settle_error(error).await,
        }
    }

    pub(crate) async fn begin_publish(&self, outcome: Outcome) -> Result<()> {
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
                next.rejects = outcome.rejects;
                next.counts = outcome.counts;
                next.failure = None;
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
