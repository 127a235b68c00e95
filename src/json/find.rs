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

    fn bytewise(chunk: &Chunk, is: impl Fn(u8) -> bool) -> usize {
        chunk.iter().take_while(|byte| !is(**byte)).count()
    }

    /// Every byte at every place, in chunks of every filling.
    #[test]
    fn finds_what_its_bytewise_twin_finds() {
        for filling in 0..=u8::MAX {
            for byte in 0..=u8::MAX {
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
