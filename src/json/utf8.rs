//! A page's bytes that were checked to be UTF-8, so that whoever reads them as text later need not check again.

use std::str::Utf8Error;

use bytes::Bytes;

/// Bytes that are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utf8(Bytes);

impl Utf8 {
    /// Checks the bytes.
    ///
    /// # Errors
    /// Where they are not UTF-8.
    pub fn check(bytes: Bytes) -> Result<Self, Utf8Error> {
        utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes as text.
    pub fn text(&self) -> &str {
        #[expect(
            unsafe_code,
            reason = "to check a page again is 3 % of what it costs to decode it"
        )]
        // SAFETY: `check` is the one place that makes this type of bytes, and it refused what is not UTF-8; the bytes are
        // private and nothing changes them: `Bytes` is read-only, and its clones share what none of them writes.
        unsafe {
            std::str::from_utf8_unchecked(&self.0)
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// The bytes as text.
///
/// # Errors
/// Where they are not UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, Utf8Error> {
    // The fast check does not say where, the slow one does.
    simdutf8::basic::from_utf8(bytes).or_else(|_| std::str::from_utf8(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf8_passes() {
        let text = Utf8::check(Bytes::from_static("दूध 🛒".as_bytes())).expect("UTF-8");
        assert_eq!((text.text(), text.bytes().len()), ("दूध 🛒", 14));
        assert_eq!(Utf8::default().text(), "");
        for broken in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
            assert!(Utf8::check(Bytes::from_static(broken)).is_err());
        }
    }
}
