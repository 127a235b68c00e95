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
        let mut places = Places::of(&self.values);
        for text in texts.iter().flatten() {
            let head = Head::of(text);
            let at = places.find(head, |at| {
                head.is_whole() || self.values.get(at).is_some_and(|(known, _)| known == text)
            });
            let at = match at {
                Some(at) => at,
                None if self.values.len() == MAX_FEW || text.len() > MAX_FEW_BYTES => {
                    (self.many, self.values) = (true, Vec::new());
                    return;
                }
                None => {
                    self.values.push((text.to_owned(), 0));
                    places.note(head, self.values.len() - 1);
                    self.values.len() - 1
                }
            };
            if let Some((_, count)) = self.values.get_mut(at) {
                *count += 1;
            }
        }
    }
}

/// The first bytes of a text and its length: of a short one all that it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    first: u64,
    length: usize,
}

impl Head {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        // Two loads that may overlap, for a copy of so few bytes is a call.
        let first = match (bytes.first_chunk::<8>(), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(eight), ..) => u64::from_le_bytes(*eight),
            (None, Some(four), Some(last)) => {
                u64::from(u32::from_le_bytes(*four)) << 32 | u64::from(u32::from_le_bytes(*last))
            }
            _ => bytes.iter().fold(0, |first, byte| first << 8 | u64::from(*byte)),
        };
        Self { first, length: bytes.len() }
    }

    /// Whether no other text has it.
    fn is_whole(self) -> bool {
        self.length <= 8
    }

    fn slot(self) -> usize {
        ((self.first ^ self.length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }
}

/// Where values are found by their heads; there is always a free place.
struct Places([Option<(Head, usize)>; SLOTS]);

impl Places {
    fn of(values: &[(String, u64)]) -> Self {
        let mut places = Self([None; SLOTS]);
        for (at, (known, _)) in values.iter().enumerate() {
            places.note(Head::of(known), at);
        }
        places
    }

    /// Notes that the text's value is the one at `at`.
    fn note(&mut self, head: Head, at: usize) {
        let free = (0..SLOTS).map(|step| (head.slot() + step) % SLOTS);
        for place in free {
            if let Some(place @ None) = self.0.get_mut(place) {
                *place = Some((head, at));
                return;
            }
        }
    }

    fn find(&self, head: Head, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let first = head.slot();
        (0..SLOTS)
            .map_while(|step| self.0.get((first + step) % SLOTS).copied().flatten())
            .find(|(known, at)| *known == head && is_it(*at))
            .map(|(_, at)| at)
    }
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
    // A null has no bytes, as an empty text: those are counted, and both are left out of the least of the others. No
    // look at each null keeps the loop in vectors.
    let (mut empty, mut least, mut greatest) = (0_i32, i32::MAX, 0_i32);
    for (start, end) in ends.iter().zip(ends.get(1..).unwrap_or_default()) {
        let length = end - start;
        empty += i32::from(length == 0);
        least = least.min(if length == 0 { i32::MAX } else { length });
        greatest = greatest.max(length);
    }
    let nulls = texts.null_count();
    if nulls == texts.len() {
        return None;
    }
    let least = if usize::try_from(empty).is_ok_and(|empty| empty > nulls) { 0 } else { least };
    Some((least.into(), greatest.into()))
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
