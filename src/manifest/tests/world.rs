//! A table, its windows, and a run in miniature that stages, checkpoints and publishes.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use sha2::{Digest, Sha256};

use crate::clock::FixedClock;
use crate::drift::profile::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::layout::{TableDir, WindowName, version_of};
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::manifest::checkpoint::Parts;
use crate::manifest::hold::{Outcome, Progress, WindowRun};
use crate::manifest::lease::{Take, Taken, take};
use crate::manifest::snapshot::snapshot;
use crate::manifest::version::{Counts, DataFile, Failure, Manifest, State};
use crate::page::{Cursor, Position};
use crate::window::Window;
use crate::window::batch::WindowId;

pub(super) const DAY_1: &str = "20260316T000000Z_20260317T000000Z";
pub(super) const DAY_2: &str = "20260317T000000Z_20260318T000000Z";
pub(super) const BOTH: &str = "20260316T000000Z_20260318T000000Z";
pub(super) const PAGES: u64 = 2;

pub(super) fn at(minutes: i64) -> DateTime<Utc> {
    "2026-03-20T00:00:00Z".parse::<DateTime<Utc>>().expect("instant") + TimeDelta::minutes(minutes)
}

pub(super) fn table() -> TableDir {
    TableDir::new("payments").expect("table")
}

pub(super) fn name(window: &str) -> WindowName {
    WindowName::new("gateway", "payments", window.parse::<WindowId>().expect("window"))
        .expect("name")
}

pub(super) fn lake_on(store: Arc<dyn ObjectStore>) -> Lake {
    Lake::on(store, "memory://test")
}

pub(super) fn chain(lake: &Lake, window: &str) -> Chain {
    Chain::new(lake.clone(), table(), name(window))
}

/// One run of the program over one window.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) window: &'static str,
    /// What the API serves: rows are `<rows>-<page>`.
    pub(super) rows: &'static str,
    pub(super) refresh: bool,
    /// The clock, in minutes.
    pub(super) minute: i64,
}

impl Job {
    pub(super) fn new(window: &'static str, rows: &'static str) -> Self {
        Self { window, rows, refresh: false, minute: 0 }
    }

    pub(super) fn refresh(self) -> Self {
        Self { refresh: true, ..self }
    }

    pub(super) fn minute(self, minute: i64) -> Self {
        Self { minute, ..self }
    }

    pub(super) fn take(&self) -> Take {
        Take {
            run_id: format!("run-{}", self.rows),
            window: match self.window.parse().expect("window") {
                WindowId::Window(window) => window,
                WindowId::Batch(_) => Window::around(at(0), at(1)).expect("bounds"),
            },
            schema_fingerprint: "schema".into(),
            source_fingerprint: "source".into(),
            refresh: self.refresh,
            accept_drift: false,
            clip: None,
        }
    }

    pub(super) async fn begin_with(&self, lake: &Lake, how: Take) -> Result<Taken> {
        take(chain(lake, self.window), Arc::new(FixedClock(at(self.minute))), how).await
    }

    pub(super) async fn begin(&self, lake: &Lake) -> Result<Taken> {
        self.begin_with(lake, self.take()).await
    }

    /// Takes the window, which must be there to take.
    pub(super) async fn hold(&self, lake: &Lake) -> WindowRun {
        match self.begin(lake).await.expect("take") {
            Taken::Run(run) => *run,
            Taken::Committed(manifest) => panic!("committed: {manifest:?}"),
        }
    }

    /// Extracts the window; the manifest it is committed with.
    pub(super) async fn run(&self, lake: &Lake) -> Result<Manifest> {
        match self.begin(lake).await? {
            Taken::Committed(manifest) => Ok(*manifest),
            Taken::Run(run) => {
                let progress = self.fetch(lake, &run, PAGES).await?;
                self.publish(lake, *run, progress).await
            }
        }
    }

    /// As `lakeward compact` does it: one of a committed window's files is written anew, the other stays where it is.
    pub(super) async fn compact(&self, lake: &Lake) -> Result<()> {
        let newest = chain(lake, self.window).newest().await?;
        if newest.is_none_or(|(_, m)| m.state != State::Committed || m.is_unfinished()) {
            return Ok(());
        }
        let how = Take { refresh: true, ..self.take() };
        let Taken::Run(run) = self.begin_with(lake, how).await? else { return Ok(()) };
        let manifest = run.manifest().await;
        let Some(commit) = manifest.as_committed() else {
            let gone = Error::new(ErrorKind::Held, "replaced meanwhile");
            return run.release(Failure::from(&gone)).await.map(drop);
        };
        let mut files: Vec<StagedFile> =
            commit.published.iter().cloned().map(DataFile::into).collect();
        let first = &mut files[0];
        let gone = || Error::new(ErrorKind::Store, "a published file is gone");
        let read = lake.read(&first.path).await?.ok_or_else(gone)?;
        let row = String::from_utf8(read.to_vec()).expect("text");
        *first = stage(lake, &run, &row, 1).await?;
        run.replace_files(commit, files).await.map(drop)
    }

