//! What the gate knows, and what it says to the next request. Time is an argument, so that each rule is tested alone.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::http::pace::brake::Brake;
use crate::http::pace::quotas::{Part, Quota, Quotas, Room};
use crate::http::pace::skew::Skew;
use crate::http::quota::told::{Reading, Reset, Told};

/// How long the others wait for the answer of the one that goes first.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait where a reset is not told or is just past: as exactly as it is told, and in vain twice as long.
const SOON: Duration = Duration::from_secs(1);
const AT_ONCE: Duration = Duration::from_millis(10);
const MOST_VAGUE: u32 = 6;
/// No quota lasts as long.
const ABSURD: Duration = Duration::from_secs(366 * 86_400);
/// Longer waits are as good as for ever.
const FOREVER: Duration = Duration::from_secs(10 * 366 * 86_400);

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A quota's next period.
    Quota,
    /// The API asked for it (`Retry-After`).
    Asked,
    /// A run that shares the pace was told to wait, or the slots till then are others'.
    Others,
}

impl Why {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quota => "for the quota to reset",
            Self::Asked => "as the API asks",
            Self::Others => "as a run that shares the pace was told to",
        }
    }
}

/// What the gate says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may be sent; maybe as the one that others wait for, by its number.
    Open { first: Option<u64> },
    /// Not before an answer, or this instant.
    Soon(Instant),
    /// Not before this instant.
    Until(Instant, Why),
}

/// Whether one request goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// All may go.
    Nobody,
    /// The next one does.
    Wanted { after_reset: bool },
    /// One was sent, at this instant for the last time.
    Sent { at: Instant, after_reset: bool },
}

/// Requests that follow the first of a period before that is answered. Where a round trip is long for a period, most of
/// the quota would be lost without them; where resets are told too early, they are refused.
#[derive(Debug, Default)]
struct Followers {
    /// So many may; doubled with every period that begins well.
    may: u64,
    /// As many as the quota has.
    most: u64,
    /// Of this period.
    sent: u64,
    /// One was refused: there are none any more.
    wrong: bool,
}

/// Whether a reset was guessed to be earlier than it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    /// As it was told.
    None,
    /// The last one was.
    Made,
    /// A request was refused for it: none is made any more.
    Wrong,
}

/// What an answer tells.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reading: Reading,
    /// Whether it is a refusal, and the wait that it asks for.
    pub(super) refusal: Option<Option<Duration>>,
    pub(super) sent: Instant,
    pub(super) now: Instant,
    /// The wall time of `now`.
    pub(super) wall: DateTime<Utc>,
    /// Which first it was.
    pub(super) first: Option<u64>,
}

/// What the gate knows.
#[derive(Debug)]
pub(super) struct State {
    in_flight: u64,
    /// How long requests that might leave have waited for their token, and since when one does.
    kept: (Duration, Option<Instant>),
    first: First,
    /// The number of the first that is wanted or sent: an answer to an earlier one settles nothing.
    number: u64,
    followers: Followers,
    /// The instant before which the API asked to be left alone.
    asked: Option<Instant>,
    quotas: Quotas,
    brake: Brake,
    guess: Guess,
    /// Answers in a row that left nothing and did not say until when.
    vague: u32,
    pub(super) skew: Skew,
    /// What is waited for, to be shown.
    pub(super) waiting: Option<(Instant, Why)>,
    /// The wait that the log has told of.
    pub(super) told: Option<Instant>,
}

