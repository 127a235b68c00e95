//! The grammar of RFC 8259, a value at a time: where each ends, or `None` where it is not one.
//!
//! Offsets are into the page, whose UTF-8 was checked as a whole.

use crate::json::find::{self, Chunk};
use crate::json::span::{Form, Span};
use crate::json::tape::MAX_DEPTH;

/// Sixteen bytes from `at`; `None` nearer to the end.
#[inline]
pub(super) fn chunk(bytes: &[u8], at: usize) -> Option<&Chunk> {
    bytes.get(at..)?.first_chunk()
}

/// The first byte from `at` on that is no whitespace.
#[inline]
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    // Compact text has none, and whitespace is below every other byte that may stand there.
    if bytes.get(at).is_some_and(|byte| *byte > b' ') { at } else { skip_spaces(bytes, at) }
}

fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = chunk(bytes, at) {
        let spaces = find::spaces(chunk);
        at += spaces;
        if spaces < chunk.len() {
            return at;
        }
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    at + bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| is_space(byte)).count())
}

/// The end of a string whose content begins at `at`, behind its closing quote, and whether it has an escape.
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    while let Some(chunk) = chunk(bytes, at) {
        let plain = find::plain(chunk);
        at += plain;
        if plain < chunk.len() {
            if bytes.get(at) == Some(&b'"') {
                return Some((at + 1, false));
            }
            break;
        }
    }
    escaped_string(bytes, at)
}

/// As [`string`], from an escape on, or from the last bytes of the text.
fn escaped_string(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        match bytes.get(at)? {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => {
                escaped = true;
                at += match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' => {
                        let digits = bytes.get(at + 2..at + 6)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
                    }
                    _ => return None,
                };
            }
            0..0x20 => return None,
            _ => at += chunk(bytes, at).map_or(1, find::plain),
        }
    }
}

/// The end of a number that begins at `at`, and its form.
#[inline]
pub(super) fn number(bytes: &[u8], at: usize) -> Option<(usize, Form)> {
    let first = at + usize::from(bytes.get(at) == Some(&b'-'));
    let end = digits(bytes, first);
    // One digit at least, and no zero before others.
    if end == first || (bytes.get(first) == Some(&b'0') && end > first + 1) {
        return None;
    }
    match bytes.get(end) {
        Some(b'.' | b'e' | b'E') => fraction(bytes, end).map(|end| (end, Form::Fraction)),
        _ => Some((end, Form::Integer)),
    }
}

fn fraction(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'.') {
        let end = digits(bytes, at + 1);
        (end > at + 1).then_some(())?;
        at = end;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let first = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(bytes, first);
        (end > first).then_some(())?;
        at = end;
    }
    Some(at)
}

/// The first byte from `at` on that is no digit.
#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = chunk(bytes, at) {
        let digits = find::digits(chunk);
        at += digits;
        if digits < chunk.len() {
            return at;
        }
    }
    at + bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// The end of `word` at `at`.
#[inline]
fn word<const N: usize>(bytes: &[u8], at: usize, word: &[u8; N]) -> Option<usize> {
    (bytes.get(at..)?.first_chunk::<N>()? == word).then_some(at + N)
}

/// The value at `at` or behind the whitespace there, which is inside `depth` objects and arrays, and its end.
#[inline(always)]
pub(super) fn value(bytes: &[u8], at: usize, depth: u32) -> Option<(Span, usize)> {
    if let Some(text) = bytes.get(at..).and_then(|rest| rest.first_chunk::<33>())
        && (text[0] == b'"') | (text[0] == b'n')
        && let Some(usual) = usual(text, at)
    {
        return Some(usual);
    }
    let span = if bytes.get(at) == Some(&b'"') {
        let (end, escaped) = string(bytes, at + 1)?;
        Span::new(Form::String, at, end, escaped)
    } else {
        other_value(bytes, at, depth)?
    };
    (!span.is_empty()).then(|| (span, span.end()))
}

/// The value at `at`, whose text begins so, if it is a short string without escapes or null. Which of both is no branch
/// but a choice of numbers: it is what no processor foresees. Where it ends is told beside it, as what follows waits for
/// that alone.
#[inline(always)]
fn usual(text: &[u8; 33], at: usize) -> Option<(Span, usize)> {
    let (ends, quotes) = find::ends(text.last_chunk()?);
    let is_string = text[0] == b'"';
    let closes = quotes & ends & ends.wrapping_neg() != 0;
    let is_null = text.first_chunk() == Some(b"null");
    let (form, length) = if is_string {
        (Form::String, ends.trailing_zeros() as usize + 2)
    } else {
        (Form::Null, 4)
    };
    let end = at + length;
    let span = Span::new(form, at, end, false);
    (((is_string & closes) | is_null) & !span.is_empty()).then_some((span, end))
}

