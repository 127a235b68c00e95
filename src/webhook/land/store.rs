//! The inbox from async code: one connection, each call of it on a thread that may block.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::webhook::inbox::Inbox;
use crate::webhook::inbox::event::{Batch, Event};

/// Events that are read at once, and about how many bytes of bodies.
const EVENTS: usize = 10_000;
const BYTES: u64 = 16 << 20;

/// An open inbox.
#[derive(Clone, Debug)]
pub(super) struct Store(Arc<Mutex<Inbox>>);

/// The events that are in no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loose {
    /// Those that wait for a stream.
    Waiting,
    /// Those that none takes.
    Refused,
}

impl Store {
    /// Opens the inbox in the folder, which must be there.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub(super) async fn open(dir: &Path) -> Result<Self> {
        let dir = dir.to_owned();
        let opened = blocking(move || Inbox::open(&dir, false)).await?;
        Ok(Self(Arc::new(Mutex::new(opened))))
    }

    /// The number of the newest event.
    pub(super) async fn newest(&self) -> Result<i64> {
        self.with(|inbox| inbox.newest()).await
    }

    /// The next events in no batch, after the event `after` and up to the event `newest`.
    pub(super) async fn loose(
        &self,
        of: Loose,
        source: &str,
        (after, newest): (i64, i64),
    ) -> Result<Vec<Event>> {
        let source = source.to_owned();
        self.with(move |inbox| {
            let events = match of {
                Loose::Waiting => inbox.waiting(&source, after, EVENTS, BYTES),
                Loose::Refused => inbox.refused(&source, after, EVENTS, BYTES),
            };
            let mut events = events?;
            events.retain(|event| event.seq <= newest);
            Ok(events)
        })
        .await
    }

    /// The batches that were made and have not landed.
    pub(super) async fn batches(&self, source: &str) -> Result<Vec<Batch>> {
        let source = source.to_owned();
        self.with(move |inbox| inbox.batches(&source)).await
    }

    /// The events of a batch.
    pub(super) async fn events(&self, batch: &Batch) -> Result<Vec<Event>> {
        let name = batch.name.clone();
        self.with(move |inbox| inbox.batch_events(&name)).await
    }

    /// Makes a batch durable.
    pub(super) async fn assign(&self, batch: &Batch, seqs: Vec<i64>) -> Result<()> {
        let batch = batch.clone();
        self.with(move |inbox| inbox.assign(&batch, &seqs)).await
    }

    /// Lets a batch go that the lake has.
    pub(super) async fn landed(&self, batch: &Batch) -> Result<()> {
        let name = batch.name.clone();
        self.with(move |inbox| inbox.landed(&name)).await
    }

    async fn with<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Inbox) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inbox = Arc::clone(&self.0);
        blocking(move || call(&mut inbox.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(|cause| {
        Error::new(ErrorKind::Unexpected, "a call of the inbox stopped").caused_by(cause)
    })?
}
