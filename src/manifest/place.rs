//! Our place in a chain: every version of a window that we hold is written here, by one writer at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::manifest::chain::{Chain, Head};
use crate::manifest::owner::Owner;
use crate::manifest::version::Manifest;

/// How long a version may be the newest before the heartbeat writes another (DESIGN §5).
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(20);

/// The chain and our place in it, shared with the heartbeat.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    place: Mutex<Place>,
    lost: CancellationToken,
}

#[derive(Debug)]
struct Place {
    head: Head,
    written: Instant,
}

impl Held {
    pub(crate) fn new(chain: Chain, clock: Arc<dyn Clock>, head: Head) -> Self {
        let place = Mutex::new(Place { head, written: Instant::now() });
        Self { chain, clock, place, lost: CancellationToken::new() }
    }

    /// Cancelled once the window is lost to another run.
    pub(crate) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// The version that this run wrote or took over last, and its number.
    pub(crate) async fn newest(&self) -> (u64, Manifest) {
        let place = self.place.lock().await;
        (place.head.number, place.head.manifest.clone())
    }

    /// Writes the next version: the last one, changed, with our owner's heartbeat where it has one.
    ///
    /// # Errors
    /// `Held` when the window is lost, now or earlier; `Store` when the outcome is not known.
    pub(crate) async fn write(&self, change: impl FnOnce(&mut Manifest) + Send) -> Result<()> {
        let mut place = self.place.lock().await;
        self.write_locked(&mut place, change).await
    }

    async fn write_locked(
        &self,
        place: &mut Place,
        change: impl FnOnce(&mut Manifest) + Send,
    ) -> Result<()> {
        if self.lost.is_cancelled() {
            return Err(self.chain.lost().await);
        }
        let mut next = place.head.manifest.next();
        change(&mut next);
        if let Some(owner) = &mut next.owner {
            *owner = Owner::current(self.clock.now());
        }
        let written = place.head.advance(&self.chain, next).await;
        match &written {
            Ok(()) => place.written = Instant::now(),
            Err(error) if error.kind() == ErrorKind::Held => self.lost.cancel(),
            Err(_) => {}
        }
        written
    }

    /// Writes a heartbeat if the newest version is old enough; how long until the next one is due.
    pub(crate) async fn beat(&self) -> Duration {
        let mut place = self.place.lock().await;
        let age = place.written.elapsed();
        if let Some(rest) = HEARTBEAT.checked_sub(age).filter(|rest| !rest.is_zero()) {
            return rest;
        }
        if place.head.manifest.owner.is_none() {
            return HEARTBEAT;
        }
        if let Err(error) = self.write_locked(&mut place, |_| ()).await {
            tracing::warn!(window = %self.chain.name(), %error, "could not write the heartbeat");
        }
        HEARTBEAT
    }

    /// Makes the newest version as old as a heartbeat lets it become.
    #[cfg(test)]
    pub(crate) async fn make_due(&self) {
        let mut place = self.place.lock().await;
        place.written = place.written.checked_sub(HEARTBEAT).unwrap_or(place.written);
    }

    /// Beats until the window is lost.
    pub(crate) fn start_heartbeat(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let held = Arc::clone(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut wait = HEARTBEAT;
            while held.lost.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
                wait = held.beat().await;
            }
        }))
    }
}
