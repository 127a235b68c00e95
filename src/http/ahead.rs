//! Requests that are sent ahead (`concurrency`): the pages that are sure to follow are fetched side by side, and
//! taken in order.
//!
//! Sure to follow is what the last total that the API named has room for, at as many records a page as pages have
//! had. An answer is looked at only when the pages before it are delivered and the stream would ask for it then; so
//! pages, errors, ends, loops and checkpoints are those of a stream that asks for one page after the other. What was
//! sent ahead and is not wanted after all, because the total shrank or `has_more` ended the stream, is dropped
//! unseen: it has cost a request, and whatever the API said to it (a 404 behind the last page, say) is no failure.
//!
//! Offsets are known ahead only while every page has as many records as the first; with the first page that has not,
//! what was sent ahead is dropped, and the rest of the run asks for one page after the other.

use std::collections::VecDeque;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::error::{Error, ErrorKind, Result};
use crate::http::exchange::Fetched;
use crate::page::room::Held;
use crate::page::{Cursor, Position};

/// Requests that stand ready behind those in flight, so that a free place is taken at once.
const READY: usize = 2;

/// A page's response, and what it takes of memory.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) fetched: Fetched,
    pub(super) held: Held,
}

/// The pages of one window that are fetched ahead.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Requests in flight.
    concurrency: usize,
    /// Records a page; none before the first page of the run.
    stride: u64,
    /// What was sent, in the order of pages.
    sent: VecDeque<Sent>,
    /// Whether pages turned out not to be known ahead.
    over: bool,
}

#[derive(Debug)]
struct Sent {
    asked: Cursor,
    answer: AbortOnDropHandle<Result<Answer>>,
}

impl Ahead {
    /// With this many requests in flight; with one, nothing is sent ahead.
    pub(super) fn new(concurrency: usize) -> Self {
        Self { concurrency, stride: 0, sent: VecDeque::new(), over: concurrency < 2 }
    }

    /// Notes how many records the page has that was asked for at `asked`.
    pub(super) fn learn(&mut self, asked: &Cursor, received: u64) {
        // The cursor of an offset's first page is `Start`.
        if self.stride == 0 || matches!(asked, Cursor::Page { .. }) {
            self.stride = self.stride.max(received);
        }
    }

    /// The cursors that are sure to be asked for, `position.next` the first, and are not sent yet; each with the
    /// number of its page.
    pub(super) fn missing(&mut self, position: &Position) -> Vec<(u64, Cursor)> {
        let Some(next) = &position.next else { return Vec::new() };
        if self.sent.front().is_some_and(|sent| sent.asked != *next) {
            tracing::debug!("a page has another number of records: no more is asked for ahead");
            self.sent.clear();
            self.over = true;
        }
        let (false, Some(total)) = (self.over || self.stride == 0, position.total) else {
            return Vec::new();
        };
        let pages = total.saturating_sub(position.records).div_ceil(self.stride);
        let most = self.concurrency.saturating_add(READY);
        let pages = usize::try_from(pages).unwrap_or(usize::MAX).min(most);
        // A single page is fetched where it is wanted.
        if pages < 2 && self.sent.is_empty() {
            return Vec::new();
        }
        let known = (0..).map_while(|nth: u64| Some((nth, self.nth(next, nth)?)));
        known
            .take(pages)
            .skip(self.sent.len())
            .map(|(nth, cursor)| (position.pages.saturating_add(nth).saturating_add(1), cursor))
            .collect()
    }

    /// The cursor `nth` pages behind `next`.
    fn nth(&self, next: &Cursor, nth: u64) -> Option<Cursor> {
        match next {
            Cursor::Page { page } => Some(Cursor::Page { page: page.checked_add(nth)? }),
            Cursor::Offset { offset } => {
                let offset = offset.checked_add(nth.checked_mul(self.stride)?)?;
                Some(Cursor::Offset { offset })
            }
            Cursor::Start | Cursor::Token { .. } | Cursor::Url { .. } => None,
        }
    }

    /// Sends one ahead, as a task of its own: what the consumer does meanwhile does not delay it.
    pub(super) fn send<F>(&mut self, asked: Cursor, fetch: F)
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let answer = AbortOnDropHandle::new(tokio::spawn(fetch.in_current_span()));
        self.sent.push_back(Sent { asked, answer });
    }

    /// The answer to what is wanted next, where it was sent ahead.
    pub(super) async fn next(&mut self) -> Option<Result<Answer>> {
        let sent = self.sent.pop_front()?;
        Some(sent.answer.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Unexpected, "a request's task stopped").caused_by(error))
        }))
    }
}
