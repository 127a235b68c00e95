//! Auth by a token that is got, kept until it is about to end, and got again: by one task at a time.

mod answer;
mod assertion;
mod endpoint;
mod grant;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderValue;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument as _;

use self::answer::Granted;
pub(in crate::http) use self::endpoint::Caller;
use self::grant::Grant;
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::auth::Auth;

/// How long before its end a token is renewed (DESIGN §3); of a short one, at half of its life.
const EARLY: TimeDelta = TimeDelta::seconds(60);

/// The tokens of a source, one after the other.
#[derive(Debug)]
pub struct Tokens {
    grant: Grant,
    state: Arc<Mutex<State>>,
    /// Renewals that failed, so that whoever waited for one does not ask again at once.
    failures: AtomicU64,
    /// Requests that the API has let through.
    accepted: AtomicU64,
    /// Tokens that the API has refused though nobody else had used them, since it let somebody through. After two,
    /// another one will not help, and accounts are locked for such attempts.
    in_vain: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// When it is to be renewed; never, where it does not say when it ends.
    renew_at: Option<DateTime<Utc>>,
    serial: u64,
    /// Why the last renewal failed.
    failure: Option<(ErrorKind, String)>,
}

/// A token that may be sent.
#[derive(Clone, Debug)]
pub(in crate::http) struct Held {
    pub(in crate::http) header: HeaderValue,
    /// Which one it is, in the order in which they were got.
    pub(in crate::http) serial: u64,
}

/// For as long, nobody else is given a token.
#[derive(Debug)]
pub(in crate::http) struct Alone {
    state: OwnedMutexGuard<State>,
    tokens: Arc<Tokens>,
    /// Requests that had been let through when it was got.
    accepted: u64,
}

impl Alone {
    /// The API refused the token, which nobody else has used. Whether that is its last word: where others were let
    /// through meanwhile they may have ended it, as an API may count all tokens of a client together.
    pub(in crate::http) fn refused(mut self) -> bool {
        if self.tokens.accepted.load(Ordering::Relaxed) != self.accepted {
            self.state.held = None;
            return false;
        }
        self.tokens.in_vain.fetch_add(1, Ordering::Relaxed);
        // Else it is kept for others, whom the API may let through with it.
        if !self.tokens.is_hopeless() {
            self.state.held = None;
        }
        true
    }
}

impl Tokens {
    /// Resolves the secrets of an auth that gets its tokens from an endpoint; `None` of any other.
    ///
    /// # Errors
    /// `Config` that names the secret which is missing or unusable.
    pub(super) fn resolve(auth: &Auth) -> Result<Option<Self>> {
        let grant = Grant::resolve(auth)?;
        Ok(grant.map(|grant| Self {
            grant,
            state: Arc::default(),
            failures: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            in_vain: AtomicU64::new(0),
        }))
    }

    /// The token to send now. Of many who ask while there is none, one gets it and all wait for that.
    ///
    /// # Errors
    /// `Credentials` where the endpoint refuses or its answer holds no token; `Transient` where it could not answer.
    pub(in crate::http) async fn current(
        self: &Arc<Self>,
        now: DateTime<Utc>,
        caller: impl FnOnce() -> Caller,
    ) -> Result<Held> {
        self.other(now, caller).await.map(|(held, _)| held)
    }

    /// As [`Tokens::current`], for a request whose token was refused: where it is the one that gets another, it is alone
    /// with that until it drops what comes beside it.
    pub(in crate::http) async fn other(
        self: &Arc<Self>,
        now: DateTime<Utc>,
        caller: impl FnOnce() -> Caller,
    ) -> Result<(Held, Option<Alone>)> {
        let met = self.failures.load(Ordering::Acquire);
        let state = Arc::clone(&self.state).lock_owned().await;
        if let Some(held) = state.held.clone()
            && state.renew_at.is_none_or(|at| now < at)
        {
            return Ok((held, None));
        }
        // What the endpoint refuses from the start it refuses for the whole run.
        let for_good = |kind: &ErrorKind| *kind == ErrorKind::Credentials && state.serial == 0;
        if let Some((kind, message)) = state.failure.as_ref()
            && (for_good(kind) || self.failures.load(Ordering::Acquire) != met)
        {
            return Err(Error::new(*kind, message.clone()));
        }
        self.renew(state, caller()).await.map(|(held, alone)| (held, Some(alone)))
    }

