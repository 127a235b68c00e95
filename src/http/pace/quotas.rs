//! What is known of an API's quotas, as its answers tell it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::http::quota::told::Policy;

/// How early a quota's reset may have been told, beyond what it says: the next is tried when a request right after
/// a reset was refused. The last is for servers that cut off fractions of a second.
const LATER: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(25), Duration::from_millis(150), Duration::from_secs(1)];
/// Policies of more requests than that are not counted here.
const MOST_COUNTED: u64 = 100_000;

/// So many round trips in a period, and one is no loss.
const SOON_ENOUGH: u32 = 20;
/// Quotas that are told apart; an API may tell another limit every time.
const MOST_KNOWN: usize = 16;

/// How much of a quota this process may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The share that is left to others.
    pub(super) reserve: f64,
    /// This process's share of the rest.
    pub(super) share: f64,
}

/// One quota, as of the answer that tells the least of it in its period.
#[derive(Debug)]
pub(super) struct Quota {
    pub(super) name: String,
    pub(super) limit: Option<u64>,
    /// Requests that are left, at least those in flight aside.
    pub(super) left: u64,
    /// When the next period begins.
    pub(super) until: Instant,
    /// When the request was sent that told of it first: answers to earlier ones are stale.
    pub(super) since: Instant,
    /// Requests of this process in the period.
    pub(super) spent: u64,
}

/// Whether a quota lets a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room.
    Yes,
    /// Only when requests in flight have turned out to cost less than they may.
    Perhaps,
    /// Not in this period.
    No,
}

impl Quota {
    /// Whether both are the same quota, as far as can be told.
    fn is(&self, other: &Self) -> bool {
        let unlike = self.limit.zip(other.limit).is_some_and(|(one, other)| one != other);
        self.name == other.name && !unlike
    }

    /// How many requests may follow the first of its next period, where an answer takes so long.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share needs no more than 52 bits, and is not negative"
    )]
    fn followers(&self, took: Duration, part: Part) -> u64 {
        let period = self.until.saturating_duration_since(self.since);
        match self.limit {
            Some(limit) if took.saturating_mul(SOON_ENOUGH) > period => {
                let ours = share_of(limit as f64 * (1.0 - part.reserve), part.share);
                (ours as u64).saturating_sub(1)
            }
            _ => 0,
        }
    }

    /// Whether there is room beside `in_flight` requests.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    pub(super) fn room(&self, in_flight: u64, part: Part) -> Room {
        let limit = self.limit.map(|limit| limit as f64);
        let reserved = limit.is_some_and(|limit| (self.left as f64) < limit * part.reserve);
        let spent = part.share < 1.0
            && limit.is_some_and(|limit| self.spent as f64 >= share_of(limit, part.share));
        if self.left == 0 || reserved || spent {
            return Room::No;
        }
        if in_flight as f64 >= share_of(self.left as f64, part.share) {
            return Room::Perhaps;
        }
        Room::Yes
    }
}

/// What is ours of `requests`, whole ones and at least one: rounded up, the parts of all would be more than there is.
fn share_of(requests: f64, share: f64) -> f64 {
    // A hair more, as a third of thirty is not always ten.
    (requests * share + 1e-6).floor().max(1.0)
}

/// All quotas of an API.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    known: Vec<Quota>,
    counted: Vec<Counted>,
    /// How long the last answer took: two requests may come closer together than they were sent.
    took: Duration,
    /// Which of [`LATER`].
    later: usize,
    /// When a period was over for the last time.
    expired: Option<Instant>,
}

/// A policy without a count of its own: ours is taken.
#[derive(Debug)]
struct Counted {
    policy: Policy,
    sent: VecDeque<Instant>,
}

impl Quotas {
    /// Takes note of what an answer tells of a quota. Of two limits under one name each is a quota of its own, as an API
    /// may have one for each of its endpoints.
    pub(super) fn learn(&mut self, new: Quota, now: Instant) {
        self.took = now.saturating_duration_since(new.since);
        let Some(known) = self.known.iter_mut().find(|known| known.is(&new)) else {
            // An answer to what was sent before a reset is of the period before.
            if self.expired.is_none_or(|expired| new.since >= expired) {
                if self.known.len() >= MOST_KNOWN {
                    self.known.remove(0);
                }
                self.known.push(new);
            }
            return;
        };
        if new.since < known.since {
            return;
        }
        if known.until <= now {
            *known = new;
            return;
        }
        known.left = known.left.min(new.left);
        known.until = known.until.min(new.until);
        known.limit = new.limit.or(known.limit);
    }

