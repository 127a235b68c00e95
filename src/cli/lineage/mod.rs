//! `--openlineage`: an event at the start, the commit and the failure of each window, for a catalogue that draws where data
//! comes from.
//!
//! Events are sent beside the run, which never waits for them but for a moment at its end: what cannot be sent is a warning,
//! and changes nothing of what the run did.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::lineage::event::Events;
use crate::cli::lineage::target::Target;
use crate::error::Result;
use crate::run::notice::Notice;

mod event;
mod facets;
mod target;
#[cfg(test)]
mod tests;

/// How long the end of a run waits for events that are still to be sent.
const PATIENCE: Duration = Duration::from_secs(2);

/// The events of a run on their way, or none where nobody asked for them.
#[derive(Default)]
pub(crate) struct Lineage(Option<Sending>);

struct Sending {
    listener: UnboundedSender<Notice>,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Lineage {
    /// Begins to send to `target`, a file or an http(s) URL; the rest is in the environment that OpenLineage's own clients read.
    ///
    /// # Errors
    /// `Usage` for a file that cannot be written and for a URL that is none.
    pub(crate) fn start(target: Option<&str>) -> Result<Self> {
        let disabled = std::env::var("OPENLINEAGE_DISABLED").is_ok_and(|value| value == "true");
        let Some(target) = target.filter(|target| !disabled && !target.is_empty()) else {
            return Ok(Self::default());
        };
        let target = Target::open(target)?;
        let (listener, notices) = unbounded_channel();
        let end = CancellationToken::new();
        let task = tokio::spawn(send(target, notices, end.clone()));
        Ok(Self(Some(Sending { listener, end, task })))
    }

    /// Who is told what befalls each window.
    pub(crate) fn listener(&self) -> Option<UnboundedSender<Notice>> {
        self.0.as_ref().map(|sending| sending.listener.clone())
    }

    /// Ends when all is sent, or after a moment.
    pub(crate) async fn finish(self) {
        let Some(Sending { listener, end, mut task }) = self.0 else { return };
        drop(listener);
        end.cancel();
        if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("not all OpenLineage events were sent: the run does not wait longer");
        }
    }
}

/// Sends one event after the other; the first that fails is told, and how many did at the end.
async fn send(mut target: Target, mut notices: UnboundedReceiver<Notice>, end: CancellationToken) {
    let mut events = Events::from_environment();
    let mut failed = 0_u64;
    loop {
        let notice = tokio::select! {
            biased;
            notice = notices.recv() => notice,
            () = end.cancelled(), if !notices.is_closed() => {
                notices.close();
                continue;
            }
        };
        let Some(notice) = notice else { break };
        let Some(event) = events.event(&notice) else { continue };
        if let Err(error) = target.send(&event).await {
            failed += 1;
            if failed == 1 {
                tracing::warn!(%error, "could not send an OpenLineage event");
            }
        }
    }
    if failed > 1 {
        tracing::warn!(events = failed, "OpenLineage events were not sent");
    }
}
