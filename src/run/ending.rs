//! How a window is let go that did not end well.

use crate::error::{Error, ErrorKind, Result};
use crate::manifest::hold::WindowRun;
use crate::manifest::version::Failure;
use crate::run::shared::Run;

/// Lets a window go that did not end well: any host may go on from its checkpoint at once.
pub(crate) async fn let_go(run: &Run, held: WindowRun, error: Error, saved: Result<()>) -> Error {
    if held.lost().is_cancelled() || error.kind() == ErrorKind::Held {
        return Error::new(
            ErrorKind::Held,
            "another run took the window over while this one was paused",
        )
        .hint("nothing of this run is visible to readers; the other run finishes the window");
    }
    if let Err(second) = saved {
        tracing::warn!(error = %second, "could not save a checkpoint: the last one stands");
    }
    let error = match run.stop.cause() {
        Some(cause) if error.kind() == ErrorKind::Interrupted => cause.error(),
        _ => error,
    };
    if let Err(second) = held.release(Failure::from(&error)).await {
        tracing::warn!(error = %second, "could not let the window go: a rerun on this host takes it over");
    }
    error
}
