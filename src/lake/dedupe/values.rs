//! What identifies a row and how late its version is, from typed columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, ErrorKind, Result};

/// A primary key's 128-bit hash, taken for the key itself: among 2^40 keys two meet once in 10^14 windows.
pub type Key = [u64; 2];
/// A version as a number that orders like its value; zero is null, the oldest of all.
pub type Version = [u64; 2];

/// Splits a number into halves that compare like it.
pub(super) fn halves(number: u128) -> [u64; 2] {
    let bytes = number.to_be_bytes();
    let (high, low) = bytes.split_at(8);
    let read = |half: &[u8]| half.iter().fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
    [read(high), read(low)]
}

/// The key of each row; `None` where every field of it is null, as such a row has no key.
///
/// Each value goes in with its presence and its length, so that ("a", "bc") differs from ("ab", "c") and
/// null from "".
///
/// # Errors
/// `Config` for a type that no key has.
pub fn keys(batch: &RecordBatch, columns: &[usize]) -> Result<Vec<Option<Key>>> {
    let columns = columns.iter().map(|index| column(batch, *index)).collect::<Result<Vec<_>>>()?;
    let mut keys = Vec::with_capacity(batch.num_rows());
    let mut text = Vec::new();
    for row in 0..batch.num_rows() {
        text.clear();
        let mut present = false;
        for column in &columns {
            present |= column.is_valid(row);
            push_value(&mut text, column, row)?;
        }
        keys.push(present.then(|| halves(xxh3_128(&text))));
    }
    Ok(keys)
}

/// The version of each row.
///
/// # Errors
/// `Config` for a type that has no order.
pub fn versions(batch: &RecordBatch, index: usize) -> Result<Vec<Version>> {
    let column = column(batch, index)?;
    (0..batch.num_rows()).map(|row| version(column, row)).collect()
}

/// Whether versions of this type can be told apart.
pub(super) fn orders(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Date32
            | DataType::Timestamp(..)
    )
}

fn column(batch: &RecordBatch, index: usize) -> Result<&ArrayRef> {
    batch.columns().get(index).ok_or_else(|| {
        Error::new(ErrorKind::Unexpected, "a batch lacks a column of the table")
            .with("column", index)
    })
}

fn version(column: &ArrayRef, row: usize) -> Result<Version> {
    if column.is_null(row) {
        return Ok([0, 0]);
    }
    let number = match column.data_type() {
        DataType::Boolean => i128::from(column.as_boolean().value(row)),
        DataType::Float64 => {
            let bits = column.as_primitive::<Float64Type>().value(row).to_bits();
            // The order of IEEE 754: negative values run backwards.
            let ordered = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
            i128::from(ordered)
        }
        _ => integer(column, row).ok_or_else(|| unsupported("version_by", column.data_type()))?,
    };
    // Decimals end well before i128 does: the least value stays free for null.
    Ok(halves(number.cast_unsigned() ^ (1 << 127)))
}

fn integer(column: &ArrayRef, row: usize) -> Option<i128> {
    Some(match column.data_type() {
        DataType::Int32 => i128::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => i128::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Date32 => i128::from(column.as_primitive::<Date32Type>().value(row)),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value(row),
        DataType::Timestamp(..) => {
            let values = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            i128::from(values.value(row))
        }
        _ => return None,
    })
}

fn push_value(text: &mut Vec<u8>, column: &ArrayRef, row: usize) -> Result<()> {
    if column.is_null(row) {
        text.push(0);
        return Ok(());
    }
    text.push(1);
    match column.data_type() {
        DataType::Utf8 => push_text(text, column.as_string::<i32>().value(row)),
        DataType::Utf8View => push_text(text, column.as_string_view().value(row)),
        DataType::Boolean => text.push(u8::from(column.as_boolean().value(row))),
        DataType::Float64 => {
            // 0.0 and -0.0 are equal, so they are one key.
            let value = column.as_primitive::<Float64Type>().value(row) + 0.0;
            text.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            text.extend_from_slice(&(items.len() as u64).to_le_bytes());
            for item in 0..items.len() {
                push_value(text, &items, item)?;
            }
        }
        kind => {
            let number = integer(column, row).ok_or_else(|| unsupported("primary_key", kind))?;
            text.extend_from_slice(&number.to_le_bytes());
        }
    }
    Ok(())
}

fn push_text(text: &mut Vec<u8>, value: &str) {
    text.extend_from_slice(&(value.len() as u64).to_le_bytes());
    text.extend_from_slice(value.as_bytes());
}

fn unsupported(what: &str, kind: &DataType) -> Error {
    Error::new(ErrorKind::Config, format!("{what} cannot be of type {kind}"))
}
