//! What a column's values are like beside their kinds: how large or long they are, and which they are where they are few.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, ArrowNumericType, AsArray, PrimitiveArray, StringArray};
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use serde::{Deserialize, Serialize};

/// Values that are told apart before there are many.
const MAX_FEW: usize = 24;
/// The longest of them, in bytes.
const MAX_FEW_BYTES: usize = 40;
/// Places to find one of them by its first bytes; twice as many as there can be and more.
const SLOTS: usize = 64;
/// Magnitudes: zero, and one for every bit of a number.
const MAGNITUDES: usize = 128;

/// Numbers of a page that are measured.
const MEASURED: usize = 250;

/// How large numbers, or how long strings are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extent {
    /// The least: digits without their point, days, microseconds, or bytes of a string; of a float none.
    #[serde(with = "as_text", skip_serializing_if = "Option::is_none")]
    pub least: Option<i128>,
    /// The greatest.
    #[serde(with = "as_text", skip_serializing_if = "Option::is_none")]
    pub greatest: Option<i128>,
    /// Some of the numbers other than zero by magnitude: `n` counts those from 2ⁿ to 2ⁿ⁺¹, of the same digits
    /// without their sign, and of a float's millionths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub magnitudes: BTreeMap<u8, u64>,
}

/// The values of a string column while they are few.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Few {
    values: Vec<(String, u64)>,
    many: bool,
}

impl Extent {
    /// Whether nothing was seen.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn see(&mut self, bounds: Option<(i128, i128)>) {
        let Some((least, greatest)) = bounds else { return };
        self.least = Some(self.least.map_or(least, |known| known.min(least)));
        self.greatest = Some(self.greatest.map_or(greatest, |known| known.max(greatest)));
    }

    /// Counts the magnitudes of some of the numbers: the middle of a few hundred tells a page's. Nulls are given as zero,
    /// which has none.
    fn measure<T: Copy>(&mut self, numbers: &[T], magnitude: impl Fn(T) -> u128) {
        let mut counts = [0_u32; MAGNITUDES + 1];
        for number in numbers.iter().step_by(numbers.len().div_ceil(MEASURED).max(1)) {
            let bits = (u128::BITS - magnitude(*number).leading_zeros()) as usize;
            if let Some(count) = counts.get_mut(bits) {
                *count += 1;
            }
        }
        for (magnitude, count) in (0_u8..).zip(counts.iter().skip(1)) {
            if *count > 0 {
                *self.magnitudes.entry(magnitude).or_default() += u64::from(*count);
            }
        }
    }
}

impl Few {
    /// The values with their counts; `None` where there are many.
    pub fn values(&self) -> Option<&[(String, u64)]> {
        (!self.many).then_some(&self.values)
    }

    fn see(&mut self, texts: &StringArray) {
        if self.many {
            return;
        }
        let mut places = [None; SLOTS];
        for (at, (known, _)) in self.values.iter().enumerate() {
            note(&mut places, known, at);
        }
        let mut last = usize::MAX;
        for text in texts.iter().flatten() {
            let same = |at: &usize| self.values.get(*at).is_some_and(|(known, _)| known == text);
            let at = Some(last).filter(same).or_else(|| find(&places, text, &self.values));
            let at = match at {
                Some(at) => at,
                None if self.values.len() == MAX_FEW || text.len() > MAX_FEW_BYTES => {
                    (self.many, self.values) = (true, Vec::new());
                    return;
                }
                None => {
                    self.values.push((text.to_owned(), 0));
                    note(&mut places, text, self.values.len() - 1);
                    self.values.len() - 1
                }
            };
            if let Some((_, count)) = self.values.get_mut(at) {
                *count += 1;
            }
            last = at;
        }
    }
}

/// Where the search for a text begins: by its length and its first bytes.
fn slot(text: &str) -> usize {
    let mut first = [0_u8; 8];
    let length = text.len().min(8);
    if let (Some(to), Some(from)) = (first.get_mut(..length), text.as_bytes().get(..length)) {
        to.copy_from_slice(from);
    }
    let mixed =
        (u64::from_le_bytes(first) ^ (text.len() as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 58) as usize
}

/// Notes that the text's value is the one at `at`; there is always a free place.
fn note(places: &mut [Option<usize>; SLOTS], text: &str, at: usize) {
    let first = slot(text);
    let free = (0..SLOTS).map(|step| (first + step) % SLOTS);
    for place in free {
        if let Some(place @ None) = places.get_mut(place) {
            *place = Some(at);
            return;
        }
    }
}

fn find(places: &[Option<usize>; SLOTS], text: &str, values: &[(String, u64)]) -> Option<usize> {
    let first = slot(text);
    (0..SLOTS)
        .map_while(|step| places.get((first + step) % SLOTS).copied().flatten())
        .find(|at| values.get(*at).is_some_and(|(known, _)| known == text))
}

/// Takes in the values of a page's column.
pub(crate) fn observe(extent: &mut Extent, few: Option<&mut Few>, column: &ArrayRef) {
    match column.data_type() {
        DataType::Int32 => {
            let numbers = column.as_primitive::<Int32Type>();
            extent.see(bounds(numbers));
            extent.measure(numbers.values(), |n| u128::from(n.unsigned_abs()));
        }
        DataType::Int64 => {
            let numbers = column.as_primitive::<Int64Type>();
            extent.see(bounds(numbers));
            extent.measure(numbers.values(), |n| u128::from(n.unsigned_abs()));
        }
        DataType::Float64 => {
            let numbers = column.as_primitive::<Float64Type>();
            extent.measure(numbers.values(), millionths);
        }
        DataType::Decimal128(..) => {
            let numbers = column.as_primitive::<Decimal128Type>();
            extent.see(bounds(numbers));
            extent.measure(numbers.values(), i128::unsigned_abs);
        }
        DataType::Date32 => extent.see(bounds(column.as_primitive::<Date32Type>())),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            extent.see(bounds(column.as_primitive::<TimestampMicrosecondType>()));
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            extent.see(lengths(texts));
            if let Some(few) = few {
                few.see(texts);
            }
        }
        _ => {}
    }
}

