//! One API: its connection pool, limiter and credentials, and the loop that sends a request again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::Authenticator;
use crate::http::excerpt::Scrubber;
use crate::http::exchange::{Exchange, Fault, Fetched, Outcome};
use crate::http::limiter::Limiter;
use crate::http::redirect::Routes;
use crate::http::request::Recipe;
use crate::http::retry::{self, Verdict};
use crate::http::transport;
use crate::page::{Cursor, Meter, PageRequest};
use crate::redact::SafeUrl;
use crate::spec::auth::Auth;
use crate::spec::source::{Http, Retry, Source, Stream};
use crate::spec::template::Template;
use crate::window::{Window, show};

/// A source's client. Clones share everything: connections, the limiter, the request budget.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
    budget: Option<Arc<AtomicU64>>,
}

/// What all clones of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) transport: reqwest::Client,
    pub(super) http: Http,
    pub(super) routes: Routes,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether a permanent redirect was warned of.
    pub(super) warned_moved: AtomicBool,
    base_url: Url,
    headers: Vec<(String, Template)>,
    retry: Retry,
    limiter: Limiter,
    auth: Auth,
    credentials: OnceLock<Credentials>,
}

/// Resolved secrets, and what takes them out of text.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) authenticator: Authenticator,
    pub(super) scrubber: Scrubber,
}

impl Client {
    /// A client for `source`. Nothing is sent, and no secret is resolved, before the first request.
    ///
    /// # Errors
    /// `Config` when the CA bundle, the proxy or the rate limit cannot be used.
    pub fn new(source: &Source, clock: Arc<dyn Clock>) -> Result<Self> {
        let shared = Shared {
            transport: transport::client(&source.http)?,
            routes: Routes::new(&source.base_url, &source.http.allow_hosts),
            http: source.http.clone(),
            clock,
            warned_moved: AtomicBool::new(false),
            base_url: source.base_url.clone(),
            headers: source.headers.clone(),
            retry: source.retry.clone(),
            limiter: Limiter::new(&source.rate_limit)?,
            auth: source.auth.clone(),
            credentials: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared), budget: None })
    }

    /// The same client with a budget: after `requests` more (retries and redirects included, over all
    /// clones made from here on) a request fails with kind `Budget` instead of being sent.
    #[must_use]
    pub fn with_budget(mut self, requests: u64) -> Self {
        self.budget = Some(Arc::new(AtomicU64::new(requests)));
        self
    }

    /// The credentials, resolved when they are first needed.
    ///
    /// # Errors
    /// `Config` that names the secret which is missing or unusable.
    pub(super) fn credentials(&self) -> Result<&Credentials> {
        if let Some(credentials) = self.shared.credentials.get() {
            return Ok(credentials);
        }
        let authenticator = Authenticator::resolve(&self.shared.auth)?;
        let scrubber = Scrubber::new(&authenticator.secrets());
        Ok(self.shared.credentials.get_or_init(|| Credentials { authenticator, scrubber }))
    }

    /// A URL in the form that may be shown.
    pub(super) fn shown(&self, url: &Url) -> SafeUrl {
        let credentials = self.shared.credentials.get();
        let key = credentials.and_then(|known| known.authenticator.query_key());
        SafeUrl::hiding(url, key.as_slice())
    }

    /// Resolves a URL that the API named in its answer to `from`, checks where it leads, and takes
    /// credentials out of it.
    ///
    /// # Errors
    /// As [`Routes::follow`].
    pub(super) fn follow(&self, from: &Url, target: &str) -> Result<Url> {
        let authenticator = &self.credentials()?.authenticator;
        let mut url = self.shared.routes.follow(from, target, authenticator.query_key())?;
        authenticator.strip(&mut url);
        Ok(url)
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
            self.follow(&self.shared.base_url, url)?;
        }
        let recipe = Recipe {
            base_url: &self.shared.base_url,
            headers: &self.shared.headers,
            stream,
            window,
            now: self.shared.clock.now(),
        };
        recipe.request(number, cursor)
    }

    /// Waits for the limiter and takes one request from the budget.
    ///
    /// # Errors
    /// `Budget` when none is left, `Transient` when the limiter's wait is too long.
    pub(super) async fn pace(&self) -> Result<()> {
        let spend = |left: u64| left.checked_sub(1);
        if let Some(budget) = &self.budget
            && budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_err()
        {
            return Err(Error::new(ErrorKind::Budget, "the budget of requests is used up")
                .hint("run the same command again: it goes on where this run stopped"));
        }
        self.shared.limiter.wait().await
    }

    /// Sends a request until it is answered, refused for good, or out of attempts.
    pub(super) async fn fetch(&self, exchange: &Exchange<'_>) -> Result<Fetched> {
        let mut attempt = 1;
        loop {
            let fault = match exchange.attempt().await? {
                Outcome::Page(fetched) => return Ok(*fetched),
                Outcome::Again(fault) => fault,
            };
            match retry::verdict(&self.shared.retry, attempt, fault.asked, rand::random()) {
                Verdict::Wait(wait) => self.pause(&fault, wait, attempt + 1).await,
                Verdict::Later(wait) => return Err(self.later(&fault, wait)),
                Verdict::Exhausted => return Err(fault.error.with("attempts", attempt)),
            }
            attempt += 1;
            Meter::count(&exchange.meter.retries);
        }
    }

    async fn pause(&self, fault: &Fault, wait: Duration, attempt: u32) {
        tracing::warn!(
            request_id = %fault.request_id,
            "{}, retrying in {:.1} s ({attempt} of {})",
            fault.reason,
            wait.as_secs_f64(),
            self.shared.retry.max_attempts,
        );
        tokio::time::sleep(wait).await;
    }

    /// The API asked for a longer wait than `retry.max_wait`.
    fn later(&self, fault: &Fault, wait: Duration) -> Error {
        let back: Option<DateTime<Utc>> = TimeDelta::from_std(wait)
            .ok()
            .and_then(|wait| self.shared.clock.now().checked_add_signed(wait));
        let when = back.map_or_else(|| "never".to_owned(), |back| format!("at {}", show(back)));
        let message = format!("{}: the API asks to come back {when}", fault.reason);
        let error = Error::new(ErrorKind::Transient, message).hint(format!(
            "that is {} s away and longer than retry.max_wait ({:?}): run the same command again then",
            wait.as_secs(),
            self.shared.retry.max_wait,
        ));
        fault.error.context().fold(error, |error, (key, value)| error.with(key, value))
    }
}
