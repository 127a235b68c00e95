//! Proactive pacing: the limits that are declared. One limiter an API and process, which its `pace` holds.
//!
//! # Why a burst of one?
//!
//! A bucket that holds `b` lets `b + n` requests through in some period of a limit of `n`, which is over the
//! limit that was declared. With a burst of one the requests are spaced evenly, and every period, wherever it
//! starts, holds at most `n` of them. What it costs is the head start of a short run.

use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::RateLimit;

/// Seconds by which a limit's period is taken to be longer where several processes share it: a request leaves up to that
/// much later than its turn, and where those before a period's beginning are late, and those at its end are not, it has
/// too many.
pub(super) const LATE: f64 = 0.05;

/// The runtime's clock, so that a limiter and the sleep that waits for it agree.
#[derive(Clone, Debug)]
struct RuntimeClock(Instant);

impl GovernorClock for RuntimeClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Nanos>>;

/// Holds requests back until both declared limits allow them.
#[derive(Debug)]
pub(super) struct Limiter {
    buckets: Vec<Bucket>,
    /// The time between two requests at this process's share of the tightest limit.
    apart: Duration,
    clock: RuntimeClock,
    max_wait: Duration,
    /// First come, first served: whoever holds it is the only one that waits for the buckets.
    turnstile: Mutex<()>,
}

impl Limiter {
    /// A limiter for this process's share of the declared limits; without any it lets everything through.
    ///
    /// # Errors
    /// `Config` for a limit that is not a positive number.
    pub(super) fn new(limit: &RateLimit) -> Result<Self> {
        let clock = RuntimeClock(Instant::now());
        let (part, parts) = limit.share;
        let share = f64::from(part) / f64::from(parts);
        let late = if limit.shared.is_some() { LATE } else { 0.0 };
        let (mut buckets, mut apart) = (Vec::new(), Duration::ZERO);
        for (key, rate, period) in
            [("per_second", limit.per_second, 1.0), ("per_minute", limit.per_minute, 60.0)]
        {
            let Some(rate) = rate else { continue };
            let quota = Duration::try_from_secs_f64((period + late) / (rate * share))
                .ok()
                .filter(|_| rate > 0.0)
                .filter(|spacing| *spacing <= Duration::from_secs(366 * 86_400))
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Config,
                        format!("rate_limit.{key} and share leave no request"),
                    )
                    .hint("declare a limit above 0 and a share such as 1/2")
                })?;
            apart = apart.max(quota);
            // A spacing under a nanosecond is no limit.
            if let Some(quota) = Quota::with_period(quota) {
                buckets.push(RateLimiter::direct_with_clock(quota, clock.clone()));
            }
        }
        Ok(Self { buckets, apart, clock, max_wait: limit.max_wait, turnstile: Mutex::new(()) })
    }

    /// The time between two requests, as the tightest limit has it.
    pub(super) fn apart(&self) -> Duration {
        self.apart
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// `Transient` when the wait would be, or has been, longer than `rate_limit.max_wait`.
    pub(super) async fn wait(&self) -> Result<()> {
        if self.buckets.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let deadline = began.checked_add(self.max_wait);
        let turn = async {
            let _turn = self.turnstile.lock().await;
            for bucket in &self.buckets {
                while let Err(early) = bucket.check() {
                    let wait = early.wait_time_from(self.clock.now());
                    if began.elapsed().saturating_add(wait) > self.max_wait {
                        return Err(self.too_long());
                    }
                    tokio::time::sleep(wait).await;
                }
            }
            Ok(())
        };
        match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, turn)
                .await
                .unwrap_or_else(|_| Err(self.too_long())),
            None => turn.await,
        }
    }

    /// The wait is longer than allowed.
    pub(super) fn too_long(&self) -> Error {
        Error::new(
            ErrorKind::Transient,
            format!("the wait for the rate limit is longer than {:?}", self.max_wait),
        )
        .hint("raise rate_limit.max_wait, or run with fewer --jobs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn limit(per_second: Option<f64>, per_minute: Option<f64>, share: (u32, u32)) -> RateLimit {
        let max_wait = Duration::from_secs(10);
        RateLimit { per_second, per_minute, reserve: 0.1, share, max_wait, shared: None }
    }

    async fn spent(limiter: &Limiter, requests: u32) -> Duration {
        let began = Instant::now();
        for _ in 0..requests {
            limiter.wait().await.expect("turn");
        }
        began.elapsed()
    }

    #[tokio::test]
    async fn the_tighter_limit_rules() {
        let ten_ms = Duration::from_millis(10);
        for declared in [
            limit(Some(100.0), Some(60_000.0), (1, 1)),
            limit(Some(1_000.0), Some(6_000.0), (1, 1)),
            limit(Some(200.0), None, (1, 2)),
        ] {
            let limiter = Limiter::new(&declared).expect("limiter");
            let took = spent(&limiter, 6).await;
            assert!(took >= ten_ms * 5, "{took:?} for {declared:?}");
        }
    }

    #[tokio::test]
    async fn it_is_shared_by_everyone_that_waits() {
        let limiter = Arc::new(Limiter::new(&limit(Some(100.0), None, (1, 1))).expect("limiter"));
        let began = Instant::now();
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                tokio::spawn(async move { limiter.wait().await })
            })
            .collect();
        for task in tasks {
            task.await.expect("task").expect("turn");
        }
        assert!(began.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn a_wait_that_is_too_long_ends_at_once() {
        let declared =
            RateLimit { max_wait: Duration::from_secs(5), ..limit(None, Some(1.0), (1, 1)) };
        let limiter = Limiter::new(&declared).expect("limiter");
        limiter.wait().await.expect("the first");
        let began = Instant::now();
        let error = limiter.wait().await.expect_err("the second is a minute away");
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(began.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn no_limit_unless_declared_and_none_below_zero() {
        let free = Limiter::new(&limit(None, None, (1, 1))).expect("limiter");
        assert!(spent(&free, 10_000).await < Duration::from_secs(2));
        for rate in [0.0, -1.0, f64::NAN, 1e-30] {
            assert!(Limiter::new(&limit(Some(rate), None, (1, 1))).is_err(), "{rate}");
        }
    }
}
