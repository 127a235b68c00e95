//! From staged to published: steps that anyone may repeat until the last version is written.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName};
use crate::manifest::chain::{Chain, Head};
use crate::manifest::checkpoint::Parts;
use crate::manifest::overlap::Covered;
use crate::manifest::owner::Owner;
use crate::manifest::place::Held;
use crate::manifest::version::{DataFile, Manifest, State};

/// Objects that are moved or deleted at once: enough to hide a bucket's latency.
const AT_ONCE: usize = 8;
/// How often a covered window's chain may change under our eyes before we give up.
const ROUNDS: u32 = 8;

/// Gives every staged file its final name; what it is now is kept as `staged`. One that has it stays.
pub(crate) fn final_names(dir: &TableDir, files: Vec<DataFile>) -> Result<Vec<DataFile>> {
    let named = files.into_iter().map(|file| {
        let path = dir.published_path(&file.partition, &file.path)?;
        let staged = (path != file.path).then_some(file.path);
        Ok(DataFile { staged, path, ..file })
    });
    named.collect()
}

/// Every data file that readers use now and that the publish of `next` replaces.
pub(crate) fn replaced(next: &Manifest, covered: &[Covered]) -> Vec<String> {
    let covered = covered.iter().flat_map(|window| &window.manifest.published);
    next.published.iter().chain(covered).map(|file| file.path.clone()).collect()
}

/// Takes a window from wherever its publish stands to its last version.
///
/// Boxed, because completing a window may end, and so complete, windows that it covers.
pub(crate) fn complete(held: &Held) -> BoxFuture<'_, Result<Manifest>> {
    async move {
        loop {
            let (number, manifest) = held.newest().await;
            if !manifest.is_unfinished() {
                prune(&held.chain, number, &manifest).await;
                return Ok(manifest);
            }
            if manifest.state == State::Publishing {
                move_files(&held.chain, &manifest.files).await?;
                let now = held.clock.now();
                held.write(|next| commit(next, now)).await?;
            } else {
                tidy(held, &manifest).await?;
                held.write(finish).await?;
            }
        }
    }
    .boxed()
}

/// The last version: there is nothing left to do.
fn finish(next: &mut Manifest) {
    next.owner = None;
    next.replaces = Vec::new();
    next.ends = Vec::new();
    next.last_commit = None;
}

