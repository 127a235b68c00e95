//! The values of a primitive column as they are read, and the array of them.

use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::ScalarBuffer;

use crate::decode::column::{Run, Taken};
use crate::decode::valid::Valid;
use crate::json::span::Span;

/// Values and nulls of one page; the next page's room is set aside by the last one's size.
pub(crate) struct Values<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: Valid,
}

impl<T: ArrowPrimitiveType> Values<T> {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new(), valid: Valid::default() }
    }

    #[inline]
    pub(crate) fn push_option(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.valid.push(value.is_some());
    }

    /// Pushes the first values of a run, up to one that `read` does not read: [`ColumnDecoder::push_plain`].
    ///
    /// [`ColumnDecoder::push_plain`]: crate::decode::column::ColumnDecoder::push_plain
    #[inline]
    pub(crate) fn push_run(
        &mut self,
        run: Run<'_>,
        mut read: impl FnMut(usize, Span) -> Option<T::Native>,
    ) -> Taken {
        let mut rows = 0;
        self.values.reserve(run.spans.len());
        for span in run.spans {
            let value =
                if span.is_nothing() { Some(T::Native::default()) } else { read(rows, *span) };
            let Some(value) = value else { break };
            self.values.push(value);
            rows += 1;
        }
        self.valid.push_bits(run.present, rows);
        Taken { rows, units: 0 }
    }

    /// The array of what was pushed, of the type's default parameters.
    pub(crate) fn finish(&mut self) -> PrimitiveArray<T> {
        let next = Vec::with_capacity(self.values.len());
        let values = std::mem::replace(&mut self.values, next);
        PrimitiveArray::new(ScalarBuffer::from(values), self.valid.finish())
    }
}
