//! Opening an inbox, and its tables.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::ids::Recent;
use super::{FILE, Inbox, failure, log, place};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};

/// The version of the tables, in `PRAGMA user_version`.
const VERSION: i64 = 3;

/// How long a command waits for another's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// The tables. `events_by_state` also counts the events without reading their bodies; `assigned` is a table of its own, so
/// that a batch is made without writing them again.
const TABLES: &str = "
CREATE TABLE events(
    seq INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    content_type TEXT,
    body BLOB NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX events_by_state ON events(state);
CREATE TABLE assigned(
    seq INTEGER PRIMARY KEY,
    batch TEXT NOT NULL
);
CREATE INDEX assigned_by_batch ON assigned(batch);
CREATE TABLE recent(
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    ids BLOB NOT NULL
);
CREATE TABLE seen(
    id BLOB PRIMARY KEY,
    seen_at INTEGER NOT NULL,
    keep_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE batches(
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE VIEW events_in_batches AS
SELECT events.*, batches.stream, assigned.batch FROM events
LEFT JOIN assigned ON assigned.seq = events.seq
LEFT JOIN batches ON batches.name = assigned.batch;
PRAGMA user_version = 3;
";

impl Inbox {
    /// Opens the inbox in the folder `dir`; with `create` it is made where there is none, readable by this user alone.
    ///
    /// # Errors
    /// `Usage` where there is none and none is to be made, `Config` for one of a later release, `Store` when it cannot
    /// be opened or is no inbox.
    pub fn open(dir: &Path, create: bool) -> Result<Self> {
        let file = dir.join(FILE);
        if create {
            make(dir, &file)?;
        } else if !file.exists() {
            let message = format!("there is no inbox in {}", dir.display());
            return Err(Error::new(ErrorKind::Usage, message)
                .hint("`lakeward serve SOURCE --inbox DIR` makes it; name its folder here"));
        }
        let failed = |error| failure("could not open the inbox", &file, error);
        let place = place(&file);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&file, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let version = version(&connection).map_err(failed)?;
        if version == 0 {
            create_tables(&mut connection).map_err(failed)?;
        } else if version != VERSION {
            return Err(of_another_version(&file, version));
        }
        settle(&connection, &file)?;
        let recent = Recent::default();
        Ok(Self { connection, dir: dir.to_owned(), place, recent, log: None })
    }
}

impl Inbox {
    /// Bounds the log beside the file to `bytes`, which a thread works into it.
    ///
    /// # Errors
    /// As [`Inbox::open`], which it calls for that thread; `Unexpected` when none can be started.
    pub(super) fn bound_log(&mut self, bytes: u64) -> Result<()> {
        let beside = Self::open(&self.dir, false)?.connection;
        self.log = Some(log::bound(&mut self.connection, beside, bytes)?);
        Ok(())
    }
}

/// The folder and an empty file, both durable.
fn make(dir: &Path, file: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir).and_then(|()| {
        OpenOptions::new().create(true).append(true).mode(0o600).open(file)?.sync_all()?;
        File::open(dir)?.sync_all()?;
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        match File::open(parent.unwrap_or(Path::new("."))) {
            // A folder that another user made, and made durable.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
            opened => opened?.sync_all(),
        }
    });
    made.map_err(|error| {
        Error::new(ErrorKind::Store, "could not make the inbox")
            .with("inbox", file.display())
            .caused_by(error)
            .hint("check that this user may write in the folder and that there is space")
    })
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes the tables, unless another command was faster.
fn create_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? == 0 {
        transaction.execute_batch(TABLES)?;
        // Batches are named by numbers of events: those of an inbox that was made anew must not be those of the one before.
        let first = SystemClock.now().timestamp_millis();
        transaction
            .execute("INSERT INTO sqlite_sequence(name, seq) VALUES('recent', ?1)", [first])?;
    }
    transaction.commit()
}

/// How the file is written: by a log beside it, which each commit makes durable.
fn settle(connection: &Connection, file: &Path) -> Result<()> {
    let failed = |error| failure("could not open the inbox", file, error);
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(Error::new(
            ErrorKind::Store,
            format!("the inbox {} cannot be written by several commands", file.display()),
        )
        .hint(
            "put it on a local disk: a network file system lacks the shared memory that it needs",
        ));
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1; PRAGMA cache_size = -8192;",
        )
        .map_err(failed)
}

fn of_another_version(file: &Path, version: i64) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "the inbox {} is of version {version}, and this lakeward reads version {VERSION}",
            file.display()
        ),
    )
    .hint("use the lakeward that made it until it is empty, or a later one")
}
