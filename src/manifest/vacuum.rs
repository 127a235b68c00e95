//! Deletes what no manifest names, once it is old enough.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::chain::{Chain, Head};
use crate::manifest::place::Held;
use crate::manifest::snapshot::survey;
use crate::manifest::strays::{Inventory, Stray};
use crate::manifest::version::State;

/// What is old enough to go, and what nobody can tell of.
#[derive(Debug)]
pub struct Outdated {
    /// The strays that were last written long enough ago; foreign objects are not among them.
    pub strays: Vec<Stray>,
    /// Windows that are left alone, as their manifest cannot be read.
    pub unread: Vec<(WindowName, Error)>,
}

/// The strays of a table that were last written longer than `age` ago.
///
/// # Errors
/// `Store` when the lake cannot be read.
pub async fn outdated(
    lake: &Lake,
    dir: &TableDir,
    age: TimeDelta,
    clock: &dyn Clock,
) -> Result<Outdated> {
    let inventory = Inventory::take(lake, dir).await?;
    let snapshot = survey(lake, dir).await?;
    let now = clock.now();
    let strays = inventory.strays(lake, dir, &snapshot, now).await?;
    let is_old = |stray: &Stray| now.signed_duration_since(stray.modified) >= age;
    let strays = strays.into_iter().filter(|stray| stray.window().is_some() && is_old(stray));
    Ok(Outdated { strays: strays.collect(), unread: snapshot.broken })
}

/// Deletes `strays`, in their order: a chain of versions is cut from below. Gives back those that were deleted; the rest is of
/// windows that somebody has taken meanwhile.
///
/// # Errors
/// `Store` when one cannot be deleted; those before it are gone.
pub async fn delete(
    lake: &Lake,
    dir: &TableDir,
    strays: Vec<Stray>,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Stray>> {
    let mut deleted = Vec::with_capacity(strays.len());
    let mut last: Option<(WindowName, bool)> = None;
    for stray in strays {
        let Some(window) = stray.window() else { continue };
        let ours = match &last {
            Some((name, ours)) if name == window => *ours,
            _ => fence(lake, dir, window, clock).await?,
        };
        last = Some((window.clone(), ours));
        if !ours {
            continue;
        }
        match stray.half_written() {
            Some(left) => lake.delete_half_written(left).await?,
            None => lake.delete(&stray.path).await?,
        }
        deleted.push(stray);
    }
    let windows: HashSet<&WindowName> = deleted.iter().filter_map(Stray::window).collect();
    for window in windows {
        drop_empty_folders(lake, dir, window).await?;
    }
    Ok(deleted)
}

/// The folders of attempts that have nothing staged any more.
async fn drop_empty_folders(lake: &Lake, dir: &TableDir, window: &WindowName) -> Result<()> {
    let root = dir.staging_root(window);
    for attempt in lake.list_dirs(&root).await? {
        lake.delete_empty_dir(&format!("{root}/{attempt}")).await?;
    }
    lake.delete_empty_dir(&root).await
}

/// Makes sure that nobody will name what is deleted next: an owner whose lease has ended, but who may only be paused, loses
/// the window. Whether nobody works on it.
async fn fence(
    lake: &Lake,
    dir: &TableDir,
    window: &WindowName,
    clock: &Arc<dyn Clock>,
) -> Result<bool> {
    let chain = Chain::new(lake.clone(), dir.clone(), window.clone());
    let Some((number, manifest)) = chain.newest().await? else { return Ok(true) };
    let live = manifest.owner.as_ref().is_some_and(|owner| owner.is_live(clock.now()));
    if live || manifest.is_unfinished() {
        return Ok(false);
    }
    if manifest.owner.is_none() || manifest.state == State::Committed {
        return Ok(true);
    }
    let held = Held::new(chain, Arc::clone(clock), Head::new(number, manifest));
    match held.write(|next| next.owner = None).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Held => Ok(false),
        Err(error) => Err(error),
    }
}
