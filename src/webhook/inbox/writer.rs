//! Group commit: one thread takes all that waits, keeps it in one transaction, then answers each.
//!
//! While a transaction is made durable the next arrivals gather, so that the disk is asked once for many of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::Inbox;
use super::event::{Arrival, Kept};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// Arrivals that wait for the thread at most.
const QUEUE: usize = 8_192;

/// Events and bytes of one transaction at most.
const GROUP: usize = 1_024;
const GROUP_BYTES: usize = 32 << 20;

/// How often the ids are gone through for those to be forgotten, and how long the thread waits for arrivals meanwhile.
const FORGET_EVERY: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(1);

/// The log beside the database file at most, before it is worked into the file.
const LOG: u64 = 32 << 20;

/// What a writer is told.
#[derive(Debug)]
pub struct Settings {
    /// The inbox's folder.
    pub dir: PathBuf,
    /// The bytes that its database file may take.
    pub most: u64,
    /// What the age of ids is told by.
    pub clock: Arc<dyn Clock>,
}

/// The one that writes to the inbox in this process. Dropping it ends its thread once all that waits is answered.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

/// An arrival, and who is told what became of it.
#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    answer: Answer,
}

impl Writer {
    /// Opens the inbox, making it where there is none, and starts the thread. `observe` is called after each
    /// transaction with how long it took to make it durable.
    ///
    /// # Errors
    /// As [`Inbox::open`]; `Unexpected` when no thread can be started.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(settings: Settings, observe: impl Fn(Duration) + Send + 'static) -> Result<Self> {
        let inbox = open(&settings)?;
        let (queue, waiting) = sync_channel(QUEUE);
        let told = teller();
        let work = Work {
            settings,
            told,
            inbox: Some(inbox),
            observe,
            forget_at: Instant::now(),
            forget_after: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("inbox".to_owned())
            .spawn(move || work.run(&waiting))
            .map_err(|error| {
                Error::new(ErrorKind::Unexpected, "could not start the inbox's thread")
                    .caused_by(error)
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Keeps an arrival; comes back when it is durable, or cannot be.
    pub async fn keep(&self, arrival: Arrival) -> Kept {
        let (answer, kept) = oneshot::channel();
        let waiting = Waiting { arrival, answer };
        // A queue that is full is a disk that does not keep up.
        match self.queue.as_ref().is_some_and(|queue| queue.try_send(waiting).is_ok()) {
            true => kept.await.unwrap_or(Kept::Failed),
            false => Kept::Failed,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // It ends with what it holds; a panic of it has been told by then.
            let _ = thread.join();
        }
    }
}

type Answer = oneshot::Sender<Kept>;

/// Tells what became of arrivals: a task, as the runtime wakes those that wait from inside for less than from a thread.
fn teller() -> UnboundedSender<Vec<(Answer, Kept)>> {
    let (tell, mut told) = unbounded_channel::<Vec<(Answer, Kept)>>();
    tokio::spawn(async move {
        while let Some(group) = told.recv().await {
            for (answer, kept) in group {
                // A client that went away sends the event again and is told that it was seen.
                let _ = answer.send(kept);
            }
        }
    });
    tell
}

/// What the thread holds.
struct Work<F> {
    settings: Settings,
    told: UnboundedSender<Vec<(Answer, Kept)>>,
    /// None after a failure: it is opened anew for the next group.
    inbox: Option<Inbox>,
    observe: F,
    forget_at: Instant,
    /// The key up to which ids were looked at.
    forget_after: Vec<u8>,
}

impl<F: Fn(Duration)> Work<F> {
    fn run(mut self, waiting: &Receiver<Waiting>) {
        loop {
            let first = match waiting.recv_timeout(PATIENCE) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Some(first) = first {
                self.keep(group(first, waiting));
            }
            if self.forget_at <= Instant::now() {
                self.forget();
            }
        }
    }

    fn keep(&mut self, group: Vec<Waiting>) {
        let (arrivals, answers): (Vec<Arrival>, Vec<Answer>) =
            group.into_iter().map(|waiting| (waiting.arrival, waiting.answer)).unzip();
        let began = Instant::now();
        let kept = match self.put(&arrivals) {
            Ok(kept) => {
                (self.observe)(began.elapsed());
                kept
            }
            Err(error) => {
                tracing::error!(%error, events = arrivals.len(), "could not keep events: they were answered 503");
                self.inbox = None;
                vec![Kept::Failed; arrivals.len()]
            }
        };
        // It ends when this does.
        let _ = self.told.send(answers.into_iter().zip(kept).collect());
    }

    fn put(&mut self, arrivals: &[Arrival]) -> Result<Vec<Kept>> {
        let inbox = match &mut self.inbox {
            Some(inbox) => inbox,
            none => none.insert(open(&self.settings)?),
        };
        let kept = room(&self.settings, inbox).and_then(|room| inbox.put(arrivals, room));
        // Asked last: what is told to be kept must be where it is looked for.
        if !inbox.is_in_place() {
            return Err(Error::new(
                ErrorKind::Store,
                "the inbox was moved or removed while it was open",
            )
            .with("inbox", self.settings.dir.display())
            .hint("a new one is made there; events that the old one holds are landed from where it is now"));
        }
        kept
    }

    /// Forgets old ids, a part of them between two groups.
    fn forget(&mut self) {
        let Some(inbox) = &mut self.inbox else { return };
        let more = match inbox.forget(self.settings.clock.now(), &mut self.forget_after) {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "could not forget old ids: tried again later");
                false
            }
        };
        let wait = if more { Duration::ZERO } else { FORGET_EVERY };
        self.forget_at = Instant::now().checked_add(wait).unwrap_or(self.forget_at);
    }
}

fn open(settings: &Settings) -> Result<Inbox> {
    let mut inbox = Inbox::open(&settings.dir, true)?;
    inbox.bound_log(log(settings))?;
    Ok(inbox)
}

/// Bytes of the log at most.
fn log(settings: &Settings) -> u64 {
    (settings.most / 16).clamp(256 << 10, LOG)
}

/// The bytes that the inbox may take now: the budget, or less on a disk that is nearly full, as `land` needs some of it
/// to make room.
fn room(settings: &Settings, inbox: &Inbox) -> Result<u64> {
    let free = rustix::fs::statvfs(&settings.dir).map_err(|error| {
        Error::new(ErrorKind::Store, "could not ask for the disk's free space")
            .with("inbox", settings.dir.display())
            .caused_by(std::io::Error::from(error))
    })?;
    let free = free.f_bavail.saturating_mul(free.f_frsize).saturating_sub(2 * log(settings));
    Ok(settings.most.min(inbox.used()?.saturating_add(free)))
}

/// The first and all that wait behind it, as far as one transaction may hold.
fn group(first: Waiting, waiting: &Receiver<Waiting>) -> Vec<Waiting> {
    let mut bytes = first.arrival.body.len();
    let mut group = vec![first];
    while group.len() < GROUP
        && bytes < GROUP_BYTES
        && let Ok(next) = waiting.try_recv()
    {
        bytes += next.arrival.body.len();
        group.push(next);
    }
    group
}
