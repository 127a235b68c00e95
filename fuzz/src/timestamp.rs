//! Any text as a timestamp: never a panic, and equal to chrono where both read it.

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::DateTime;
use lakeward::spec::table::{FieldType, Scalar};

use super::support::both_ways;

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let decoded = both_ways(&FieldType::Scalar(Scalar::Timestamp), text);
    let [quoted, ..] = decoded.as_slice() else { return };
    let Ok(oracle) = DateTime::parse_from_rfc3339(text) else { return };
    // Chrono keeps a leap second inside its minute; ours is the next minute's first.
    if oracle.timestamp_subsec_nanos() >= 1_000_000_000 {
        return;
    }
    let column = quoted.batch.column(0).as_primitive::<TimestampMicrosecondType>();
    if !column.is_null(0) {
        assert_eq!(column.value(0), oracle.timestamp_micros(), "{text}");
    }
}