    /// A token that nobody has used, and that nobody else gets until what comes beside it is dropped: for a request that
    /// was refused with those that others use too.
    ///
    /// # Errors
    /// As [`Tokens::current`].
    pub(in crate::http) async fn fresh(self: &Arc<Self>, caller: Caller) -> Result<(Held, Alone)> {
        let state = Arc::clone(&self.state).lock_owned().await;
        self.renew(state, caller).await
    }

    /// Gets a token, in a task of its own: whoever asked for it may be dropped meanwhile, but the answer that uses up a
    /// refresh token holds the next one.
    async fn renew(
        self: &Arc<Self>,
        mut state: OwnedMutexGuard<State>,
        caller: Caller,
    ) -> Result<(Held, Alone)> {
        if let Some(held) = state.held.clone().filter(|_| self.is_hopeless()) {
            let accepted = self.accepted.load(Ordering::Relaxed);
            return Ok((held, Alone { state, tokens: Arc::clone(self), accepted }));
        }
        let tokens = Arc::clone(self);
        let work = async move {
            let now = caller.clock.now();
            let accepted = tokens.accepted.load(Ordering::Relaxed);
            let granted = tokens.grant.obtain(&caller).await;
            match granted.and_then(|granted| header(&granted).map(|header| (granted, header))) {
                Ok((granted, header)) => {
                    caller.scrubber.learn(&granted.token);
                    let held = state.keep(header, granted.lifetime, now);
                    Ok((held, Alone { state, tokens, accepted }))
                }
                Err(error) => {
                    state.held = None;
                    state.failure = Some((error.kind(), error.to_string()));
                    tokens.failures.fetch_add(1, Ordering::Release);
                    Err(error)
                }
            }
        };
        tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Unexpected, "a token's task stopped").caused_by(error))
        })
    }

    /// The API let a request with a token through.
    pub(in crate::http) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.in_vain.store(0, Ordering::Relaxed);
    }

    /// Whether there is no use in getting another token.
    pub(in crate::http) fn is_hopeless(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed) > 1
    }

    /// The API refused the token of this number: it is not sent again. Another one that came since is kept.
    pub(in crate::http) async fn refuse(&self, serial: u64) {
        let mut state = self.state.lock().await;
        let is_it = state.held.as_ref().is_some_and(|held| held.serial == serial);
        if is_it && !self.is_hopeless() {
            state.held = None;
        }
    }

    /// Waits until no refresh token is used up without the next one kept, and has none used up from then on.
    pub(in crate::http) async fn settle(&self) {
        self.grant.settle().await;
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.grant.secrets()
    }

    /// Those that are no names, which may stand in a URL by chance.
    pub(super) fn telling_secrets(&self) -> Vec<Secret> {
        self.grant.telling_secrets()
    }
}

impl State {
    fn keep(
        &mut self,
        header: HeaderValue,
        lifetime: Option<TimeDelta>,
        now: DateTime<Utc>,
    ) -> Held {
        self.serial += 1;
        let held = Held { header, serial: self.serial };
        (self.held, self.failure) = (Some(held.clone()), None);
        self.renew_at = renew_at(lifetime, now);
        tracing::debug!(seconds = lifetime.map(|life| life.num_seconds()), "got a token");
        held
    }
}

fn header(granted: &Granted) -> Result<HeaderValue> {
    let text = format!("Bearer {}", granted.token.expose());
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        let what = "the token endpoint gave a token with a character that no header may hold";
        Error::new(ErrorKind::Credentials, what)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// When a token that lives so long from `now` on is renewed.
fn renew_at(lifetime: Option<TimeDelta>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let lifetime = lifetime.filter(|life| *life > TimeDelta::zero())?;
    let used = (lifetime - EARLY).max(lifetime / 2);
    now.checked_add_signed(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_a_minute_early_or_at_half_of_a_short_life() {
        let now = DateTime::UNIX_EPOCH;
        let after =
            |seconds| renew_at(Some(TimeDelta::seconds(seconds)), now).map(|at| at.timestamp());
        assert_eq!(
            [after(3600), after(120), after(60), after(1)],
            [Some(3540), Some(60), Some(30), Some(0)]
        );
        assert_eq!([after(0), after(-5)], [None, None]);
        assert_eq!(renew_at(None, now), None);
        assert_eq!(renew_at(Some(TimeDelta::MAX), now), None);
    }
}
