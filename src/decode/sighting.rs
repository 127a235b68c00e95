//! Something that was seen in records: how often, where first, and what it looked like.

use serde::{Deserialize, Serialize};

/// Samples that are kept of one observation (DESIGN §7).
const MAX_SAMPLES: usize = 3;

/// After so many values no further sample is looked for.
const SAMPLED: u64 = 16;

/// The longest sample, in characters.
const MAX_SHOWN: usize = 60;

/// Something that was seen: how often, where first, and what it looked like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Records concerned.
    pub count: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Place>,
    /// Up to three values, shortened to 60 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
}

/// A record's place in a window.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Place {
    /// The page, from 1.
    pub page: u64,
    /// The record in the page, from 0.
    pub index: u64,
    /// Its primary key's values, joined by commas; absent where the table has none or the record lacks it.
    pub key: Option<String>,
}

impl Sighting {
    /// Whether nothing was seen.
    pub fn is_none(&self) -> bool {
        self.count == 0
    }

    /// Whether there are samples enough, so that more of the same need only be counted.
    pub(crate) fn is_settled(&self) -> bool {
        self.count >= SAMPLED
    }

    /// Counts one more; only the first few cost more than that.
    pub(crate) fn see(&mut self, raw: Option<&str>, place: impl FnOnce() -> Place) {
        self.count += 1;
        if self.count > SAMPLED {
            return;
        }
        if self.first_seen.is_none() {
            self.first_seen = Some(place());
        }
        if let Some(raw) = raw.filter(|_| self.samples.len() < MAX_SAMPLES) {
            let sample = shorten(raw);
            if !self.samples.contains(&sample) {
                self.samples.push(sample);
            }
        }
    }
}

/// A value as it is shown: on one line, 60 characters at most.
pub(crate) fn shorten(raw: &str) -> String {
    let mut shown: String =
        raw.chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if raw.chars().nth(MAX_SHOWN).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}
