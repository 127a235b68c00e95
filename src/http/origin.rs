//! One API as it is reached: its connection pool, pace, credentials, and where it may lead.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use url::Url;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::Authenticator;
use crate::http::auth::token::Caller;
use crate::http::excerpt::Scrubber;
use crate::http::pace::{Pace, Permit};
use crate::http::redirect::Routes;
use crate::http::transport::Transport;
use crate::page::Meter;
use crate::redact::SafeUrl;
use crate::spec::auth::Auth;
use crate::spec::source::{Http, Retry, Source};

/// What all clones of a client share.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) transport: Arc<Transport>,
    pub(super) http: Http,
    pub(super) routes: Routes,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether a permanent redirect was warned of.
    pub(super) warned_moved: AtomicBool,
    pub(super) pace: Arc<Pace>,
    /// How often and how long a request for a token is tried again.
    pub(super) retry: Retry,
    auth: Auth,
    credentials: OnceLock<Credentials>,
}

/// Resolved secrets, and what takes them out of text.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) authenticator: Authenticator,
    pub(super) scrubber: Scrubber,
    /// Finds those credentials alone that stand in no text by chance.
    telling: Scrubber,
}

impl Credentials {
    /// Text of a record without the credentials that stand in no text by chance.
    pub(super) fn scrub_cut(&self, text: &str) -> String {
        self.telling.scrub_cut(text)
    }
}

impl Origin {
    /// The API of `source`. No secret of its `auth` is resolved yet.
    ///
    /// # Errors
    /// `Config` when the CA bundle, the client certificate, the proxy or the rate limit cannot be used.
    pub(super) fn new(source: &Source, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self {
            transport: Arc::new(Transport::new(source)?),
            routes: Routes::new(source.base_url()?, &source.http.allow_hosts),
            http: source.http.clone(),
            warned_moved: AtomicBool::new(false),
            pace: Pace::of(source, Arc::clone(&clock))?,
            retry: source.retry.clone(),
            auth: source.auth.clone(),
            clock,
            credentials: OnceLock::new(),
        })
    }

    /// The credentials, resolved when they are first needed.
    ///
    /// # Errors
    /// `Config` that names the secret which is missing or unusable.
    pub(super) fn credentials(&self) -> Result<&Credentials> {
        if let Some(credentials) = self.credentials.get() {
            return Ok(credentials);
        }
        let authenticator = Authenticator::resolve(&self.auth)?;
        let mut secrets = authenticator.secrets();
        secrets.extend_from_slice(self.transport.secrets());
        let scrubber = Scrubber::new(&secrets);
        let telling = Scrubber::beside(&authenticator.telling_secrets(), &scrubber);
        Ok(self.credentials.get_or_init(|| Credentials { authenticator, scrubber, telling }))
    }

    /// A URL in the form that may be shown.
    pub(super) fn shown(&self, url: &Url) -> String {
        let Some(credentials) = self.credentials.get() else {
            return SafeUrl::new(url).to_string();
        };
        let key = credentials.authenticator.query_key();
        credentials.scrubber.scrub(&SafeUrl::hiding(url, key.as_slice()).to_string())
    }

    /// Resolves a URL that the API named in its answer to `from`, checks where it leads, and takes
    /// credentials out of it.
    ///
    /// # Errors
    /// As [`Routes::follow`]; and `Api` where a credential stays in the URL, which would be checkpointed
    /// or reach another origin.
    pub(super) fn follow(&self, from: &Url, target: &str) -> Result<Url> {
        let credentials = self.credentials()?;
        let mut url = self.routes.follow(from, target, |url| self.shown(url))?;
        credentials.authenticator.strip(&mut url);
        if credentials.telling.is_in(url.as_str()) {
            return Err(Error::new(ErrorKind::Api, "the API leads to a URL that holds a credential")
                .with("to", self.shown(&url))
                .hint("its URLs are kept in checkpoints, where no credential may be: page by number, offset or cursor"));
        }
        Ok(url)
    }

    /// An error without the credentials that the API may have echoed into what it names.
    pub(super) fn scrubbed(&self, error: Error) -> Error {
        match self.credentials.get() {
            Some(known) => error.rewritten(|text| known.telling.scrub(text)),
            None => error,
        }
    }

    /// Refuses text of the API that would be kept in checkpoints, if it holds a credential.
    ///
    /// # Errors
    /// `Api` that says of `what` it is.
    pub(super) fn keep_out(&self, what: &str, text: &str) -> Result<()> {
        if !self.credentials()?.telling.is_in(text) {
            return Ok(());
        }
        let message = format!("the API gives {what} that holds a credential");
        Err(Error::new(ErrorKind::Api, message).hint(
            "it would be kept in checkpoints, where no credential may be: page by number or offset",
        ))
    }

    /// What a token is asked for with.
    pub(super) fn caller(&self, credentials: &Credentials, meter: &Arc<Meter>) -> Caller {
        Caller {
            transport: Arc::clone(&self.transport),
            user_agent: self.http.user_agent.clone(),
            most_bytes: self.http.max_page_bytes,
            retry: self.retry.clone(),
            clock: Arc::clone(&self.clock),
            scrubber: credentials.scrubber.clone(),
            meter: Arc::clone(meter),
        }
    }

    /// Waits for the answer to a request that uses up a refresh token, at most as long as a request may take, and
    /// lets none be sent any more: before the end of the process, which would lose the next token.
    pub(super) async fn settle_tokens(&self) {
        let credentials = self.credentials.get();
        if let Some(tokens) = credentials.and_then(|known| known.authenticator.tokens()) {
            let _ = tokio::time::timeout(self.http.timeout, tokens.settle()).await;
        }
    }

    /// Waits until a request may be sent: [`Pace::turn`].
    ///
    /// # Errors
    /// `Transient` when the wait is too long.
    pub(super) async fn pace(&self) -> Result<Permit> {
        self.pace.turn().await
    }
}
