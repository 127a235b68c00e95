//! A source's client: the requests it makes, and the loop that sends one again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::budget::{Allowance, Budget};
use crate::http::envelope::Plan;
use crate::http::exchange::{Ask, Exchange, Fault, Fetched, Outcome};
use crate::http::lane::Lane;
use crate::http::origin::Origin;
use crate::http::request::Recipe;
use crate::http::retry::{self, Verdict};
use crate::http::witness::Witness;
use crate::page::room::{Held, Room};
use crate::page::{Cursor, Meter, PageRequest};
use crate::spec::source::{OnStatus, Source, Stream};
use crate::spec::template::Template;
use crate::window::{Window, show};

/// A source's client. Clones share everything: connections, the limiter, the request budget.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    budget: Budget,
    room: Room,
    witness: Option<Arc<Witness>>,
}

#[derive(Debug)]
struct Shared {
    origin: Origin,
    base_url: Url,
    headers: Vec<(String, Template)>,
}

impl Client {
    /// A client for `source`. Nothing is sent, and no secret is resolved, before the first request.
    ///
    /// # Errors
    /// `Config` when the CA bundle, the proxy or the rate limit cannot be used.
    pub fn new(source: &Source, clock: Arc<dyn Clock>) -> Result<Self> {
        let shared = Shared {
            origin: Origin::new(source, clock)?,
            base_url: source.base_url()?.clone(),
            headers: source.headers.clone(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            budget: Budget::default(),
            room: Room::default(),
            witness: None,
        })
    }

    /// The same client with a budget: after `requests` more (retries and redirects included, over all
    /// clones made from here on) a request fails with kind `Budget` instead of being sent.
    #[must_use]
    pub fn with_budget(mut self, requests: u64) -> Self {
        self.budget = Budget::new(requests);
        self
    }

    /// The same client, whose requests leave when there is room for the page that they ask for.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The same client, watched: `witness` is told of every request of it and its clones.
    #[must_use]
    pub fn watched_by(self, witness: Arc<Witness>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// Text of the API without the source's credentials, which it may echo.
    ///
    /// # Errors
    /// `Config` that names a secret which is missing or unusable.
    pub fn scrub(&self, text: &str) -> Result<String> {
        Ok(self.origin().credentials()?.scrubber.scrub(text))
    }

    /// Text of a record, maybe cut at its end, without the source's credentials; what was cut off one is looked for too.
    pub fn scrub_cut(&self, text: &str) -> String {
        match self.origin().credentials() {
            Ok(known) => known.scrub_cut(text),
            // Nothing was sent, and nothing can be echoed.
            Err(_) => text.to_owned(),
        }
    }

    /// What all requests wait for at this instant, such as `waiting 14 s for the quota to reset`.
    pub fn waiting(&self) -> Option<String> {
        self.origin().pace.waiting()
    }

    /// Waits, at the end of a run, for a refresh token that is being rotated, which would be lost with the process; at
    /// most as long as a request may take.
    pub async fn settle(&self) {
        self.origin().settle_tokens().await;
    }

    /// Resolves the source's secrets now instead of at the first request, so that a missing one is found
    /// before anything is begun.
    ///
    /// # Errors
    /// `Config` that names the secret which is missing or unusable.
    pub fn resolve_credentials(&self) -> Result<()> {
        self.origin().credentials().map(drop)
    }

    /// The request for a page of `stream`, without credentials.
    ///
    /// # Errors
    /// `Config` when a template fails; `Api` when a URL from a checkpoint leads elsewhere than the source allows.
    pub(super) fn request(
        &self,
        stream: &Stream,
        window: Window,
        number: u64,
        cursor: &Cursor,
    ) -> Result<PageRequest> {
        if let Cursor::Url { url } = cursor {
            self.origin().follow(&self.shared.base_url, url)?;
        }
        let recipe = Recipe {
            base_url: &self.shared.base_url,
            headers: &self.shared.headers,
            stream,
            window,
            now: self.origin().clock.now(),
        };
        recipe.request(number, cursor)
    }

    /// What there is of the budget.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The room for pages.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// The API as it is reached.
    pub(super) fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Sends a request, made anew each time, until it is answered, refused for good, or out of attempts. The answer is read
    /// with `plan` and what the stream declares in `on_status`; each attempt takes from the allowance and
    /// waits for its turn on the lane; the page counts as what is held for it.
    ///
    /// # Errors
    /// Whatever ends the attempts, with the request line and its id.
    pub(super) async fn fetch(
        &self,
        ask: &Ask<'_>,
        plan: &Arc<Plan>,
        on_status: &BTreeMap<u16, OnStatus>,
        meter: &Arc<Meter>,
        (allowance, lane, held): (&Allowance, &Lane, &Held),
    ) -> Result<Fetched> {
        let origin = self.origin();
        let witness = self.witness.as_deref();
        let exchange =
            Exchange { origin, allowance, lane, ask, plan, on_status, meter, held, witness };
        let mut attempt = 1;
        loop {
            let fault = match exchange.attempt().await? {
                Outcome::Page(fetched) => return Ok(*fetched),
                Outcome::Again(fault) => fault,
            };
            match retry::verdict(&origin.retry, attempt, fault.asked, rand::random()) {
                Verdict::Wait(wait) => {
                    if fault.asked.is_some() {
                        lane.hold(wait);
                    }
                    self.note(&fault, wait, attempt + 1);
                    if fault.throttled && fault.asked.is_some() {
                        // For all windows: the gate waits, and shows it.
                        origin.pace.hold(wait);
                    } else {
                        tokio::time::sleep(wait).await;
                    }
                }
                Verdict::Later(wait) => return Err(self.later(&fault, wait)),
                Verdict::Exhausted => return Err(fault.error.with("attempts", attempt)),
            }
            attempt += 1;
            Meter::count(&meter.retries);
        }
    }

    /// Says what is tried again, and when.
    fn note(&self, fault: &Fault, wait: Duration, attempt: u32) {
        tracing::warn!(
            request_id = %fault.request_id,
            "{}, retrying in {:.1} s ({attempt} of {})",
            fault.reason,
            wait.as_secs_f64(),
            self.origin().retry.max_attempts,
        );
    }

    /// The API asked for a longer wait than `retry.max_wait`.
    fn later(&self, fault: &Fault, wait: Duration) -> Error {
        let back: Option<DateTime<Utc>> = TimeDelta::from_std(wait)
            .ok()
            .and_then(|wait| self.origin().clock.now().checked_add_signed(wait));
        let when = back.map_or_else(|| "never".to_owned(), |back| format!("at {}", show(back)));
        let message = format!("{}: the API asks to come back {when}", fault.reason);
        let error = Error::new(ErrorKind::Transient, message).hint(format!(
            "that is {} s away and longer than retry.max_wait ({:?}): run the same command again then",
            wait.as_secs(),
            self.origin().retry.max_wait,
        ));
        fault.error.context().fold(error, |error, (key, value)| error.with(key, value))
    }
}
