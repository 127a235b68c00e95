//! One pace a process and API: what is declared, what the API's headers say, and what it refuses.
//!
//! ```text
//! turnstile -> declared buckets, or the slot of all processes -> gate { asked to wait? quota left? brake } -> request -> answer -> gate
//! ```
//!
//! # How 40 windows share a quota that nobody declared
//!
//! - While nothing is known, one request goes first: its answer says what there is.
//! - An answer that leaves `r` requests lets as many through as are not in flight yet; once less than `reserve`
//!   of the quota is left, none before the reset.
//! - After a reset, and after a wait that the API asked for, again one goes first. What it costs is a round trip a period;
//!   where that is much of it, others follow before the answer, more with every period that begins well.
//! - A refusal that no header explains slows all down ([`brake`]).

mod brake;
mod quotas;
mod shared;
mod skew;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::http::limiter::Limiter;
use crate::http::pace::quotas::Part;
use crate::http::pace::shared::{Shared, Slot};
use crate::http::pace::state::{Gate, State, Why};
use crate::http::quota;
use crate::http::retry::retry_after;
use crate::spec::source::{RateLimit, Retry, Source};
use crate::window::show;

/// Waits shorter than that are not told of.
const TOLD: Duration = Duration::from_secs(2);
/// A jittered wait may be that much longer than what was asked for (`retry`).
const JITTER: f64 = 1.25;

/// The pace of all requests to one API.
#[derive(Debug)]
pub(super) struct Pace {
    limiter: Limiter,
    /// Where the limits are those of many processes.
    shared: Option<Arc<Shared>>,
    part: Part,
    /// The longest wait for a quota, and the longest that an API may ask for.
    max_wait: Duration,
    max_asked: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
    /// First come, first served: whoever holds it is the only one that waits for the gate.
    turnstile: Arc<tokio::sync::Mutex<()>>,
}

/// A request that was let through. Dropped without an answer, nothing was learned.
#[derive(Debug)]
pub(super) struct Permit {
    pace: Arc<Pace>,
    /// Held until the request leaves. It may have to wait for a token, and whoever was let through meanwhile would leave
    /// with it at one stroke.
    turn: Option<OwnedMutexGuard<()>>,
    sent: Instant,
    /// The number of the first that it is.
    first: Option<u64>,
    answered: bool,
}

static PACES: LazyLock<Mutex<HashMap<String, Weak<Pace>>>> = LazyLock::new(Mutex::default);

