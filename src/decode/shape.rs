//! What a window's records looked like: kinds, absences, units and undeclared paths, counted while decoding.
//!
//! It is saved with a checkpoint and compared with the schema and with earlier windows by the drift report. It is
//! bounded: paths are capped, values outside `known` too, samples are few and short.

use serde::{Deserialize, Serialize};

use crate::decode::extent::{Extent, Few};
use crate::decode::sighting::{Place, Sighting, shorten};
use crate::decode::units::Units;
use crate::json::span::Kind;
use crate::spec::table::{FieldType, Scalar};

/// Values outside `known` that are told apart.
const MAX_VALUES: usize = 100;

/// The observations of a window so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Records received.
    pub records: u64,
    /// Records that were walked: JSON objects within the size and depth limits.
    pub observed: u64,
    /// Keys that stood twice in one object; the last won.
    pub duplicate_keys: u64,
    /// Lone surrogates that became U+FFFD.
    pub surrogates: u64,
    /// Values at undeclared paths beyond the cap of 1,000.
    pub uncounted: u64,
    /// The declared fields, in declared order.
    pub fields: Vec<FieldShape>,
    /// The topmost undeclared paths, in order of appearance.
    pub undeclared: Vec<PathShape>,
}

/// What was seen at a declared field's pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldShape {
    /// The column's name.
    pub name: String,
    /// Records that have a value which is not null.
    pub present: u64,
    /// Records with none of the pointers.
    pub absent: Sighting,
    /// Records where null is all there is.
    pub null: u64,
    /// Records whose value is an empty string.
    pub empty: u64,
    /// Values by JSON kind, nulls and empty strings of other types aside.
    pub kinds: Kinds,
    /// The pointers in declared order, and how often each gave the value.
    pub pointers: Vec<PointerShape>,
    /// Units of numeric timestamps and of amounts.
    pub units: Units,
    /// Values outside `known`.
    pub unknown: Sighting,
    /// Those values with their counts, the first hundred.
    pub unknown_values: Vec<ValueCount>,
    /// Invalid values that `on_invalid: null` made null.
    pub nulled: Sighting,
    /// How large the numbers, or how long the strings are.
    #[serde(default, skip_serializing_if = "Extent::is_none")]
    pub extent: Extent,
    /// The values of a string, where they are few.
    #[serde(default)]
    pub few: Few,
}

/// How often a pointer gave its field's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointerShape {
    /// The JSON Pointer.
    pub path: String,
    /// Records whose value it gave.
    pub answered: Sighting,
}

/// What was seen at an undeclared path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathShape {
    /// The JSON Pointer as received, `*` for array items.
    pub path: String,
    /// Values by JSON kind.
    pub kinds: Kinds,
}

/// A value and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCount {
    /// The value, shortened to 60 characters.
    pub value: String,
    /// Records with it.
    pub count: u64,
}

/// Sightings by JSON kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kinds {
    /// Nulls, of undeclared paths.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub null: Sighting,
    /// Booleans.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub bool: Sighting,
    /// Numbers.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub number: Sighting,
    /// Strings.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub string: Sighting,
    /// Arrays.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub array: Sighting,
    /// Objects.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub object: Sighting,
}

impl Kinds {
    /// The sightings of one kind.
    pub fn get(&self, kind: Kind) -> &Sighting {
        match kind {
            Kind::Null => &self.null,
            Kind::Bool => &self.bool,
            Kind::Number => &self.number,
            Kind::String => &self.string,
            Kind::Array => &self.array,
            Kind::Object => &self.object,
        }
    }

    pub(crate) fn get_mut(&mut self, kind: Kind) -> &mut Sighting {
        match kind {
            Kind::Null => &mut self.null,
            Kind::Bool => &mut self.bool,
            Kind::Number => &mut self.number,
            Kind::String => &mut self.string,
            Kind::Array => &mut self.array,
            Kind::Object => &mut self.object,
        }
    }

    /// The kinds that were seen, with their sightings.
    pub fn seen(&self) -> impl Iterator<Item = (Kind, &Sighting)> {
        Kind::ALL.into_iter().map(|kind| (kind, self.get(kind))).filter(|(_, s)| s.count > 0)
    }

    /// Values of all kinds.
    pub fn count(&self) -> u64 {
        self.seen().map(|(_, sighting)| sighting.count).sum()
    }
}

impl FieldShape {
    /// Counts a value outside `known`.
    pub(crate) fn see_unknown(&mut self, value: &str, place: impl FnOnce() -> Place) {
        self.unknown.see(Some(value), place);
        let changed = value.chars().any(char::is_control);
        let mut value = shorten(value);
        // What is shown otherwise than it is counts as cut: to declare it would accept nothing.
        if changed && !value.ends_with('…') {
            value.push('…');
        }
        if let Some(known) = self.unknown_values.iter_mut().find(|known| known.value == value) {
            known.count += 1;
        } else if self.unknown_values.len() < MAX_VALUES {
            self.unknown_values.push(ValueCount { value, count: 1 });
        }
    }
}

/// The kinds that are natural for a type: the ones that APIs write it in.
pub fn natural_kinds(kind: &FieldType) -> &'static [Kind] {
    match kind {
        FieldType::Scalar(Scalar::String) => &[Kind::String],
        FieldType::Scalar(Scalar::Bool) => &[Kind::Bool],
        FieldType::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Float64) => &[Kind::Number],
        FieldType::Scalar(Scalar::Decimal { .. } | Scalar::Date | Scalar::Timestamp) => {
            &[Kind::Number, Kind::String]
        }
        FieldType::Json => &Kind::ALL,
        FieldType::List(_) => &[Kind::Array],
    }
}
