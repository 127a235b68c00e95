//! What an engineer asks of an inbox: how much is in it, what, and that refused events be tried again.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::Inbox;
use super::batches::{COLUMNS, event, known};
use super::event::{Event, State, Summary, instant};
use super::put;
use crate::error::Result;

/// Which events are listed.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Of this source; of all where none.
    pub source: Option<String>,
    /// In this state; in all where none.
    pub state: Option<State>,
    /// At most so many, the oldest first.
    pub most: u32,
}

const LIST: &str = "
SELECT seq, source, endpoint, event_id, event_type, received_at, length(body), batch, state FROM events_in_batches
WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY seq LIMIT ?3";

impl Inbox {
    /// Events in order, without their bodies.
    ///
    /// # Errors
    /// `Store`.
    pub fn list(&self, listing: &Listing) -> Result<Vec<Summary>> {
        let failed = self.failed("list the inbox");
        let mut statement = self.connection.prepare_cached(LIST).map_err(&failed)?;
        let state = listing.state.map(State::name);
        let mut rows =
            statement.query(params![listing.source, state, listing.most]).map_err(&failed)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let read = || -> rusqlite::Result<(Summary, i64, String)> {
                let bytes: i64 = row.get(6)?;
                let summary = Summary {
                    seq: row.get(0)?,
                    source: row.get(1)?,
                    endpoint: row.get(2)?,
                    event_id: row.get(3)?,
                    event_type: row.get(4)?,
                    received_at: DateTime::UNIX_EPOCH,
                    bytes: u64::try_from(bytes).unwrap_or_default(),
                    batch: row.get(7)?,
                    state: State::Waiting,
                };
                Ok((summary, row.get(5)?, row.get(8)?))
            };
            let (summary, received_at, state) = read().map_err(&failed)?;
            let received_at = instant(received_at)?;
            events.push(Summary { received_at, state: known(&state)?, ..summary });
        }
        Ok(events)
    }

    /// One event with its body, if it is there.
    ///
    /// # Errors
    /// `Store`.
    pub fn show(&self, seq: i64) -> Result<Option<Event>> {
        let failed = self.failed("read an event of the inbox");
        let found = self
            .connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM events_in_batches WHERE seq = ?1"))
            .and_then(|mut statement| statement.query_row([seq], event).optional());
        found.map_err(&failed)?.transpose()
    }

    /// Lets refused events wait again, those named or all of them, to be landed by the source file as it is now. Says
    /// how many.
    ///
    /// # Errors
    /// `Store`.
    pub fn requeue(&mut self, seqs: Option<&[i64]>) -> Result<u64> {
        let failed = self.failed("requeue events of the inbox");
        let again = "UPDATE events SET state = 'waiting' WHERE state = 'refused' AND seq NOT IN (SELECT seq FROM assigned)";
        let mut requeue = || -> rusqlite::Result<usize> {
            let Some(seqs) = seqs else { return self.connection.execute(again, []) };
            let transaction = self.connection.transaction()?;
            let mut changed = 0;
            for seq in seqs {
                changed += transaction.execute(&format!("{again} AND seq = ?1"), [seq])?;
            }
            transaction.commit()?;
            Ok(changed)
        };
        requeue().map(|changed| changed as u64).map_err(failed)
    }

    /// Marks events as refused, which stay until they are requeued or land as dead letters.
    ///
    /// # Errors
    /// `Store`.
    pub fn refuse(&mut self, seqs: &[i64]) -> Result<()> {
        let failed = self.failed("refuse events of the inbox");
        let mut refuse = || {
            let transaction = self.connection.transaction()?;
            for seq in seqs {
                transaction.execute(
                    "UPDATE events SET state = 'refused' WHERE seq = ?1 AND seq NOT IN (SELECT seq FROM assigned)",
                    [seq],
                )?;
            }
            transaction.commit()
        };
        refuse().map_err(failed)
    }

    /// How many events are in it, refused ones included.
    ///
    /// # Errors
    /// `Store`.
    pub fn depth(&self) -> Result<u64> {
        let count: rusqlite::Result<i64> = self
            .connection
            .prepare_cached("SELECT COUNT(*) FROM events")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        let count = count.map_err(self.failed("count the inbox"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// When the oldest event in it came.
    ///
    /// # Errors
    /// `Store`.
    pub fn oldest(&self) -> Result<Option<DateTime<Utc>>> {
        let oldest = put::oldest(&self.connection).map_err(self.failed("read the inbox"))?;
        oldest.map(instant).transpose()
    }

    /// The number of the newest event in it; 0 of none.
    ///
    /// # Errors
    /// `Store`.
    pub fn newest(&self) -> Result<i64> {
        let newest = "SELECT coalesce(max(seq), 0) FROM events";
        let newest = self.connection.query_row(newest, [], |row| row.get(0));
        newest.map_err(self.failed("read the inbox"))
    }
}
