//! Bodies as they were before they were compressed for the way (RFC 9110 §8.4), never larger than the cap.
//!
//! Done here and not by the HTTP client: it inflates on the threads that also send the requests, and in small
//! pieces; and of a body that is cut it does not say so.

use std::io::{Error, ErrorKind, Read, Result};

use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// What is asked for, the cheapest to inflate first.
pub(super) const ACCEPTED: &str = "zstd, gzip, br, deflate";

/// Codings of one body; as many as curl follows.
const MOST_CODINGS: usize = 5;

/// Bytes that are inflated at a time where the size is not known.
const STEP: usize = 64 * 1024;

/// The largest window of a zstd frame, as a power of two: 8 MiB, the most that RFC 9659 §3 lets a server use.
const ZSTD_WINDOW: u32 = 23;

/// One content coding (RFC 9110 §8.4.1, RFC 7932, RFC 9659).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The codings of a body, in the order in which they were applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Codings(Vec<Coding>);

/// Why a body cannot be inflated.
#[derive(Debug)]
pub(super) enum Bad {
    /// It is larger than allowed.
    TooLarge,
    /// It is cut, or was never what its header says.
    Corrupt(Error),
}

impl Codings {
    /// The codings that a response names, in any case, over any number of headers.
    ///
    /// # Errors
    /// The name of one that is not known, or the whole list where it is too long.
    pub(super) fn of(headers: &HeaderMap) -> std::result::Result<Self, String> {
        let mut codings = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for name in text.split(',').map(str::trim) {
                codings.push(match name.to_ascii_lowercase().as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Coding::Gzip,
                    "deflate" => Coding::Deflate,
                    "br" => Coding::Brotli,
                    "zstd" => Coding::Zstd,
                    _ => return Err(name.chars().take(40).collect()),
                });
                if codings.len() > MOST_CODINGS {
                    return Err(text.chars().take(40).collect());
                }
            }
        }
        Ok(Self(codings))
    }

    /// Whether the body is what it was.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Undoes the codings, the last first; neither the result nor anything between is larger than `most`.
    ///
    /// # Errors
    /// [`Bad`].
    pub(super) fn inflate(&self, body: &[u8], most: usize) -> std::result::Result<Vec<u8>, Bad> {
        let mut inflated: Option<Vec<u8>> = None;
        for coding in self.0.iter().rev() {
            let mut whole = Vec::new();
            let packed = inflated.as_deref().unwrap_or(body);
            undo(*coding, packed, most, &mut whole).map_err(Bad::Corrupt)?;
            if whole.len() > most {
                return Err(Bad::TooLarge);
            }
            inflated = Some(whole);
        }
        let mut inflated = inflated.unwrap_or_else(|| body.to_vec());
        // The page keeps its buffer for as long as its rows are under way.
        if inflated.capacity() / 4 > inflated.len() / 3 {
            inflated.shrink_to_fit();
        }
        Ok(inflated)
    }

    /// As much of the body's beginning as can be inflated, `most` at most.
    pub(super) fn inflate_head(&self, body: &[u8], most: usize) -> Vec<u8> {
        let mut head = body.to_vec();
        for coding in self.0.iter().rev() {
            let mut inflated = Vec::new();
            // What was inflated before a fault is what there is to show.
            let _ = undo(*coding, &head, most, &mut inflated);
            inflated.truncate(most);
            head = inflated;
        }
        head
    }
}

/// Inflates into `out` what comes to `most` bytes and one more, by which the caller knows that it is too much.
fn undo(coding: Coding, body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<()> {
    out.reserve_exact(expected(coding, body).clamp(STEP, most.saturating_add(1).max(STEP)));
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    match coding {
        Coding::Gzip => MultiGzDecoder::new(body).take(limit).read_to_end(out).map(drop),
        Coding::Deflate => deflate(body, most, out),
        Coding::Brotli => {
            let reader = brotli_decompressor::Decompressor::new(body, STEP);
            reader.take(limit).read_to_end(out).map(drop)
        }
        Coding::Zstd => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(body)?;
            reader.window_log_max(ZSTD_WINDOW)?;
            reader.take(limit).read_to_end(out).map(drop)
        }
    }
}

/// How much will come out, as far as can be told: a gzip member names its size at its end (RFC 1952 §2.3.1), JSON
/// is packed to a fifth or less.
fn expected(coding: Coding, body: &[u8]) -> usize {
    let named = match coding {
        Coding::Gzip => body.last_chunk().map(|size| u32::from_le_bytes(*size)),
        Coding::Deflate | Coding::Brotli | Coding::Zstd => None,
    };
    // A size that is out of all proportion is not believed.
    let named = named.and_then(|size| usize::try_from(size).ok());
    named.filter(|size| *size / 64 <= body.len()).unwrap_or_else(|| body.len().saturating_mul(6))
}

