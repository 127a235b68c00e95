//! Booleans: `true`, `false`, `"true"` and `"false"`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder};

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::error::Result;
use crate::json::escape::unescape;

/// Builds a `Boolean` column.
#[derive(Default)]
pub(crate) struct BoolColumn {
    builder: BooleanBuilder,
}

impl ColumnDecoder for BoolColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let value = cell.map(|cell| read(cell.raw)).transpose();
        self.builder.append_option(value.ok().flatten());
        value.map(|_| Seen::default())
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        for span in run.spans {
            // Of the natural forms only two words are left, of different lengths.
            self.builder.append_option((!span.is_nothing()).then(|| span.len() == "true".len()));
        }
        Taken { rows: run.spans.len(), units: 0 }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.builder.finish()))
    }
}

fn read(raw: &str) -> Result<bool, Invalid> {
    match raw {
        "true" | "\"true\"" => Ok(true),
        "false" | "\"false\"" => Ok(false),
        raw if raw.contains('\\') => match &*unescape(raw).0 {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Invalid::value("is neither true nor false")),
        },
        _ => Err(Invalid::value("is neither true nor false")),
    }
}
