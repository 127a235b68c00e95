//! Forgetting ids that are older than they are kept.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::Inbox;
use super::put::oldest;
use crate::error::Result;

/// Ids that are looked at in one transaction to be forgotten, so that no arrival waits long for it.
const SWEPT: i64 = 2_000;

const BOUND: &str = "SELECT id FROM seen WHERE id > ?1 ORDER BY id LIMIT 1 OFFSET ?2";
const FORGET: &str = "
DELETE FROM seen WHERE id > ?1 AND (?2 IS NULL OR id <= ?2) AND seen_at < ?3 AND seen_at + keep_s * 1000000 < ?4";

impl Inbox {
    /// Forgets ids that are older than they are kept, a part of them at a time: those behind the key that `after` is,
    /// which moves on; false at the end of them. None is forgotten whose event may still be here.
    ///
    /// # Errors
    /// `Store`.
    pub fn forget(&mut self, now: DateTime<Utc>, after: &mut Vec<u8>) -> Result<bool> {
        let mut forget = || -> rusqlite::Result<bool> {
            let mut bound = self.connection.prepare_cached(BOUND)?;
            let bound: Option<Vec<u8>> =
                bound.query_row(params![&*after, SWEPT], |row| row.get(0)).optional()?;
            let oldest = oldest(&self.connection)?.unwrap_or(i64::MAX);
            let mut delete = self.connection.prepare_cached(FORGET)?;
            delete.execute(params![&*after, bound, oldest, now.timestamp_micros()])?;
            let more = bound.is_some();
            *after = bound.unwrap_or_default();
            Ok(more)
        };
        forget().map_err(self.failed("forget old ids in the inbox"))
    }
}
