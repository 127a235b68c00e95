//! The small files of a committed window into few, by one more version of its manifest.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::compact::files_after;
use crate::lake::data_file::StagedFile;
use crate::lake::layout::TableDir;
use crate::lake::partitions::PartitionWriter;
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;
use crate::manifest::hold::WindowRun;
use crate::manifest::snapshot::WindowState;
use crate::manifest::version::{Manifest, State};
use crate::run::footer::Footer;
use crate::run::rewrite::{let_go, staged, take_committed};

/// What there is to do for a window that has small files to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It would have about so many files.
    Merge(usize),
    /// It is left as it is, and why.
    Leave(&'static str),
}

/// What there is to do for the window; `None` where there is nothing to merge. One that somebody is at work on is left, and
/// one of which a refresh was stopped or failed: what that has staged would be given up.
pub fn planned(window: &WindowState, target: u64, now: DateTime<Utc>) -> Option<Plan> {
    let manifest = &window.manifest;
    let files = staged(&manifest.published);
    let after = files_after(&files, target);
    if after >= files.len() {
        return None;
    }
    Some(match manifest.state {
        _ if manifest.owner.as_ref().is_some_and(|owner| owner.is_live(now)) => {
            Plan::Leave("a run is at work on it")
        }
        _ if manifest.is_unfinished() => Plan::Leave("a publish is not ended"),
        // Of a compaction that was stopped, or a refresh that had come to nothing.
        State::Running if manifest.checkpoint.pages == 0 => Plan::Merge(after),
        State::Committed => Plan::Merge(after),
        State::Running | State::Failed | State::Publishing => {
            Plan::Leave("a refresh was stopped: let it end with --refresh first")
        }
    })
}

/// Merges the window's small files up to `target` bytes. Gives back its manifest, or `None` where another run has come
/// between.
///
/// Memory: one file under way and a few batches. Killed at any instant, the window stays as it was.
///
/// # Errors
/// `Held` where another run holds the window; `Store` where the lake fails or a file is not what it was.
pub async fn compact(
    lake: &Lake,
    dir: &TableDir,
    window: &WindowState,
    target: u64,
    run_id: &str,
    clock: Arc<dyn Clock>,
) -> Result<Option<Manifest>> {
    let taken = take_committed((lake, dir), window, None, run_id, clock).await?;
    let Some((held, commit)) = taken else { return Ok(None) };
    match merged(lake, dir, &held, &commit, target).await {
        Ok(files) => held.replace_files(commit, files).await.map(Some),
        Err(error) => Err(let_go(held, error).await),
    }
}

async fn merged(
    lake: &Lake,
    dir: &TableDir,
    held: &WindowRun,
    commit: &Manifest,
    target: u64,
) -> Result<Vec<StagedFile>> {
    let files = staged(&commit.published);
    let Some(first) = files.first() else { return Ok(files) };
    let like = DataFileReader::open(lake, &first.path, first.bytes).await?;
    let footer = Footer::read(&like)?;
    let attempt = (dir.clone(), held.name().clone(), held.attempt());
    let partition_by = footer.partition_by.as_deref();
    let mut writer = PartitionWriter::like(lake.clone(), attempt, &like, partition_by, target)?;
    let settled = writer.settle(files).await?;
    let rows: u64 = settled.iter().map(|file| file.rows).sum();
    if rows == commit.counts.written {
        return Ok(settled);
    }
    Err(Error::new(
        ErrorKind::Store,
        "the published files have other rows than their manifest counts",
    )
    .with("window", held.name())
    .with("rows", rows)
    .with("written", commit.counts.written)
    .hint("`lakeward verify` says which; extract the window again with --refresh"))
}
