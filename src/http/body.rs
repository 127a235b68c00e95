//! A page's body as it came, made ready: inflated, then scanned for its envelope, off the threads that send requests
//! unless it is small.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Cause, Error, ErrorKind, Result};
use crate::http::envelope::{Envelope, Plan};
use crate::http::inflate::{Bad, Codings};
use crate::http::transport::Lost;

/// Bodies above this are scanned beside the runtime's threads, so that a large page delays no other.
const SCAN_ELSEWHERE: usize = 1024 * 1024;

/// Compressed bodies up to this are inflated where they arrive: to hand them over takes longer.
const INFLATE_HERE: usize = 16 * 1024;

/// What such a body may grow to; a larger one is begun again elsewhere.
const INFLATED_HERE: usize = 512 * 1024;

/// A body that can be read.
pub(super) struct Opened {
    /// Inflated.
    pub(super) body: Bytes,
    /// Its envelope, or why it has none.
    pub(super) scanned: std::result::Result<Envelope, Cause>,
}

/// Undoes `codings`, to at most `most` bytes, and scans what comes out with `plan`.
///
/// # Errors
/// `Unexpected` when a thread's work is lost; the inner one as [`Codings::inflate`].
pub(super) async fn open(
    body: Bytes,
    codings: Codings,
    most: usize,
    plan: &Arc<Plan>,
) -> Result<std::result::Result<Opened, Lost>> {
    if codings.is_none() || body.is_empty() {
        if body.len() <= SCAN_ELSEWHERE {
            return Ok(Ok(scan(body, plan)));
        }
    } else if body.len() <= INFLATE_HERE {
        match codings.inflate(&body, most.min(INFLATED_HERE)) {
            Err(Bad::TooLarge) if most > INFLATED_HERE => {}
            inflated => return Ok(read(inflated, plan)),
        }
    }
    let plan = Arc::clone(plan);
    let work = move || {
        if codings.is_none() {
            Ok(scan(body, &plan))
        } else {
            read(codings.inflate(&body, most), &plan)
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Unexpected, "the reading of a body ended early").caused_by(error)
    })
}

fn read(
    inflated: std::result::Result<Vec<u8>, Bad>,
    plan: &Plan,
) -> std::result::Result<Opened, Lost> {
    match inflated {
        Ok(inflated) => Ok(scan(inflated.into(), plan)),
        Err(Bad::TooLarge) => Err(Lost::TooLarge),
        Err(Bad::Corrupt(error)) => Err(Lost::Corrupt(error)),
    }
}

fn scan(body: Bytes, plan: &Plan) -> Opened {
    let scanned = plan.scan(&body).map_err(Cause::from);
    Opened { body, scanned }
}
