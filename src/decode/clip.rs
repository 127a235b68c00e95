//! `clip`: rows whose instant lies outside the window are dropped and counted.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};

use crate::decode::iso::DAY;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::table::{Field, FieldType, Scalar, Table};
use crate::window::Window;

/// The field that decides, and the window that it must lie in.
pub(crate) struct Clip {
    column: usize,
    window: Window,
}

impl Clip {
    /// By the field of this name.
    ///
    /// # Errors
    /// `Config` where it is no timestamp or date.
    pub(crate) fn new(table: &Table, field: &str, window: Window) -> Result<Self> {
        let is_time =
            |f: &Field| matches!(f.kind, FieldType::Scalar(Scalar::Timestamp | Scalar::Date));
        let column =
            table.fields.iter().position(|f| f.name == field && is_time(f)).ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    format!("`clip: {field}` names no timestamp or date field"),
                )
                .with("table", &table.name)
                .hint("name a field of the schema file whose type is timestamp or date")
            })?;
        Ok(Self { column, window })
    }

    /// Takes the rows outside the window from those that are kept; how many there were.
    pub(crate) fn drop(&self, columns: &[ArrayRef], kept: &mut [bool]) -> u64 {
        let Some(column) = columns.get(self.column) else { return 0 };
        let mut outside = 0;
        for (row, kept) in kept.iter_mut().enumerate().filter(|(_, kept)| **kept) {
            *kept = self.keeps(column, row);
            outside += u64::from(!*kept);
        }
        outside
    }

    /// Whether a row's instant, or a part of its day, lies in the window; a null stays.
    fn keeps(&self, column: &ArrayRef, row: usize) -> bool {
        if column.is_null(row) {
            return true;
        }
        let start = self.window.start.timestamp_micros();
        let end = self.window.end.timestamp_micros();
        if let Some(instants) = column.as_primitive_opt::<TimestampMicrosecondType>() {
            return (start..end).contains(&instants.value(row));
        }
        column.as_primitive_opt::<Date32Type>().is_none_or(|days| {
            let midnight = i64::from(days.value(row)) * DAY;
            midnight < end && start < midnight + DAY
        })
    }
}
