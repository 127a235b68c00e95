//! Any text as a decimal: never a panic, and equal to rust_decimal where both read it.

use std::str::FromStr;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Decimal128Type;
use lakeward::spec::table::{FieldType, Scalar};
use rust_decimal::Decimal;

use super::support::both_ways;

const SCALE: u32 = 6;

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let kind = FieldType::Scalar(Scalar::Decimal { precision: 38, scale: 6 });
    let decoded = both_ways(&kind, text);
    // Rust_decimal takes underscores and no grouping; its text form is the oracle for plain notations only.
    if text.len() > 20 || text.contains([',', '_']) {
        return;
    }
    let Ok(oracle) = Decimal::from_str(text) else { return };
    for decoded in decoded.iter().filter(|decoded| decoded.batch.num_rows() == 1) {
        let column = decoded.batch.column(0).as_primitive::<Decimal128Type>();
        if !column.is_null(0) {
            // As integers: 3e23 with six digits behind the point is more than rust_decimal holds.
            let oracle = oracle.normalize();
            let more = SCALE.checked_sub(oracle.scale()).expect("no digit was cut off");
            assert_eq!(column.value(0), oracle.mantissa() * 10_i128.pow(more), "{text}");
        }
    }
}
