//! `conditional: true`: a refresh that asks first whether anything has changed.

use std::sync::Arc;

use crate::error::Result;
use crate::http::conditional::is_unchanged;
use crate::manifest::chain::Chain;
use crate::manifest::version::{Manifest, State};
use crate::page::Meter;
use crate::run::plan::Unit;
use crate::run::shared::Run;

/// The committed window, where it is refreshed and the API says that none of its pages has changed. Nothing is taken
/// or written then. Only a commit of the same source and schema can stand for what a refresh would fetch.
///
/// # Errors
/// What ends the asking, before the window is taken.
pub(crate) async fn unchanged(
    run: &Run,
    unit: &Unit,
    chain: &Chain,
    meter: &Arc<Meter>,
) -> Result<Option<Manifest>> {
    if !(run.refresh && unit.stream.conditional) {
        return Ok(None);
    }
    let Some((_, manifest)) = chain.newest().await? else { return Ok(None) };
    let settled =
        manifest.state == State::Committed && manifest.is_committed() && !manifest.is_unfinished();
    let same = manifest.schema_fingerprint == unit.stream.table.fingerprint()
        && manifest.source_fingerprint == run.source.fingerprint(&unit.stream);
    if !(settled && same) {
        return Ok(None);
    }
    let pages = (manifest.checkpoint.pages, &*manifest.checkpoint.validators);
    let stop = run.stop.child();
    let asked = stop.run_until_cancelled(is_unchanged(
        run.client()?,
        &unit.stream,
        unit.window,
        pages,
        meter,
    ));
    match (asked.await, run.stop.cause()) {
        (Some(unchanged), _) => Ok(unchanged?.then_some(manifest)),
        (None, Some(cause)) => Err(cause.error()),
        (None, None) => Ok(None),
    }
}
