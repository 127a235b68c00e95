//! Subtrees kept as their exact JSON text; only lone surrogates become U+FFFD, as in strings.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Seen};
use crate::decode::text::mend;
use crate::error::Result;

/// Builds a `Utf8View` column of JSON text.
#[derive(Default)]
pub(crate) struct JsonColumn {
    builder: StringViewBuilder,
}

impl ColumnDecoder for JsonColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let mended = cell.and_then(|cell| mend(cell.raw));
        let text = mended.as_ref().map(|(text, _)| text.as_str());
        self.builder.append_option(text.or(cell.map(|cell| cell.raw)));
        let surrogates = mended.map_or(0, |(_, count)| count);
        Ok(Seen { surrogates, ..Seen::default() })
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.builder.finish()))
    }
}
