//! Columns for which a dictionary would only be filled and given up, told by the first rows of a row group.

use std::collections::HashSet;
use std::hash::Hash;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};

/// Rows that are looked at.
const SAMPLE_ROWS: usize = 1000;
/// Fewer values say nothing.
const LEAST_VALUES: usize = 500;

/// The fields of which hardly a value stands twice, by index.
///
/// Of 1,000 values of a column with 13,000 different ones, as many as a dictionary of 256 KiB holds where they are 16
/// bytes long, about 40 stand twice. With under 1 % repeated a dictionary is filled up and given up.
pub(super) fn distinct_fields(batch: &RecordBatch) -> Vec<usize> {
    let fields = batch.columns().iter().enumerate().filter(|(_, column)| {
        let rows = column.len().min(SAMPLE_ROWS);
        match column.data_type() {
            DataType::Utf8 => hardly_repeat(column.as_string::<i32>().iter().take(rows)),
            DataType::Utf8View => hardly_repeat(column.as_string_view().iter().take(rows)),
            DataType::Int32 => hardly_repeat(column.as_primitive::<Int32Type>().iter().take(rows)),
            DataType::Int64 => hardly_repeat(column.as_primitive::<Int64Type>().iter().take(rows)),
            DataType::Float64 => {
                let bits = |value: Option<f64>| value.map(f64::to_bits);
                hardly_repeat(column.as_primitive::<Float64Type>().iter().map(bits).take(rows))
            }
            DataType::Decimal128(..) => {
                hardly_repeat(column.as_primitive::<Decimal128Type>().iter().take(rows))
            }
            _ => false,
        }
    });
    fields.map(|(index, _)| index).collect()
}

fn hardly_repeat<T: Hash + Eq>(values: impl Iterator<Item = Option<T>>) -> bool {
    let (mut seen, mut count) = (HashSet::with_capacity(SAMPLE_ROWS), 0);
    for value in values.flatten() {
        count += 1;
        seen.insert(value);
    }
    count >= LEAST_VALUES && (count - seen.len()) * 100 < count
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn only_what_does_not_repeat_goes_without_a_dictionary() {
        let texts = |of: fn(i64) -> Option<String>| {
            Arc::new((0..1000).map(of).collect::<StringArray>()) as ArrayRef
        };
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("id", texts(|n| Some(format!("pay_{n}"))), true),
            ("status", texts(|n| Some((n % 5).to_string())), true),
            ("customer", texts(|n| Some((n * n % 971).to_string())), true),
            ("rare", texts(|n| (n % 3 == 0).then(|| n.to_string())), true),
            ("number", Arc::new((0..1000).collect::<Int64Array>()) as ArrayRef, true),
            ("share", Arc::new((0..1000).map(f64::from).collect::<Float64Array>()), true),
            (
                "rating",
                Arc::new((0..1000).map(|n| f64::from(n % 9)).collect::<Float64Array>()),
                true,
            ),
            ("large", Arc::new((0..1000).map(i128::from).collect::<Decimal128Array>()), true),
        ]);
        let batch = batch.expect("batch");
        assert_eq!(distinct_fields(&batch), [0, 4, 5, 7]);
        assert!(distinct_fields(&batch.slice(0, 400)).is_empty(), "too few to say");
    }
}
