//! Keeping arrivals: as many as wait in one transaction, each id once.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::Inbox;
use super::event::{Arrival, Kept};
use super::ids::{Recent, expiry};
use crate::error::Result;

/// Bytes that an event takes beside its texts and its body: columns, keys, and its part of half-filled pages.
const AROUND: u64 = 256;

const KEEP: &str = "
INSERT INTO events(source, endpoint, event_id, event_type, received_at, content_type, body, state)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

impl Inbox {
    /// Keeps the arrivals in one transaction, durable when this returns, and says of each what became of it. The
    /// database file grows to about `most` bytes and no further.
    ///
    /// # Errors
    /// `Store` when nothing could be kept; then no arrival is.
    pub fn put(&mut self, arrivals: &[Arrival], most: u64) -> Result<Vec<Kept>> {
        let failed = self.failed("keep events in the inbox");
        let mut put = || {
            let Self { connection, recent, .. } = self;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            recent.catch_up(&transaction)?;
            let mut room = most.saturating_sub(used(&transaction)?);
            let oldest = oldest(&transaction)?;
            let mut kept = Vec::with_capacity(arrivals.len());
            for arrival in arrivals {
                kept.push(put_one(&transaction, recent, arrival, oldest, &mut room)?);
            }
            recent.settle(&transaction, arrivals.len())?;
            transaction.commit()?;
            Ok(kept)
        };
        let kept = put();
        if kept.is_err() {
            // What is in memory may not be on disk.
            self.recent = Recent::default();
        }
        kept.map_err(failed)
    }

    /// Bytes of the database file in use; its log has up to a sixteenth of the budget beside it.
    ///
    /// # Errors
    /// `Store`.
    pub fn used(&self) -> Result<u64> {
        used(&self.connection).map_err(self.failed("measure the inbox"))
    }

    /// Lets the log grow to `bytes` before it is worked into the file.
    pub(super) fn bound_log(&self, bytes: u64) -> Result<()> {
        let pages = i64::try_from(bytes / 4096).unwrap_or(i64::MAX);
        self.connection
            .pragma_update(None, "wal_autocheckpoint", pages)
            .map_err(self.failed("open the inbox"))
    }
}

fn put_one(
    connection: &Connection,
    recent: &mut Recent,
    arrival: &Arrival,
    oldest: Option<i64>,
    room: &mut u64,
) -> rusqlite::Result<Kept> {
    let Arrival { source, endpoint, event_id, event_type, .. } = arrival;
    let before = expiry(arrival.received_at, arrival.dedupe_for, oldest);
    if recent.knows(connection, arrival, before)? {
        return Ok(Kept::Duplicate);
    }
    let texts = event_id.len() + source.len() + endpoint.len() + event_type.len();
    let size = (arrival.body.len() as u64).saturating_add(texts as u64).saturating_add(AROUND);
    if size > *room {
        return Ok(Kept::Full);
    }
    recent.add(connection, arrival)?;
    let at = arrival.received_at.timestamp_micros();
    connection.prepare_cached(KEEP)?.execute(params![
        source,
        endpoint,
        event_id,
        event_type,
        at,
        arrival.content_type,
        arrival.body.as_ref(),
        arrival.state.name(),
    ])?;
    *room -= size;
    Ok(Kept::New)
}

/// When the first event of the inbox came.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut first =
        connection.prepare_cached("SELECT received_at FROM events ORDER BY seq LIMIT 1")?;
    first.query_row([], |row| row.get(0)).optional()
}

fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<u64> {
        let number: i64 = connection.prepare_cached(pragma)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or_default())
    };
    let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
    Ok(pages.saturating_mul(number("PRAGMA page_size")?))
}
