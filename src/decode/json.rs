//! Subtrees kept as their exact JSON text.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Seen};
use crate::error::Result;

/// Builds a `Utf8View` column of JSON text.
#[derive(Default)]
pub(crate) struct JsonColumn {
    builder: StringViewBuilder,
}

impl ColumnDecoder for JsonColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        self.builder.append_option(cell.map(|cell| cell.raw));
        Ok(Seen::default())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.builder.finish()))
    }
}
