//! One finding of a drift report.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::decode::sighting::{Place, Sighting};
use crate::spec::table::{DriftAction, DriftPolicy};

/// The kinds of drift.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A path that is not declared and not under a `json` field.
    NewField,
    /// A declared path that is absent.
    MissingField,
    /// A JSON kind that is not natural for the type, or that earlier windows did not have.
    TypeChanged,
    /// A value outside `known`.
    NewValue,
    /// One path in place of another.
    Renamed,
    /// A value nulled by `on_invalid`.
    InvalidValue,
    /// Two units of time, or two notations of amounts, in one column.
    MixedUnits,
    /// A share of nulls that is far from that of earlier windows.
    NullRate,
    /// Numbers many times larger or smaller than in earlier windows.
    RangeMoved,
    /// A number of records that is far from that of earlier windows.
    RowCount,
}

impl FindingKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NewField,
        Self::MissingField,
        Self::TypeChanged,
        Self::NewValue,
        Self::Renamed,
        Self::InvalidValue,
        Self::MixedUnits,
        Self::NullRate,
        Self::RangeMoved,
        Self::RowCount,
    ];

    /// Its name in schema files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NewField => "new_field",
            Self::MissingField => "missing_field",
            Self::TypeChanged => "type_changed",
            Self::NewValue => "new_value",
            Self::Renamed => "renamed",
            Self::InvalidValue => "invalid_value",
            Self::MixedUnits => "mixed_units",
            Self::NullRate => "null_rate",
            Self::RangeMoved => "range_moved",
            Self::RowCount => "row_count",
        }
    }

    /// The policy with another action for this kind.
    pub(crate) fn with_action(self, policy: &DriftPolicy, action: DriftAction) -> DriftPolicy {
        let mut changed = *policy;
        let of_kind = match self {
            Self::NewField => &mut changed.new_field,
            Self::MissingField => &mut changed.missing_field,
            Self::TypeChanged => &mut changed.type_changed,
            Self::NewValue => &mut changed.new_value,
            Self::Renamed => &mut changed.renamed,
            Self::InvalidValue => &mut changed.invalid_value,
            Self::MixedUnits => &mut changed.mixed_units,
            Self::NullRate => &mut changed.null_rate,
            Self::RangeMoved => &mut changed.range_moved,
            Self::RowCount => &mut changed.row_count,
        };
        *of_kind = action;
        changed
    }

    /// What the policy says about it.
    pub fn action(self, policy: &DriftPolicy) -> DriftAction {
        match self {
            Self::NewField => policy.new_field,
            Self::MissingField => policy.missing_field,
            Self::TypeChanged => policy.type_changed,
            Self::NewValue => policy.new_value,
            Self::Renamed => policy.renamed,
            Self::InvalidValue => policy.invalid_value,
            Self::MixedUnits => policy.mixed_units,
            Self::NullRate => policy.null_rate,
            Self::RangeMoved => policy.range_moved,
            Self::RowCount => policy.row_count,
        }
    }
}

/// A way in which a window's records differ from what was declared or seen before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// What the policy says about it: `warn`, `discard_row` or `fail`.
    #[serde(serialize_with = "write_action", deserialize_with = "read_action")]
    #[schemars(with = "String", extend("enum" = ["ignore", "warn", "discard_row", "fail"]))]
    pub severity: DriftAction,
    /// The JSON Pointer as received, `*` for array items.
    pub path: String,
    /// What was declared or seen before, in words.
    pub expected: String,
    /// What was seen: JSON kinds, units, values or paths, with counts of records.
    pub observed: BTreeMap<String, u64>,
    /// Records concerned.
    pub count: u64,
    /// Their part of all records, from 0 to 1.
    pub share: f64,
    /// The first record concerned.
    pub first_seen: Option<Place>,
    /// Up to three values, shortened to 60 characters.
    pub samples: Vec<String>,
    /// The YAML line of the schema file that would accept it.
    pub suggestion: String,
}

impl Finding {
    /// Takes in a finding of the same kind and path that another field made: one finding a kind and path.
    pub(crate) fn join(&mut self, other: Self) {
        if other.count > self.count {
            (self.count, self.share) = (other.count, other.share);
        }
        for (what, count) in other.observed {
            let own = self.observed.entry(what).or_default();
            *own = count.max(*own);
        }
        if self.expected != other.expected {
            self.expected = format!("{}; {}", self.expected, other.expected);
        }
        self.first_seen = match (self.first_seen.take(), other.first_seen) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        for sample in other.samples {
            if self.samples.len() < 3 && !self.samples.contains(&sample) {
                self.samples.push(sample);
            }
        }
        if self.suggestion != other.suggestion {
            self.suggestion = format!("{}\n{}", self.suggestion, other.suggestion);
        }
    }
}

/// `warn new_field /upi_ref in 12 records (3.1 %): expected nothing, saw string 12`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, path, count, .. } = self;
        let records = if *count == 1 { "record" } else { "records" };
        write!(f, "{} {} {path} in {count} {records}", action_name(self.severity), kind.name())?;
        write!(f, " ({:.1} %): expected {}", self.share * 100.0, self.expected)?;
        for (n, (what, count)) in self.observed.iter().enumerate() {
            write!(f, "{} {what} {count}", if n == 0 { ", saw" } else { "," })?;
        }
        Ok(())
    }
}

/// Several sightings of different records as one.
pub(crate) fn joined<'a>(sightings: impl Iterator<Item = &'a Sighting>) -> Sighting {
    let mut all = Sighting::default();
    for sighting in sightings {
        all.count += sighting.count;
        all.first_seen = match (all.first_seen.take(), &sighting.first_seen) {
            (Some(a), Some(b)) => Some(a.min(b.clone())),
            (a, b) => a.or_else(|| b.clone()),
        };
        let room = 3usize.saturating_sub(all.samples.len());
        all.samples.extend(sighting.samples.iter().take(room).cloned());
    }
    all
}

/// An action's name in schema files and reports.
pub fn action_name(action: DriftAction) -> &'static str {
    match action {
        DriftAction::Ignore => "ignore",
        DriftAction::Warn => "warn",
        DriftAction::DiscardRow => "discard_row",
        DriftAction::Fail => "fail",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn write_action<S: Serializer>(action: &DriftAction, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(action_name(*action))
}

fn read_action<'de, D: Deserializer<'de>>(from: D) -> Result<DriftAction, D::Error> {
    let name = String::deserialize(from)?;
    [DriftAction::Ignore, DriftAction::Warn, DriftAction::DiscardRow, DriftAction::Fail]
        .into_iter()
        .find(|action| action_name(*action) == name)
        .ok_or_else(|| {
            de::Error::unknown_variant(&name, &["ignore", "warn", "discard_row", "fail"])
        })
}
