//! The first two stages of the pipeline, each a task with a short queue behind it, so that a slow
//! stage slows the ones before it: pages are fetched, then decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Instrument as _;

use crate::decode::shape::Shape;
use crate::decode::{Decoded, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::page::room::Held;
use crate::page::{Position, Validator};
use crate::run::events::Fed;

/// Pages that wait to be written.
const QUEUE: usize = 2;

/// Pages that wait to be decoded, and the KiB that they may hold together: enough for the next requests to leave
/// while a row group is written or a checkpoint made durable. A page that is larger than that waits alone.
const WAITING: usize = 64;
const WAITING_KIB: u32 = 8 * 1024;

/// A page's rows, and where the stream stands once they are durable.
#[derive(Debug)]
pub(crate) struct Landed {
    /// Rows, rejects and counts.
    pub(crate) decoded: Decoded,
    /// Records of the page, whatever became of them.
    pub(crate) records: usize,
    /// Those of them that are webhook events without a record.
    pub(crate) unlandable: usize,
    /// The body's size in bytes.
    pub(crate) bytes: usize,
    /// What the page adds to the loop check.
    pub(crate) seen: Vec<u64>,
    /// By what the page can be asked for again.
    pub(crate) validator: Option<Validator>,
    /// Where the stream stands after the page.
    pub(crate) after: Position,
    /// The shape of everything up to this page, where it was asked for.
    pub(crate) shape: Option<Shape>,
    /// Given back with the page.
    pub(crate) held: Held,
}

/// A page that waits for the decoder, and the room that it takes in the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    page: Result<Fed>,
    _queued: Option<OwnedSemaphorePermit>,
}

/// Reads `pages` ahead of the decoder. The next request leaves when a page is in, not when it has found a place.
pub(crate) fn fetch<S, P>(pages: S) -> Receiver<Waiting>
where
    S: futures::Stream<Item = Result<P>> + Send + 'static,
    P: Into<Fed>,
{
    let (sender, receiver) = channel(WAITING);
    let task = async move {
        let room = Arc::new(Semaphore::new(WAITING_KIB as usize));
        let mut pages = std::pin::pin!(pages.map(|page| page.map(Into::into)).fuse());
        let mut next = pages.next().await;
        while let Some(page) = next {
            // Behind an error there is nothing.
            let more = page.is_ok();
            let queued = queue(&sender, &room, page);
            let fetched = async { Ok(if more { pages.next().await } else { None }) };
            match tokio::try_join!(queued, fetched) {
                Ok(((), page)) => next = page,
                Err(Closed) => return,
            }
        }
    };
    tokio::spawn(task.in_current_span());
    receiver
}

/// Nobody waits for pages any more.
struct Closed;

async fn queue(
    sender: &Sender<Waiting>,
    queue: &Arc<Semaphore>,
    page: Result<Fed>,
) -> Result<(), Closed> {
    let bytes = page.as_ref().ok().map(|fed| fed.page.body.len());
    let taken = async {
        let bytes = bytes?;
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, WAITING_KIB);
        Arc::clone(queue).acquire_many_owned(kib).await.ok()
    };
    let queued = tokio::select! {
        taken = taken => taken,
        () = sender.closed() => return Err(Closed),
    };
    sender.send(Waiting { page, _queued: queued }).await.map_err(|_| Closed)
}

/// The decoding stage: its output, and what it has seen when that has ended.
pub(crate) struct Decoding {
    landed: Receiver<Result<Landed>>,
    /// Whether the decoder is to give the shape with its next page.
    wanted: Arc<AtomicBool>,
    /// Whether a shape was asked for and has not come yet.
    asked: bool,
    decoder: oneshot::Receiver<Decoder>,
}