async fn move_files(chain: &Chain, files: &[DataFile]) -> Result<()> {
    let staged = |file: &DataFile| file.staged.clone().map(|from| (from, file.path.clone()));
    let moves: Vec<(String, String)> = files.iter().filter_map(staged).collect();
    let lake = chain.lake();
    futures::stream::iter(moves)
        .map(|(from, to)| async move { lake.rename(&from, &to).await })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// The instant of the commit: readers see the new files once this version exists.
fn commit(next: &mut Manifest, now: DateTime<Utc>) {
    next.state = State::Committed;
    for file in &mut next.files {
        file.staged = None;
    }
    next.published.clone_from(&next.files);
    next.committed_at = Some(now);
    for name in &next.ends {
        if !next.covers.contains(name) {
            next.covers.push(name.clone());
        }
    }
    next.failure = None;
    forget_resume(next);
}

/// What only a resume needs is about to be deleted with the staging folder.
fn forget_resume(next: &mut Manifest) {
    next.checkpoint.seen = Vec::new();
    next.checkpoint.parts = Parts::default();
}

/// Everything between `committed` and the last version.
async fn tidy(held: &Held, manifest: &Manifest) -> Result<()> {
    let chain = &held.chain;
    for name in &manifest.ends {
        end_window(held, name).await?;
    }
    delete(chain, doomed(chain, manifest)).await?;
    // Not the whole folder: after a long pause, a later attempt of another run may be staging in it.
    for attempt in staged_attempts(chain, manifest.attempt.saturating_add(1)).await? {
        chain.lake().delete_all(&chain.dir().staging_dir(chain.name(), attempt)).await?;
    }
    chain.lake().delete_empty_dir(&chain.dir().staging_root(chain.name())).await?;
    // Reports that a kill cut short: nobody else writes under this window's name.
    let own = format!("{}-", chain.name());
    for folder in [chain.dir().rejects_dir(), chain.dir().drift_dir()] {
        chain.lake().sweep(&folder, &own).await?;
    }
    Ok(())
}

async fn delete(chain: &Chain, paths: Vec<String>) -> Result<()> {
    let lake = chain.lake();
    futures::stream::iter(paths)
        .map(|path| async move { lake.delete(&path).await })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// The files that the commit replaced, and the reports that the attempts since the last commit may have
/// written; nothing that the commit itself names.
fn doomed(chain: &Chain, manifest: &Manifest) -> Vec<String> {
    let (dir, name) = (chain.dir(), chain.name());
    let published = manifest.published.iter().map(|file| file.path.as_str());
    let named: HashSet<&str> = published.chain(manifest.reports()).collect();
    let first = manifest.last_commit.as_ref().map_or(1, |commit| commit.attempt);
    let reports = (first..=manifest.attempt)
        .flat_map(|attempt| [dir.rejects_path(name, attempt), dir.drift_path(name, attempt)]);
    // Those of the last commit may be of an attempt before it, which a compaction carried along.
    let carried = manifest.last_commit.iter().flat_map(|commit| {
        let drift = commit.drift.iter().map(|drift| drift.path.clone());
        commit.rejects.iter().cloned().chain(drift)
    });
    let replaced = manifest.replaces.iter().cloned();
    replaced.chain(reports).chain(carried).filter(|path| !named.contains(path.as_str())).collect()
}

/// The attempts before `limit` that have staged something.
pub(crate) async fn staged_attempts(chain: &Chain, limit: u64) -> Result<Vec<u64>> {
    let dirs = chain.lake().list_dirs(&chain.dir().staging_root(chain.name())).await?;
    Ok(dirs.iter().filter_map(|dir| dir.parse().ok()).filter(|attempt| *attempt < limit).collect())
}

/// Deletes what earlier attempts staged and `manifest` does not name. Later attempts are not ours to judge.
pub(crate) async fn discard(chain: &Chain, manifest: &Manifest) -> Result<()> {
    let files = manifest.files.iter().map(|file| file.path.as_str());
    let kept: HashSet<&str> = files.chain(manifest.checkpoint.parts.paths()).collect();
    for attempt in staged_attempts(chain, manifest.attempt).await? {
        let dir = chain.dir().staging_dir(chain.name(), attempt);
        let listed = chain.lake().list(&dir).await?;
        if listed.iter().all(|object| !kept.contains(object.path.as_str())) {
            chain.lake().delete_all(&dir).await?;
            continue;
        }
        for object in listed.iter().filter(|object| !kept.contains(object.path.as_str())) {
            chain.lake().delete(&object.path).await?;
        }
    }
    Ok(())
}

/// Ends the chain of a window that ours has replaced, so that whoever still works on it loses it.
async fn end_window(by: &Held, name: &str) -> Result<()> {
    let name: WindowName = name.parse().map_err(|cause: Error| {
        Error::new(ErrorKind::Store, "a manifest names a window that is none").caused_by(cause)
    })?;
    let chain = Chain::new(by.chain.lake().clone(), by.chain.dir().clone(), name);
    let ender = by.chain.name().to_string();
    for _ in 0..ROUNDS {
        let Some((number, manifest)) = chain.newest().await? else { return Ok(()) };
        let ended = manifest.ended_by.as_ref() == Some(&ender);
        let head = Head::new(number, manifest);
        let held = Held::new(chain.clone(), Arc::clone(&by.clock), head);
        let result = match ended {
            true => Ok(()),
            false => held.write(|next| end(next, &ender, by.clock.now())).await,
        };
        let result = match result {
            Ok(()) => complete(&held).await.map(drop),
            Err(error) => Err(error),
        };
        match result {
            // Somebody wrote a version meanwhile: end that one.
            Err(error) if error.kind() == ErrorKind::Held => {}
            other => return other,
        }
    }
    Err(Error::new(ErrorKind::Held, "other runs keep changing a window that this one replaces")
        .with("window", by.chain.name())
        .with("replaces", chain.name())
        .hint("let them end, then run the same command again"))
}

/// The version that ends a chain: nothing published here, everything it had to be deleted.
fn end(next: &mut Manifest, ender: &str, now: DateTime<Utc>) {
    next.last_commit = next.commit_record();
    let files = std::mem::take(&mut next.files);
    let published = std::mem::take(&mut next.published);
    for file in published.into_iter().chain(files) {
        next.replaces.extend(file.staged);
        next.replaces.push(file.path);
    }
    next.replaces.sort_unstable();
    next.replaces.dedup();
    next.state = State::Committed;
    // An owner until it is tidied up, also where there is no file to delete.
    next.owner = Some(Owner::current(now));
    next.ended_by = Some(ender.to_owned());
    next.rejects = None;
    next.drift = None;
    next.failure = None;
    forget_resume(next);
}

/// Deletes the versions before a commit: they are ignored anyway, so a failure is only noted.
pub(crate) async fn prune(chain: &Chain, number: u64, newest: &Manifest) {
    if newest.state != State::Committed {
        return;
    }
    if let Err(error) = prune_below(chain, number).await {
        tracing::debug!(window = %chain.name(), %error, "could not prune the manifest's old versions");
    }
}

async fn prune_below(chain: &Chain, number: u64) -> Result<()> {
    // Ascending, one by one: a chain that is cut short must stay without a gap above the cut.
    for old in chain.numbers().await?.into_iter().take_while(|old| *old < number) {
        chain.lake().delete(&chain.path(old)).await?;
    }
    chain.lake().sweep(&chain.dir().windows_dir(chain.name()), "").await.map(drop)
}
