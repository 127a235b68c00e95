//! The chain of create-only numbered versions: all the compare-and-swap that is needed.
//!
//! | a create ends with | read back | it is |
//! |---|---|---|
//! | ok | not needed | ours |
//! | any error | our commit id | ours: it was applied and the answer was lost |
//! | any error | another commit id | lost |
//! | any error | nothing there | tried again, a few times, then `Store` |
//! | any error | unreadable | `Store`; nothing is deleted |
//!
//! After a create the chain is listed once more. A higher number means that a paused owner wrote below
//! a chain that went on (and was pruned) without it: lost.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName, version_of};
use crate::lake::store::{CreateError, Lake};
use crate::manifest::version::{Manifest, State};
use crate::window::show;

/// How often a create is tried when nothing is found in its place.
const TRIES: u32 = 5;
/// The wait before the second try; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The versions of one window.
#[derive(Clone, Debug)]
pub struct Chain {
    lake: Lake,
    dir: TableDir,
    name: WindowName,
}

/// The newest version, and what may still arrive behind it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Its number; 0 before the first.
    pub(crate) number: u64,
    /// Its content. Before the first version: what the first is to be derived from.
    pub(crate) manifest: Manifest,
    /// Commit ids of our own creates of `number + 1` whose outcome is not known.
    unsure: Vec<String>,
}

/// How one create ended.
enum Written {
    Ours,
    /// An earlier create of ours, whose outcome was not known, is there.
    Earlier,
}

impl Chain {
    /// The chain of window `name` of the table at `dir`.
    pub fn new(lake: Lake, dir: TableDir, name: WindowName) -> Self {
        Self { lake, dir, name }
    }

    /// The lake.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The table's folders.
    pub fn dir(&self) -> &TableDir {
        &self.dir
    }

    /// The window's name.
    pub fn name(&self) -> &WindowName {
        &self.name
    }

    /// Where version `number` is.
    pub fn path(&self, number: u64) -> String {
        self.dir.version_path(&self.name, number)
    }

