//! The slow-down after a refusal, and the recovery from it.
//!
//! A refusal makes the space between two requests half as large again, beginning with the pace at which it came; where
//! nothing is known of that, as of the first request or the first one behind a wait, there is no slow-down, nor, for
//! some seconds, where nothing was let through since the last one: it may not be the pace that is refused then. Each request
//! that is let through takes a little back. The first guesses may be far off, and are taken back fast; from the third on
//! so slowly that the limit is met about once in a hundred and fifty requests, and faster when it seems to be gone.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const SLOWER: f64 = 1.5;
/// What a request that is let through leaves of the space once the limit is known; and before, or after [`SURE`] of them.
const FASTER: f64 = 0.997;
const FAST: f64 = 0.97;
const SURE: u32 = 200;
/// Refusals after which the limit is known.
const KNOWN: u32 = 3;
/// Less space than that is none; more than that is not asked of anyone.
const LEAST: Duration = Duration::from_millis(2);
const MOST: Duration = Duration::from_secs(30);
/// So many requests in a second tell of a quota a second; fewer only of how fast they followed each other.
const TELLING: u32 = 5;
/// How long nothing has to be let through for the space to grow nevertheless.
const IN_VAIN: Duration = Duration::from_secs(3);
/// Requests whose distances are looked at.
const RECENT: usize = 6;

/// How much space there is between two requests.
#[derive(Debug)]
pub(super) struct Brake {
    space: Duration,
    /// When it was last made larger: what was sent before is no news.
    slowed: Option<Instant>,
    refusals: u32,
    let_through: u32,
    /// When requests were sent since the last wait that the API asked for, the last one last.
    recent: VecDeque<Instant>,
    /// The second under way, what was sent in it, and in the one before.
    second: (Instant, u32, u32),
    /// The space that the log has told of.
    told: Duration,
}

impl Brake {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            space: Duration::ZERO,
            slowed: None,
            refusals: 0,
            let_through: 0,
            recent: VecDeque::with_capacity(RECENT),
            second: (now, 0, 0),
            told: Duration::ZERO,
        }
    }

    /// The instant before which the next request is not sent.
    pub(super) fn next(&self) -> Option<Instant> {
        self.recent.back()?.checked_add(self.space).filter(|_| !self.space.is_zero())
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
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    /// All have waited as the API asked: how long tells nothing of the pace.
    pub(super) fn waited(&mut self, now: Instant) {
        self.recent.clear();
        self.second = (now, 0, 0);
    }

    /// A request that was sent at `sent` was refused.
    pub(super) fn refused(&mut self, sent: Instant, now: Instant) {
        let let_through = std::mem::take(&mut self.let_through);
        let Some(slowed) = self.slowed.filter(|_| !self.space.is_zero()) else {
            return self.slow(now, 1);
        };
        let in_vain = let_through == 0;
        if sent <= slowed || (in_vain && now.saturating_duration_since(slowed) < IN_VAIN) {
            return;
        }
        self.slow(now, u32::from(!in_vain));
    }

    /// Makes the space larger, by a refusal that counts so much for knowing the limit.
    fn slow(&mut self, now: Instant, counts: u32) {
        let space = self.space.max(self.apart().unwrap_or_default());
        if space.is_zero() {
            return;
        }
        self.space = space.mul_f64(SLOWER).clamp(LEAST, MOST);
        self.slowed = Some(now);
        self.refusals = self.refusals.saturating_add(counts);
        if self.space > self.told * 2 {
            self.told = self.space;
            let apart = self.space.as_secs_f64();
            tracing::info!(
                "the API refuses requests: from now on they leave {apart:.2} s apart, and faster as it lets them through"
            );
        }
    }

    /// How far apart requests are sent, as far as that is known: the usual distance, as one or two may hold a wait.
    fn apart(&self) -> Option<Duration> {
        let a_second = self.second.1.max(self.second.2);
        if a_second >= TELLING {
            return Some(Duration::from_secs(1) / a_second);
        }
        let pairs = self.recent.iter().zip(self.recent.iter().skip(1));
        let mut apart: Vec<Duration> =
            pairs.map(|(one, next)| next.saturating_duration_since(*one)).collect();
        apart.sort_unstable();
        apart.get(apart.len().checked_sub(1)? / 2).copied()
    }

    /// A request was let through.
    pub(super) fn accepted(&mut self) {
        if self.space.is_zero() {
            return;
        }
        self.let_through = self.let_through.saturating_add(1);
        let fast = self.refusals < KNOWN || self.let_through > SURE;
        self.space = self.space.mul_f64(if fast { FAST } else { FASTER });
        if self.space < LEAST {
            (self.space, self.told, self.refusals) = (Duration::ZERO, Duration::ZERO, 0);
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
        brake.refused(later, later);
        assert_eq!(brake.space, Duration::from_millis(150), "nothing was let through meanwhile");
        brake.let_through = 1;
        brake.refused(later, later + Duration::from_millis(1));
        assert_eq!(brake.space, Duration::from_millis(225));
        assert!((100..200).contains(&healed_after(&mut brake)), "the first guesses");
        for n in 0..KNOWN {
            let later = later + Duration::from_secs(1) * (n + 1);
            brake.let_through = 1;
            brake.refused(later, later);
        }
        assert!(
            (250..600).contains(&healed_after(&mut brake)),
            "a limit that was met again and again"
        );
    }

    /// Requests that are let through until there is no space any more.
    fn healed_after(brake: &mut Brake) -> u32 {
        let mut requests = 0;
        while !brake.space.is_zero() {
            brake.accepted();
            requests += 1;
        }
        requests
    }

    #[test]
    fn a_refusal_of_which_no_pace_is_known_slows_nothing() {
        let began = Instant::now();
        let mut brake = Brake::new(began);
        brake.sent(began);
        brake.refused(began, began);
        assert_eq!(brake.next(), None, "the first request");
        let behind = began + Duration::from_secs(1);
        brake.waited(behind);
        brake.sent(behind);
        brake.refused(behind, behind);
        assert_eq!(brake.next(), None, "the first behind a wait");
        // A few that followed fast: no reason to wait for a second.
        let mut now = behind;
        for _ in 0..3 {
            now += Duration::from_millis(40);
            brake.sent(now);
        }
        brake.refused(now, now);
        assert_eq!(brake.space, Duration::from_millis(60));
    }

    /// An API that refuses its first requests and has no limit: what the slow-down costs.
    #[test]
    fn a_passing_fault_is_soon_forgotten() {
        let (began, step) = (Instant::now(), Duration::from_millis(20));
        let (mut now, mut brake) = (began, Brake::new(began));
        for n in 0..100 {
            now = brake.next().unwrap_or(now).max(now + step);
            brake.sent(now);
            if (5..8).contains(&n) {
                brake.refused(now, now);
                now += Duration::from_secs(1);
            } else {
                brake.accepted();
            }
        }
        assert!(now - began < Duration::from_secs(15), "{:?}", now - began);
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
