//! Events in an inbox, as `serve` keeps them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lakeward::webhook::inbox::Inbox;
use lakeward::webhook::inbox::event::{Arrival, Kept, State};

use super::paged_api::FIRST;

/// The name of the webhook that the tests declare.
pub(crate) const ENDPOINT: &str = "hook";

/// The lines of a source file that declare the webhook: payments, and nothing else.
pub(crate) const WEBHOOKS: &str = r#"webhooks:
  hook:
    path: /webhooks/hook
    signature: { type: razorpay, secrets: [{ env: HOOK_SECRET }] }
    event_id: /event_id
    event_type: /event
    events:
      payment.*: { stream: payments, record: /payload/payment/entity }
"#;

/// An inbox in a folder.
pub(crate) struct InboxDir {
    /// The folder.
    pub(crate) dir: PathBuf,
    number: u64,
}

/// An instant of the tests: `seconds` after the first payments' day began.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(FIRST + seconds, 0).unwrap()
}

/// The body of an event that holds `record`.
pub(crate) fn body(kind: &str, record: &str) -> String {
    format!("{{\"event\":\"{kind}\",\"payload\":{{\"payment\":{{\"entity\":{record}}}}}}}")
}

/// A payment's record.
pub(crate) fn payment(id: &str, paise: i64, created: i64) -> String {
    format!(
        "{{\"id\":\"{id}\",\"amount\":{paise},\"currency\":\"INR\",\"status\":\"captured\",\
         \"method\":\"upi\",\"created_at\":{created},\"notes\":{{\"n\":{paise}}}}}"
    )
}

impl InboxDir {
    /// An empty inbox at `dir`, whose first event is number 1.
    pub(crate) fn new(dir: &Path) -> Self {
        drop(Inbox::open(dir, true).unwrap());
        let file = rusqlite::Connection::open(dir.join("inbox.db")).unwrap();
        file.execute("UPDATE sqlite_sequence SET seq = 0", []).unwrap();
        Self { dir: dir.to_owned(), number: 0 }
    }

    /// The inbox, open.
    pub(crate) fn open(&self) -> Inbox {
        Inbox::open(&self.dir, false).unwrap()
    }

    /// Keeps events of these types and bodies, received a millisecond apart from `from` on.
    pub(crate) fn put<B: AsRef<[u8]>>(&mut self, from: DateTime<Utc>, events: &[(&str, B)]) {
        let received = (0..).map(|n| from + TimeDelta::milliseconds(n));
        let events = received.zip(events);
        let events: Vec<_> = events.map(|(at, (kind, body))| (at, *kind, body.as_ref())).collect();
        self.put_at(&events, State::Waiting);
    }

    /// Keeps events that were received at these instants.
    pub(crate) fn put_at(&mut self, events: &[(DateTime<Utc>, &str, &[u8])], state: State) {
        let arrivals: Vec<Arrival> = events
            .iter()
            .map(|(received_at, kind, body)| {
                self.number += 1;
                Arrival {
                    source: "gateway".to_owned(),
                    endpoint: ENDPOINT.to_owned(),
                    event_id: format!("evt_{}", self.number),
                    event_type: (*kind).to_owned(),
                    received_at: *received_at,
                    content_type: Some("application/json".to_owned()),
                    body: body.to_vec().into(),
                    state,
                    dedupe_for: Duration::from_secs(7 * 86_400),
                }
            })
            .collect();
        let kept = self.open().put(&arrivals, u64::MAX).unwrap();
        assert!(kept.iter().all(|kept| *kept == Kept::New), "{kept:?}");
    }

    /// How many events are in it.
    pub(crate) fn depth(&self) -> u64 {
        self.open().depth().unwrap()
    }

    /// A copy of its file as it stands, all of its log worked in.
    pub(crate) fn copy(&self) -> Vec<u8> {
        let copy = self.dir.with_extension("copy");
        let connection = rusqlite::Connection::open(self.dir.join("inbox.db")).unwrap();
        connection.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let bytes = std::fs::read(&copy).unwrap();
        std::fs::remove_file(copy).unwrap();
        bytes
    }

    /// Puts a copy back in its place.
    pub(crate) fn restore(&self, copy: &[u8]) {
        for rest in ["inbox.db-wal", "inbox.db-shm"] {
            let _ = std::fs::remove_file(self.dir.join(rest));
        }
        std::fs::write(self.dir.join("inbox.db"), copy).unwrap();
    }
}
