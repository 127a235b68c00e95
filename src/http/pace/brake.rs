//! The slow-down after a refusal that no quota's header explains, and the recovery from it.
//!
//! A refusal makes the space between two requests half as large again, beginning with the pace at which it came. Each
//! request that is let through takes a little back: so slowly at first that the limit is met about once in a hundred
//! and fifty requests, and faster when it seems to be gone.

use std::time::Duration;

use tokio::time::Instant;

const SLOWER: f64 = 1.5;
/// What a request that is let through leaves of the space: at first, and after [`SURE`] of them.
const FASTER: f64 = 0.997;
const FAST: f64 = 0.97;
const SURE: u32 = 200;
/// Less space than that is none; more than that is not asked of anyone.
const LEAST: Duration = Duration::from_millis(2);
const MOST: Duration = Duration::from_secs(30);

/// How much space there is between two requests.
#[derive(Debug)]
pub(super) struct Brake {
    space: Duration,
    /// When it was last made larger: what was sent before is no news.
    slowed: Option<Instant>,
    let_through: u32,
    last: Option<Instant>,
    /// The second under way, what was sent in it, and in the one before.
    second: (Instant, u32, u32),
}

impl Brake {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            space: Duration::ZERO,
            slowed: None,
            let_through: 0,
            last: None,
            second: (now, 0, 0),
        }
    }

    /// The instant before which the next request is not sent.
    pub(super) fn next(&self) -> Option<Instant> {
        self.last?.checked_add(self.space).filter(|_| !self.space.is_zero())
    }

    /// A request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        let (began, count, _) = self.second;
        let passed = now.saturating_duration_since(began);
        if passed >= Duration::from_secs(1) {
            let before = if passed < Duration::from_secs(2) { count } else { 0 };
            self.second = (now, 1, before);
        } else {
            self.second.1 = count.saturating_add(1);
        }
        self.last = Some(now);
    }

    /// A request that was sent at `sent` was refused.
    pub(super) fn refused(&mut self, sent: Instant, now: Instant) {
        self.let_through = 0;
        if self.slowed.is_some_and(|slowed| sent <= slowed) {
            return;
        }
        let a_second = self.second.1.max(self.second.2).max(1);
        let space = self.space.max(Duration::from_secs(1) / a_second);
        self.space = space.mul_f64(SLOWER).clamp(LEAST, MOST);
        self.slowed = Some(now);
    }

    /// A request was let through.
    pub(super) fn accepted(&mut self) {
        if self.space.is_zero() {
            return;
        }
        self.let_through = self.let_through.saturating_add(1);
        let left = if self.let_through > SURE { FAST } else { FASTER };
        self.space = self.space.mul_f64(left);
        if self.space < LEAST {
            self.space = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_slows_once_and_time_heals() {
        let began = Instant::now();
        let mut brake = Brake::new(began);
        for _ in 0..10 {
            brake.sent(began);
        }
        assert_eq!(brake.next(), None);
        let now = began + Duration::from_millis(500);
        // Ten that were refused together are one refusal.
        for _ in 0..10 {
            brake.refused(began, now);
        }
        assert_eq!(brake.space, Duration::from_millis(150));
        assert_eq!(brake.next(), Some(began + Duration::from_millis(150)));
        let later = now + Duration::from_millis(1);
        brake.refused(later, later + Duration::from_millis(1));
        assert_eq!(brake.space, Duration::from_millis(225));
        let mut requests = 0;
        while !brake.space.is_zero() {
            brake.accepted();
            requests += 1;
        }
        assert!((250..600).contains(&requests), "{requests}");
    }

    /// An API of ten a second that says nothing: how much of it is used, and how much refused.
    #[test]
    fn it_finds_the_pace_of_an_api_that_only_refuses() {
        let mut now = Instant::now();
        let mut brake = Brake::new(now);
        let (mut tokens, mut sent, mut refused) = (10.0_f64, 0_u32, 0_u32);
        let began = now;
        while sent < 2000 {
            let next = brake.next().unwrap_or(now).max(now + Duration::from_millis(5));
            tokens = (tokens + (next - now).as_secs_f64() * 10.0).min(10.0);
            now = next;
            brake.sent(now);
            sent += 1;
            if tokens >= 1.0 {
                tokens -= 1.0;
                brake.accepted();
            } else {
                refused += 1;
                brake.refused(now, now);
                now += Duration::from_millis(1100);
                tokens = (tokens + 11.0).min(10.0);
            }
        }
        let a_second = f64::from(sent - refused) / (now - began).as_secs_f64();
        assert!(refused < 40 && a_second > 7.0, "{refused} refused, {a_second} a second");
    }
}
