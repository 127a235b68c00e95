//! Auth by a token that is got, kept until it is about to end, and got again: by one task at a time.

mod answer;
mod assertion;
mod endpoint;
mod grant;
mod store;

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

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
    state: Mutex<State>,
    /// Renewals that failed, so that whoever waited for one does not ask again at once.
    failures: AtomicU64,
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

impl Tokens {
    /// Resolves the secrets of an auth that gets its tokens from an endpoint; `None` of any other.
    ///
    /// # Errors
    /// `Config` that names the secret which is missing or unusable.
    pub(super) fn resolve(auth: &Auth) -> Result<Option<Self>> {
        let grant = Grant::resolve(auth)?;
        Ok(grant.map(|grant| Self { grant, state: Mutex::default(), failures: AtomicU64::new(0) }))
    }

    /// The token to send now. Of many who ask while there is none, one gets it and all wait for that.
    ///
    /// # Errors
    /// `Credentials` where the endpoint refuses or its answer holds no token; `Transient` where it could not answer.
    pub(in crate::http) async fn current(&self, caller: &Caller<'_>) -> Result<Held> {
        let met = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = caller.clock.now();
        if let Some(held) = state.held.clone()
            && state.renew_at.is_none_or(|at| now < at)
        {
            return Ok(held);
        }
        if let Some((kind, message)) = state.failure.as_ref()
            && self.failures.load(Ordering::Acquire) != met
        {
            return Err(Error::new(*kind, message.clone()));
        }
        match self
            .grant
            .obtain(caller)
            .await
            .and_then(|granted| header(&granted).map(|h| (granted, h)))
        {
            Ok((granted, header)) => {
                caller.scrubber.learn(&granted.token);
                state.serial += 1;
                let held = Held { header, serial: state.serial };
                state.renew_at = renew_at(granted.lifetime, now);
                state.held = Some(held.clone());
                state.failure = None;
                tracing::debug!(
                    seconds = granted.lifetime.map(|life| life.num_seconds()),
                    "got a token"
                );
                Ok(held)
            }
            Err(error) => {
                state.failure = Some((error.kind(), error.to_string()));
                self.failures.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }

    /// The API refused the token of this number: it is not sent again. Another one that came since is kept.
    pub(in crate::http) async fn refuse(&self, serial: u64) {
        let mut state = self.state.lock().await;
        if state.held.as_ref().is_some_and(|held| held.serial == serial) {
            state.held = None;
        }
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.grant.secrets()
    }

    /// Those that are no names, which may stand in a URL by chance.
    pub(super) fn telling_secrets(&self) -> Vec<Secret> {
        self.grant.telling_secrets()
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
