//! The vector step: how many of sixteen bytes stand before the first of a class.
//!
//! `wide` makes it SSE2 on x86-64 (AVX2 gained nothing when it was measured), NEON on aarch64 and words elsewhere. The
//! tests hold it against a byte-by-byte twin.

use wide::u8x16;

/// Sixteen bytes of text.
pub(super) type Chunk = [u8; 16];

/// Bytes before the first that ends a plain stretch of a JSON string: a quote, a backslash, or what must be escaped.
#[inline(always)]
pub(super) fn plain(chunk: &Chunk) -> usize {
    let bytes = u8x16::from(*chunk);
    before(is(bytes, b'"') | is(bytes, b'\\') | at_most(bytes, 0x1f))
}

/// Of 32 bytes, a bit each from the lowest on: which end a plain stretch of a JSON string, as for [`plain`], and which
/// of them are quotes.
#[inline(always)]
pub(super) fn ends(bytes: &[u8; 32]) -> (u32, u32) {
    let (halves, _) = bytes.as_chunks::<16>();
    let [low, high] = halves else { return (0, 0) };
    let (low, high) = (u8x16::from(*low), u8x16::from(*high));
    let (low_quotes, high_quotes) = (is(low, b'"'), is(high, b'"'));
    let low_ends = low_quotes | is(low, b'\\') | at_most(low, 0x1f);
    let high_ends = high_quotes | is(high, b'\\') | at_most(high, 0x1f);
    let bits = |low: u8x16, high: u8x16| low.to_bitmask() | high.to_bitmask() << 16;
    (bits(low_ends, high_ends), bits(low_quotes, high_quotes))
}

/// Bytes before the first that is no ASCII digit.
#[inline(always)]
pub(super) fn digits(chunk: &Chunk) -> usize {
    before(!at_most(u8x16::from(*chunk) - u8x16::splat(b'0'), 9))
}

/// Bytes before the first that is no JSON whitespace (RFC 8259 section 2).
#[inline(always)]
pub(super) fn spaces(chunk: &Chunk) -> usize {
    let bytes = u8x16::from(*chunk);
    before(!(is(bytes, b' ') | is(bytes, b'\n') | is(bytes, b'\r') | is(bytes, b'\t')))
}

#[inline(always)]
fn is(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(byte))
}

#[inline(always)]
fn at_most(bytes: u8x16, most: u8) -> u8x16 {
    bytes.min(u8x16::splat(most)).simd_eq(bytes)
}

/// Bytes before the first that is marked; all of them where none is.
#[inline(always)]
fn before(marks: u8x16) -> usize {
    // A bit a byte, the first byte lowest; the bit behind them stands for none.
    (marks.to_bitmask() | 1 << 16).trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte, and few of them under Miri, where all take hours.
    fn all_bytes() -> impl Iterator<Item = u8> {
        (0..=u8::MAX).step_by(if cfg!(miri) { 31 } else { 1 })
    }

    fn bytewise(chunk: &Chunk, is: impl Fn(u8) -> bool) -> usize {
        chunk.iter().take_while(|byte| !is(**byte)).count()
    }

    #[test]
    fn ends_are_those_that_its_bytewise_twin_finds() {
        for filling in [b'a', b'"', b'\\', 0, 0x1f, 0x20, 0x7f, 0x80, 0xff] {
            for byte in all_bytes() {
                for at in 0..32 {
                    let mut bytes = [filling; 32];
                    bytes[at] = byte;
                    let bits = |is: fn(u8) -> bool| {
                        bytes.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(is(*byte)))
                    };
                    let is_end = |byte| matches!(byte, b'"' | b'\\' | 0..0x20);
                    assert_eq!(
                        ends(&bytes),
                        (bits(is_end), bits(|byte| byte == b'"')),
                        "{bytes:?}"
                    );
                }
            }
        }
    }

    /// Every byte at every place, in chunks of every filling.
    #[test]
    fn finds_what_its_bytewise_twin_finds() {
        for filling in all_bytes() {
            for byte in all_bytes() {
                for at in 0..16 {
                    let mut chunk = [filling; 16];
                    chunk[at] = byte;
                    let is_end = |byte| matches!(byte, b'"' | b'\\' | 0..0x20);
                    assert_eq!(plain(&chunk), bytewise(&chunk, is_end), "{chunk:?}");
                    assert_eq!(digits(&chunk), bytewise(&chunk, |b: u8| !b.is_ascii_digit()));
                    let is_other = |byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
                    assert_eq!(spaces(&chunk), bytewise(&chunk, is_other), "{chunk:?}");
                }
            }
        }
    }
}