/// `deflate` is the zlib format (RFC 9110 §8.4.1.2), but some servers leave its header out, which browsers follow.
fn deflate(body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<()> {
    let mut state = Decompress::new(is_zlib(body));
    let mut rest = body;
    loop {
        if out.len() > most {
            return Ok(());
        }
        if out.len() == out.capacity() {
            let room = most.saturating_add(1) - out.len();
            out.reserve_exact(out.len().clamp(STEP, room.max(STEP)));
        }
        let before = (state.total_in(), state.total_out());
        let status = state.decompress_vec(rest, out, FlushDecompress::None)?;
        let read = usize::try_from(state.total_in() - before.0).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or_default();
        let stuck = before == (state.total_in(), state.total_out());
        match status {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError if stuck => {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the deflate stream is cut"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Whether a zlib header stands at the beginning (RFC 1950 §2.2).
fn is_zlib(body: &[u8]) -> bool {
    let Some([method, flags]) = body.first_chunk() else { return false };
    method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use reqwest::header::HeaderValue;

    use super::*;

    fn pack(name: &str, text: &[u8]) -> Vec<u8> {
        match name {
            "gzip" => {
                let mut to = GzEncoder::new(Vec::new(), Compression::default());
                to.write_all(text).expect("write");
                to.finish().expect("gzip")
            }
            "deflate" => {
                let mut to = ZlibEncoder::new(Vec::new(), Compression::default());
                to.write_all(text).expect("write");
                to.finish().expect("zlib")
            }
            "raw" => {
                let mut to = DeflateEncoder::new(Vec::new(), Compression::default());
                to.write_all(text).expect("write");
                to.finish().expect("deflate")
            }
            "br" => {
                let mut to = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
                to.write_all(text).expect("write");
                to.into_inner()
            }
            "zstd" => zstd::encode_all(text, 1).expect("zstd"),
            other => panic!("{other}"),
        }
    }

    fn codings(text: &str) -> Codings {
        let value = HeaderValue::from_str(text).expect("value");
        Codings::of(&HeaderMap::from_iter([(CONTENT_ENCODING, value)])).expect("codings")
    }

    fn text(size: usize) -> Vec<u8> {
        (0..size).map(|n| b' ' + u8::try_from(n * n % 89).expect("a byte")).collect()
    }

    const NAMES: [(&str, &str); 5] = [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("raw", "deflate"),
        ("br", "br"),
        ("zstd", "ZSTD"),
    ];

    #[test]
    fn every_coding_comes_out_whole_at_every_size() {
        for size in [0, 1, 63, 65_535, 65_536, 65_537, 300_000] {
            for (how, name) in NAMES {
                let packed = pack(how, &text(size));
                let out = codings(name).inflate(&packed, size).expect(how);
                assert!(out == text(size), "{how} {size}");
            }
        }
    }

    #[test]
    fn one_byte_over_the_cap_is_too_large() {
        for (how, name) in NAMES {
            let packed = pack(how, &text(200_000));
            let bad = codings(name).inflate(&packed, 199_999).expect_err(how);
            assert!(matches!(bad, Bad::TooLarge), "{how}: {bad:?}");
        }
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_corrupt() {
        let text = text(5_000);
        for (how, name) in NAMES {
            let packed = pack(how, &text);
            for end in (1..packed.len()).step_by(7).chain([packed.len() - 1]) {
                let bad = codings(name).inflate(&packed[..end], 10_000).expect_err(how);
                assert!(matches!(bad, Bad::Corrupt(_)), "{how} at {end}: {bad:?}");
                let head = codings(name).inflate_head(&packed[..end], 10_000);
                assert!(text.starts_with(&head), "{how} at {end}");
            }
        }
    }

    #[test]
    fn members_frames_and_stacked_codings_are_followed() {
        let both = |name| [pack(name, b"[1,"), pack(name, b"2]")].concat();
        assert_eq!(codings("x-gzip").inflate(&both("gzip"), 99).expect("members"), b"[1,2]");
        assert_eq!(codings("zstd").inflate(&both("zstd"), 99).expect("frames"), b"[1,2]");
        let stacked = pack("zstd", &pack("br", &pack("gzip", b"[3]")));
        let list = codings("gzip, identity,BR , zstd");
        assert_eq!(list.inflate(&stacked, 99).expect("stack"), b"[3]");
        let headers = HeaderMap::from_iter(
            ["gzip", "br"].map(|one| (CONTENT_ENCODING, HeaderValue::from_static(one))),
        );
        assert_eq!(Codings::of(&headers), Ok(Codings(vec![Coding::Gzip, Coding::Brotli])));
    }

    #[test]
    fn a_bomb_in_a_bomb_stops_at_the_cap() {
        let inner = pack("gzip", &vec![b' '; 10_000_000]);
        let packed = pack("zstd", &inner);
        let bad = codings("gzip, zstd").inflate(&packed, 100_000).expect_err("bomb");
        assert!(matches!(bad, Bad::TooLarge));
        assert_eq!(codings("gzip").inflate_head(&inner, 1_000).len(), 1_000);
    }

    #[test]
    fn what_is_not_known_is_named() {
        let of = |text: &'static str| {
            Codings::of(&HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(text))]))
        };
        assert_eq!(of("gzip, compress"), Err("compress".to_owned()));
        assert!(of("br,br,br,br,br,br").is_err());
        assert!(of("identity").is_ok_and(|codings| codings.is_none()));
        assert_eq!(Codings::of(&HeaderMap::new()), Ok(Codings::default()));
    }

    proptest::proptest! {
        #[test]
        fn no_body_is_too_odd(body: Vec<u8>, name in "gzip|deflate|br|zstd") {
            let codings = codings(&name);
            let _ = codings.inflate_head(&body, 1_000);
            let _ = codings.inflate(&body, 1_000);
        }
    }
}
