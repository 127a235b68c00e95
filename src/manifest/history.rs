//! The windows before one, with what their records were like: what drift is judged by. Batches of webhook events have a
//! history of their own: an hour's events are like no day's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;

use crate::drift::history::{MOST, Past};
use crate::drift::profile::Profile;
use crate::error::Result;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::window::Window;
use crate::window::batch::WindowId;

/// Chains that are read at once.
const AT_ONCE: usize = 16;

/// Profiles of committed windows, each read once a run: a backfill would else read every window 28 times.
#[derive(Debug, Default)]
pub struct Profiles(Mutex<HashMap<String, Kept>>);

/// A window's bounds, and what its records were like.
type Kept = (Window, Arc<Profile>);

impl Profiles {
    /// The committed windows of the same stream that ended before this one begins, the last 28 of them; of a batch, the
    /// last batches. What cannot be read is left out, which the log says: it must not keep a window from being committed.
    pub async fn before(&self, chain: &Chain) -> Vec<Past> {
        match self.read(chain).await {
            Ok(past) => past,
            Err(error) => {
                tracing::warn!(%error, "earlier windows cannot be read: drift is judged without them");
                Vec::new()
            }
        }
    }

    /// The last committed windows of a table, of whatever stream, with their profiles. What cannot be read is left out.
    pub async fn newest(&self, lake: &Lake, dir: &TableDir) -> Vec<(WindowName, Arc<Profile>)> {
        let names = lake.list_dirs(&dir.all_windows_dir()).await.unwrap_or_default();
        let names: Vec<WindowName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let (batches, windows): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.id().is_batch());
        let names: Vec<WindowName> = [last(windows), last(batches)].concat();
        let read = futures::stream::iter(names).map(|name| async move {
            let chain = Chain::new(lake.clone(), dir.clone(), name.clone());
            let past = self.profile(&chain, name.clone()).await.ok().flatten();
            past.map(|past| (name, past.profile))
        });
        read.buffered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    /// Notes what a window has just been committed with, and its bounds as its manifest has them.
    pub fn note(&self, chain: &Chain, window: Window, profile: Profile) {
        self.keep(key(chain.dir().table(), chain.name()), (window, Arc::new(profile)));
    }

    async fn read(&self, chain: &Chain) -> Result<Vec<Past>> {
        let own = chain.name();
        let names = chain.lake().list_dirs(&chain.dir().all_windows_dir()).await?;
        let names = names.iter().filter_map(|name| name.parse::<WindowName>().ok());
        let names = names.filter(|name| name.same_stream(own) && is_before(name.id(), own.id()));
        let names = last(names.collect());
        let mut read =
            futures::stream::iter(names).map(|name| self.profile(chain, name)).buffered(AT_ONCE);
        let mut all = Vec::new();
        while let Some(past) = read.next().await {
            all.extend(past?);
        }
        Ok(all)
    }

    async fn profile(&self, chain: &Chain, name: WindowName) -> Result<Option<Past>> {
        let key = key(chain.dir().table(), &name);
        if let Some((window, profile)) = self.kept(&key) {
            return Ok(Some(Past { window, profile }));
        }
        let newest = Chain::new(chain.lake().clone(), chain.dir().clone(), name).newest().await?;
        let commit = newest.and_then(|(_, manifest)| manifest.as_committed());
        let Some(commit) = commit else { return Ok(None) };
        let Some(profile) = commit.profile else { return Ok(None) };
        let (window, profile) = (commit.window, Arc::new(profile));
        self.keep(key, (window, Arc::clone(&profile)));
        Ok(Some(Past { window, profile }))
    }

    fn kept(&self, key: &str) -> Option<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: String, kept: Kept) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, kept);
    }
}

/// The last of them, the latest first: windows by when they begin, batches by their events.
fn last(mut names: Vec<WindowName>) -> Vec<WindowName> {
    names.sort_unstable_by_key(|name| std::cmp::Reverse(name.id()));
    names.truncate(MOST);
    names
}

/// Whether the one was over before the other began; never of a window and a batch.
fn is_before(one: WindowId, other: WindowId) -> bool {
    match (one, other) {
        (WindowId::Window(one), WindowId::Window(other)) => one.end <= other.start,
        (WindowId::Batch(one), WindowId::Batch(other)) => one.last() < other.first(),
        (WindowId::Window(_), WindowId::Batch(_)) | (WindowId::Batch(_), WindowId::Window(_)) => {
            false
        }
    }
}

fn key(table: &str, name: &WindowName) -> String {
    format!("{table}/{name}")
}
