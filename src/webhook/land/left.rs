//! What stays in the inbox because the source file has no place for it: it must not look as if nothing waited.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind};
use crate::webhook::inbox::event::Batch;

/// What was left in the inbox.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// How many events, by the webhook that took them.
    events: BTreeMap<String, u64>,
    batches: Vec<Batch>,
}

impl Left {
    /// An event of a webhook that the source file does not have.
    pub(super) fn event(&mut self, endpoint: &str) {
        match self.events.get_mut(endpoint) {
            Some(count) => *count += 1,
            None => drop(self.events.insert(endpoint.to_owned(), 1)),
        }
    }

    /// A batch of a stream that events no longer lead to.
    pub(super) fn batch(&mut self, batch: Batch) {
        self.batches.push(batch);
    }

    /// Each as the error that it is.
    pub(super) fn told(&self) -> Vec<Error> {
        let batches = self.batches.iter().map(|Batch { name, stream, .. }| {
            Error::new(
                ErrorKind::Config,
                format!("a batch waits for the stream `{stream}`, which no webhook of the source file brings events of"),
            )
            .with("batch", name)
            .hint("it was begun when one did: give the stream its route again until the batch has landed")
        });
        let events = self.events.iter().map(|(endpoint, count)| {
            let wait = if *count == 1 { "event waits" } else { "events wait" };
            Error::new(
                ErrorKind::Config,
                format!("{count} {wait} of the webhook `{endpoint}`, which the source file does not have"),
            )
            .hint("give the webhook this name again until its events have landed")
        });
        batches.chain(events).collect()
    }
}
