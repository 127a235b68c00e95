//! Keeping arrivals: as many as wait in one transaction, each id once.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, TransactionBehavior, params};

use super::Inbox;
use super::event::{Arrival, Kept};
use super::ids::{Ids, Recent, expiry, key};
use crate::error::Result;

/// Bytes that an event takes beside its texts and its body: columns, keys, and its part of half-filled pages.
const AROUND: u64 = 256;

const KEEP: &str = "
INSERT INTO events(seq, source, endpoint, event_id, event_type, received_at, content_type, body, state)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

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
            let room = most.saturating_sub(used(&transaction)?);
            let oldest = oldest(&transaction)?;
            let group = Group {
                ids: recent.ids(&transaction)?,
                keep: transaction.prepare_cached(KEEP)?,
                oldest,
                room,
            };
            let kept = group.put_all(arrivals, &transaction)?;
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
}

/// A transaction that takes arrivals.
struct Group<'a> {
    ids: Ids<'a>,
    keep: CachedStatement<'a>,
    /// When the first event of the inbox came.
    oldest: Option<i64>,
    /// Bytes that it may still take.
    room: u64,
}

impl Group<'_> {
    fn put_all(
        mut self,
        arrivals: &[Arrival],
        connection: &Connection,
    ) -> rusqlite::Result<Vec<Kept>> {
        let kept: rusqlite::Result<_> = arrivals.iter().map(|arrival| self.put(arrival)).collect();
        self.ids.write(connection)?;
        kept
    }

    fn put(&mut self, arrival: &Arrival) -> rusqlite::Result<Kept> {
        let Arrival { source, endpoint, event_id, event_type, .. } = arrival;
        let key = key(arrival);
        let before = expiry(arrival.received_at, arrival.dedupe_for, self.oldest);
        if self.ids.seen_since(&key, before)? {
            return Ok(Kept::Duplicate);
        }
        let texts = event_id.len() + source.len() + endpoint.len() + event_type.len();
        let size = (arrival.body.len() as u64).saturating_add(texts as u64).saturating_add(AROUND);
        if size > self.room {
            return Ok(Kept::Full);
        }
        let seq = self.ids.add(key, arrival);
        self.keep.execute(params![
            seq,
            source,
            endpoint,
            event_id,
            event_type,
            arrival.received_at.timestamp_micros(),
            arrival.content_type,
            arrival.body.as_ref(),
            arrival.state.name(),
        ])?;
        self.room -= size;
        Ok(Kept::New)
    }
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
