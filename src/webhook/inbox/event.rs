//! What the inbox holds: events, and batches of them.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits to be landed.
    Waiting,
    /// It can become no row as the source file was when it came: no JSON, no id, or a type that no pattern has.
    Refused,
}

impl State {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Refused => "refused",
        }
    }

    /// The state of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Refused].into_iter().find(|state| state.name() == name)
    }
}

/// An event that is to be kept.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The source's name.
    pub source: String,
    /// The name of the webhook that took it.
    pub endpoint: String,
    /// What tells it from others of the endpoint.
    pub event_id: String,
    /// Such as `payment.captured`; empty where it has none.
    pub event_type: String,
    /// When its body was whole.
    pub received_at: DateTime<Utc>,
    /// `Content-Type` as it came.
    pub content_type: Option<String>,
    /// The body byte for byte.
    pub body: Bytes,
    /// Whether it waits or is refused.
    pub state: State,
    /// How long an id is known after it was first seen.
    pub dedupe_for: Duration,
}

/// An event in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number: later events have larger ones, and none is used twice.
    pub seq: i64,
    /// The source's name.
    pub source: String,
    /// The name of the webhook that took it.
    pub endpoint: String,
    /// What tells it from others of the endpoint.
    pub event_id: String,
    /// Such as `payment.captured`; empty where it has none.
    pub event_type: String,
    /// When its body was whole, to the microsecond.
    pub received_at: DateTime<Utc>,
    /// `Content-Type` as it came.
    pub content_type: Option<String>,
    /// The body byte for byte.
    pub body: Bytes,
    /// The stream of its batch.
    pub stream: Option<String>,
    /// The batch that land put it into.
    pub batch: Option<String>,
    /// Whether it waits or is refused.
    pub state: State,
}

/// What an inbox says of an event without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its number.
    pub seq: i64,
    /// The source's name.
    pub source: String,
    /// The name of the webhook that took it.
    pub endpoint: String,
    /// What tells it from others of the endpoint.
    pub event_id: String,
    /// Its type; empty where it has none.
    pub event_type: String,
    /// When its body was whole.
    pub received_at: DateTime<Utc>,
    /// Bytes of its body.
    pub bytes: u64,
    /// The batch that land put it into.
    pub batch: Option<String>,
    /// Whether it waits or is refused.
    pub state: State,
}

/// Events that land in one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its name, which is also that of its chain of manifests.
    pub name: String,
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub stream: String,
    /// What its name says of its first event.
    pub first: i64,
    /// What its name says of its last event.
    pub last: i64,
    /// When it was made, to the microsecond.
    pub made_at: DateTime<Utc>,
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk.
    New,
    /// Its id was seen before, and is on disk.
    Duplicate,
    /// There is no room for it inside the budget.
    Full,
    /// It could not be made durable.
    Failed,
}

/// What to do about what no lakeward writes.
pub(super) const DAMAGED: &str =
    "the file `inbox.db` was changed by something else or is damaged: look at it with `sqlite3`";

/// Microseconds since the epoch as an instant.
///
/// # Errors
/// `Store` for a number that no clock gives.
pub(super) fn instant(micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| {
        Error::new(ErrorKind::Store, format!("the inbox has a time that is none: {micros}"))
            .hint(DAMAGED)
    })
}
