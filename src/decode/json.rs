//! Subtrees kept as their exact JSON text; only lone surrogates become U+FFFD, as in strings.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::error::Result;
use crate::json::escape::mend;

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

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        for (row, span) in run.spans.iter().enumerate() {
            let raw = run.raw(*span);
            if span.is_nothing() {
                self.builder.append_null();
            } else if span.is_escaped() && mend(raw).is_some() {
                return Taken { rows: row, units: 0 };
            } else {
                self.builder.append_value(raw);
            }
        }
        Taken { rows: run.spans.len(), units: 0 }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.builder.finish()))
    }
}
