//! The escapes of JSON strings (RFC 8259 section 7), and lone surrogates, which no text can hold.

use std::borrow::Cow;

use memchr::memchr;

/// The text of a JSON string's raw text, quotes included, and how many lone surrogates became U+FFFD.
///
/// The raw text has passed a strict parser, so malformed escapes do not occur; they would be kept as they stand.
pub fn unescape(raw: &str) -> (Cow<'_, str>, u64) {
    let inner = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(raw);
    let Some(first) = memchr(b'\\', inner.as_bytes()) else {
        return (Cow::Borrowed(inner), 0);
    };
    let mut text = String::with_capacity(inner.len());
    let mut surrogates = 0;
    let (mut rest, mut next) = (inner, Some(first));
    while let Some((plain, after)) =
        next.and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?)))
    {
        text.push_str(plain);
        rest = match after.as_bytes().first() {
            Some(b'u') => {
                unescape_unicode(after.get(1..).unwrap_or(""), &mut text, &mut surrogates)
            }
            Some(byte) => {
                text.push(simple_escape(*byte));
                after.get(1..).unwrap_or("")
            }
            None => "",
        };
        next = memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    (Cow::Owned(text), surrogates)
}

fn simple_escape(byte: u8) -> char {
    match byte {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        byte => char::from(byte),
    }
}

/// Reads the four digits after `\u`, and a second escape where the first is a leading surrogate; returns what follows.
fn unescape_unicode<'a>(after: &'a str, text: &mut String, surrogates: &mut u64) -> &'a str {
    let (Some(unit), rest) = (hex4(after), after.get(4..).unwrap_or("")) else {
        text.push_str("\\u");
        return after;
    };
    if let Some(c) = char::from_u32(unit) {
        text.push(c);
        return rest;
    }
    let trailing = rest.strip_prefix("\\u").and_then(hex4).filter(|t| (0xDC00..0xE000).contains(t));
    if let (0xD800..0xDC00, Some(trailing)) = (unit, trailing) {
        let scalar = 0x1_0000 + ((unit - 0xD800) << 10) + (trailing - 0xDC00);
        text.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
        return rest.get(6..).unwrap_or("");
    }
    *surrogates += 1;
    text.push(char::REPLACEMENT_CHARACTER);
    rest
}

/// JSON text with every lone surrogate's escape as `\\ufffd`, and how many there were; `None` where there is none.
///
/// Readers that take a column as JSON (DuckDB) refuse the whole file for one of them.
pub fn mend(raw: &str) -> Option<(String, u64)> {
    let mut lone = Vec::new();
    let mut at = 0;
    while let Some(step) = raw.as_bytes().get(at..).and_then(|rest| memchr(b'\\', rest)) {
        let here = at + step;
        let unit = |at: usize| raw.get(at..).and_then(|r| r.strip_prefix("\\u")).and_then(hex4);
        at = match (unit(here), unit(here + 6)) {
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => here + 12,
            (Some(0xD800..0xE000), _) => {
                lone.push(here);
                here + 6
            }
            (Some(_), _) => here + 6,
            (None, _) => here + 2,
        };
    }
    lone.first()?;
    let mut mended = String::with_capacity(raw.len());
    let mut from = 0;
    for here in &lone {
        mended.push_str(raw.get(from..*here).unwrap_or(""));
        mended.push_str("\\ufffd");
        from = here + 6;
    }
    mended.push_str(raw.get(from..).unwrap_or(""));
    let count = u64::try_from(lone.len()).unwrap_or(u64::MAX);
    Some((mended, count))
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.as_bytes().first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}
