//! How long to wait before a request is sent again: `Retry-After` (RFC 9110 §10.2.3) or full jitter.
//!
//! Time and chance are arguments, so that each rule is tested without waiting.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::spec::source::Retry;

/// The first backoff's upper bound; it doubles with every attempt.
const FIRST_BACKOFF: Duration = Duration::from_secs(2);

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after this long.
    Wait(Duration),
    /// The API asked for a longer wait than is allowed; come back after this long.
    Later(Duration),
    /// That was the last attempt.
    Exhausted,
}

/// The wait that a `Retry-After` value asks for at `now`, an instant of the server's clock: seconds (some send
/// fractions), or an HTTP date. `None` for anything else, and where it asks for no wait at all, as a date in the past
/// does: that the request was not answered is reason enough for one.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = if value.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let seconds: f64 = value.parse().ok()?;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    } else {
        let date: DateTime<Utc> = httpdate::parse_http_date(value).ok()?.into();
        (date - now).to_std().ok()?
    };
    (!wait.is_zero()).then_some(wait)
}

/// What follows the failed attempt number `attempt` (from 1), after which the API `asked` for a wait.
///
/// `random` is uniform in `[0, 1)`. An asked wait is kept and lengthened by 10 to 20 %, so that clients
/// that were refused together do not come back together; without one the wait is uniform between
/// nothing and 2 s, 4 s, 8 s … up to `max_wait`.
pub(super) fn verdict(
    retry: &Retry,
    attempt: u32,
    asked: Option<Duration>,
    random: f64,
) -> Verdict {
    if let Some(asked) = asked
        && asked > retry.max_wait
    {
        return Verdict::Later(asked);
    }
    if attempt >= retry.max_attempts {
        return Verdict::Exhausted;
    }
    Verdict::Wait(match asked {
        Some(asked) => scaled(asked, 1.1 + 0.1 * random),
        None => {
            let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
            scaled(FIRST_BACKOFF.saturating_mul(doubled).min(retry.max_wait), random)
        }
    })
}

fn scaled(wait: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry { max_attempts: 5, max_wait: Duration::from_secs(60) }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-03-17T12:00:00Z".parse().expect("instant");
        for (value, wait) in [
            ("120", Some(120.0)),
            (" 7 ", Some(7.0)),
            ("1.5", Some(1.5)),
            ("1000000000", Some(1e9)),
            ("Tue, 17 Mar 2026 12:00:30 GMT", Some(30.0)),
            ("Tuesday, 17-Mar-26 12:00:30 GMT", Some(30.0)),
            ("0", None),
            ("0.0", None),
            ("Tue, 17 Mar 2026 12:00:00 GMT", None),
            ("Tue, 17 Mar 2026 11:00:00 GMT", None),
            ("", None),
            (".", None),
            ("-1", None),
            ("1.5.5", None),
            ("NaN", None),
            ("1e3", None),
            ("soon", None),
            ("Tue, 17 Mar 2026", None),
        ] {
            assert_eq!(retry_after(value, now), wait.map(Duration::from_secs_f64), "{value}");
        }
        let huge = retry_after("99999999999999999999999", now);
        assert_eq!(huge, Some(Duration::MAX));
    }

    #[test]
    fn an_asked_wait_is_kept_and_jittered() {
        let ten = Some(Duration::from_secs(10));
        assert_eq!(verdict(&retry(), 1, ten, 0.0), Verdict::Wait(Duration::from_secs(11)));
        assert_eq!(verdict(&retry(), 1, ten, 0.5), Verdict::Wait(Duration::from_millis(11_500)));
        assert_eq!(verdict(&retry(), 1, Some(Duration::ZERO), 0.9), Verdict::Wait(Duration::ZERO));
        let sixty = Some(Duration::from_secs(60));
        assert_eq!(verdict(&retry(), 1, sixty, 0.0), Verdict::Wait(Duration::from_secs(66)));
    }

    #[test]
    fn a_longer_asked_wait_ends_at_once() {
        let asked = Duration::from_secs(61);
        assert_eq!(verdict(&retry(), 1, Some(asked), 0.0), Verdict::Later(asked));
        assert_eq!(verdict(&retry(), 5, Some(asked), 0.0), Verdict::Later(asked));
        let forever = Duration::from_secs(u64::MAX);
        assert_eq!(verdict(&retry(), 1, Some(forever), 0.0), Verdict::Later(forever));
    }

    #[test]
    fn backoff_doubles_under_full_jitter_up_to_the_cap() {
        let most = |attempt| verdict(&Retry { max_attempts: 99, ..retry() }, attempt, None, 1.0);
        for (attempt, seconds) in [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60), (98, 60)] {
            assert_eq!(most(attempt), Verdict::Wait(Duration::from_secs(seconds)), "{attempt}");
        }
        assert_eq!(verdict(&retry(), 3, None, 0.0), Verdict::Wait(Duration::ZERO));
        assert_eq!(verdict(&retry(), 3, None, 0.25), Verdict::Wait(Duration::from_secs(2)));
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        assert_eq!(verdict(&retry(), 5, None, 0.5), Verdict::Exhausted);
        assert_eq!(verdict(&retry(), 5, Some(Duration::ZERO), 0.5), Verdict::Exhausted);
        let once = Retry { max_attempts: 1, ..retry() };
        assert_eq!(verdict(&once, 1, None, 0.5), Verdict::Exhausted);
    }
}
