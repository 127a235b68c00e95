//! The values of a string column as they are read, and the array of them.

use std::ops::Range;

use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::decode::valid::Valid;
use crate::error::{Error, ErrorKind, Result};

/// Bytes that are copied at once: the usual string is shorter, and a copy of a fixed length is a few instructions.
const ONCE: usize = 32;

/// Strings and nulls of one page; the next page's room is set aside by the last one's size.
#[derive(Debug)]
pub(crate) struct Strings {
    /// The strings, one behind the other: whole texts, so that each is UTF-8.
    bytes: Vec<u8>,
    /// Where each ends, behind the zero that the first begins at.
    ends: Vec<i32>,
    valid: Valid,
}

impl Strings {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), ends: vec![0], valid: Valid::default() }
    }

    /// Appends one string.
    pub(crate) fn push(&mut self, text: &str) {
        let whole = self.append(text, 0..text.len()).is_some();
        debug_assert!(whole, "a text is not cut by its own length");
        self.mark(1, 1);
    }

    /// Appends a null.
    pub(crate) fn push_null(&mut self) {
        self.append_nothing();
        self.mark(0, 1);
    }

    /// Appends a part of `text` as a string, of which [`Strings::mark`] is to say that it is one. `None`, and nothing
    /// appended, where `range` cuts a character.
    #[inline]
    pub(crate) fn append(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        let (start, length) = (range.start, range.len());
        let part = text.get(range)?;
        match text.as_bytes().get(start..).and_then(|rest| rest.first_chunk::<ONCE>()) {
            Some(chunk) if length <= ONCE => {
                let end = self.bytes.len() + length;
                self.bytes.extend_from_slice(chunk);
                self.bytes.truncate(end);
            }
            _ => self.bytes.extend_from_slice(part.as_bytes()),
        }
        self.append_nothing();
        Some(())
    }

    /// Ends the string whose bytes were appended; without any, the row that [`Strings::mark`] is to say is null.
    #[inline]
    pub(crate) fn append_nothing(&mut self) {
        // What does not fit is refused as a whole at the end.
        self.ends.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }

    /// Says which of the next `rows` that were appended are strings: the lowest bits, 64 at most.
    #[inline]
    pub(crate) fn mark(&mut self, bits: u64, rows: usize) {
        self.valid.push_bits(bits, rows);
    }

    /// The array of what was pushed.
    ///
    /// # Errors
    /// `Unexpected` for more than 2 GiB of text, which no string column holds.
    pub(crate) fn finish(&mut self) -> Result<StringArray> {
        let mut ends = Vec::with_capacity(self.ends.len());
        ends.push(0);
        let next = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8 + ONCE);
        let bytes = std::mem::replace(&mut self.bytes, next);
        let ends = std::mem::replace(&mut self.ends, ends);
        let valid = self.valid.finish();
        if i32::try_from(bytes.len()).is_err() {
            let what =
                "a page's values of one field are more than 2 GiB, which no string column holds";
            return Err(Error::new(ErrorKind::Unexpected, what).hint("ask for smaller pages"));
        }
        debug_assert_eq!(
            valid.as_ref().map_or(ends.len() - 1, |valid| valid.len()),
            ends.len() - 1
        );
        #[expect(
            unsafe_code,
            reason = "the checked way reads every string once more for its UTF-8"
        )]
        // SAFETY: `bytes` is a row of whole `str`s, as `append` adds what `text.get` gave and nothing behind it, so each
        // is UTF-8; `ends` begins with 0 and got the length of `bytes` after each, which only grows and, as it fits an
        // `i32` now, always did: the offsets are monotonic, in bounds, and between the strings.
        Ok(unsafe {
            let offsets = OffsetBuffer::new_unchecked(ScalarBuffer::from(ends));
            StringArray::new_unchecked(offsets, Buffer::from_vec(bytes), valid)
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_what_was_pushed(values in prop::collection::vec(prop::option::of("\\PC{0,40}"), 0..20), behind in "\\PC{0,40}") {
            let mut strings = Strings::new();
            for value in &values {
                match value {
                    None => strings.push_null(),
                    Some(value) => {
                        let text = format!("{value}{behind}");
                        prop_assert!(strings.append(&text, 0..value.len()).is_some());
                        strings.mark(1, 1);
                    }
                }
            }
            let array = strings.finish().expect("array");
            prop_assert!(array.to_data().validate_full().is_ok());
            prop_assert_eq!(array, StringArray::from(values));
        }
    }

    #[test]
    fn a_cut_character_is_not_appended() {
        let mut strings = Strings::new();
        assert_eq!(strings.append("दूध, and more than is copied at once", 0..1), None);
        strings.push("दूध");
        strings.push_null();
        assert_eq!(strings.finish().expect("array"), StringArray::from(vec![Some("दूध"), None]));
    }
}
