//! Digits to integers, eight at a time: the usual numbers of an API in a few steps.

use std::ops::Range;

/// The most digits that [`parse`] reads: any such number fits an `i64`.
pub(crate) const MOST: usize = 18;

/// Reads the bytes of `text` in `range`, if they are digits: at least one and [`MOST`] at most.
#[inline]
pub(crate) fn parse(text: &[u8], range: Range<usize>) -> Option<u64> {
    let Range { start, end } = range;
    match end.checked_sub(start)? {
        length @ 1..=8 => eight(text, end, length),
        length @ 9..=16 => {
            Some(eight(text, end - 8, length - 8)? * 100_000_000 + eight(text, end, 8)?)
        }
        length @ 17..=MOST => {
            let low = eight(text, end - 8, 8)? * 100_000_000 + eight(text, end, 8)?;
            Some(eight(text, end - 16, length - 16)? * 10_000_000_000_000_000 + low)
        }
        _ => None,
    }
}

/// Reads the `length` digits before `end`, one to eight.
#[inline]
fn eight(text: &[u8], end: usize, length: usize) -> Option<u64> {
    let before = text.get(..end)?;
    // The eight bytes before the end; those before the number become zeros.
    let word = match before.last_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => first_bytes(before),
    };
    let strange = u32::try_from(64 - 8 * length).ok()?;
    let kept = u64::MAX.checked_shl(strange).unwrap_or(0);
    let text = (word & kept) | (0x3030_3030_3030_3030 & !kept);
    let high = text & 0xf0f0_f0f0_f0f0_f0f0;
    let above = text.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    if high != 0x3030_3030_3030_3030 || above != high {
        return None;
    }
    // Neighbours are joined: ones to twos, twos to fours, fours to eight.
    let twos = (text & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
    let fours = (twos & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    Some((fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32)
}

/// The last bytes of a text of fewer than eight.
#[cold]
fn first_bytes(text: &[u8]) -> u64 {
    text.iter().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_what_the_standard_library_reads(before in "[0-9a]{0,20}", digits in "[0-9]{1,18}", after in "[0-9,]{0,9}") {
            let text = format!("{before}{digits}{after}");
            let range = before.len()..before.len() + digits.len();
            prop_assert_eq!(parse(text.as_bytes(), range), digits.parse().ok());
        }

        #[test]
        fn refuses_everything_else(text in "\\PC{0,20}") {
            let digits = (1..=MOST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            prop_assert_eq!(parse(text.as_bytes(), 0..text.len()).is_some(), digits);
        }

        #[test]
        fn refuses_one_odd_byte_among_digits(mut text in "[0-9]{1,18}", at in 0_usize..18, byte: u8) {
            prop_assume!(at < text.len() && byte.is_ascii() && !byte.is_ascii_digit());
            text.replace_range(at..=at, &char::from(byte).to_string());
            prop_assert_eq!(parse(text.as_bytes(), 0..text.len()), None);
        }
    }
}
