//! The units that a column's values are in: those of numeric timestamps, and how amounts are written.

use serde::{Deserialize, Serialize};

use crate::decode::sighting::{Place, Sighting};
use crate::spec::table::TimeUnit;

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A numeric timestamp's unit.
    Time(TimeUnit),
    /// An amount as an integer of minor units, such as cents.
    Minor,
    /// An amount in major units.
    Major,
    /// An amount in major units whose decimal mark is a comma, which is not declared.
    Comma,
}

/// Sightings by unit, and which came first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Units {
    /// The unit of the first value: one of the names below.
    pub first: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub s: Sighting,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub ms: Sighting,
    /// Microseconds.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub us: Sighting,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub ns: Sighting,
    /// Amounts in minor units.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub minor_units: Sighting,
    /// Amounts in major units.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub major_units: Sighting,
    /// Amounts in major units with a decimal comma.
    #[serde(skip_serializing_if = "Sighting::is_none")]
    pub decimal_comma: Sighting,
}

impl Units {
    fn all(&self) -> [(Unit, &'static str, &Sighting); 7] {
        [
            (Unit::Time(TimeUnit::Seconds), "s", &self.s),
            (Unit::Time(TimeUnit::Millis), "ms", &self.ms),
            (Unit::Time(TimeUnit::Micros), "us", &self.us),
            (Unit::Time(TimeUnit::Nanos), "ns", &self.ns),
            (Unit::Minor, "minor_units", &self.minor_units),
            (Unit::Major, "major_units", &self.major_units),
            (Unit::Comma, "decimal_comma", &self.decimal_comma),
        ]
    }

    /// The units that were seen, by name.
    pub fn seen(&self) -> impl Iterator<Item = (&'static str, &Sighting)> {
        let all = self.all().into_iter().map(|(_, name, sighting)| (name, sighting));
        all.filter(|(_, sighting)| sighting.count > 0)
    }

    /// The unit of the first value, once there are samples enough of it.
    pub(crate) fn settled(&self) -> Option<Unit> {
        let first = self.first.as_deref()?;
        let (unit, _, sighting) = self.all().into_iter().find(|(_, name, _)| *name == first)?;
        sighting.is_settled().then_some(unit)
    }

    /// Counts more values of a settled unit.
    pub(crate) fn count(&mut self, unit: Unit, more: u64) {
        self.get_mut(unit).1.count += more;
    }

    fn get_mut(&mut self, unit: Unit) -> (&'static str, &mut Sighting) {
        match unit {
            Unit::Time(TimeUnit::Seconds) => ("s", &mut self.s),
            Unit::Time(TimeUnit::Millis) => ("ms", &mut self.ms),
            Unit::Time(TimeUnit::Micros) => ("us", &mut self.us),
            Unit::Time(TimeUnit::Nanos) => ("ns", &mut self.ns),
            Unit::Minor => ("minor_units", &mut self.minor_units),
            Unit::Major => ("major_units", &mut self.major_units),
            Unit::Comma => ("decimal_comma", &mut self.decimal_comma),
        }
    }

    /// Counts a value's unit; whether it is another than the first.
    pub(crate) fn see(&mut self, unit: Unit, raw: &str, place: impl FnOnce() -> Place) -> bool {
        let (name, sighting) = self.get_mut(unit);
        sighting.see(Some(raw), place);
        match &self.first {
            Some(first) => first != name,
            None => {
                self.first = Some(name.to_owned());
                false
            }
        }
    }
}
