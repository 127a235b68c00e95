//! SIGINT and SIGTERM: the first asks for an orderly end, with a checkpoint; the second is the shell's.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, ErrorKind, Result};
use crate::run::stop::{Cause, Stop};

/// Turns the first signal into a stop, which the log tells as `told`, and gives later ones their usual effect.
///
/// # Errors
/// `Unexpected` when the handlers cannot be installed.
pub(crate) fn stop_on_signals(
    stop: Stop,
    told: &'static str,
    run_id: Option<String>,
) -> Result<()> {
    let handler = |kind| {
        signal(kind).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "could not listen for signals").caused_by(error)
        })
    };
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut terminate = handler(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let cause = tokio::select! {
                _ = interrupt.recv() => Cause::Interrupted,
                _ = terminate.recv() => Cause::Terminated,
            };
            if first {
                tracing::warn!(run_id, "{told}; a second signal ends at once");
                stop.because(cause);
                first = false;
            } else {
                end_at_once(cause);
            }
        }
    });
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a second signal asks for just this")]
fn end_at_once(cause: Cause) {
    std::process::exit(i32::from(cause.kind().exit_code()));
}
