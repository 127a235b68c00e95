//! The log beside the file, and how it is worked into the file: by a thread of its own while events are kept. Whoever
//! keeps them works only on what is left where the log has grown too long, so that it can begin anew.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::error::{Error, ErrorKind, Result};

/// Bytes of a page of the database.
const PAGE: u64 = 4096;

/// How many times the thread works on a log before it has its full length: little at a time, as the disk has nothing for
/// the log itself meanwhile.
const PARTS: u64 = 64;

const WORK: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The thread, which ends when the connection is closed that wakes it.
#[derive(Debug)]
pub(super) struct LogThread(Option<JoinHandle<()>>);

impl Drop for LogThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // It works on what is not its own: a panic of it loses nothing.
            let _ = thread.join();
        }
    }
}

/// Has the log of `connection` worked into the file before it has `most` bytes, as far as that can be while others read:
/// by a thread with the connection `beside`.
///
/// # Errors
/// `Unexpected` when no thread can be started.
pub(super) fn bound(
    connection: &mut Connection,
    beside: Connection,
    most: u64,
) -> Result<LogThread> {
    let pages = |bytes: u64| i32::try_from(bytes / PAGE).unwrap_or(i32::MAX);
    let (most, step) = (pages(most), pages(most / PARTS));
    let (wake, woken) = sync_channel(1);
    let thread = LogThread(Some(start(beside, woken)?));
    let mut next = step;
    let work = move |log: &mut Wal, pages: i32| {
        if pages >= most {
            // What fails here is tried again after the next transaction.
            let _ = log.checkpoint();
            next = step;
        } else if pages >= next || pages < next.saturating_sub(step) {
            wake_up(&wake);
            next = pages.saturating_add(step);
        }
        Ok(())
    };
    connection.wal_hook(Some(work)).map_err(|error| {
        Error::new(ErrorKind::Store, "could not watch the inbox's log").caused_by(error)
    })?;
    Ok(thread)
}

fn wake_up(thread: &SyncSender<()>) {
    // It is awake already where it cannot be woken.
    let _ = thread.try_send(());
}

fn start(connection: Connection, woken: Receiver<()>) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("inbox-log".to_owned())
        .spawn(move || {
            while woken.recv().is_ok() {
                if let Err(error) = work(&connection) {
                    tracing::debug!(%error, "could not work the inbox's log into its file: tried again");
                }
            }
        })
        .map_err(|error| {
            Error::new(ErrorKind::Unexpected, "could not start the inbox's thread").caused_by(error)
        })
}

fn work(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row(WORK, [], |_| Ok(()))
}
