//! The inbox: accepted events, durable until the commit that holds them, and the ids that were seen.
//!
//! One SQLite file, `inbox.db`, in a folder of its own: WAL and `synchronous=FULL`, so that a commit is on disk when it
//! returns, that `serve` and `land` have it open at once, and that `sqlite3 inbox.db` shows it to an engineer.
//!
//! - `events`: what was accepted, in the order of `seq`. A row is `waiting`, or `refused` where it can become no row as
//!   the source file was when it came. `batch` names the batch that land put it into.
//! - `recent`, `seen`: the ids of each endpoint as keys, kept for its `dedupe_for`, however soon the event itself has
//!   landed.
//! - `batches`: those that were begun. A batch is durable here before any of it is written to the lake, so that a
//!   killed `land` goes on with the same events under the same name.

pub mod batches;
pub mod event;
mod ids;
pub mod look;
mod open;
mod put;
pub mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::{Error, ErrorKind};

/// The inbox's file in its folder.
pub const FILE: &str = "inbox.db";

/// An open inbox: one connection, for one thread at a time. Async callers open and use it by `spawn_blocking`.
#[derive(Debug)]
pub struct Inbox {
    connection: Connection,
    dir: PathBuf,
    recent: ids::Recent,
}

impl Inbox {
    /// The folder that it is in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An error of the store, as the end of "could not …".
    fn failed(&self, what: &str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let (message, file) = (format!("could not {what}"), self.dir.join(FILE));
        move |error| failure(&message, &file, error)
    }
}

/// An error of the store: exit 6, as of the lake.
fn failure(message: &str, file: &Path, error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Store, message).with("inbox", file.display()).caused_by(error).hint(
        "check that this user may read and write the inbox's folder and that there is space, then run again",
    )
}
