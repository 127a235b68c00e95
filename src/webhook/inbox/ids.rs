//! The ids that were seen.
//!
//! Ids come in no order: a tree that takes each as it comes writes a page for each. So those of a transaction are a row
//! of `recent`, which is held in memory too. When there are many, they move to `seen` in the order of their keys, some
//! with every transaction, so that a page is written for many of them and nobody waits for all.
//!
//! A row of `recent` has the number of its last event, and its sequence is that of the events: it remembers the last
//! number also when neither table has a row.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::event::Arrival;

/// Recent ids, from which on they move.
const RECENT: usize = 1 << 16;

/// Ids that move with a transaction, beside twice as many as it adds.
const MOVED: usize = 64;

/// Moved ids that are deleted with a transaction, beside sixteen times as many as it adds.
const CLEARED: usize = 1_024;

/// Bytes of an id in `recent`: its key, when it was seen, and for how long it is kept.
const PACKED: usize = 32;

/// Seconds of a hundred years: no id is kept for longer.
const CENTURY: i64 = 3_155_760_000;

const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'recent'";
const ADD: &str = "INSERT INTO recent(n, ids) VALUES(?1, ?2)";
const FIND: &str = "SELECT seen_at FROM seen WHERE id = ?1";
const NEWER: &str = "SELECT n, ids FROM recent WHERE n > ?1 ORDER BY n";
const MOVE: &str = "
INSERT INTO seen(id, seen_at, keep_s) VALUES(?1, ?2, ?3)
ON CONFLICT(id) DO UPDATE SET seen_at = excluded.seen_at, keep_s = excluded.keep_s WHERE seen_at < excluded.seen_at";
const CLEAR: &str = "
DELETE FROM recent WHERE n <= min(?1, (SELECT n FROM recent ORDER BY n LIMIT 1) + ?2)";
/// The first half of SHA-256 over the source, the endpoint and the event's id: no two ids share it.
pub(super) type Key = [u8; 16];

/// An id that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    /// The number of its event, or a later one of the same row of `recent`.
    n: i64,
    /// When, in microseconds.
    at: i64,
    /// For how long it is kept, in seconds.
    keep_s: i64,
}

/// What one connection knows of the recent ids, and how far they have moved.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ids: HashMap<Key, Seen>,
    /// The last row of `recent` that was read or written here: another process may have added further ones.
    last: i64,
    moving: Option<Moving>,
}

/// Ids on their way, in the order of their keys.
#[derive(Debug)]
struct Moving {
    /// They are the rows up to this one.
    upto: i64,
    ids: Vec<(Key, Seen)>,
    moved: usize,
}

impl Recent {
    /// Reads what was added since, here or elsewhere.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut newer = connection.prepare_cached(NEWER)?;
        let mut rows = newer.query([self.last])?;
        while let Some(row) = rows.next()? {
            let (n, Packed(ids)) = (row.get(0)?, row.get(1)?);
            self.ids.extend(ids.into_iter().map(|(key, at, keep_s)| (key, Seen { n, at, keep_s })));
            self.last = n;
        }
        Ok(())
    }

    /// The ids in a transaction that asks for them and adds to them.
    pub(super) fn ids<'a>(&'a mut self, connection: &'a Connection) -> rusqlite::Result<Ids<'a>> {
        let last: Option<i64> =
            connection.prepare_cached(LAST)?.query_row([], |row| row.get(0)).optional()?;
        Ok(Ids {
            last: last.unwrap_or_default(),
            find: connection.prepare_cached(FIND)?,
            added: Vec::new(),
            recent: self,
        })
    }

    /// Moves some, where there are many; `added` is what this transaction may have added.
    pub(super) fn settle(&mut self, connection: &Connection, added: usize) -> rusqlite::Result<()> {
        if self.moving.is_none() && self.ids.len() > RECENT {
            let mut ids: Vec<_> = self.ids.iter().map(|(key, seen)| (*key, *seen)).collect();
            ids.sort_unstable();
            self.moving = Some(Moving { upto: self.last, ids, moved: 0 });
        }
        let Some(moving) = &mut self.moving else { return Ok(()) };
        if moving.go_on(connection, MOVED + 2 * added)? {
            return Ok(());
        }
        let (upto, most) = (moving.upto, i64::try_from(CLEARED + 16 * added).unwrap_or(i64::MAX));
        if connection.prepare_cached(CLEAR)?.execute([upto, most])? == 0 {
            // What was seen again since is recent again.
            self.ids.retain(|_, seen| seen.n > upto);
            self.moving = None;
        }
        Ok(())
    }
}

