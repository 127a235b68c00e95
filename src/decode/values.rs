//! The values of a primitive column as they are read, and the array of them.

use arrow::array::{ArrowPrimitiveType, NullBufferBuilder, PrimitiveArray};
use arrow::buffer::ScalarBuffer;

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

    /// The array of what was pushed, of the type's default parameters.
    pub(crate) fn finish(&mut self) -> PrimitiveArray<T> {
        let next = Vec::with_capacity(self.values.len());
        let values = std::mem::replace(&mut self.values, next);
        PrimitiveArray::new(ScalarBuffer::from(values), self.valid.finish())
    }
}
