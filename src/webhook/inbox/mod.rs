//! The inbox: accepted events, durable until the commit that holds them, and the ids that were seen.
//!
//! One SQLite file, `inbox.db`, in a folder of its own: WAL and `synchronous=FULL`, so that a commit is on disk when it
//! returns, that `serve` and `land` have it open at once, and that `sqlite3 inbox.db` shows it to an engineer.
//!
//! - `events`: what was accepted, in the order of `seq`. A row is `waiting`, or `refused` where it can become no row as
//!   the source file was when it came.
//! - `recent`, `seen`: the ids of each endpoint as keys, kept for its `dedupe_for`, however soon the event itself has
//!   landed.
//! - `assigned`: the batch that land put an event into; `events_in_batches` shows both.
//! - `batches`: those that were begun. A batch is durable here before any of it is written to the lake, so that a
//!   killed `land` goes on with the same events under the same name.

pub mod batches;
pub mod event;
mod forget;
mod ids;
mod log;
pub mod look;
mod open;
mod put;
pub mod writer;

#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use crate::error::{Error, ErrorKind};

/// The inbox's file in its folder.
pub const FILE: &str = "inbox.db";

/// An open inbox: one connection, for one thread at a time. Async callers open and use it by `spawn_blocking`.
#[derive(Debug)]
pub struct Inbox {
    connection: Connection,
    dir: PathBuf,
    /// The device and inode of the file as it was opened.
    place: Option<(u64, u64)>,
    recent: ids::Recent,
    /// Behind the connection, whose end it waits for.
    log: Option<log::LogThread>,
}

impl Inbox {
    /// The folder that it is in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether its folder still holds the file that is open: what is written to one that was moved or removed is lost.
    pub(super) fn is_in_place(&self) -> bool {
        self.place == place(&self.dir.join(FILE))
    }

    /// An error of the store, as the end of "could not …".
    fn failed(&self, what: &str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let (message, file) = (format!("could not {what}"), self.dir.join(FILE));
        move |error| failure(&message, &file, error)
    }
}

fn place(file: &Path) -> Option<(u64, u64)> {
    file.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// An error of the store: exit 6, as of the lake.
fn failure(message: &str, file: &Path, error: rusqlite::Error) -> Error {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => event::DAMAGED,
        _ => {
            "check that this user may read and write the inbox's folder and that there is space, then run again"
        }
    };
    Error::new(ErrorKind::Store, message).with("inbox", file.display()).caused_by(error).hint(hint)
}