impl Followers {
    /// Learns from an answer, which may be that of the first after a reset.
    fn learn(&mut self, refused: bool, after_reset: bool) {
        if refused {
            (self.wrong, self.may) = (true, 0);
        } else if after_reset && !self.wrong {
            self.may = self.may.saturating_mul(2).max(1).min(self.most);
        }
    }
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            in_flight: 0,
            kept: (Duration::ZERO, None),
            first: First::Wanted { after_reset: false },
            number: 0,
            followers: Followers::default(),
            asked: None,
            quotas: Quotas::default(),
            brake: Brake::new(now),
            guess: Guess::None,
            vague: 0,
            skew: Skew::default(),
            waiting: None,
            told: None,
        }
    }

    /// What the gate says to a request at `now`; where it is open, the request is in flight.
    pub(super) fn gate(&mut self, now: Instant, part: Part) -> Gate {
        if let Some(asked) = self.asked {
            if asked > now {
                return Gate::Until(asked, Why::Asked);
            }
            self.asked = None;
            self.brake.waited(now);
            self.want(false);
        }
        if let Some(most) = self.quotas.expire(now, self.in_flight, part) {
            self.want(true);
            self.followers = Followers { most, sent: 0, ..self.followers };
        }
        let mut follows = false;
        if let First::Sent { at, after_reset } = self.first {
            follows =
                after_reset && self.followers.sent < self.followers.may.min(self.followers.most);
            let patience = at + PATIENCE;
            if patience > now && !follows {
                return Gate::Soon(patience);
            }
            if !follows {
                // It is late: one more goes, and nobody else.
                self.first = First::Wanted { after_reset };
            }
        }
        match self.quotas.room(now, self.in_flight, part) {
            Some((Room::No, until)) => return Gate::Until(until, Why::Quota),
            Some((_, until)) => return Gate::Soon(until),
            None => {}
        }
        if let Some(next) = self.brake.next().filter(|next| *next > now) {
            return Gate::Soon(next);
        }
        let mut first = None;
        if let First::Wanted { after_reset } = self.first {
            first = Some(self.number);
            self.first = First::Sent { at: now, after_reset };
        }
        self.followers.sent += u64::from(follows);
        self.in_flight += 1;
        self.quotas.sent(now);
        self.brake.sent(now);
        Gate::Open { first }
    }

    /// The instant before which nothing is sent for a quota that is used up, or as the API asked.
    pub(super) fn closed(&mut self, now: Instant, part: Part) -> Option<Instant> {
        let asked = self.asked.filter(|asked| *asked > now);
        let used_up = match self.quotas.room(now, self.in_flight, part) {
            Some((Room::No, until)) => Some(until),
            _ => None,
        };
        asked.max(used_up)
    }

    /// From now on one goes first.
    fn want(&mut self, after_reset: bool) {
        self.first = First::Wanted { after_reset };
        self.number += 1;
    }

    /// A request that might leave waits for its token from now on; or none does.
    pub(super) fn keeps_since(&mut self, since: Option<Instant>) {
        self.kept = (self.kept(Instant::now()), since);
    }

    /// How long such requests have waited till `now`.
    pub(super) fn kept(&self, now: Instant) -> Duration {
        let (before, since) = self.kept;
        before + since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The instant before which the API asked to be left alone.
    pub(super) fn asked(&self) -> Option<Instant> {
        self.asked
    }

    /// Keeps all requests back for `wait`.
    pub(super) fn hold(&mut self, now: Instant, wait: Duration) {
        self.asked = self.asked.max(now.checked_add(wait.min(FOREVER)));
    }

    /// A request has no answer: another goes first in its place.
    pub(super) fn lost(&mut self, first: Option<u64>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let (true, First::Sent { after_reset, .. }) = (first == Some(self.number), self.first) {
            self.first = First::Wanted { after_reset };
        }
    }

    /// Learns from an answer.
    pub(super) fn answered(&mut self, answer: Answer) {
        let Answer { reading, refusal, sent, now, wall, first } = answer;
        self.in_flight = self.in_flight.saturating_sub(1);
        let goes_first = first == Some(self.number);
        let after_reset = goes_first && matches!(self.first, First::Sent { after_reset: true, .. });
        let used_up = reading.told.iter().any(|told| told.remaining == 0);
        self.followers.learn(refusal.is_some(), after_reset);
        if goes_first {
            // Of a refusal that says nothing the others learn nothing: one more goes first.
            let told = used_up || !matches!(refusal, Some(None));
            match told {
                true => self.first = First::Nobody,
                false => self.want(false),
            }
        }
        for told in reading.told {
            let mut until = self.until(&told, now, wall);
            if goes_first && refusal.is_none() {
                until = self.guess(&told, now, until);
            }
            // A wait that is asked for is surer than a reset that is told.
            if let Some(Some(asked)) = refusal {
                until = until.min(now + asked.min(FOREVER));
            }
            let Told { name, limit, remaining, .. } = told;
            // Whatever a refusal says is left, it is not for us now.
            let left = if refusal.is_some() && used_up { 0 } else { remaining };
            // Of a new period: this request, and those in flight.
            let spent = self.in_flight + 1;
            self.quotas.learn(Quota { name, limit, left, until, since: sent, spent }, now);
        }
        self.quotas.rule(reading.policies, sent, now);
        match refusal {
            None => self.brake.accepted(),
            Some(asked) => {
                if after_reset && used_up {
                    match self.guess {
                        Guess::Made => self.guess = Guess::Wrong,
                        Guess::None | Guess::Wrong => self.quotas.came_too_early(),
                    }
                } else if !used_up {
                    self.brake.refused(sent, now);
                }
                if let Some(asked) = asked {
                    self.hold(now, asked);
                }
            }
        }
    }

    /// When the next period begins, where this one has begun with the request that was answered at `now`: a reset in
    /// whole seconds of a clock, rounded up, makes two seconds of one, and half the quota is lost.
    fn guess(&mut self, told: &Told, now: Instant, until: Instant) -> Instant {
        let whole = matches!(told.reset, Some(Reset::At(at)) if at.timestamp_subsec_nanos() == 0);
        let begun = told.limit == told.remaining.checked_add(1);
        let span = until.saturating_duration_since(now);
        let period = Duration::from_secs(span.as_secs());
        if !(whole && begun) || period.is_zero() || self.guess == Guess::Wrong {
            return until;
        }
        // Of a longer period it is not worth a refusal.
        if span - period < period / 20 {
            return until;
        }
        self.guess = Guess::Made;
        now + period
    }

    /// When the next period of a quota begins.
    fn until(&mut self, told: &Told, now: Instant, wall: DateTime<Utc>) -> Instant {
        if told.remaining > 0 {
            self.vague = 0;
        }
        let later = self.quotas.later();
        // What has a fraction of a second was not cut off to whole ones.
        let (wait, exact) = match told.reset {
            // What no clock means is not told.
            Some(Reset::In(wait)) if wait > ABSURD => (None, false),
            Some(Reset::In(wait)) => {
                let whole = (!wait.is_zero()).then(|| wait.saturating_add(later));
                (whole, wait.subsec_nanos() > 0)
            }
            Some(Reset::At(at)) => {
                let server =
                    self.skew.server(wall) - TimeDelta::from_std(later).unwrap_or_default();
                // No period is longer than itself, whatever a clock says.
                let most = told.period.unwrap_or(FOREVER);
                let wait = (at - server).to_std().ok().map(|wait| wait.min(most));
                match wait {
                    Some(wait) if wait > ABSURD => (None, false),
                    wait => (wait, at.timestamp_subsec_nanos() > 0),
                }
            }
            None => (told.period, false),
        };
        let wait = wait.filter(|wait| !wait.is_zero()).unwrap_or_else(|| {
            let wait = if exact { AT_ONCE } else { SOON } * 2_u32.pow(self.vague);
            if told.remaining == 0 {
                self.vague = (self.vague + 1).min(MOST_VAGUE);
            }
            wait
        });
        now + wait.min(FOREVER)
    }
}
