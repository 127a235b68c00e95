//! What land does with the inbox: events into batches, and out of it once the lake has them.

use rusqlite::{Row, TransactionBehavior, params};

use super::Inbox;
use super::event::{Batch, DAMAGED, Event, State, instant};
use crate::error::{Error, ErrorKind, Result};

/// The columns of an [`Event`], in its order.
pub(super) const COLUMNS: &str = "seq, source, endpoint, event_id, event_type, received_at, content_type, body, stream, batch, state";

const ASSIGN: &str = "
INSERT INTO assigned(seq, batch) SELECT seq, ?2 FROM events WHERE seq = ?1
ON CONFLICT(seq) DO NOTHING";

const LEAVE: &str = "DELETE FROM events WHERE seq IN (SELECT seq FROM assigned WHERE batch = ?1)";

impl Inbox {
    /// The next events of `source` that are in no batch and not refused, after the event `after_seq`, in order: at most
    /// `limit_events` of them and about `limit_bytes` of bodies, but one at least.
    ///
    /// # Errors
    /// `Store`.
    pub fn waiting(
        &self,
        source: &str,
        after_seq: i64,
        limit_events: usize,
        limit_bytes: u64,
    ) -> Result<Vec<Event>> {
        self.loose(State::Waiting, source, after_seq, limit_events, limit_bytes)
    }

    /// As [`Inbox::waiting`], of those that are refused.
    ///
    /// # Errors
    /// `Store`.
    pub fn refused(
        &self,
        source: &str,
        after_seq: i64,
        limit_events: usize,
        limit_bytes: u64,
    ) -> Result<Vec<Event>> {
        self.loose(State::Refused, source, after_seq, limit_events, limit_bytes)
    }

    fn loose(
        &self,
        state: State,
        source: &str,
        after_seq: i64,
        limit_events: usize,
        limit_bytes: u64,
    ) -> Result<Vec<Event>> {
        let failed = self.failed("read events of the inbox");
        let text = format!(
            "SELECT {COLUMNS} FROM events_in_batches WHERE batch IS NULL AND seq > ?1 AND source = ?2 AND state = ?3 ORDER BY seq"
        );
        let mut statement = self.connection.prepare_cached(&text).map_err(&failed)?;
        let mut rows =
            statement.query(params![after_seq, source, state.name()]).map_err(&failed)?;
        let (mut events, mut bytes) = (Vec::new(), 0_u64);
        while events.len() < limit_events
            && let Some(row) = rows.next().map_err(&failed)?
        {
            let event = event(row).map_err(&failed)??;
            bytes = bytes.saturating_add(event.body.len() as u64);
            if bytes > limit_bytes && !events.is_empty() {
                break;
            }
            events.push(event);
        }
        Ok(events)
    }

    /// Makes a batch of these events, durable when this returns.
    ///
    /// # Errors
    /// `Held` where one of them is in another batch, or gone; `Store`. Then there is no batch.
    pub fn assign(&mut self, batch: &Batch, seqs: &[i64]) -> Result<()> {
        let failed = self.failed("make a batch in the inbox");
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let made_at = batch.made_at.timestamp_micros();
        let Batch { name, source, stream, first, last, .. } = batch;
        transaction
            .execute(
                "INSERT INTO batches(name, source, stream, first, last, made_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT(name) DO NOTHING",
                params![name, source, stream, first, last, made_at],
            )
            .map_err(&failed)?;
        for seq in seqs {
            let taken = transaction
                .prepare_cached(ASSIGN)
                .and_then(|mut assign| assign.execute(params![seq, name]))
                .map_err(&failed)?;
            if taken != 1 {
                return Err(Error::new(
                    ErrorKind::Held,
                    format!("the event {seq} of the inbox was taken by another run"),
                )
                .hint("only one `lakeward land` works on a source of an inbox at a time"));
            }
        }
        transaction.commit().map_err(&failed)
    }

    /// The batches of `source` that were made and have not landed, oldest first.
    ///
    /// # Errors
    /// `Store`.
    pub fn batches(&self, source: &str) -> Result<Vec<Batch>> {
        let failed = self.failed("read the batches of the inbox");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT name, source, stream, first, last, made_at FROM batches WHERE source = ?1 ORDER BY made_at, rowid",
            )
            .map_err(&failed)?;
        let mut rows = statement.query([source]).map_err(&failed)?;
        let mut batches = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            batches.push(batch(row).map_err(&failed)??);
        }
        Ok(batches)
    }

    /// The events of a batch, in order.
    ///
    /// # Errors
    /// `Store`.
    pub fn batch_events(&self, batch: &str) -> Result<Vec<Event>> {
        let failed = self.failed("read a batch of the inbox");
        let text = format!("SELECT {COLUMNS} FROM events_in_batches WHERE batch = ?1 ORDER BY seq");
        let mut statement = self.connection.prepare_cached(&text).map_err(&failed)?;
        let mut rows = statement.query([batch]).map_err(&failed)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            events.push(event(row).map_err(&failed)??);
        }
        Ok(events)
    }

    /// Lets a batch go that the lake has committed, and its events; durable when this returns. Their ids stay seen.
    ///
    /// # Errors
    /// `Store`.
    pub fn landed(&mut self, batch: &str) -> Result<()> {
        let failed = self.failed("let a landed batch go from the inbox");
        let mut let_go = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(LEAVE, [batch])?;
            transaction.execute("DELETE FROM assigned WHERE batch = ?1", [batch])?;
            transaction.execute("DELETE FROM batches WHERE name = ?1", [batch])?;
            transaction.commit()
        };
        let_go().map_err(failed)
    }
}

/// The outer result is of the store, the inner one of what it holds.
type Read<T> = rusqlite::Result<Result<T>>;

pub(super) fn event(row: &Row<'_>) -> Read<Event> {
    let (received_at, state): (i64, String) = (row.get(5)?, row.get(10)?);
    let body: Vec<u8> = row.get(7)?;
    let event = Event {
        seq: row.get(0)?,
        source: row.get(1)?,
        endpoint: row.get(2)?,
        event_id: row.get(3)?,
        event_type: row.get(4)?,
        received_at: chrono::DateTime::UNIX_EPOCH,
        content_type: row.get(6)?,
        body: body.into(),
        stream: row.get(8)?,
        batch: row.get(9)?,
        state: State::Waiting,
    };
    Ok(instant(received_at)
        .and_then(|received_at| Ok(Event { received_at, state: known(&state)?, ..event })))
}

/// The state of this name.
///
/// # Errors
/// `Store` for one that this release does not know.
pub(super) fn known(state: &str) -> Result<State> {
    State::of(state).ok_or_else(|| {
        Error::new(
            ErrorKind::Store,
            format!("the inbox has an event of the unknown state `{state}`"),
        )
        .hint(DAMAGED)
    })
}

fn batch(row: &Row<'_>) -> Read<Batch> {
    let made_at: i64 = row.get(5)?;
    let batch = Batch {
        name: row.get(0)?,
        source: row.get(1)?,
        stream: row.get(2)?,
        first: row.get(3)?,
        last: row.get(4)?,
        made_at: chrono::DateTime::UNIX_EPOCH,
    };
    Ok(instant(made_at).map(|made_at| Batch { made_at, ..batch }))
}
