//! The ways in which a character may be written: by URLs, JSON and HTML.

/// What is left of `text` behind `form`, if it begins with it, with any of its characters escaped in any way.
pub(super) fn behind<'t>(text: &'t str, form: &str) -> Option<&'t str> {
    let mut rest = text;
    for wanted in form.chars() {
        // As it stands last: what escapes begin with may itself be escaped.
        rest = percent(rest, wanted)
            .or_else(|| backslash(rest, wanted))
            .or_else(|| entity(rest, wanted))
            .or_else(|| rest.strip_prefix(wanted))?;
    }
    (rest.len() < text.len()).then_some(rest)
}

/// RFC 3986 section 2.1, each byte of it.
fn percent(text: &str, wanted: char) -> Option<&str> {
    let mut rest = text;
    for byte in wanted.encode_utf8(&mut [0; 4]).bytes() {
        let digits = rest.strip_prefix('%')?.get(..2)?;
        if u8::from_str_radix(digits, 16).ok()? != byte {
            return None;
        }
        rest = rest.get(3..)?;
    }
    Some(rest)
}

/// RFC 8259 section 7: `\\u0026`, also of a surrogate pair, and `\\"`, `\\\\`, `\\/`.
fn backslash(text: &str, wanted: char) -> Option<&str> {
    let short = text.strip_prefix('\\').and_then(|rest| rest.strip_prefix(wanted));
    if matches!(wanted, '"' | '\\' | '/' | '\'') && short.is_some() {
        return short;
    }
    let mut rest = text;
    for unit in wanted.encode_utf16(&mut [0; 2]) {
        let digits = rest.strip_prefix("\\u")?.get(..4)?;
        if u16::from_str_radix(digits, 16).ok()? != *unit {
            return None;
        }
        rest = rest.get(6..)?;
    }
    Some(rest)
}

/// Bytes of the longest character reference that is looked at: `&#1114111;`.
const LONGEST: usize = 10;

/// A character reference of HTML: `&amp;`, `&#38;`, `&#x26;`.
fn entity(text: &str, wanted: char) -> Option<&str> {
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let (name, rest) = (text.get(..end)?.strip_prefix('&')?, text.get(end + 1..)?);
    let number = name.strip_prefix('#');
    let code = match number.and_then(|number| number.strip_prefix(['x', 'X'])) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.and_then(|number| number.parse().ok()),
    };
    let named = match wanted {
        '&' => name == "amp",
        '<' => name == "lt",
        '>' => name == "gt",
        '"' => name == "quot",
        '\'' => name == "apos",
        _ => false,
    };
    (named || code == Some(u32::from(wanted))).then_some(rest)
}
