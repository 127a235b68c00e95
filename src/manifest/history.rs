//! The windows before one, with what their records were like: what drift is judged by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;

use crate::drift::history::{MOST, Past};
use crate::drift::profile::Profile;
use crate::error::Result;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;

/// Chains that are read at once.
const AT_ONCE: usize = 16;

/// Profiles of committed windows, each read once a run: a backfill would else read every window 28 times.
#[derive(Debug, Default)]
pub struct Profiles(Mutex<HashMap<String, Arc<Profile>>>);

impl Profiles {
    /// The committed windows of the same stream that ended before this one begins, the last 28 of them. What cannot be
    /// read is left out, which the log says: it must not keep a window from being committed.
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
        let mut names: Vec<WindowName> =
            names.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.window().start));
        names.truncate(MOST);
        let read = futures::stream::iter(names).map(|name| async move {
            let chain = Chain::new(lake.clone(), dir.clone(), name.clone());
            let past = self.profile(&chain, name.clone()).await.ok().flatten();
            past.map(|past| (name, past.profile))
        });
        read.buffered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    /// Notes what a window has just been committed with.
    pub fn note(&self, chain: &Chain, profile: Profile) {
        self.keep(key(chain.dir().table(), chain.name()), Arc::new(profile));
    }

    async fn read(&self, chain: &Chain) -> Result<Vec<Past>> {
        let own = chain.name();
        let names = chain.lake().list_dirs(&chain.dir().all_windows_dir()).await?;
        let names = names.iter().filter_map(|name| name.parse::<WindowName>().ok());
        let is_before = |name: &WindowName| {
            let same = name.source() == own.source() && name.stream() == own.stream();
            same && name.window().end <= own.window().start
        };
        let mut names: Vec<WindowName> = names.filter(is_before).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.window().start));
        names.truncate(MOST);
        let mut read =
            futures::stream::iter(names).map(|name| self.profile(chain, name)).buffered(AT_ONCE);
        let mut all = Vec::new();
        while let Some(past) = read.next().await {
            all.extend(past?);
        }
        Ok(all)
    }

    async fn profile(&self, chain: &Chain, name: WindowName) -> Result<Option<Past>> {
        let (window, key) = (name.window(), key(chain.dir().table(), &name));
        if let Some(profile) = self.kept(&key) {
            return Ok(Some(Past { window, profile }));
        }
        let newest = Chain::new(chain.lake().clone(), chain.dir().clone(), name).newest().await?;
        let commit = newest.and_then(|(_, manifest)| manifest.as_committed());
        let Some(profile) = commit.and_then(|commit| commit.profile) else { return Ok(None) };
        let profile = Arc::new(profile);
        self.keep(key, Arc::clone(&profile));
        Ok(Some(Past { window, profile }))
    }

    fn kept(&self, key: &str) -> Option<Arc<Profile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: String, profile: Arc<Profile>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, profile);
    }
}

fn key(table: &str, name: &WindowName) -> String {
    format!("{table}/{name}")
}