fn bounds<T>(numbers: &PrimitiveArray<T>) -> Option<(i128, i128)>
where
    T: ArrowNumericType,
    T::Native: Into<i128>,
{
    Some((min(numbers)?.into(), max(numbers)?.into()))
}

/// The shortest and the longest, in bytes.
fn lengths(texts: &StringArray) -> Option<(i128, i128)> {
    let ends = texts.value_offsets();
    let lengths = ends.iter().zip(ends.iter().skip(1)).map(|(start, end)| end - start);
    let span =
        |(least, greatest): (i32, i32), length: i32| (least.min(length), greatest.max(length));
    let (least, greatest) = match texts.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => lengths.fold((i32::MAX, i32::MIN), span),
        Some(nulls) => {
            let valid = lengths.zip(nulls.iter()).filter(|(_, valid)| *valid);
            valid.map(|(length, _)| length).fold((i32::MAX, i32::MIN), span)
        }
    };
    (least <= greatest).then_some((least.into(), greatest.into()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a magnitude; beyond 128 bits the greatest"
)]
fn millionths(number: f64) -> u128 {
    (number.abs() * 1e6) as u128
}

/// Numbers as text: JSON readers keep only 53 bits of one.
mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(
        number: &Option<i128>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => to.collect_str(number),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<i128>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array};
    use proptest::prelude::*;

    use super::*;

    fn of(columns: &[ArrayRef]) -> (Extent, Few) {
        let (mut extent, mut few) = (Extent::default(), Few::default());
        for column in columns {
            observe(&mut extent, Some(&mut few), column);
        }
        (extent, few)
    }

    proptest! {
        /// As a map counts them, until there are too many or one is too long; over pages as over one.
        #[test]
        fn few_values_are_counted_and_many_are_not(
            pages in prop::collection::vec(
                prop::collection::vec(prop::option::of("[abé]{0,3}|[a-z]{0,1}|x{38,42}"), 0..80), 1..4),
        ) {
            let columns: Vec<ArrayRef> = pages
                .iter()
                .map(|page| Arc::new(StringArray::from(page.clone())) as ArrayRef)
                .collect();
            let (extent, few) = of(&columns);
            let all: Vec<&String> = pages.iter().flatten().flatten().collect();
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for text in &all {
                *counts.entry(text.as_str()).or_default() += 1;
            }
            let many = counts.len() > MAX_FEW || all.iter().any(|text| text.len() > MAX_FEW_BYTES);
            match few.values() {
                Some(values) => {
                    prop_assert!(!many);
                    let seen: BTreeMap<&str, u64> =
                        values.iter().map(|(text, count)| (text.as_str(), *count)).collect();
                    prop_assert_eq!(seen, counts);
                }
                None => prop_assert!(many),
            }
            let lengths = || all.iter().map(|text| i128::try_from(text.len()).unwrap_or(0));
            prop_assert_eq!((extent.least, extent.greatest), (lengths().min(), lengths().max()));
        }

        #[test]
        fn numbers_are_bounded_and_measured(numbers in prop::collection::vec(prop::option::of(any::<i64>()), 0..200)) {
            let (extent, few) = of(&[Arc::new(Int64Array::from(numbers.clone()))]);
            let all = || numbers.iter().flatten().copied().map(i128::from);
            prop_assert_eq!((extent.least, extent.greatest), (all().min(), all().max()));
            let mut magnitudes: BTreeMap<u8, u64> = BTreeMap::new();
            for number in all().filter(|number| *number != 0) {
                let magnitude = u8::try_from(number.unsigned_abs().ilog2()).unwrap_or(u8::MAX);
                *magnitudes.entry(magnitude).or_default() += 1;
            }
            prop_assert_eq!(&extent.magnitudes, &magnitudes);
            prop_assert_eq!(few.values(), Some(&[][..]));
            let text = serde_json::to_string(&extent).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Extent>(&text).expect("read"), extent);
        }
    }

    #[test]
    fn the_ends_of_decimals_and_floats() {
        let most = 10_i128.pow(38) - 1;
        let decimals = Decimal128Array::from(vec![Some(-most), None, Some(most)]);
        let decimals = decimals.with_precision_and_scale(38, 2).expect("decimals");
        let (extent, _) = of(&[Arc::new(decimals)]);
        assert_eq!((extent.least, extent.greatest), (Some(-most), Some(most)));
        assert_eq!(extent.magnitudes, BTreeMap::from([(126, 2)]));
        let floats = Float64Array::from(vec![0.0, -1.5, f64::MAX, f64::NAN, f64::INFINITY, 1e-9]);
        let (extent, _) = of(&[Arc::new(floats)]);
        assert_eq!((extent.least, extent.magnitudes), (None, BTreeMap::from([(20, 1), (127, 2)])));
    }
}