fn other_value(bytes: &[u8], at: usize, depth: u32) -> Option<Span> {
    let (form, end, escaped) = match bytes.get(at)? {
        b'n' => (Form::Null, word(bytes, at, b"null")?, false),
        b'0'..=b'9' | b'-' => {
            let (end, form) = number(bytes, at)?;
            (form, end, false)
        }
        b't' => (Form::Bool, word(bytes, at, b"true")?, false),
        b'f' => (Form::Bool, word(bytes, at, b"false")?, false),
        b'{' => {
            let (end, escaped) = container(bytes, at, depth)?;
            (Form::Object, end, escaped)
        }
        b'[' => {
            let (end, escaped) = container(bytes, at, depth)?;
            (Form::Array, end, escaped)
        }
        b' ' | b'\n' | b'\r' | b'\t' => return Some(value(bytes, skip_space(bytes, at), depth)?.0),
        _ => return None,
    };
    Some(Span::new(form, at, end, escaped))
}

/// The end of the object or array at `at`, which is inside `depth` others, and whether a string in it has an escape.
/// What is nested deeper than a record may be is left to the reference: it is no error of the text.
fn container(bytes: &[u8], mut at: usize, depth: u32) -> Option<(usize, bool)> {
    let mut levels = Levels { objects: 0, depth: 0, room: MAX_DEPTH.checked_sub(depth)? };
    let mut escaped = false;
    loop {
        // A value begins at `at`.
        match bytes.get(at)? {
            open @ (b'{' | b'[') => {
                let object = *open == b'{';
                levels.enter(object)?;
                at = skip_space(bytes, at + 1);
                if bytes.get(at)? != if object { &b'}' } else { &b']' } {
                    at = if object { key(bytes, at, &mut escaped)? } else { at };
                    continue;
                }
                at += 1;
                levels.leave();
            }
            b'"' => {
                let (end, has_escape) = string(bytes, at + 1)?;
                escaped |= has_escape;
                at = end;
            }
            b'n' => at = word(bytes, at, b"null")?,
            b't' => at = word(bytes, at, b"true")?,
            b'f' => at = word(bytes, at, b"false")?,
            _ => at = number(bytes, at)?.0,
        }
        match levels.next(bytes, at, &mut escaped)? {
            (true, next) => at = next,
            (false, end) => return Some((end, escaped)),
        }
    }
}

/// Where the value of the key at `at` begins.
#[inline]
fn key(bytes: &[u8], at: usize, escaped: &mut bool) -> Option<usize> {
    (bytes.get(at)? == &b'"').then_some(())?;
    let (end, has_escape) = string(bytes, at + 1)?;
    *escaped |= has_escape;
    after_colon(bytes, end)
}

/// Where the value begins whose key ended at `at`.
#[inline]
pub(super) fn after_colon(bytes: &[u8], at: usize) -> Option<usize> {
    let at = skip_space(bytes, at);
    (bytes.get(at)? == &b':').then(|| skip_space(bytes, at + 1))
}

/// What a place in the text is inside of: a bit a level, the innermost the lowest, set for objects.
struct Levels {
    objects: u128,
    depth: u32,
    room: u32,
}

impl Levels {
    fn enter(&mut self, object: bool) -> Option<()> {
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        (self.depth <= self.room).then_some(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    /// Behind a value: where the next one begins, or the end of all that it is inside of.
    #[inline]
    fn next(&mut self, bytes: &[u8], mut at: usize, escaped: &mut bool) -> Option<(bool, usize)> {
        while self.depth > 0 {
            at = skip_space(bytes, at);
            match (bytes.get(at)?, self.objects & 1 == 1) {
                (b',', true) => {
                    return Some((true, key(bytes, skip_space(bytes, at + 1), escaped)?));
                }
                (b',', false) => return Some((true, skip_space(bytes, at + 1))),
                (b'}', true) | (b']', false) => {
                    at += 1;
                    self.leave();
                }
                _ => return None,
            }
        }
        Some((false, at))
    }
}
