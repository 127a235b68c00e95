//! Keeping arrivals: as many as wait in one transaction, each id once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::Inbox;
use super::event::{Arrival, Kept};
use crate::error::Result;

/// Bytes that an event takes beside its texts and its body: columns, keys, and its part of half-filled pages.
const AROUND: u64 = 256;

/// Ids that are forgotten in one transaction, so that no arrival waits long for it.
const FORGOTTEN_AT_ONCE: i64 = 2_000;

const SEE: &str = "
INSERT INTO seen(source, endpoint, event_id, seen_at) VALUES(?1, ?2, ?3, ?4)
ON CONFLICT(source, endpoint, event_id) DO UPDATE SET seen_at = excluded.seen_at WHERE seen_at < ?5";

const KEEP: &str = "
INSERT INTO events(source, endpoint, event_id, event_type, received_at, content_type, body, state)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const FORGET: &str = "
DELETE FROM seen WHERE source = ?1 AND endpoint = ?2 AND event_id IN
(SELECT event_id FROM seen WHERE source = ?1 AND endpoint = ?2 AND seen_at < ?3 ORDER BY seen_at LIMIT ?4)";

impl Inbox {
    /// Keeps the arrivals in one transaction, durable when this returns, and says of each what became of it. The
    /// database file grows to about `most` bytes and no further.
    ///
    /// # Errors
    /// `Store` when nothing could be kept; then no arrival is.
    pub fn put(&mut self, arrivals: &[Arrival], most: u64) -> Result<Vec<Kept>> {
        let failed = self.failed("keep events in the inbox");
        let mut put = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut room = most.saturating_sub(used(&transaction)?);
            let oldest = oldest(&transaction)?;
            let mut kept = Vec::with_capacity(arrivals.len());
            for arrival in arrivals {
                kept.push(put_one(&transaction, arrival, oldest, &mut room)?);
            }
            transaction.commit()?;
            Ok(kept)
        };
        put().map_err(failed)
    }

    /// Forgets ids of an endpoint that were first seen `dedupe_for` before `now`, a part of them at a time; true where
    /// there may be more.
    ///
    /// # Errors
    /// `Store`.
    pub fn forget(
        &mut self,
        source: &str,
        endpoint: &str,
        dedupe_for: Duration,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let failed = self.failed("forget old ids in the inbox");
        let oldest = oldest(&self.connection).map_err(&failed)?;
        let before = expiry(now, dedupe_for, oldest);
        let arguments = params![source, endpoint, before, FORGOTTEN_AT_ONCE];
        let forgotten = self.connection.execute(FORGET, arguments).map_err(&failed)?;
        Ok(i64::try_from(forgotten) == Ok(FORGOTTEN_AT_ONCE))
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
    arrival: &Arrival,
    oldest: Option<i64>,
    room: &mut u64,
) -> rusqlite::Result<Kept> {
    let Arrival { source, endpoint, event_id, event_type, .. } = arrival;
    let texts = 3 * event_id.len() + 3 * (source.len() + endpoint.len()) + event_type.len();
    let size = (arrival.body.len() as u64).saturating_add(texts as u64).saturating_add(AROUND);
    if size > *room {
        // A duplicate needs no room.
        let mut seen = connection.prepare_cached(
            "SELECT 1 FROM seen WHERE source = ?1 AND endpoint = ?2 AND event_id = ?3",
        )?;
        let is_seen = seen.exists(params![source, endpoint, event_id])?;
        return Ok(if is_seen { Kept::Duplicate } else { Kept::Full });
    }
    let at = arrival.received_at.timestamp_micros();
    let before = expiry(arrival.received_at, arrival.dedupe_for, oldest);
    let seen =
        connection.prepare_cached(SEE)?.execute(params![source, endpoint, event_id, at, before])?;
    if seen == 0 {
        return Ok(Kept::Duplicate);
    }
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

/// Ids that were seen before this instant, in microseconds, may come again. None does whose event may still be here.
fn expiry(now: DateTime<Utc>, dedupe_for: Duration, oldest: Option<i64>) -> i64 {
    let kept = i64::try_from(dedupe_for.as_micros()).unwrap_or(i64::MAX);
    let expiry = now.timestamp_micros().saturating_sub(kept);
    oldest.map_or(expiry, |oldest| expiry.min(oldest))
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
