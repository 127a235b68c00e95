//! How the receiver and its inbox are: whether it is ready, and the inbox's part of the metrics.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Clock;
use crate::error::Result;
use crate::webhook::inbox::Inbox;
use crate::webhook::metrics::Gauges;

/// How long a failure makes it not ready, in milliseconds: after that the next event is the test.
const REMEMBERED: i64 = 10_000;

/// Bytes that must be free for it to be ready: an event of any size, and what is around it.
const FREE: u64 = (1 << 20) + (64 << 10);

/// What is asked about an inbox from outside.
#[derive(Debug)]
pub(super) struct Health {
    dir: PathBuf,
    most: u64,
    clock: Arc<dyn Clock>,
    /// When an event could not be kept last, in milliseconds since the epoch.
    failed_at: AtomicI64,
}

impl Health {
    pub(super) fn new(dir: PathBuf, most: u64, clock: Arc<dyn Clock>) -> Self {
        Self { dir, most, clock, failed_at: AtomicI64::new(i64::MIN) }
    }

    /// An event could not be kept.
    pub(super) fn failed(&self) {
        self.failed_at.store(self.clock.now().timestamp_millis(), Ordering::Relaxed);
    }

    /// Events are kept again.
    pub(super) fn kept(&self) {
        // Not written by every request: they would wait for each other.
        if self.failed_at.load(Ordering::Relaxed) != i64::MIN {
            self.failed_at.store(i64::MIN, Ordering::Relaxed);
        }
    }

    /// Why no event can be kept now, if so.
    pub(super) async fn trouble(self: &Arc<Self>) -> Option<&'static str> {
        let since = self
            .clock
            .now()
            .timestamp_millis()
            .saturating_sub(self.failed_at.load(Ordering::Relaxed));
        if (0..REMEMBERED).contains(&since) {
            return Some("the last event could not be kept");
        }
        match self.gauges().await {
            None => Some("the inbox cannot be read"),
            Some(gauges) if gauges.bytes.saturating_add(FREE.min(self.most / 8)) > self.most => {
                Some("the inbox is full")
            }
            Some(_) => None,
        }
    }

    /// What the inbox says of itself.
    pub(super) async fn gauges(self: &Arc<Self>) -> Option<Gauges> {
        let health = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || health.read()).await.ok()?;
        read.inspect_err(|error| tracing::warn!(%error, "could not look into the inbox")).ok()
    }

    fn read(&self) -> Result<Gauges> {
        let inbox = Inbox::open(&self.dir, false)?;
        let now = self.clock.now();
        let age = inbox.oldest()?.map(|oldest| (now - oldest).num_milliseconds());
        Ok(Gauges {
            depth: inbox.depth()?,
            bytes: inbox.used()?,
            most: self.most,
            oldest_millis: age.and_then(|age| u64::try_from(age).ok()).unwrap_or_default(),
        })
    }
}