/// The ids in a transaction.
pub(super) struct Ids<'a> {
    recent: &'a mut Recent,
    find: CachedStatement<'a>,
    /// The number of the last event.
    last: i64,
    added: Vec<u8>,
}

impl Ids<'_> {
    /// Whether the id was seen at this instant, in microseconds, or later.
    pub(super) fn seen_since(&mut self, key: &Key, since: i64) -> rusqlite::Result<bool> {
        if self.recent.ids.get(key).is_some_and(|seen| seen.at >= since) {
            return Ok(true);
        }
        // Also where it is held in memory: another process may have seen it again, and moved it, meanwhile.
        let seen: Option<i64> = self.find.query_row([key], |row| row.get(0)).optional()?;
        Ok(seen.is_some_and(|at| at >= since))
    }

    /// Adds the arrival's id, and gives the number of its event.
    pub(super) fn add(&mut self, key: Key, arrival: &Arrival) -> i64 {
        let at = arrival.received_at.timestamp_micros();
        let keep = i64::try_from(arrival.dedupe_for.as_secs()).unwrap_or(CENTURY);
        let keep_s = keep.min(CENTURY);
        self.last = self.last.saturating_add(1);
        self.recent.ids.insert(key, Seen { n: self.last, at, keep_s });
        self.added.extend(key);
        self.added.extend(at.to_be_bytes());
        self.added.extend(keep_s.to_be_bytes());
        self.last
    }

    /// Writes what was added.
    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.added.is_empty() {
            connection.prepare_cached(ADD)?.execute(params![self.last, self.added])?;
            self.recent.last = self.last;
        }
        Ok(())
    }
}

/// The ids of a row of `recent`: each with when it was seen and the seconds for which it is kept.
struct Packed(Vec<(Key, i64, i64)>);

impl FromSql for Packed {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let ids: Option<_> = bytes.chunks(PACKED).map(unpacked).collect();
        ids.map(Self).ok_or(FromSqlError::InvalidBlobSize {
            expected_size: bytes.len().next_multiple_of(PACKED),
            blob_size: bytes.len(),
        })
    }
}

fn unpacked(bytes: &[u8]) -> Option<(Key, i64, i64)> {
    let (key, rest) = bytes.split_first_chunk()?;
    let (at, keep_s) = rest.split_first_chunk()?;
    Some((*key, i64::from_be_bytes(*at), i64::from_be_bytes(*keep_s.first_chunk()?)))
}

impl Moving {
    /// Moves up to `most`; false when all have.
    fn go_on(&mut self, connection: &Connection, most: usize) -> rusqlite::Result<bool> {
        let left = self.ids.get(self.moved..).unwrap_or_default();
        let mut insert = connection.prepare_cached(MOVE)?;
        for (key, seen) in left.iter().take(most) {
            insert.execute(params![key, seen.at, seen.keep_s])?;
        }
        self.moved += left.len().min(most);
        Ok(!left.is_empty())
    }
}

/// Ids that were seen before this instant, in microseconds, may come again. None does whose event may still be here.
pub(super) fn expiry(now: DateTime<Utc>, dedupe_for: Duration, oldest: Option<i64>) -> i64 {
    let kept = i64::try_from(dedupe_for.as_micros()).unwrap_or(i64::MAX);
    let expiry = now.timestamp_micros().saturating_sub(kept);
    oldest.map_or(expiry, |oldest| expiry.min(oldest))
}

/// What an arrival's id is known by.
pub(super) fn key(arrival: &Arrival) -> Key {
    let mut hash = Sha256::new();
    for text in [&arrival.source, &arrival.endpoint, &arrival.event_id] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let (mut key, whole) = (Key::default(), hash.finalize());
    key.iter_mut().zip(whole).for_each(|(byte, of)| *byte = of);
    key
}
