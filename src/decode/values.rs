//! The values of a primitive column as they are read, and the array of them.

use arrow::array::{ArrowPrimitiveType, NullBufferBuilder, PrimitiveArray};
use arrow::buffer::ScalarBuffer;

use crate::decode::column::{Run, Taken};
use crate::json::span::Span;

/// Values and nulls of one page; the next page's room is set aside by the last one's size.
pub(crate) struct Values<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Values<T> {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new(), valid: NullBufferBuilder::new(0) }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T::Native) {
        self.values.push(value);
        self.valid.append_non_null();
    }

    #[inline]
    pub(crate) fn push_null(&mut self) {
        self.values.push(T::Native::default());
        self.valid.append_null();
    }

    #[inline]
    pub(crate) fn push_option(&mut self, value: Option<T::Native>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
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
        for (row, span) in run.spans.iter().enumerate() {
            if span.is_nothing() {
                self.push_null();
                continue;
            }
            match read(row, *span) {
                Some(value) => self.push(value),
                None => return Taken { rows: row, units: 0 },
            }
        }
        Taken { rows: run.spans.len(), units: 0 }
    }

    /// The array of what was pushed, of the type's default parameters.
    pub(crate) fn finish(&mut self) -> PrimitiveArray<T> {
        let next = Vec::with_capacity(self.values.len());
        let values = std::mem::replace(&mut self.values, next);
        PrimitiveArray::new(ScalarBuffer::from(values), self.valid.finish())
    }
}
