//! How far a run has come: counters that the stages raise and the progress bar reads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::http::client::Client;
use crate::run::notice::Notice;

/// What is told before then is mostly noise.
const FORECAST_AFTER: Duration = Duration::from_secs(5);

/// Counters of a whole run.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    windows: AtomicU64,
    windows_done: AtomicU64,
    /// Of them those that were not there before the run.
    windows_fetched: AtomicU64,
    pages: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    client: OnceLock<Client>,
    listener: Option<UnboundedSender<Notice>>,
}

impl Progress {
    /// A run of `windows` windows that starts now.
    pub fn new(windows: usize) -> Self {
        Self {
            started: Instant::now(),
            windows: AtomicU64::new(u64::try_from(windows).unwrap_or(u64::MAX)),
            windows_done: AtomicU64::new(0),
            windows_fetched: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            client: OnceLock::new(),
            listener: None,
        }
    }

    /// Tells `listener` what befalls each window. It may be as slow as it likes: nothing waits for it.
    #[must_use]
    pub fn telling(self, listener: Option<UnboundedSender<Notice>>) -> Self {
        Self { listener, ..self }
    }

    /// Tells who listens, if anybody does.
    pub(crate) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if let Some(listener) = &self.listener {
            // Who has gone needs to know nothing more.
            let _ = listener.send(notice());
        }
    }

    /// Another page of `records` records and `bytes` bytes has landed.
    pub fn page(&self, records: usize, bytes: usize) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(u64::try_from(records).unwrap_or(0), Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// Another window has ended, well or not; `fetched` unless it was committed before.
    pub fn window_done(&self, fetched: bool) {
        self.windows_done.fetch_add(1, Ordering::Relaxed);
        self.windows_fetched.fetch_add(u64::from(fetched), Ordering::Relaxed);
    }

    /// How long the rest will take if it goes on as it went, waits for quotas included; `None` before anything can be told.
    fn left(&self) -> Option<Duration> {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let left = of(&self.windows).saturating_sub(of(&self.windows_done));
        let (fetched, elapsed) = (of(&self.windows_fetched), self.started.elapsed());
        if fetched == 0 || left == 0 || elapsed < FORECAST_AFTER {
            return None;
        }
        // A ratio of counts, for people: its last digits mean nothing.
        let left = u32::try_from(left).ok()?;
        Some(elapsed / u32::try_from(fetched).ok()? * left)
    }

    /// Shows what the requests of `client` wait for, too.
    pub(crate) fn watch(&self, client: Client) {
        let _ = self.client.set(client);
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let elapsed = self.started.elapsed().as_secs();
        let records = of(&self.records);
        let waiting = self.client.get().and_then(Client::waiting);
        let waiting = waiting.map(|waiting| format!(", {waiting}")).unwrap_or_default();
        let left = self.left().map(|left| format!(", about {} left", rough(left)));
        let left = left.unwrap_or_default();
        format!(
            "{}/{} windows, {} pages, {records} records, {} MB, {} records/s, {elapsed} s{left}{waiting}",
            of(&self.windows_done),
            of(&self.windows),
            of(&self.pages),
            of(&self.bytes) / 1_000_000,
            records / elapsed.max(1),
        )
    }
}

/// A time as one would say it: 40 s, 12 min, 3.5 h.
fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..90 => format!("{seconds} s"),
        seconds @ ..5_400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{:.1} h", Duration::from_secs(seconds).as_secs_f64() / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_told_from_the_windows_that_were_fetched() {
        let started = Instant::now().checked_sub(Duration::from_secs(100)).expect("an instant");
        let progress = Progress { started, ..Progress::new(90) };
        assert_eq!(progress.left(), None);
        // A rerun passes over what is there at once: that tells nothing of the rest.
        (0..40).for_each(|_| progress.window_done(false));
        assert_eq!(progress.left(), None);
        (0..10).for_each(|_| progress.window_done(true));
        assert_eq!(progress.left().map(|left| left.as_secs() / 10), Some(40));
        assert!(progress.line().contains("about 7 min left"), "{}", progress.line());
        (0..40).for_each(|_| progress.window_done(true));
        assert_eq!(progress.left(), None, "nothing is left");
    }

    #[test]
    fn times_are_told_roughly() {
        let of = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!(
            [of(3), of(89), of(90), of(5_399), of(12_600)],
            ["3 s", "89 s", "2 min", "90 min", "3.5 h"]
        );
    }
}
