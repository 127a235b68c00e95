//! `format: ndjson`: a JSON value a line, as the array that a scan reads. Each record keeps its own text.

use std::fmt;
use std::ops::Range;

use serde::de::IgnoredAny;

/// The lines of a body, joined to a JSON array.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The array's text.
    pub(crate) array: Vec<u8>,
    /// Where each line stands in it.
    places: Vec<Range<usize>>,
}

/// The first line that is not one JSON value.
#[derive(Debug)]
pub(crate) struct BrokenLine {
    line: usize,
    why: String,
}

impl fmt::Display for BrokenLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not one JSON value: {}", self.line, self.why)
    }
}

impl std::error::Error for BrokenLine {}

impl Lines {
    /// Joins the lines of `text` that are not blank. `\r` before a line's end is JSON whitespace and stays.
    pub(crate) fn join(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut array = Vec::with_capacity(text.len() + 2);
        let mut places = Vec::new();
        array.push(b'[');
        for (_, line) in lines(text) {
            if !places.is_empty() {
                array.push(b',');
            }
            let start = array.len();
            array.extend_from_slice(line.as_bytes());
            places.push(start..array.len());
        }
        array.push(b']');
        Self { array, places }
    }

    /// Whether every line holds one of `records`, whole: `1,2` on a line is valid in an array, and so is a value
    /// that begins on one line and ends on another.
    pub(crate) fn hold(&self, records: &[Range<usize>]) -> bool {
        self.places.len() == records.len()
            && self
                .places
                .iter()
                .zip(records)
                .all(|(line, record)| line.start <= record.start && record.end <= line.end)
    }
}

/// The first line of `text` that is not exactly one JSON value.
pub(crate) fn broken_line(text: &str) -> Option<BrokenLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    lines(text).find_map(|(line, text)| {
        let error = serde_json::from_str::<IgnoredAny>(text).err()?;
        // The error's own line is always the first.
        let why = error.to_string().replace(" at line 1 column", " at column");
        Some(BrokenLine { line, why })
    })
}

/// The lines that are not blank, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(array: &[u8]) -> Vec<Range<usize>> {
        let text = std::str::from_utf8(array).expect("text");
        let values: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).expect("array");
        let start = |value: &str| value.as_ptr() as usize - text.as_ptr() as usize;
        values
            .iter()
            .map(|value| start(value.get())..start(value.get()) + value.get().len())
            .collect()
    }

    #[test]
    fn lines_become_an_array_with_their_own_text() {
        let lines = Lines::join("\u{feff}{\"a\": 1.0}\r\n\n  {\"a\":2 }\n");
        let text = String::from_utf8(lines.array.clone()).expect("text");
        assert_eq!(text, "[{\"a\": 1.0}\r,  {\"a\":2 }]");
        assert!(lines.hold(&spans(&lines.array)));
        assert_eq!(Lines::join("").array, b"[]");
        assert_eq!(Lines::join("\n \r\n").array, b"[]");
    }

    #[test]
    fn a_line_holds_one_value() {
        for text in ["{},{}\n", "[1\n2]\n", "{},[1\n2]\n", "1,2\n3,4"] {
            let lines = Lines::join(text);
            assert!(!lines.hold(&spans(&lines.array)), "{text}");
            assert!(broken_line(text).is_some(), "{text}");
        }
    }

    #[test]
    fn the_broken_line_is_named() {
        let shown = |text: &str| broken_line(text).map(|broken| broken.to_string());
        assert_eq!(
            shown("{\"a\":1}\n\n{\"a\":\n").as_deref(),
            Some("line 3 is not one JSON value: EOF while parsing a value at column 5")
        );
        assert_eq!(
            shown("{} {}").as_deref(),
            Some("line 1 is not one JSON value: trailing characters at column 4")
        );
        assert_eq!(shown("{}\n1\n"), None);
    }

    proptest::proptest! {
        /// The array that holds its lines is read as the lines one by one are.
        #[test]
        fn what_holds_is_what_each_line_says(text in "[\\[\\]{}\",:1a\\\\ \n\r]{0,24}") {
            let lines = Lines::join(&text);
            let array = std::str::from_utf8(&lines.array).expect("text");
            let valid = serde_json::from_str::<Vec<IgnoredAny>>(array).is_ok();
            let holds = valid && lines.hold(&spans(&lines.array));
            proptest::prop_assert_eq!(holds, broken_line(&text).is_none());
        }
    }
}
