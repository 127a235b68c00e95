//! A body as UTF-8: what the server declares in another charset is transcoded, never guessed at.

use std::fmt;

use bytes::Bytes;
use encoding_rs::{DecoderResult, Encoding, REPLACEMENT, UTF_8, WINDOWS_1252};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use crate::json::utf8::utf8;
use crate::spec::source::Format;

/// What a response says of its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    /// The media type in lower case, without parameters; empty where there is none.
    pub(crate) essence: String,
    /// The declared charset.
    charset: Option<&'static Encoding>,
}

/// Bytes that the charset does not have.
#[derive(Debug)]
pub(crate) struct Malformed {
    charset: &'static str,
    /// The first such byte, from 0.
    at: usize,
    /// Its line, from 1.
    line: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} (line {}) is not {}", self.at, self.line, self.charset)
    }
}

impl std::error::Error for Malformed {}

impl Media {
    /// What `headers` declare.
    ///
    /// # Errors
    /// The name of a charset that is not known.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Self::default()) };
        Self::read(&String::from_utf8_lossy(value.as_bytes()))
    }

    /// Reads the value of a Content-Type header (RFC 9110 §8.3.1).
    ///
    /// # Errors
    /// As [`Media::of`].
    pub(crate) fn read(value: &str) -> Result<Self, String> {
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches(['"', '\'']).trim();
            (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
        });
        let Some(label) = charset else { return Ok(Self { essence, charset: None }) };
        match Encoding::for_label(label.as_bytes()) {
            // Encodings of old that browsers refuse to decode, for the harm that they can do.
            Some(encoding) if encoding == REPLACEMENT => Err(shown(label)),
            Some(encoding) => Ok(Self { essence, charset: Some(encoding) }),
            None => Err(shown(label)),
        }
    }

    /// Whether the type is JSON's, HTML's or XML's.
    pub(crate) fn is_markup_or_json(&self) -> bool {
        let kind = self.essence.rsplit(['/', '+']).next().unwrap_or_default();
        matches!(kind, "json" | "html" | "xhtml" | "xml")
    }

    /// `body` in UTF-8. A byte order mark says more than the header (WHATWG Encoding §6.1).
    ///
    /// Servers add `charset=ISO-8859-1` on their own, to JSON too, for which the parameter has no meaning and which is
    /// UTF-8 (RFC 8259 §8.1 and §11): JSON that is declared so and is valid UTF-8 is taken as that.
    ///
    /// # Errors
    /// The first bytes that are not of the charset. What is not declared is not checked here.
    pub(crate) fn utf8(&self, body: Bytes, format: Format) -> Result<Bytes, Malformed> {
        let (charset, skipped) = match (Encoding::for_bom(&body), self.charset) {
            (Some((marked, length)), _) => (marked, length),
            (None, Some(declared)) => (declared, 0),
            (None, None) => return Ok(body),
        };
        let is_default = charset == WINDOWS_1252 && matches!(format, Format::Json | Format::Ndjson);
        if charset == UTF_8
            || (charset.is_ascii_compatible() && body.is_ascii())
            || (is_default && utf8(&body).is_ok())
        {
            return Ok(body);
        }
        let bytes = body.slice(skipped..);
        match charset.decode_without_bom_handling_and_without_replacement(&bytes) {
            Some(text) => Ok(Bytes::from(text.into_owned())),
            None => Err(malformed(charset, &body, skipped)),
        }
    }
}

/// A name as it may be shown.
fn shown(label: &str) -> String {
    label.chars().take(40).collect()
}

fn malformed(charset: &'static Encoding, body: &[u8], start: usize) -> Malformed {
    let mut decoder = charset.new_decoder_without_bom_handling();
    let mut text = vec![0; 64 * 1024];
    let mut at = start;
    loop {
        let rest = body.get(at..).unwrap_or_default();
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(rest, &mut text, true);
        at += read;
        match result {
            DecoderResult::Malformed(length, behind) => {
                at = at.saturating_sub(usize::from(length) + usize::from(behind));
                break;
            }
            DecoderResult::OutputFull if read > 0 || written > 0 => {}
            DecoderResult::OutputFull | DecoderResult::InputEmpty => break,
        }
    }
    let before = body.get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Malformed { charset: charset.name(), at, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content_type: &str, body: &[u8], format: Format) -> Result<String, String> {
        let media = Media::read(content_type)?;
        let utf8 = media.utf8(Bytes::copy_from_slice(body), format);
        let utf8 = utf8.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(utf8.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn a_declared_charset_is_transcoded() {
        for (content_type, body) in [
            ("application/json; charset=ISO-8859-1", &b"\"caf\xe9\""[..]),
            ("application/json;CharSet=\"latin1\"", b"\"caf\xe9\""),
            ("text/csv; header=present; charset='windows-1252'", b"\"caf\xe9\""),
            ("application/json; charset=utf-16", b"\"\0c\0a\0f\0\xe9\0\"\0"),
            ("application/json; charset=utf-16be", b"\0\"\0c\0a\0f\0\xe9\0\""),
            ("application/json; charset=utf-8", b"\xfe\xff\0\"\0c\0a\0f\0\xe9\0\""),
            ("application/json", b"\xff\xfe\"\0c\0a\0f\0\xe9\0\"\0"),
            ("application/json; charset=", "\"café\"".as_bytes()),
            ("", "\"café\"".as_bytes()),
        ] {
            let read = text(content_type, body, Format::Json);
            assert_eq!(read.as_deref(), Ok("\"café\""), "{content_type}");
        }
        let kanji = text("text/csv; charset=Shift_JIS", b"\x93\xfa\x96{", Format::Csv);
        assert_eq!(kanji.as_deref(), Ok("日本"));
    }

    #[test]
    fn json_that_is_utf_8_is_not_bent_by_a_servers_default() {
        let body = "{\"name\":\"Zoë\"}";
        for (format, read) in [
            (Format::Json, "{\"name\":\"Zoë\"}"),
            (Format::Ndjson, "{\"name\":\"Zoë\"}"),
            (Format::Csv, "{\"name\":\"ZoÃ«\"}"),
        ] {
            let found = text("application/json; charset=iso-8859-1", body.as_bytes(), format);
            assert_eq!(found.as_deref(), Ok(read));
        }
    }

    #[test]
    fn what_is_not_known_or_not_valid_is_named() {
        for label in ["utf-32", "klingon", "iso-2022-kr", "utf8mb4"] {
            let read = text(&format!("text/csv; charset={label}"), b"a", Format::Csv);
            assert_eq!(read, Err(label.to_owned()));
        }
        let read = text("text/csv; charset=shift_jis", b"a,b\n1,\x93\n", Format::Csv);
        assert_eq!(read, Err("byte 6 (line 2) is not Shift_JIS".to_owned()));
        let read = text("application/json; charset=utf-16le", b"1\0\0\xd8", Format::Json);
        assert_eq!(read, Err("byte 2 (line 1) is not UTF-16LE".to_owned()));
        // What nobody declared is left to the scan, which names the byte as well.
        let media = Media::read("application/json").expect("media");
        assert!(media.utf8(Bytes::from_static(b"\xe9"), Format::Json).is_ok());
    }

    #[test]
    fn json_and_markup_are_told_from_csv() {
        for kind in ["application/json", "text/html", "application/problem+json", "text/xml"] {
            assert!(Media::read(kind).expect(kind).is_markup_or_json(), "{kind}");
        }
        for kind in ["text/csv", "text/plain", "application/octet-stream", ""] {
            assert!(!Media::read(kind).expect(kind).is_markup_or_json(), "{kind}");
        }
    }
}
