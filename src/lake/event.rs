//! The column that decides a row's partition: its UTC day, and the span of its values.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, Schema, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::error::{Error, ErrorKind, Result};

const DAY_MICROS: i64 = 86_400_000_000;
/// Days from 0001-01-01, which is day 1, to the epoch.
const EPOCH_DAY: i32 = 719_163;

/// A UTC day by its number since the epoch; `None` is the partition of nulls.
pub(super) type Day = Option<i32>;

/// The earliest and the latest value, in microseconds since the epoch.
pub(super) type Span = Option<(i64, i64)>;

/// The column `partition_by`, a timestamp or a date.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventColumn {
    index: usize,
    is_date: bool,
}

impl EventColumn {
    pub(super) fn new(schema: &Schema, index: usize) -> Result<Self> {
        let kind = schema.fields().get(index).map(|field| field.data_type());
        match kind {
            Some(DataType::Date32) => Ok(Self { index, is_date: true }),
            Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                Ok(Self { index, is_date: false })
            }
            Some(kind) => {
                Err(Error::new(ErrorKind::Config, format!("partition_by cannot be of type {kind}"))
                    .hint("partitions are days: name a timestamp or a date"))
            }
            None => Err(Error::new(ErrorKind::Unexpected, "the schema lacks the partition field")),
        }
    }

    /// The day of each row.
    pub(super) fn days(self, batch: &RecordBatch) -> Result<Vec<Day>> {
        let column = self.column(batch)?;
        Ok(if self.is_date {
            column.as_primitive::<Date32Type>().iter().map(|day| day.and_then(plain)).collect()
        } else {
            let values = column.as_primitive::<TimestampMicrosecondType>();
            values.iter().map(|micros| micros.and_then(day_of)).collect()
        })
    }

    /// The least and the greatest value of the batch.
    pub(super) fn span(self, batch: &RecordBatch) -> Result<Span> {
        let column = self.column(batch)?;
        Ok(if self.is_date {
            let days = column.as_primitive::<Date32Type>();
            let micros = |day: i32| i64::from(day) * DAY_MICROS;
            min(days).zip(max(days)).map(|(low, high)| (micros(low), micros(high)))
        } else {
            let values = column.as_primitive::<TimestampMicrosecondType>();
            min(values).zip(max(values))
        })
    }

    fn column(self, batch: &RecordBatch) -> Result<&dyn Array> {
        let column = batch.columns().get(self.index).filter(|column| match column.data_type() {
            DataType::Date32 => self.is_date,
            DataType::Timestamp(TimeUnit::Microsecond, _) => !self.is_date,
            _ => false,
        });
        let missing = || Error::new(ErrorKind::Unexpected, "a batch lacks the partition field");
        column.map(AsRef::as_ref).ok_or_else(missing)
    }
}

/// The span of two spans.
pub(super) fn widest(one: Span, other: Span) -> Span {
    match (one, other) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, other) => one.or(other),
    }
}

/// The calendar day, where it has a four-digit year.
pub(super) fn calendar(day: i32) -> Option<NaiveDate> {
    let date = NaiveDate::from_num_days_from_ce_opt(day.checked_add(EPOCH_DAY)?)?;
    (0..=9999).contains(&date.year()).then_some(date)
}

/// The instant `micros` since the epoch, if the calendar reaches it.
pub(super) fn instant(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

fn day_of(micros: i64) -> Day {
    i32::try_from(micros.div_euclid(DAY_MICROS)).ok().and_then(plain)
}

/// Days that no `YYYY-MM-DD` names go to the partition of nulls; the value itself stays as it is.
fn plain(day: i32) -> Day {
    calendar(day).map(|_| day)
}
