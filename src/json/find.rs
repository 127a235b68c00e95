//! The vector step: how many of sixteen bytes stand before the first of a class.
//!
//! It is written without a branch, so that a compiler makes vector instructions of it on every machine that has them
//! (SSE2 on x86-64, NEON on aarch64), and plain words elsewhere. The tests hold it against a byte-by-byte twin.

/// Sixteen bytes of text.
pub(super) type Chunk = [u8; 16];

/// Bytes before the first that ends a plain stretch of a JSON string: a quote, a backslash, or what must be escaped.
#[inline]
pub(super) fn plain(chunk: &Chunk) -> usize {
    before(chunk, |byte| (byte == b'"') | (byte == b'\\') | (byte < 0x20))
}

/// Bytes before the first that is no ASCII digit.
#[inline]
pub(super) fn digits(chunk: &Chunk) -> usize {
    before(chunk, |byte| byte.wrapping_sub(b'0') > 9)
}

/// Bytes before the first that is no JSON whitespace (RFC 8259 section 2).
#[inline]
pub(super) fn spaces(chunk: &Chunk) -> usize {
    before(chunk, |byte| (byte != b' ') & (byte != b'\n') & (byte != b'\r') & (byte != b'\t'))
}

/// Bytes before the first of a class; all of them where there is none.
#[inline]
fn before(chunk: &Chunk, is: impl Fn(u8) -> bool) -> usize {
    let marks = chunk.map(|byte| if is(byte) { u8::MAX } else { 0 });
    // Eight bits a byte, the first byte lowest.
    u128::from_le_bytes(marks).trailing_zeros() as usize / 8
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
