//! Which rows of a batch go to which partition.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::dedupe::RowPlace;
use crate::lake::event::Day;

/// Which rows of a batch go to one partition.
pub(super) enum Rows {
    All,
    Run { start: usize, len: usize },
    Picked(Vec<u32>),
}

impl Rows {
    /// Those rows, without copying where they stand together.
    pub(super) fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        Ok(match self {
            Self::All => batch.clone(),
            Self::Run { start, len } => batch.slice(*start, *len),
            Self::Picked(rows) => take_record_batch(batch, &UInt32Array::from(rows.clone()))
                .map_err(|e| {
                    Error::new(ErrorKind::Unexpected, "could not split a batch").caused_by(e)
                })?,
        })
    }

    /// Notes where the rows of a part went: one after another from `first`.
    pub(super) fn locate(&self, places: &mut [RowPlace], first: RowPlace) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let last = u64::from(first.row) + places.len() as u64;
        if last > u64::from(u32::MAX) {
            return Err(Error::new(ErrorKind::Unexpected, "a data file has too many rows"));
        }
        let next = (first.row..).map(|row| RowPlace { file: first.file, row });
        match self {
            Self::All => places.iter_mut().zip(next).for_each(|(place, at)| *place = at),
            Self::Run { start, len } => {
                let run = places.iter_mut().skip(*start).take(*len);
                run.zip(next).for_each(|(place, at)| *place = at);
            }
            Self::Picked(rows) => {
                for (row, at) in rows.iter().zip(next) {
                    if let Some(place) = places.get_mut(*row as usize) {
                        *place = at;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The rows of each day, without copying where they stand together. No days: all rows, one partition.
pub(super) fn split(days: &[Day]) -> Vec<(Day, Rows)> {
    let mut runs: Vec<(Day, usize, usize)> = Vec::new();
    for (row, day) in days.iter().enumerate() {
        match runs.last_mut() {
            Some((last, _, len)) if last == day => *len += 1,
            _ => runs.push((*day, row, 1)),
        }
    }
    match runs.as_slice() {
        [] => return vec![(None, Rows::All)],
        [(day, ..)] => return vec![(*day, Rows::All)],
        _ => {}
    }
    let mut distinct: Vec<Day> = runs.iter().map(|(day, ..)| *day).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() == runs.len() {
        let run = |(day, start, len)| (day, Rows::Run { start, len });
        return runs.into_iter().map(run).collect();
    }
    let mut picked: BTreeMap<Day, Vec<u32>> = BTreeMap::new();
    for (row, day) in (0_u32..).zip(days) {
        picked.entry(*day).or_default().push(row);
    }
    picked.into_iter().map(|(day, rows)| (day, Rows::Picked(rows))).collect()
}