    /// Fetches up to page `until`, with a file and a checkpoint a page.
    pub(super) async fn fetch(&self, lake: &Lake, run: &WindowRun, until: u64) -> Result<Progress> {
        let mut progress = start_of(run);
        while progress.position.pages < until {
            let page = progress.position.pages + 1;
            let row = format!("{}-{page}", self.rows);
            progress.files.push(stage(lake, run, &row, page).await?);
            let staging = run.chain().dir().staging_dir(run.name(), run.attempt());
            let keys = format!("{staging}/keys-{page}");
            lake.put(&keys, "keys".into()).await?;
            progress.parts.keys = vec![keys];
            progress.seen.push(page);
            let next = (page < PAGES).then_some(Cursor::Page { page: page + 1 });
            progress.position = Position { next, pages: page, records: page, total: None };
            progress.counts =
                Counts { pages: page, fetched: page, written: page, ..Counts::default() };
            run.checkpoint(progress.clone()).await?;
        }
        Ok(progress)
    }

    pub(super) async fn publish(
        &self,
        lake: &Lake,
        run: WindowRun,
        progress: Progress,
    ) -> Result<Manifest> {
        let outcome = outcome(lake, &run, progress).await?;
        run.publish(outcome).await
    }
}

fn start_of(run: &WindowRun) -> Progress {
    match run.resumed() {
        None => Progress {
            files: Vec::new(),
            position: Position::start(),
            seen: Vec::new(),
            parts: Parts::default(),
            validators: Vec::new(),
            counts: Counts::default(),
        },
        Some(resumed) => Progress {
            files: resumed.files.clone(),
            position: resumed.checkpoint.position(),
            seen: resumed.checkpoint.seen.clone(),
            parts: resumed.checkpoint.parts.clone(),
            validators: Vec::new(),
            counts: resumed.counts,
        },
    }
}

pub(super) async fn outcome(lake: &Lake, run: &WindowRun, progress: Progress) -> Result<Outcome> {
    let rejects = run.chain().dir().rejects_path(run.name(), run.attempt());
    lake.put(&rejects, "{}\n".into()).await?;
    let Progress { files, counts, .. } = progress;
    let profile = Some(Profile { records: counts.fetched, ..Profile::default() });
    Ok(Outcome { files, drift: None, profile, rejects: Some(rejects), counts })
}

async fn stage(lake: &Lake, run: &WindowRun, row: &str, page: u64) -> Result<StagedFile> {
    let n = u32::try_from(page).expect("page");
    let path = run.chain().dir().staged_path(run.name(), run.attempt(), n);
    lake.put(&path, row.to_owned().into()).await?;
    Ok(StagedFile {
        path,
        partition: "date=2026-03-16".into(),
        rows: 1,
        bytes: u64::try_from(row.len()).expect("length"),
        sha256: hex(row.as_bytes()),
        min_event: None,
        max_event: None,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rows that a reader of the manifests sees, each file checked against its entry.
pub(super) async fn rows(lake: &Lake) -> Vec<String> {
    let mut rows = Vec::new();
    for file in snapshot(lake, &table()).await.expect("snapshot").files() {
        let bytes = lake.read(&file.path).await.expect("read");
        let bytes = bytes.unwrap_or_else(|| panic!("{} is missing", file.path));
        assert_eq!(hex(&bytes), file.sha256, "{}", file.path);
        rows.push(String::from_utf8(bytes.to_vec()).expect("text"));
    }
    rows.sort_unstable();
    rows
}

/// The rows by the published entries alone: for a reader whose files may be gone by now.
pub(super) async fn row_hashes(lake: &Lake) -> BTreeSet<String> {
    let snapshot = snapshot(lake, &table()).await.expect("snapshot");
    let hashes: Vec<String> = snapshot.files().map(|file| file.sha256.clone()).collect();
    let set: BTreeSet<String> = hashes.iter().cloned().collect();
    assert_eq!(set.len(), hashes.len(), "a row twice");
    set
}

pub(super) fn rows_of(generations: &[&str]) -> Vec<String> {
    let row = |g: &&str| (1..=PAGES).map(|page| format!("{g}-{page}")).collect::<Vec<_>>();
    let mut rows: Vec<String> = generations.iter().flat_map(row).collect();
    rows.sort_unstable();
    rows
}

pub(super) fn hashes_of(generations: &[&str]) -> BTreeSet<String> {
    rows_of(generations).iter().map(|row| hex(row.as_bytes())).collect()
}

/// Asserts that the table holds what the newest versions name, those versions, and nothing else.
pub(super) async fn assert_tidy(lake: &Lake) {
    let snapshot = snapshot(lake, &table()).await.expect("snapshot");
    let mut expected = BTreeSet::new();
    for window in snapshot.windows.iter().chain(&snapshot.replaced) {
        expected.insert(table().version_path(&window.name, window.number));
        expected.extend(window.manifest.published.iter().map(|file| file.path.clone()));
        expected.extend(window.manifest.reports().map(ToOwned::to_owned));
    }
    // Old versions are ignored, and pruned when the window is next looked at; a replaced one never is.
    let pruned_later = |path: &str| {
        snapshot.replaced.iter().any(|window| {
            let own = format!("{}/", table().windows_dir(&window.name));
            path.starts_with(&own) && version_of(path).is_some_and(|n| n < window.number)
        })
    };
    let found = lake.list("payments").await.expect("list").into_iter().map(|object| object.path);
    let found: BTreeSet<String> = found.filter(|path| !pruned_later(path)).collect();
    assert_eq!(found, expected);
}

pub(super) fn memory() -> Arc<InMemory> {
    Arc::new(InMemory::new())
}

/// An independent copy of a store.
pub(super) fn fork(store: &InMemory) -> Arc<InMemory> {
    Arc::new(store.fork())
}
