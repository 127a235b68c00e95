//! Booleans: `true`, `false`, `"true"` and `"false"`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder};

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Seen};
use crate::decode::text::unescape;
use crate::error::Result;

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