impl Pace {
    /// The pace of the process's requests to `source`: a new one, or the one that another client of it has.
    ///
    /// # Errors
    /// `Config` for a limit that is not a positive number, `Usage` for a source without a base URL.
    pub(super) fn of(source: &Source, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let Source { name, rate_limit, retry, .. } = source;
        let base_url = source.base_url()?;
        let key = format!("{name} {base_url} {rate_limit:?} {retry:?}");
        let mut paces = PACES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pace) = paces.get(&key).and_then(Weak::upgrade) {
            return Ok(pace);
        }
        paces.retain(|_, pace| pace.strong_count() > 0);
        let pace = Arc::new(Self::new(rate_limit, retry, clock)?);
        paces.insert(key, Arc::downgrade(&pace));
        Ok(pace)
    }

    fn new(limit: &RateLimit, retry: &Retry, clock: Arc<dyn Clock>) -> Result<Self> {
        let (part, parts) = limit.share;
        Ok(Self {
            limiter: Limiter::new(limit)?,
            shared: Shared::new(limit),
            part: Part { reserve: limit.reserve, share: f64::from(part) / f64::from(parts) },
            max_wait: limit.max_wait,
            max_asked: retry.max_wait.mul_f64(JITTER),
            clock,
            state: Mutex::new(State::new(Instant::now())),
            changed: Notify::new(),
            turnstile: Arc::default(),
        })
    }

    /// Waits until a request may be sent; no other may until [`Permit::leaves`].
    ///
    /// # Errors
    /// `Transient` when the wait would be, or has been, longer than `rate_limit.max_wait`; or than
    /// `retry.max_wait` where the API asked for it.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Permit> {
        let (began, kept) = (Instant::now(), self.state().kept(Instant::now()));
        let mut turn = std::pin::pin!(async {
            let turn = Arc::clone(&self.turnstile).lock_owned().await;
            self.slot().await?;
            let mut permit = self.gate().await?;
            self.state().keeps_since(Some(Instant::now()));
            permit.turn = Some(turn);
            Ok(permit)
        });
        loop {
            // What others waited for a token is no wait for a quota.
            let kept = self.state().kept(Instant::now()).saturating_sub(kept);
            let most = self.max_wait.saturating_add(kept);
            let Some(deadline) = began.checked_add(most) else { return turn.await };
            if deadline <= Instant::now() {
                return Err(self.limiter.too_long());
            }
            if let Ok(permit) = tokio::time::timeout_at(deadline, &mut turn).await {
                return permit;
            }
        }
    }

    /// Waits until the declared limits allow a request: those of all processes, or this one's part of them.
    async fn slot(&self) -> Result<()> {
        let Some(shared) = &self.shared else { return self.limiter.wait().await };
        match shared.reserve(self.max_wait).await? {
            Slot::In(wait, held) => {
                let until = Instant::now() + wait;
                if held {
                    self.tell(until, wait, Why::Others);
                }
                let _waiting = Waiting(self);
                tokio::time::sleep_until(until).await;
                if shared.is_fresh() { self.limiter.wait().await } else { Ok(()) }
            }
            Slot::Late(wait) => self.allow(wait, Why::Others),
            Slot::Away { first } => {
                if first {
                    // All processes are told at once, and none may send at once.
                    let apart = self.limiter.apart().mul_f64(1.0 + rand::random::<f64>());
                    tokio::time::sleep(apart).await;
                }
                self.limiter.wait().await
            }
        }
    }

    /// This process's part of a quota that headers tell: all of it where the slots are shared.
    fn part(&self) -> Part {
        match &self.shared {
            Some(shared) if shared.rules() => Part { share: 1.0, ..self.part },
            _ => self.part,
        }
    }

    /// Tells other processes until when the API is to be left alone.
    fn share(&self, until: Option<Instant>) {
        if let (Some(shared), Some(until)) = (&self.shared, until) {
            shared.hold(until.saturating_duration_since(Instant::now()));
        }
    }

    async fn gate(self: &Arc<Self>) -> Result<Permit> {
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let gate = self.state().gate(now, self.part());
            let until = match gate {
                Gate::Open { first } => {
                    return Ok(Permit {
                        pace: Arc::clone(self),
                        turn: None,
                        sent: now,
                        first,
                        answered: false,
                    });
                }
                Gate::Soon(until) => until,
                Gate::Until(until, why) => {
                    self.allow(until.saturating_duration_since(now), why)?;
                    self.tell(until, until.saturating_duration_since(now), why);
                    until
                }
            };
            let _waiting = Waiting(self);
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = changed => {}
            }
        }
    }

    /// Says once that requests wait.
    fn tell(&self, until: Instant, wait: Duration, why: Why) {
        let mut state = self.state();
        state.waiting = Some((until, why));
        if wait >= TOLD && state.told.is_none_or(|told| told < until) {
            state.told = Some(until);
            drop(state);
            tracing::info!("waiting {} s {}", wait.as_secs_f64().ceil(), why.name());
        }
    }

    fn allow(&self, wait: Duration, why: Why) -> Result<()> {
        let (most, key) = match why {
            Why::Quota | Why::Others => (self.max_wait, "rate_limit.max_wait"),
            Why::Asked => (self.max_asked, "retry.max_wait"),
        };
        if wait <= most {
            return Ok(());
        }
        let back: Option<DateTime<Utc>> = TimeDelta::from_std(wait)
            .ok()
            .and_then(|wait| self.clock.now().checked_add_signed(wait));
        let when = back.map_or_else(|| "never".to_owned(), |back| format!("at {}", show(back)));
        let message = match why {
            Why::Quota => format!("the API's quota is used up: it resets {when}"),
            Why::Asked => format!("the API asks to come back {when}"),
            Why::Others => format!(
                "the shared pace has no slot for this run before {}",
                when.trim_start_matches("at ")
            ),
        };
        Err(Error::new(ErrorKind::Transient, message).hint(format!(
            "that is {} s away and longer than {key}: run the same command again then",
            wait.as_secs()
        )))
    }

    /// Keeps all requests back for `wait`, which the API asked one of them to.
    pub(super) fn hold(&self, wait: Duration) {
        let mut state = self.state();
        state.hold(Instant::now(), wait);
        let until = state.asked();
        drop(state);
        self.share(until);
        self.changed.notify_one();
    }

    /// What is waited for at this instant, in a few words.
    pub(super) fn waiting(&self) -> Option<String> {
        let state = self.state();
        // Whoever was asked to wait does, be it here or on its lane.
        let asked = state.asked().map(|until| (until, Why::Asked));
        let (until, why) = asked.or(state.waiting)?;
        drop(state);
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| format!("waiting {} s {}", left.as_secs_f64().ceil(), why.name()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes back what is shown as waited for, however the wait ends.
struct Waiting<'a>(&'a Pace);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting = None;
    }
}

/// Whether an answer asks us to slow down.
pub(super) fn is_refusal(status: StatusCode, headers: &HeaderMap) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => headers.contains_key(reqwest::header::RETRY_AFTER),
        // GitHub's answer to too many requests: a permission that is refused comes with neither.
        StatusCode::FORBIDDEN => {
            headers.contains_key(reqwest::header::RETRY_AFTER)
                || quota::read(headers).told.iter().any(|told| told.remaining == 0)
        }
        _ => false,
    }
}

/// The wait that an answer asks for; a date is one of the server's clock, which its own `Date` tells.
pub(super) fn asked(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    retry_after(value, skew::date(headers).unwrap_or(now))
}

impl Permit {
    /// The request goes out now.
    pub(super) fn leaves(&mut self) {
        self.sent = Instant::now();
        self.let_next();
    }

    fn let_next(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.pace.state().keeps_since(None);
            drop(turn);
        }
    }

    /// Learns from the answer.
    pub(super) fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        self.answered = true;
        let now = Instant::now();
        let wall = self.pace.clock.now();
        let reading = quota::read(headers);
        let refusal = is_refusal(status, headers).then(|| asked(headers, wall));
        let mut state = self.pace.state();
        state.skew.learn(headers, wall, now.saturating_duration_since(self.sent));
        state.answered(state::Answer {
            reading,
            refusal,
            sent: self.sent,
            now,
            wall,
            first: self.first,
        });
        let closed = state.closed(now, self.pace.part());
        drop(state);
        self.pace.share(closed);
        self.pace.changed.notify_one();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.let_next();
        if !self.answered {
            self.pace.state().lost(self.first);
            self.pace.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
