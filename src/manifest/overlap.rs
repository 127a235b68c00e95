//! Windows of one stream that share instants: refused, or replaced by the one that covers them. Batches of webhook events
//! share nothing, with each other or with a window.
//!
//! Chains of different windows know nothing of each other, so this is checked three times: before the
//! window is taken, after its first version is written (of two runs that begin at once, at least one then
//! sees the other) and before it is published.

use chrono::{DateTime, Utc};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::WindowName;
use crate::manifest::chain::{Chain, describe};
use crate::manifest::version::{Manifest, State};
use crate::window::Window;

/// A committed window that lies wholly within another, and what it publishes.
#[derive(Clone, Debug)]
pub(crate) struct Covered {
    pub(crate) name: WindowName,
    pub(crate) manifest: Manifest,
}

/// The committed windows that a publish of the chain's window replaces.
///
/// # Errors
/// `Usage` where a committed window overlaps and is not to be replaced, `Held` where a live run holds one
/// that overlaps, `Store` where the lake cannot be read.
pub(crate) async fn covered(
    chain: &Chain,
    now: DateTime<Utc>,
    refresh: bool,
) -> Result<Vec<Covered>> {
    let mut covered = Vec::new();
    let Some(ours) = chain.name().id().window() else { return Ok(covered) };
    for (name, window) in neighbours(chain, ours).await? {
        let other = Chain::new(chain.lake().clone(), chain.dir().clone(), name.clone());
        let Some((_, manifest)) = other.newest().await? else { continue };
        let live = manifest.owner.as_ref().is_some_and(|owner| owner.is_live(now));
        let commits = manifest.is_committed() || manifest.state == State::Publishing;
        let covers = ours.covers(&window);
        if commits && !(refresh && covers) {
            return Err(refused((chain.name(), &name), covers, refresh));
        }
        if live && manifest.state != State::Committed {
            let error = Error::new(ErrorKind::Held, "a live run holds a window that overlaps")
                .with("window", chain.name())
                .with("overlaps", &name)
                .hint("wait for it to end; then see which windows are committed with `lakeward status`");
            return Err(describe(error, &manifest));
        }
        if commits {
            covered.push(Covered { name, manifest });
        }
    }
    Ok(covered)
}

/// The other windows of the stream that share an instant, by their folders' names.
async fn neighbours(chain: &Chain, ours: Window) -> Result<Vec<(WindowName, Window)>> {
    let own = chain.name();
    let dirs = chain.lake().list_dirs(&chain.dir().all_windows_dir()).await?;
    Ok(dirs
        .iter()
        .filter_map(|dir| dir.parse::<WindowName>().ok())
        .filter(|other| other != own && other.same_stream(own))
        .filter_map(|other| other.id().window().map(|window| (other, window)))
        .filter(|(_, window)| window.overlaps(&ours))
        .collect())
}

fn refused((own, other): (&WindowName, &WindowName), covers: bool, refresh: bool) -> Error {
    let hint = if covers && !refresh {
        "extract the committed window again with its own bounds, or replace it with --refresh"
    } else {
        "use the committed window's bounds, or with --refresh a window that wholly covers it"
    };
    Error::new(ErrorKind::Usage, "the window overlaps a committed one with other bounds")
        .with("window", own)
        .with("committed", other)
        .hint(hint)
}