    /// The numbers that exist, ascending. Objects that are no version (a writer's staging file) are left out.
    ///
    /// # Errors
    /// `Store` when the lake cannot be listed.
    pub async fn numbers(&self) -> Result<Vec<u64>> {
        let listed = self.lake.list(&self.dir.windows_dir(&self.name)).await?;
        let mut numbers: Vec<u64> =
            listed.iter().filter_map(|object| version_of(&object.path)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// The newest version, or `None` for a window that nobody has begun.
    ///
    /// # Errors
    /// `Store` for a version that cannot be read, and for a gap above the newest commit.
    pub async fn newest(&self) -> Result<Option<(u64, Manifest)>> {
        // A version that is gone between the list and the read was pruned: the chain went on.
        for _ in 0..TRIES {
            let numbers = self.numbers().await?;
            let Some(&top) = numbers.last() else { return Ok(None) };
            let Some(manifest) = self.read(top).await? else { continue };
            if self.check_gaps(&numbers, &manifest).await? {
                return Ok(Some((top, manifest)));
            }
        }
        Err(Error::new(ErrorKind::Store, "the manifest chain changed during every read of it")
            .with("window", &self.name)
            .hint("another run is busy with the window: try again"))
    }

    /// Version `number`, or `None` where it does not exist.
    ///
    /// # Errors
    /// `Store` when it cannot be read or does not belong there, naming the object.
    pub async fn read(&self, number: u64) -> Result<Option<Manifest>> {
        let path = self.path(number);
        let Some(bytes) = self.lake.read(&path).await? else { return Ok(None) };
        let manifest = Manifest::decode(&bytes, &path)?;
        manifest.belongs(&self.dir, &self.name, &path)?;
        Ok(Some(manifest))
    }

    /// Whether the versions from the newest commit on are all there; `false` to look again.
    async fn check_gaps(&self, numbers: &[u64], newest: &Manifest) -> Result<bool> {
        let Some((&top, below)) = numbers.split_last() else { return Ok(false) };
        let unbroken = below.iter().rev().zip((1..top).rev()).take_while(|(n, want)| *n == want);
        let lowest = unbroken.last().map_or(top, |(n, _)| *n);
        if lowest <= 1 || newest.state == State::Committed {
            return Ok(true);
        }
        // Pruned up to a commit, or a version is missing: a commit within the unbroken run tells.
        for number in lowest..top {
            match self.read(number).await? {
                None => return Ok(false),
                Some(version) if version.state == State::Committed => return Ok(true),
                Some(_) => {}
            }
        }
        Err(Error::new(ErrorKind::Store, "a version is missing from the manifest chain")
            .with("object", self.path(lowest.saturating_sub(1)))
            .hint("restore the object; nothing was read beyond it and nothing was deleted"))
    }

    /// Writes `manifest` as version `number`, which must not exist yet.
    ///
    /// # Errors
    /// `Held` when the window is lost to another run; `Store` when the outcome is not known.
    pub async fn append(&self, number: u64, manifest: &Manifest) -> Result<()> {
        self.write(number, manifest, &[]).await?;
        self.confirm(number).await
    }

    async fn write(&self, number: u64, manifest: &Manifest, earlier: &[String]) -> Result<Written> {
        let path = self.path(number);
        let body: Bytes = manifest.encode()?;
        let mut wait = FIRST_WAIT;
        let mut last = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
            last = match self.lake.create(&path, body.clone()).await {
                Ok(()) => return Ok(Written::Ours),
                Err(CreateError::Exists) => None,
                Err(CreateError::Unsure(cause)) => Some(cause),
            };
            match self.read(number).await? {
                Some(there) if there.commit_id == manifest.commit_id => return Ok(Written::Ours),
                Some(there) if earlier.contains(&there.commit_id) => return Ok(Written::Earlier),
                Some(_) => return Err(self.lost().await),
                None => {}
            }
        }
        let error = Error::new(ErrorKind::Store, "could not write the next manifest version")
            .with("object", path)
            .with("tries", TRIES)
            .hint("nothing was deleted: run the same command again when the store answers");
        Err(match last {
            Some(cause) => error.caused_by(cause),
            None => error,
        })
    }

    async fn confirm(&self, number: u64) -> Result<()> {
        match self.numbers().await?.last() {
            Some(&top) if top > number => Err(self.lost().await),
            Some(_) | None => Ok(()),
        }
    }

    /// The error of a window that another run has, saying who holds it now.
    pub(crate) async fn lost(&self) -> Error {
        let error = Error::new(ErrorKind::Held, "another run took the window over")
            .with("window", &self.name)
            .hint(
                "nothing of this run was published: let the other run finish, then rerun if needed",
            );
        match self.newest().await {
            Ok(Some((_, manifest))) => describe(error, &manifest),
            Ok(None) | Err(_) => error,
        }
    }
}

/// Adds who holds a window to an error.
pub(crate) fn describe(error: Error, manifest: &Manifest) -> Error {
    let error = error.with("state", manifest.state.name()).with("run", &manifest.run_id);
    match &manifest.owner {
        Some(owner) => error
            .with("host", &owner.host)
            .with("pid", owner.pid)
            .with("since", show(manifest.started_at))
            .with("heartbeat", show(owner.heartbeat)),
        None => error,
    }
}

impl Head {
    /// The head at version `number`.
    pub(crate) fn new(number: u64, manifest: Manifest) -> Self {
        Self { number, manifest, unsure: Vec::new() }
    }

    /// Writes `manifest` as the next version and moves on to it.
    ///
    /// # Errors
    /// `Held` when the window is lost; `Store` when the outcome is not known, and then the next call
    /// recognizes what this one may have left.
    pub(crate) async fn advance(&mut self, chain: &Chain, manifest: Manifest) -> Result<()> {
        loop {
            let number = self.number.saturating_add(1);
            self.unsure.push(manifest.commit_id.clone());
            match chain.write(number, &manifest, &self.unsure).await? {
                Written::Ours => {
                    self.number = number;
                    self.manifest = manifest;
                    self.unsure.clear();
                    return chain.confirm(number).await;
                }
                Written::Earlier => {
                    self.number = number;
                    self.unsure.clear();
                }
            }
        }
    }
}
