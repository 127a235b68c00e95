//! The read side: every window of a table with its newest version, and the exact files that readers use.
//!
//! Each window is read at one instant, and a commit is one version, so a window shows its old rows or its new
//! ones. Where one window replaced others, both sides are two chains, and two rules keep them apart. A window
//! that some read version `covers` is left out: never both. A window that was ended is trusted only with
//! the version of its replacer that covers it, else all is read again: never neither.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::manifest::version::{DataFile, Manifest};

/// Chains that are read at once.
const AT_ONCE: usize = 16;
/// How often all is read again when a replacement is half seen.
const ROUNDS: u32 = 10;
/// The wait before that, from the third time on.
const WAIT: Duration = Duration::from_millis(100);

/// One window of a table.
#[derive(Clone, Debug)]
pub struct WindowState {
    /// Its name.
    pub name: WindowName,
    /// The number of its newest version.
    pub number: u64,
    /// Its newest version.
    pub manifest: Manifest,
}

/// A table as of one instant a window.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The windows that were not replaced by another, by name.
    pub windows: Vec<WindowState>,
    /// The windows that another one replaced; readers use none of their files.
    pub replaced: Vec<WindowState>,
    /// What could not be read, naming the object. Empty unless from [`survey`].
    pub broken: Vec<(WindowName, Error)>,
}

impl Snapshot {
    /// The files that readers use, by window, then as published.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.windows.iter().flat_map(|window| &window.manifest.published)
    }
}

/// The names of the lake's tables, sorted.
///
/// # Errors
/// `Store` when the lake cannot be listed.
pub async fn tables(lake: &Lake) -> Result<Vec<TableDir>> {
    let mut tables = Vec::new();
    for name in lake.list_dirs("").await? {
        let Ok(dir) = TableDir::new(&name) else { continue };
        if !lake.list_dirs(&dir.all_windows_dir()).await?.is_empty() {
            tables.push(dir);
        }
    }
    Ok(tables)
}

/// The table, whole: what `status --files` and queries stand on.
///
/// # Errors
/// `Store`, naming the object, when any window cannot be read: a part of a table is no answer.
pub async fn snapshot(lake: &Lake, dir: &TableDir) -> Result<Snapshot> {
    let mut snapshot = survey(lake, dir).await?;
    match snapshot.broken.pop() {
        Some((_, error)) => Err(error),
        None => Ok(snapshot),
    }
}

/// The table with what is broken in it, for those who look after it.
///
/// # Errors
/// `Store` when the windows cannot be listed.
pub async fn survey(lake: &Lake, dir: &TableDir) -> Result<Snapshot> {
    let mut round = 0;
    loop {
        let (windows, broken) = read_all(lake, dir).await?;
        // Of an ender whose chain somebody deleted by hand, no round will see the covering version.
        round += 1;
        if !half_seen(&windows) || round >= ROUNDS {
            return Ok(divide(windows, broken));
        }
        // The replacer's version exists already: a second look sees it, on any store that lists what is there.
        if round > 2 {
            tokio::time::sleep(WAIT).await;
        }
    }
}

type Read = (Vec<WindowState>, Vec<(WindowName, Error)>);

async fn read_all(lake: &Lake, dir: &TableDir) -> Result<Read> {
    let names = lake.list_dirs(&dir.all_windows_dir()).await?;
    let names: Vec<WindowName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let mut read = futures::stream::iter(names)
        .map(|name| async {
            let chain = Chain::new(lake.clone(), dir.clone(), name.clone());
            (name, chain.newest().await)
        })
        .buffered(AT_ONCE);
    let (mut windows, mut broken) = (Vec::new(), Vec::new());
    while let Some((name, newest)) = read.next().await {
        match newest {
            Ok(Some((number, manifest))) => windows.push(WindowState { name, number, manifest }),
            Ok(None) => {}
            Err(error) => broken.push((name, error)),
        }
    }
    Ok((windows, broken))
}

/// Windows by the names of what they cover as of a commit.
fn covers(window: &WindowState) -> impl Iterator<Item = &str> {
    let committed = window.manifest.committed_at.is_some();
    window.manifest.covers.iter().filter(move |_| committed).map(String::as_str)
}

/// Whether a window was seen ended, and its replacer as it was before.
fn half_seen(windows: &[WindowState]) -> bool {
    let by_name: HashMap<String, &WindowState> =
        windows.iter().map(|window| (window.name.to_string(), window)).collect();
    windows.iter().any(|window| {
        let Some(ender) = &window.manifest.ended_by else { return false };
        let name = window.name.to_string();
        !by_name.get(ender).is_some_and(|ender| covers(ender).any(|covered| covered == name))
    })
}

fn divide(windows: Vec<WindowState>, broken: Vec<(WindowName, Error)>) -> Snapshot {
    let covered: HashSet<String> =
        windows.iter().flat_map(|window| covers(window).map(ToOwned::to_owned)).collect();
    let (replaced, windows) = windows.into_iter().partition(|window| {
        window.manifest.ended_by.is_some() || covered.contains(&window.name.to_string())
    });
    Snapshot { windows, replaced, broken }
}

/// The error of a table that the lake does not have, naming those that it has.
///
/// # Errors
/// `Usage` when there is no such table; `Store` when the lake cannot be listed.
pub async fn find_table(lake: &Lake, name: &str) -> Result<TableDir> {
    let tables = tables(lake).await?;
    let known: Vec<&str> = tables.iter().map(TableDir::table).collect();
    match tables.iter().find(|dir| dir.table() == name) {
        Some(dir) => Ok(dir.clone()),
        None => Err(Error::new(ErrorKind::Usage, format!("the lake has no table `{name}`"))
            .with("lake", lake.describe())
            .hint(match known.is_empty() {
                true => "it has no table yet: `lakeward extract` makes one".to_owned(),
                false => format!("it has: {}", known.join(", ")),
            })),
    }
}