    /// Takes note of policies that no count comes with, from the answer to what was sent at `sent`.
    pub(super) fn rule(&mut self, policies: Vec<Policy>, sent: Instant, now: Instant) {
        self.took = now.saturating_duration_since(sent);
        for policy in policies.into_iter().filter(|policy| policy.limit <= MOST_COUNTED) {
            if !self.counted.iter().any(|counted| counted.policy == policy) {
                if self.counted.len() >= MOST_KNOWN {
                    self.counted.remove(0);
                }
                self.counted.push(Counted { policy, sent: VecDeque::from([sent]) });
            }
        }
    }

    /// A request right after a reset was refused: resets are told too early.
    pub(super) fn came_too_early(&mut self) {
        self.later = (self.later + 1).min(LATER.len() - 1);
    }

    /// How long after a reset that is told it has surely happened.
    pub(super) fn later(&self) -> Duration {
        LATER.get(self.later).copied().unwrap_or_default()
    }

    /// Forgets the quotas that had no room and whose period is over. One that has room is kept till the next answer, so
    /// that nobody waits for that. Where there were any: how many requests may follow the first of the new period before
    /// its answer; none where that comes soon enough.
    pub(super) fn expire(&mut self, now: Instant, in_flight: u64, part: Part) -> Option<u64> {
        let took = self.took;
        let mut most: Option<u64> = None;
        self.known.retain(|quota| {
            let stays = quota.until > now || quota.room(in_flight, part) == Room::Yes;
            if !stays {
                let follow = quota.followers(took, part);
                most = Some(most.map_or(follow, |most| most.min(follow)));
            }
            stays
        });
        if most.is_some() {
            self.expired = Some(now);
        }
        most
    }

    /// What the quotas say to a request beside `in_flight` others, and until when.
    pub(super) fn room(
        &mut self,
        now: Instant,
        in_flight: u64,
        part: Part,
    ) -> Option<(Room, Instant)> {
        let known = self.known.iter().filter_map(|quota| match quota.room(in_flight, part) {
            Room::Yes => None,
            room => Some((room, quota.until)),
        });
        // The one that lasts longest; one that is sure of it before one that is not.
        let worst = known.max_by_key(|(room, until)| (*room == Room::No, *until));
        let took = self.took;
        let counted = self.counted.iter_mut();
        let counted = counted.filter_map(|counted| counted.until(now, took, part)).max();
        match (worst, counted) {
            (Some((Room::No, until)), Some(counted)) => Some((Room::No, until.max(counted))),
            (_, Some(counted)) => Some((Room::No, counted)),
            (worst, None) => worst,
        }
    }

    /// A request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        for quota in &mut self.known {
            quota.spent = quota.spent.saturating_add(1);
        }
        for counted in &mut self.counted {
            counted.sent.push_back(now);
        }
    }
}

impl Counted {
    /// Until when there is no room, if there is none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a limit is at most MOST_COUNTED"
    )]
    fn until(&mut self, now: Instant, took: Duration, part: Part) -> Option<Instant> {
        let over = |sent: &Instant| sent.checked_add(self.policy.period + took);
        while self.sent.front().and_then(over).is_some_and(|over| over <= now) {
            self.sent.pop_front();
        }
        // As many as leave the reserve when they are sent, as of a quota that is told.
        let ours = self.policy.limit as f64 * part.share;
        let most = (ours * (1.0 - part.reserve) + 1.0).min(ours).max(1.0) as usize;
        if self.sent.len() < most {
            return None;
        }
        self.sent.front().and_then(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Part = Part { reserve: 0.1, share: 1.0 };

    fn quota(limit: u64, left: u64, now: Instant) -> Quota {
        let until = now + Duration::from_secs(60);
        Quota { name: "x".into(), limit: Some(limit), left, until, since: now, spent: 0 }
    }

    #[test]
    fn two_limits_under_one_name_are_two_quotas() {
        let (now, mut quotas) = (Instant::now(), Quotas::default());
        quotas.learn(quota(5000, 3990, now), now);
        quotas.learn(quota(30, 21, now), now);
        quotas.learn(quota(5000, 3989, now), now);
        assert_eq!(quotas.room(now, 1, ALL), None, "21 of 30 are not 21 of 5000");
        quotas.learn(quota(30, 2, now), now);
        assert_eq!(quotas.room(now, 1, ALL).map(|(room, _)| room), Some(Room::No));
    }

    #[test]
    fn what_is_known_of_quotas_does_not_grow() {
        let (now, mut quotas) = (Instant::now(), Quotas::default());
        for n in 0..1000 {
            quotas.learn(quota(1000 + n, 900, now), now);
            let period = Duration::from_secs(60);
            let policy = Policy { name: String::new(), limit: 100 + n, period };
            quotas.rule(vec![policy], now, now);
        }
        assert_eq!((quotas.known.len(), quotas.counted.len()), (MOST_KNOWN, MOST_KNOWN));
    }
}
