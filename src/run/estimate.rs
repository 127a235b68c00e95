//! What a backfill asks of the API and how long it takes, judged by the windows of its streams that were fetched before.

use chrono::TimeDelta;
use serde::Serialize;

use crate::manifest::version::Manifest;
use crate::spec::source::RateLimit;

/// What fetching one window took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The window's length.
    length: TimeDelta,
    requests: u64,
    took: TimeDelta,
}

impl Cost {
    /// Of a committed window; `None` where nothing was asked for it.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let took = manifest.committed_at?.signed_duration_since(manifest.started_at);
        let length = manifest.window.end.signed_duration_since(manifest.window.start);
        let requests = manifest.counts.requests;
        (requests > 0).then_some(Self { length, requests, took })
    }
}

/// What a plan comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Windows that are to be fetched: those that are not committed.
    pub windows: u64,
    /// Requests that they take, about; absent where a stream has no window yet to judge by.
    pub requests: Option<u64>,
    /// Seconds that they take, about, one window at a time; absent likewise.
    pub seconds: Option<u64>,
    /// The seconds that the declared limits alone make of so many requests, however many windows are in flight.
    pub seconds_by_limit: Option<u64>,
    /// Committed windows that this is judged by.
    pub judged_by: u64,
}

impl Estimate {
    /// Of windows of these lengths, a stream each, with what earlier windows of the stream took; under `limit`.
    pub fn of(streams: &[(Vec<TimeDelta>, Vec<Cost>)], limit: &RateLimit) -> Self {
        let mut estimate = Self { requests: Some(0), seconds: Some(0), ..Self::default() };
        let (mut requests, mut seconds) = (Some(0.0), Some(0.0));
        for (lengths, costs) in streams.iter().filter(|(lengths, _)| !lengths.is_empty()) {
            estimate.windows += lengths.len() as u64;
            estimate.judged_by += costs.len() as u64;
            let asked = asked(lengths, costs);
            requests = sum(requests, asked);
            seconds = sum(seconds, asked.zip(seconds_a_request(costs)).map(|(n, each)| n * each));
        }
        estimate.requests = requests.map(whole);
        estimate.seconds = seconds.map(whole);
        let rate = requests_a_second(limit);
        estimate.seconds_by_limit =
            requests.zip(rate).map(|(requests, rate)| whole(requests / rate));
        estimate
    }
}

/// Requests of windows of these lengths: as many for an instant of them as before, and one for each at least.
fn asked(lengths: &[TimeDelta], costs: &[Cost]) -> Option<f64> {
    let before: f64 = costs.iter().map(|cost| cost.length.as_seconds_f64()).sum();
    let requests: f64 = costs.iter().map(|cost| cost.requests as f64).sum();
    let each = |length: &TimeDelta| (length.as_seconds_f64() * requests / before).max(1.0);
    (before > 0.0).then(|| lengths.iter().map(each).sum())
}

/// The middle one: a window that was stopped and resumed days later says nothing of the others.
fn seconds_a_request(costs: &[Cost]) -> Option<f64> {
    let each = costs.iter().map(|cost| cost.took.as_seconds_f64() / cost.requests as f64);
    let mut each: Vec<f64> = each.collect();
    each.sort_unstable_by(f64::total_cmp);
    each.get(each.len() / 2).copied()
}

/// What is declared for this process, or for all that share it; none where nothing is.
fn requests_a_second(limit: &RateLimit) -> Option<f64> {
    let rates = [limit.per_second, limit.per_minute.map(|rate| rate / 60.0)];
    let least = rates.into_iter().flatten().reduce(f64::min)?;
    let (part, of) = if limit.shared.is_some() { (1, 1) } else { limit.share };
    Some(least * f64::from(part) / f64::from(of))
}

fn sum(so_far: Option<f64>, more: Option<f64>) -> Option<f64> {
    so_far.zip(more).map(|(a, b)| a + b)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; a float that is too large becomes the largest number"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limit(per_second: Option<f64>, per_minute: Option<f64>, share: (u32, u32)) -> RateLimit {
        let max_wait = Duration::from_secs(900);
        RateLimit { per_second, per_minute, reserve: 0.1, share, max_wait, shared: None }
    }

    fn cost(hours: i64, requests: u64, seconds: i64) -> Cost {
        let (length, took) = (TimeDelta::hours(hours), TimeDelta::seconds(seconds));
        Cost { length, requests, took }
    }

    #[test]
    fn windows_are_judged_by_those_before_in_proportion_to_their_length() {
        let before = vec![cost(24, 100, 50), cost(24, 140, 70), cost(24, 120, 500_000)];
        let days = vec![TimeDelta::days(1); 10];
        let none = limit(None, None, (1, 1));
        let estimate = Estimate::of(&[(days.clone(), before.clone())], &none);
        let wanted = Estimate {
            windows: 10,
            requests: Some(1_200),
            seconds: Some(600),
            seconds_by_limit: None,
            judged_by: 3,
        };
        assert_eq!(estimate, wanted);
        let hours = vec![TimeDelta::hours(1); 24];
        assert_eq!(Estimate::of(&[(hours, before.clone())], &none).requests, Some(120));
        // An hour of a table that has a request a day still takes one.
        let few = vec![cost(24, 1, 1)];
        let hours = vec![TimeDelta::hours(1); 24];
        assert_eq!(Estimate::of(&[(hours, few)], &none).requests, Some(24));
        let half = limit(Some(8.0), Some(240.0), (1, 2));
        let estimate = Estimate::of(&[(days.clone(), before.clone())], &half);
        assert_eq!(estimate.seconds_by_limit, Some(600), "of the lower limit, 4 a second, half");
        let unknown = Estimate::of(&[(days.clone(), before), (days, Vec::new())], &half);
        assert_eq!((unknown.windows, unknown.requests, unknown.seconds), (20, None, None));
        let done = Estimate::of(&[(Vec::new(), Vec::new())], &half);
        assert_eq!((done.windows, done.requests, done.seconds_by_limit), (0, Some(0), Some(0)));
    }
}
