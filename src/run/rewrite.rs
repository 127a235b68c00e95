//! A committed window that is written anew from what it holds, without a request: taken, and let go.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::layout::TableDir;
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::manifest::hold::WindowRun;
use crate::manifest::lease::{Take, Taken, take};
use crate::manifest::publish::prune;
use crate::manifest::snapshot::WindowState;
use crate::manifest::version::{DataFile, Failure, Manifest};

/// Takes the window as it was looked at, and gives the commit to be written anew; `None` where another run has come between.
/// The attempt has the fingerprint of `schema`, or that of the commit.
///
/// # Errors
/// `Held` where another run holds the window; `Store` where the lake fails.
pub(crate) async fn take_committed(
    (lake, dir): (&Lake, &TableDir),
    window: &WindowState,
    schema: Option<&str>,
    run_id: &str,
    clock: Arc<dyn Clock>,
) -> Result<Option<(WindowRun, Manifest)>> {
    let chain = Chain::new(lake.clone(), dir.clone(), window.name.clone());
    // A table is looked at window by window: somebody may have ended a refresh since, or left one to be accepted.
    let newest = chain.newest().await?.filter(|(number, _)| *number == window.number);
    let Some(commit) = newest.and_then(|(_, manifest)| manifest.as_committed()) else {
        return Ok(None);
    };
    let intent = Take {
        run_id: run_id.to_owned(),
        window: commit.window,
        schema_fingerprint: schema.unwrap_or(&commit.schema_fingerprint).to_owned(),
        source_fingerprint: commit.source_fingerprint.clone(),
        refresh: true,
        accept_drift: false,
        clip: commit.clip.clone(),
    };
    let Taken::Run(held) = take(chain, clock, intent).await? else { return Ok(None) };
    let taken = held.manifest().await.as_committed();
    match taken.filter(|taken| taken.committed_at == commit.committed_at) {
        Some(commit) => Ok(Some((*held, commit))),
        None => {
            let message = "another run has replaced the window meanwhile";
            Err(let_go(*held, Error::new(ErrorKind::Held, message)).await)
        }
    }
}

/// The window as it is once a publish that was begun and not ended is, and what it replaced is pruned: whoever finds one
/// completes it (DESIGN §5).
///
/// # Errors
/// As [`take`].
pub async fn completed(
    (lake, dir): (&Lake, &TableDir),
    window: WindowState,
    run_id: &str,
    clock: Arc<dyn Clock>,
) -> Result<WindowState> {
    let manifest = &window.manifest;
    let live = manifest.owner.as_ref().is_some_and(|owner| owner.is_live(clock.now()));
    if live {
        return Ok(window);
    }
    let chain = Chain::new(lake.clone(), dir.clone(), window.name.clone());
    if !manifest.is_unfinished() {
        // What a kill right behind the commit left: it may be written anew no more.
        prune(&chain, window.number, manifest).await;
        return Ok(window);
    }
    let intent = Take {
        run_id: run_id.to_owned(),
        window: manifest.window,
        schema_fingerprint: manifest.schema_fingerprint.clone(),
        source_fingerprint: manifest.source_fingerprint.clone(),
        refresh: false,
        accept_drift: false,
        clip: manifest.clip.clone(),
    };
    if let Taken::Run(held) = take(chain.clone(), clock, intent).await? {
        let message = "another run has replaced the window meanwhile";
        return Err(let_go(*held, Error::new(ErrorKind::Held, message)).await);
    }
    Ok(match chain.newest().await? {
        Some((number, manifest)) => WindowState { number, manifest, ..window },
        None => window,
    })
}

/// Lets the window go as it was.
pub(crate) async fn let_go(held: WindowRun, error: Error) -> Error {
    if let Err(second) = held.release(Failure::from(&error)).await {
        tracing::debug!(error = %second, "could not let the window go");
    }
    error
}

/// Published files as input.
pub(crate) fn staged(files: &[DataFile]) -> Vec<StagedFile> {
    files.iter().cloned().map(DataFile::into).collect()
}
