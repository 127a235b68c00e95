//! The values of one record, as the scan of its page noted them.

use crate::json::grid::Grid;

/// A row of a page's tape with the page's text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a> {
    pub(crate) text: &'a str,
    pub(crate) values: &'a Grid,
    pub(crate) row: usize,
}

impl<'a> Cells<'a> {
    /// The exact JSON text in a slot; `null` below a null, nothing where there is no value.
    pub(crate) fn get(self, slot: usize) -> Option<&'a str> {
        self.values.get(self.row, slot).of(self.text)
    }
}
