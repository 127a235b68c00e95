//! What stands in a table's folder and is named by no manifest.
//!
//! Kills, and owners that were paused past their lease, leave files behind. Readers of the manifests never see them; those
//! who list folders see a stray data file, and its rows twice.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::Result;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::spot::Spot;
use crate::lake::store::half_written::HalfWritten;
use crate::lake::store::{Lake, Listed};
use crate::manifest::chain::Chain;
use crate::manifest::snapshot::{Snapshot, WindowState};
use crate::manifest::version::{Manifest, State};

/// An object that no manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stray {
    /// Its path, relative to the lake.
    pub path: String,
    /// What it is: `data`, `staged`, `report` or `version`; `upload`, which a bucket keeps open for an object that never was;
    /// `foreign` is nothing that lakeward writes.
    pub kind: &'static str,
    /// Bytes; of an upload those of its parts.
    pub bytes: u64,
    /// When it was last written, or the upload begun, by the store's clock.
    pub modified: DateTime<Utc>,
    #[serde(skip)]
    spot: Spot,
    #[serde(skip)]
    half_written: Option<HalfWritten>,
}

impl Stray {
    fn new(dir: &TableDir, object: Listed) -> Self {
        Self::at(Spot::of(dir, &object.path), object)
    }

    fn at(spot: Spot, object: Listed) -> Self {
        let Listed { path, size: bytes, modified } = object;
        Self { path, kind: spot.name(), bytes, modified, spot, half_written: None }
    }

    fn of_half(dir: &TableDir, left: HalfWritten) -> Self {
        // It is what it was to become.
        let mut stray = Self::at(Spot::of(dir, left.becomes()), left.object.clone());
        if left.is_upload() {
            stray.kind = "upload";
        }
        Self { half_written: Some(left), ..stray }
    }

    /// The window that it belongs to; none of a foreign object.
    pub fn window(&self) -> Option<&WindowName> {
        self.spot.window()
    }

    /// What a write left that was killed before the object was whole. Readers and listings skip it.
    pub fn half_written(&self) -> Option<&HalfWritten> {
        self.half_written.as_ref()
    }

    /// Whether readers that list folders read it: a data file, and any other Parquet file that is not in a hidden folder.
    pub fn is_read(&self) -> bool {
        let is_shown = |part: &str| !part.starts_with(['_', '.']);
        match self.spot {
            _ if self.half_written.is_some() => false,
            Spot::Foreign => self.path.ends_with(".parquet") && self.path.split('/').all(is_shown),
            Spot::Data(_) => true,
            _ => false,
        }
    }
}

/// What stood in a table's folder before its manifests were read: what was written since is nobody's stray.
#[derive(Debug)]
pub struct Inventory {
    objects: Vec<Listed>,
    half_written: Vec<HalfWritten>,
}

impl Inventory {
    /// Lists the table's folder.
    ///
    /// # Errors
    /// `Store` when it cannot be listed.
    pub async fn take(lake: &Lake, dir: &TableDir) -> Result<Self> {
        let objects = lake.list(dir.table()).await?;
        Ok(Self { objects, half_written: lake.half_written(dir.table()).await? })
    }

    /// What of it no manifest of `snapshot`, which was read after it, names, by path.
    ///
    /// A window that somebody works on at `now`, whose publish is not ended, or whose manifest cannot be read, has no
    /// strays: nobody can tell yet.
    ///
    /// # Errors
    /// `Store` when a chain cannot be read.
    pub async fn strays(
        self,
        lake: &Lake,
        dir: &TableDir,
        snapshot: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<Vec<Stray>> {
        let windows = || snapshot.windows.iter().chain(&snapshot.replaced);
        let named: HashSet<&str> = windows().flat_map(|window| names(&window.manifest)).collect();
        let broken = snapshot.broken.iter().map(|(name, _)| name);
        let unsure = windows().filter(|window| is_busy(&window.manifest, now)).map(|w| &w.name);
        let unsure: HashSet<&WindowName> = unsure.chain(broken).collect();
        let mut needed = HashMap::new();
        for window in windows() {
            needed.insert(&window.name, oldest_needed(lake, dir, window).await?);
        }
        let is_stray = |stray: &Stray| match &stray.spot {
            _ if stray.half_written.is_some() => true,
            Spot::Version(window, number) => {
                needed.get(window).is_some_and(|oldest| number < oldest)
            }
            _ => !named.contains(stray.path.as_str()),
        };
        let whole = self.objects.into_iter().map(|object| Stray::new(dir, object));
        let half = self.half_written.into_iter().map(|left| Stray::of_half(dir, left));
        // The uploads of others are none of ours, and stand nowhere.
        let half = half.filter(|stray| stray.kind != "upload" || stray.window().is_some());
        let mut strays: Vec<Stray> = whole.chain(half).collect();
        strays.retain(|stray| {
            !stray.window().is_some_and(|window| unsure.contains(window)) && is_stray(stray)
        });
        strays.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(strays)
    }
}

/// Whether somebody works on the window, or has yet to end its publish.
fn is_busy(manifest: &Manifest, now: DateTime<Utc>) -> bool {
    manifest.is_unfinished() || manifest.owner.as_ref().is_some_and(|owner| owner.is_live(now))
}

/// Every object that a manifest names.
fn names(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let files = manifest.published.iter().chain(&manifest.files);
    let files = files.flat_map(|file| file.staged.iter().chain([&file.path]));
    let commit = manifest.last_commit.iter().flat_map(|commit| {
        let drift = commit.drift.iter().map(|drift| &drift.path);
        commit.rejects.iter().chain(drift)
    });
    let parts = manifest.checkpoint.parts.paths();
    files
        .chain(&manifest.replaces)
        .chain(commit)
        .map(String::as_str)
        .chain(parts)
        .chain(manifest.reports())
}

/// The number of the newest commit, below which a chain is ignored; or the first, where there is none.
async fn oldest_needed(lake: &Lake, dir: &TableDir, window: &WindowState) -> Result<u64> {
    if window.manifest.state == State::Committed {
        return Ok(window.number);
    }
    let chain = Chain::new(lake.clone(), dir.clone(), window.name.clone());
    for number in (1..window.number).rev() {
        match chain.read(number).await? {
            Some(version) if version.state == State::Committed => return Ok(number),
            Some(_) => {}
            None => return Ok(number),
        }
    }
    Ok(1)
}
