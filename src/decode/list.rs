//! Lists of a scalar: every item by the scalar's rules; one invalid item makes the list invalid.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, ListArray, NullBufferBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::compute::filter;
use arrow::datatypes::FieldRef;
use serde_json::value::RawValue;

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Seen, unbuilt};
use crate::error::Result;

/// Builds a `List` column over its items' decoder.
pub(crate) struct ListColumn {
    item: FieldRef,
    items: Box<dyn ColumnDecoder>,
    empty_is_value: bool,
    lengths: Vec<usize>,
    valid: NullBufferBuilder,
    /// Which pushed items belong to a list that turned out valid.
    kept: BooleanBufferBuilder,
}

impl ListColumn {
    /// A list of `item`, read by `items`; `empty_is_value` says whether `""` is an item or null.
    pub(crate) fn new(item: FieldRef, items: Box<dyn ColumnDecoder>, empty_is_value: bool) -> Self {
        Self {
            item,
            items,
            empty_is_value,
            lengths: Vec::new(),
            valid: NullBufferBuilder::new(0),
            kept: BooleanBufferBuilder::new(0),
        }
    }

    fn read(&mut self, cell: Cell<'_>) -> (usize, Result<Seen, Invalid>) {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(cell.raw) else {
            return (0, Err(Invalid::value("is not an array")));
        };
        let mut all = Seen::default();
        for (index, item) in items.iter().enumerate() {
            let raw = item.get();
            let null = raw == "null" || (raw == "\"\"" && !self.empty_is_value);
            match self.items.push((!null).then_some(Cell { raw, ..cell })) {
                Ok(seen) => {
                    all.unit = all.unit.or(seen.unit);
                    all.unknown = all.unknown.or(seen.unknown);
                    all.surrogates += seen.surrogates;
                }
                Err(invalid) => return (index + 1, Err(invalid)),
            }
        }
        (items.len(), Ok(all))
    }
}

impl ColumnDecoder for ListColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let Some(cell) = cell else {
            self.lengths.push(0);
            self.valid.append_null();
            return Ok(Seen::default());
        };
        let (pushed, seen) = self.read(cell);
        self.kept.append_n(pushed, seen.is_ok());
        self.valid.append(seen.is_ok());
        self.lengths.push(if seen.is_ok() { pushed } else { 0 });
        seen
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let kept = BooleanArray::new(self.kept.finish(), None);
        let items = self.items.finish()?;
        let items =
            if kept.false_count() > 0 { filter(&items, &kept).map_err(unbuilt)? } else { items };
        let offsets = OffsetBuffer::from_lengths(std::mem::take(&mut self.lengths));
        let valid = self.valid.finish();
        let list = ListArray::try_new(Arc::clone(&self.item), offsets, items, valid);
        Ok(Arc::new(list.map_err(unbuilt)?))
    }
}
