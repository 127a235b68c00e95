//! The places of declared values in the records of a page: a field's values stand side by side, so that a reader of
//! columns walks through memory once.

use crate::json::span::Span;

/// Records whose values stand together: those of a field in 512 bytes, those of a usual record in the fastest memory.
pub const LANES: usize = 64;

/// Values by row and slot, in blocks of [`LANES`] rows; in a block slot after slot. Behind the last row there is
/// nothing in any slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    slots: usize,
    spans: Vec<Span>,
}

/// One row while it is written.
pub(super) struct Lane<'a> {
    /// From the row's first slot to the end of its block.
    spans: &'a mut [Span],
}

impl Grid {
    /// No rows yet, of so many values each.
    pub(super) fn new(slots: usize) -> Self {
        Self { slots, spans: Vec::new() }
    }

    /// Values a row.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Whether there is room for exactly so many rows.
    pub fn holds(&self, rows: usize) -> bool {
        self.spans.len() == rows.div_ceil(LANES) * self.slots * LANES
    }

    /// The value of a row; [`Span::NONE`] where there is none.
    #[inline]
    pub fn get(&self, row: usize, slot: usize) -> Span {
        self.column(row, slot).first().copied().unwrap_or_default()
    }

    /// The values of a slot from `row` to the end of its block, rows that are not there yet with them.
    #[inline]
    pub fn column(&self, row: usize, slot: usize) -> &[Span] {
        let (block, lane) = (row / LANES, row % LANES);
        let start = (block * self.slots + slot) * LANES;
        if slot >= self.slots {
            return &[];
        }
        self.spans.get(start + lane..start + LANES).unwrap_or(&[])
    }

    /// Begins a row, the one behind the last; `None` where it is not.
    #[inline]
    pub(super) fn lane(&mut self, row: usize) -> Option<Lane<'_>> {
        let block = self.slots * LANES;
        let (start, lane) = (row / LANES * block, row % LANES);
        if lane == 0 {
            self.spans.resize(start + block, Span::NONE);
        }
        if block == 0 {
            return Some(Lane { spans: &mut [] });
        }
        Some(Lane { spans: self.spans.get_mut(start + lane..start + block)? })
    }

    /// Takes back the row that was begun last.
    pub(super) fn clear(&mut self, row: usize) {
        if row.is_multiple_of(LANES) {
            self.spans.truncate(row * self.slots);
            return;
        }
        let slots = self.slots;
        if let Some(mut lane) = self.lane(row) {
            for slot in 0..slots {
                let _ = lane.note(slot, Span::NONE);
            }
        }
    }
}

impl Lane<'_> {
    /// Notes a value; `None` where there is no such slot.
    #[inline(always)]
    pub(super) fn note(&mut self, slot: usize, value: Span) -> Option<()> {
        *self.spans.get_mut(slot * LANES)? = value;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::span::Form;

    fn span(at: usize) -> Span {
        Span::new(Form::Integer, at, at + 1, false)
    }

    #[test]
    fn values_are_found_by_row_and_by_column_over_blocks() {
        let mut grid = Grid::new(3);
        for row in 0..150 {
            let mut lane = grid.lane(row).expect("the next row");
            for slot in [0, 2] {
                lane.note(slot, span(row * 10 + slot)).expect("a slot");
            }
        }
        assert!(grid.holds(150) && !grid.holds(128) && !grid.holds(193));
        for row in 0..150 {
            assert_eq!(grid.get(row, 2), span(row * 10 + 2));
            assert_eq!((grid.get(row, 1), grid.get(row, 3)), (Span::NONE, Span::NONE));
        }
        let column = grid.column(64, 2);
        assert_eq!((column.len(), column[0], column[63]), (64, span(642), span(1272)));
        assert_eq!(grid.column(149, 0)[..2], [span(1490), Span::NONE]);
        assert_eq!(grid.column(192, 0), []);
    }

    #[test]
    fn a_row_that_is_taken_back_leaves_nothing() {
        for rows in [0, 1, 63, 64, 65] {
            let (mut grid, mut other) = (Grid::new(2), Grid::new(2));
            for row in 0..rows {
                grid.lane(row).expect("row").note(1, span(row)).expect("slot");
                other.lane(row).expect("row").note(1, span(row)).expect("slot");
            }
            grid.lane(rows).expect("row").note(0, span(7)).expect("slot");
            grid.clear(rows);
            assert_eq!(grid, other, "{rows}");
            assert!(grid.holds(rows));
        }
    }

    #[test]
    fn records_without_declared_fields_have_rows_too() {
        let mut grid = Grid::new(0);
        assert!((0..70).all(|row| grid.lane(row).is_some()) && grid.holds(70));
        assert_eq!(grid.get(3, 0), Span::NONE);
    }
}
