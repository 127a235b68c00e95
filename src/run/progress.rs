//! How far a run has come: counters that the stages raise and the progress bar reads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::http::client::Client;

/// Counters of a whole run.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    windows: AtomicU64,
    windows_done: AtomicU64,
    pages: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    client: OnceLock<Client>,
}

impl Progress {
    /// A run of `windows` windows that starts now.
    pub fn new(windows: usize) -> Self {
        Self {
            started: Instant::now(),
            windows: AtomicU64::new(u64::try_from(windows).unwrap_or(u64::MAX)),
            windows_done: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            client: OnceLock::new(),
        }
    }

    /// Another page of `records` records and `bytes` bytes has landed.
    pub fn page(&self, records: usize, bytes: usize) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(u64::try_from(records).unwrap_or(0), Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// Another window has ended, well or not.
    pub fn window_done(&self) {
        self.windows_done.fetch_add(1, Ordering::Relaxed);
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
        format!(
            "{}/{} windows, {} pages, {records} records, {} MB, {} records/s, {elapsed} s{waiting}",
            of(&self.windows_done),
            of(&self.windows),
            of(&self.pages),
            of(&self.bytes) / 1_000_000,
            records / elapsed.max(1),
        )
    }
}
