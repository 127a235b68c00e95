//! The first two stages of the pipeline, each a task with a short queue behind it, so that a slow
//! stage slows the ones before it: pages are fetched, then decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument as _;

use crate::decode::shape::Shape;
use crate::decode::{Decoded, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::budget::Budget;
use crate::page::{Page, Position};

/// Pages that wait between two stages.
const QUEUE: usize = 2;

/// A page's rows, and where the stream stands once they are durable.
#[derive(Debug)]
pub(crate) struct Landed {
    /// Rows, rejects and counts.
    pub(crate) decoded: Decoded,
    /// Records of the page, whatever became of them.
    pub(crate) records: usize,
    /// The body's size in bytes.
    pub(crate) bytes: usize,
    /// What the page adds to the loop check.
    pub(crate) seen: Vec<u64>,
    /// Where the stream stands after the page.
    pub(crate) after: Position,
    /// The shape of everything up to this page, where it was asked for.
    pub(crate) shape: Option<Shape>,
    /// Given back with the page.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// A page, and the memory that it has until it has landed.
#[derive(Debug)]
pub(crate) struct Fetched {
    page: Page,
    room: Option<OwnedSemaphorePermit>,
}

/// Reads `pages` ahead of the decoder, as far as there is room for them.
pub(crate) fn fetch<S>(pages: S, budget: Arc<Budget>) -> Receiver<Result<Fetched>>
where
    S: futures::Stream<Item = Result<Page>> + Send + 'static,
{
    let (sender, receiver) = channel(QUEUE);
    let task = async move {
        let mut pages = std::pin::pin!(pages);
        while let Some(page) = pages.next().await {
            let failed = page.is_err();
            let page = match page {
                Ok(page) => {
                    let room = budget.page(page.body.len()).await;
                    Ok(Fetched { page, room })
                }
                Err(error) => Err(error),
            };
            if sender.send(page).await.is_err() || failed {
                return;
            }
        }
    };
    tokio::spawn(task.in_current_span());
    receiver
}

/// The decoding stage: its output, and what it has seen when that has ended.
pub(crate) struct Decoding {
    /// Pages as rows, in order; an error is the last item.
    pub(crate) landed: Receiver<Result<Landed>>,
    wanted: Arc<AtomicBool>,
    decoder: oneshot::Receiver<Decoder>,
}

impl Decoding {
    /// Decodes `pages` beside the stages around it, on a thread of its own: it is all computing, and one
    /// thread's memory is used again where that of many would add up.
    ///
    /// # Errors
    /// `Unexpected` when the system gives no thread.
    pub(crate) fn start(
        mut decoder: Decoder,
        mut pages: Receiver<Result<Fetched>>,
    ) -> Result<Self> {
        let (sender, landed) = channel(QUEUE);
        let (done, ended) = oneshot::channel();
        let wanted = Arc::new(AtomicBool::new(false));
        let wants = Arc::clone(&wanted);
        let span = tracing::Span::current();
        let work = move || {
            let _entered = span.entered();
            while let Some(page) = pages.blocking_recv() {
                let page = page.and_then(|page| decode(&mut decoder, page, &wants));
                let failed = page.is_err();
                if sender.blocking_send(page).is_err() || failed {
                    break;
                }
            }
            // Only a window that was given up has nobody who asks for it.
            let _ = done.send(decoder);
        };
        std::thread::Builder::new().name("decode".to_owned()).spawn(work).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "could not start a thread").caused_by(error)
        })?;
        Ok(Self { landed, wanted, decoder: ended })
    }

    /// Asks for the shape with one of the next pages, for a checkpoint there.
    pub(crate) fn want_shape(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// The shape of everything that was decoded.
    pub(crate) async fn shape(self) -> Result<Shape> {
        drop(self.landed);
        let decoder = self.decoder.await.map_err(|error| {
            Error::new(ErrorKind::Unexpected, "the decoder stopped").caused_by(error)
        })?;
        Ok(decoder.shape().clone())
    }
}

fn decode(decoder: &mut Decoder, fetched: Fetched, wants: &AtomicBool) -> Result<Landed> {
    let Fetched { page, room } = fetched;
    let decoded = decoder.decode(&page)?;
    let shape = wants.swap(false, Ordering::Relaxed).then(|| decoder.shape().clone());
    Ok(Landed {
        decoded,
        records: page.records.len(),
        bytes: page.body.len(),
        seen: page.seen,
        after: page.after,
        shape,
        room,
    })
}
