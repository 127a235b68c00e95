//! Which rows of a column hold a value: a bit a row, appended many at a time.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// Rows that a word holds.
const WORD: usize = 64;

/// The validity of a column as it is built.
#[derive(Debug, Default)]
pub(crate) struct Valid {
    /// Rows from the lowest bit of the first word on; behind the last row zeros.
    words: Vec<u64>,
    rows: usize,
}

impl Valid {
    /// Appends one row.
    #[inline]
    pub(crate) fn push(&mut self, valid: bool) {
        self.push_bits(u64::from(valid), 1);
    }

    /// Appends the lowest `rows` of `bits`, 64 at most.
    #[inline]
    pub(crate) fn push_bits(&mut self, bits: u64, rows: usize) {
        let rows = rows.min(WORD);
        if rows == 0 {
            return;
        }
        let bits = bits & (u64::MAX >> (WORD - rows));
        let taken = self.rows % WORD;
        match self.words.last_mut().filter(|_| taken > 0) {
            None => self.words.push(bits),
            Some(word) => {
                *word |= bits << taken;
                if taken + rows > WORD {
                    self.words.push(bits >> (WORD - taken));
                }
            }
        }
        self.rows += rows;
    }

    /// What was appended; nothing where every row is valid. Empty again.
    pub(crate) fn finish(&mut self) -> Option<NullBuffer> {
        let next = Vec::with_capacity(self.words.len());
        let words = std::mem::replace(&mut self.words, next);
        // Arrow's bits are bytes from the lowest on, as the words are written on every machine that it runs on.
        let bytes = Buffer::from_vec(words.into_iter().map(u64::to_le).collect::<Vec<_>>());
        let valid = NullBuffer::new(BooleanBuffer::new(bytes, 0, std::mem::take(&mut self.rows)));
        (valid.null_count() > 0).then_some(valid)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::NullBufferBuilder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_what_arrows_own_builder_holds(runs in prop::collection::vec((any::<u64>(), 0_usize..=64), 0..12)) {
            let (mut own, mut arrows) = (Valid::default(), NullBufferBuilder::new(0));
            for (bits, rows) in &runs {
                own.push_bits(*bits, *rows);
                for row in 0..*rows {
                    arrows.append(bits >> row & 1 == 1);
                }
                own.push(bits & 1 == 1);
                arrows.append(bits & 1 == 1);
            }
            prop_assert_eq!(own.finish(), arrows.finish());
            own.push(false);
            prop_assert_eq!(own.finish().map(|valid| valid.len()), Some(1));
        }
    }
}