impl Decoding {
    /// Decodes `pages` beside the stages around it, on a thread of its own: it is all computing, and one
    /// thread's memory is used again where that of many would add up.
    ///
    /// # Errors
    /// `Unexpected` when the system gives no thread.
    pub(crate) fn start(mut decoder: Decoder, mut pages: Receiver<Waiting>) -> Result<Self> {
        let (sender, landed) = channel(QUEUE);
        let (done, ended) = oneshot::channel();
        let wanted = Arc::new(AtomicBool::new(false));
        let wants = Arc::clone(&wanted);
        let span = tracing::Span::current();
        let work = move || {
            let _entered = span.entered();
            while let Some(page) = pages.blocking_recv() {
                let Waiting { page, _queued } = page;
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
        Ok(Self { landed, wanted, asked: false, decoder: ended })
    }

    /// The next page as rows, in order; an error is the last item.
    pub(crate) async fn next(&mut self) -> Option<Result<Landed>> {
        let page = self.landed.recv().await;
        if let Some(Ok(Landed { shape: Some(_), .. })) = &page {
            self.asked = false;
        }
        page
    }

    /// Asks for the shape with one of the next pages, for a checkpoint there; once until it has come, as each page that
    /// has one ends all files.
    pub(crate) fn want_shape(&mut self) {
        if !std::mem::replace(&mut self.asked, true) {
            self.wanted.store(true, Ordering::Relaxed);
        }
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

fn decode(decoder: &mut Decoder, fed: Fed, wants: &AtomicBool) -> Result<Landed> {
    let Fed { page, beside } = fed;
    let mut decoded = decoder.decode(&page)?;
    let unlandable = beside.map_or(Ok(0), |beside| beside.apply(&mut decoded))?;
    let shape = wants.swap(false, Ordering::Relaxed).then(|| decoder.shape().clone());
    Ok(Landed {
        decoded,
        records: page.records.len() + unlandable,
        unlandable,
        bytes: page.body.len(),
        seen: page.seen,
        validator: page.validator,
        after: page.after,
        shape,
        held: page.held,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;
    use crate::decode::DecodeOptions;
    use bytes::Bytes;

    use crate::json::outline::Outline;
    use crate::json::scanner::Scanner;
    use crate::json::tape::{Paths, Tape};
    use crate::page::Page;
    use crate::spec::keys::record_keys;
    use crate::spec::table::Table;

    fn page(number: u64, bytes: usize) -> Result<Page> {
        Ok(Page {
            number,
            request_id: String::new(),
            body: vec![b' '; bytes].into(),
            records: Vec::new(),
            tape: Tape::default(),
            seen: Vec::new(),
            validator: None,
            after: Position { pages: number, ..Position::start() },
            round_trip: Duration::ZERO,
            held: Held::default(),
        })
    }

    /// Pages of these sizes, `pause` apart, and how many were taken.
    fn pages(
        sizes: Vec<usize>,
        pause: Duration,
    ) -> (impl futures::Stream<Item = Result<Page>> + Send + 'static, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let pages = futures::stream::iter((1..).zip(sizes)).then(move |(number, bytes)| {
            let count = Arc::clone(&count);
            async move {
                tokio::time::sleep(pause).await;
                count.fetch_add(1, Ordering::SeqCst);
                page(number, bytes)
            }
        });
        (pages, taken)
    }

    async fn numbers(mut receiver: Receiver<Waiting>) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some(waiting) = receiver.recv().await {
            numbers.push(waiting.page.as_ref().map_or(0, |fed| fed.page.number));
        }
        numbers
    }

    #[tokio::test]
    async fn behind_an_error_there_is_nothing() {
        let failed = || Err(Error::new(ErrorKind::Api, "no"));
        let items = vec![page(1, 10), page(2, 10), failed(), page(4, 10)];
        assert_eq!(numbers(fetch(futures::stream::iter(items))).await, [1, 2, 0]);
    }

    #[tokio::test]
    async fn fetching_goes_on_while_nobody_decodes_as_far_as_there_is_room() {
        for (size, most) in [(1024 * 1024, 10), (9 * 1024 * 1024, 3)] {
            let (pages, taken) = pages(vec![size; 12], Duration::from_millis(1));
            let receiver = fetch(pages);
            // As far as that, however slow the machine, and no further.
            while taken.load(Ordering::SeqCst) < most {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(taken.load(Ordering::SeqCst), most, "{size}");
            assert_eq!(numbers(receiver).await.len(), 12);
        }
    }

    /// A decoder, and pages of one record for it.
    fn decoder() -> (Decoder, impl Iterator<Item = Result<Page>>) {
        let file = tempfile::NamedTempFile::new().expect("file");
        let text = "version: 1\ntable: t\nfields: [{ name: id, type: string }]\n";
        std::fs::write(file.path(), text).expect("write");
        let table = Table::load(file.path()).expect("table");
        let extracted_at = "2026-03-19T00:00:00Z".parse().expect("instant");
        let keys = record_keys(&table, Paths::default()).0;
        let mut scanner = Scanner::new(Outline::of_records(&[]), keys);
        let pages = (1..=50).map(move |number| {
            let body = Bytes::from_static(br#"[{"id": "a"}]"#);
            let found = scanner.scan(&body).expect("JSON");
            Ok(Page::scanned(number, body, found))
        });
        let options = DecodeOptions { extracted_at, clip: None };
        (Decoder::new(Arc::new(table), options).expect("decoder"), pages)
    }

    #[tokio::test]
    async fn a_shape_comes_once_for_as_often_as_it_is_asked_for_meanwhile() {
        let (decoder, pages) = decoder();
        let pages = fetch(futures::stream::iter(pages));
        let mut decoding = Decoding::start(decoder, pages).expect("stage");
        let mut with_shape = Vec::new();
        let mut number = 0;
        while let Some(landed) = decoding.next().await {
            number += 1;
            match landed.expect("a page").shape {
                Some(_) => with_shape.push(number),
                // As whoever lands pages does, while a checkpoint is due.
                None => decoding.want_shape(),
            }
        }
        assert_eq!(number, 50);
        assert!(!with_shape.is_empty());
        let apart = with_shape.windows(2).all(|two| two[1] > two[0] + 1);
        assert!(apart, "a checkpoint behind a checkpoint: {with_shape:?}");
    }
}
