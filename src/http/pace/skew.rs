//! How far the server's clock is from ours, from the `Date` of its answers.
//!
//! A `Date` has whole seconds, and was written between a request's first byte and its answer's last: each answer
//! gives two bounds, and many of them come close. Where ours may be right, it is believed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AGE, DATE, HeaderMap};

/// Bounds of the difference, the server's clock less ours.
#[derive(Debug, Default)]
pub(super) struct Skew(Option<(TimeDelta, TimeDelta)>);

impl Skew {
    /// Takes note of an answer that came at `now` and took `took`.
    pub(super) fn learn(&mut self, headers: &HeaderMap, now: DateTime<Utc>, took: Duration) {
        let Some(date) = date(headers) else { return };
        let took = TimeDelta::from_std(took).unwrap_or(TimeDelta::MAX);
        let Some(sent) = now.checked_sub_signed(took) else { return };
        let (low, high) = (date - now, date + TimeDelta::seconds(1) - sent);
        self.0 = match self.0 {
            Some((known_low, known_high)) if low <= known_high && known_low <= high => {
                Some((known_low.max(low), known_high.min(high)))
            }
            // The first one, or a clock was set.
            _ => Some((low, high)),
        };
    }

    /// The server's time when ours is `now`; rather too early than too late, so that no wait is too short.
    pub(super) fn server(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let skew = match self.0 {
            Some((low, high)) if low > TimeDelta::zero() || high < TimeDelta::zero() => low,
            _ => TimeDelta::zero(),
        };
        now.checked_add_signed(skew).unwrap_or(now)
    }
}

/// When the server wrote the answer; what stood in a cache meanwhile says for how long.
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date: DateTime<Utc> =
        httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?.into();
    let age: i64 =
        headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    date.checked_add_signed(TimeDelta::try_seconds(age.max(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(skew: &mut Skew, date: &str, now: &str, took: u64) {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, date.parse().expect("date"));
        skew.learn(&headers, now.parse().expect("now"), Duration::from_millis(took));
    }

    #[test]
    fn five_minutes_are_found_out_to_the_round_trip() {
        let now = "2026-03-17T12:00:00Z".parse().expect("instant");
        let mut skew = Skew::default();
        assert_eq!(skew.server(now), now);
        // The server is 300.5 s ahead.
        learned(&mut skew, "Tue, 17 Mar 2026 12:05:00 GMT", "2026-03-17T12:00:00.100Z", 100);
        assert_eq!(skew.server(now) - now, TimeDelta::milliseconds(299_900));
        learned(&mut skew, "Tue, 17 Mar 2026 12:05:01 GMT", "2026-03-17T12:00:00.510Z", 20);
        assert_eq!(skew.server(now) - now, TimeDelta::milliseconds(300_490));
        // Then somebody sets its clock.
        learned(&mut skew, "Tue, 17 Mar 2026 12:00:02 GMT", "2026-03-17T12:00:02.500Z", 20);
        assert_eq!(skew.server(now), now);
    }

    #[test]
    fn a_clock_within_the_second_is_believed_and_garbage_is_not() {
        let now = "2026-03-17T12:00:00.900Z".parse().expect("instant");
        let mut skew = Skew::default();
        for date in ["Tue, 17 Mar 2026 12:00:00 GMT", "yesterday", ""] {
            learned(&mut skew, date, "2026-03-17T12:00:00.900Z", 10);
            assert_eq!(skew.server(now), now);
        }
    }
}
