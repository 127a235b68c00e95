//! The ids that were seen.
//!
//! Ids come in no order: a tree that takes each as it comes writes a page for each. So new ones are appended to
//! `recent`, which is held in memory too. When there are many, they move to `seen` in the order of their keys, some
//! with every transaction, so that a page is written for many of them and nobody waits for all.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::event::Arrival;

/// Recent ids, from which on they move.
const RECENT: usize = 1 << 16;

/// Ids that move with a transaction, beside twice as many as it adds.
const MOVED: usize = 64;

/// Rows of moved ids that are deleted with a transaction, beside sixteen times as many as it adds.
const CLEARED: usize = 1_024;

/// Seconds of a hundred years: no id is kept for longer.
const CENTURY: i64 = 3_155_760_000;

const ADD: &str = "INSERT INTO recent(id, seen_at, keep_s) VALUES(?1, ?2, ?3)";
const FIND: &str = "SELECT seen_at FROM seen WHERE id = ?1";
const NEWER: &str = "SELECT n, id, seen_at, keep_s FROM recent WHERE n > ?1 ORDER BY n";
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
    /// Its row in `recent`.
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
    /// The last row that was read or written here: another process may have added further ones.
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
            let seen = Seen { n: row.get(0)?, at: row.get(2)?, keep_s: row.get(3)? };
            self.ids.insert(row.get(1)?, seen);
            self.last = seen.n;
        }
        Ok(())
    }

    /// The ids in a transaction that asks for them and adds to them.
    pub(super) fn ids<'a>(&'a mut self, connection: &'a Connection) -> rusqlite::Result<Ids<'a>> {
        Ok(Ids {
            find: connection.prepare_cached(FIND)?,
            add: connection.prepare_cached(ADD)?,
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
    add: CachedStatement<'a>,
}

impl Ids<'_> {
    /// When the id was seen, in microseconds.
    pub(super) fn seen_at(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        match self.recent.ids.get(key) {
            Some(seen) => Ok(Some(seen.at)),
            None => self.find.query_row([key], |row| row.get(0)).optional(),
        }
    }

    /// Adds the arrival's id.
    pub(super) fn add(&mut self, key: Key, arrival: &Arrival) -> rusqlite::Result<()> {
        let at = arrival.received_at.timestamp_micros();
        let keep = i64::try_from(arrival.dedupe_for.as_secs()).unwrap_or(CENTURY);
        let keep_s = keep.min(CENTURY);
        let n = self.add.insert(params![key, at, keep_s])?;
        self.recent.ids.insert(key, Seen { n, at, keep_s });
        self.recent.last = n;
        Ok(())
    }
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
