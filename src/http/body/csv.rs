//! `format: csv`: comma-separated values with a header (RFC 4180) as a JSON array of objects of strings.
//!
//! Why no crate? Those that are well kept read on where the text is broken: a quote that never closes swallows the
//! rest of the page as one value, and text behind a closing quote is glued to it. Here both are errors with a line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// What is wrong with the text.
#[derive(Debug)]
pub(crate) struct BrokenCsv {
    /// The line, from 1.
    line: usize,
    what: String,
}

impl fmt::Display for BrokenCsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for BrokenCsv {}

/// Why there is no array.
#[derive(Debug)]
pub(crate) enum NoArray {
    /// The text is broken.
    Broken(BrokenCsv),
    /// It would be larger than allowed.
    TooLarge,
}

impl From<BrokenCsv> for NoArray {
    fn from(broken: BrokenCsv) -> Self {
        Self::Broken(broken)
    }
}

/// The rows of `text` as a JSON array of objects, of at most `most` bytes.
///
/// # Errors
/// [`NoArray`]: no header, a name that stands in it twice, a row with more or fewer values than names, a quote that
/// does not close or closes in the middle of a value.
pub(crate) fn to_array(text: &str, most: usize) -> Result<Vec<u8>, NoArray> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let keys = header(&mut reader)?;
    let mut array = vec![b'['];
    while let Some(row) = reader.row(keys.len())? {
        if row.values.len() != keys.len() {
            let (found, wanted) = (row.values.len(), keys.len());
            let what = format!("{} where the header has {wanted}", counted(found));
            return Err(BrokenCsv { line: row.line, what }.into());
        }
        for (index, (key, value)) in keys.iter().zip(&row.values).enumerate() {
            let before: &[u8] = match (index, array.len()) {
                (0, 1) => b"{",
                (0, _) => b",{",
                _ => b",",
            };
            array.extend_from_slice(before);
            array.extend_from_slice(key.as_bytes());
            array.push(b':');
            write_string(&mut array, value);
        }
        array.push(b'}');
        if array.len() >= most {
            return Err(NoArray::TooLarge);
        }
    }
    array.push(b']');
    Ok(array)
}

/// The header's names as JSON strings.
fn header(reader: &mut Reader<'_>) -> Result<Vec<String>, BrokenCsv> {
    let broken = |what: String| BrokenCsv { line: 1, what };
    if reader.rest.trim_start().starts_with(['<', '{']) {
        let first: String = reader.rest.trim_start().chars().take(1).collect();
        return Err(broken(format!("it begins with `{first}`, which is no header")));
    }
    let row = reader.row(0)?.filter(|row| row.values.iter().any(|name| !name.is_empty()));
    let Some(row) = row else { return Err(broken("there is no header".to_owned())) };
    if let [only] = row.values.as_slice()
        && let Some(mark) = only.chars().find(|c| matches!(c, ';' | '\t' | '|'))
    {
        let shown: String =
            only.chars().take(60).map(|c| if c == '\t' { ' ' } else { c }).collect();
        let mark = if mark == '\t' { "a tab".to_owned() } else { format!("`{mark}`") };
        return Err(broken(format!(
            "the header `{shown}` is one name with {mark} in it: values are told apart by commas"
        )));
    }
    let mut places = HashMap::new();
    for (name, column) in row.values.iter().zip(1..) {
        if let Some(before) = places.insert(name.as_ref(), column) {
            let shown: String = name.chars().take(60).collect();
            return Err(broken(format!(
                "the header has the name `{shown}` twice, in columns {before} and {column}"
            )));
        }
    }
    Ok(row.values.iter().map(|name| serde_json::Value::from(name.as_ref()).to_string()).collect())
}

fn counted(values: usize) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

/// A JSON string (RFC 8259 §7).
fn write_string(array: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        array.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    } else {
        array.push(b'"');
        array.extend_from_slice(text.as_bytes());
        array.push(b'"');
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// The line of `rest`, from 1.
    line: usize,
}

struct Row<'a> {
    /// Where it begins.
    line: usize,
    values: Vec<Cow<'a, str>>,
}

/// What stands behind a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Value,
    Row,
}

impl<'a> Reader<'a> {
    /// The next row; `None` behind the last. Blank lines are no rows, but that of a single column, where one between
    /// others is an empty value.
    fn row(&mut self, columns: usize) -> Result<Option<Row<'a>>, BrokenCsv> {
        if columns != 1 || self.rest.trim_end_matches(['\r', '\n']).is_empty() {
            while self.rest.starts_with(['\r', '\n']) {
                self.end();
            }
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut row = Row { line: self.line, values: Vec::with_capacity(columns) };
        loop {
            row.values.push(self.value()?);
            if self.end() == End::Row {
                return Ok(Some(row));
            }
        }
    }

    /// The next value, up to what ends it.
    fn value(&mut self) -> Result<Cow<'a, str>, BrokenCsv> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\r', '\n']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
            self.rest = rest;
            return Ok(Cow::Borrowed(value));
        };
        let line = self.line;
        let mut value = Cow::Borrowed("");
        let mut rest = quoted;
        loop {
            let Some((part, behind)) = rest.split_once('"') else {
                let what = "the quote that begins a value here is never closed".to_owned();
                return Err(BrokenCsv { line, what });
            };
            self.line += breaks(part);
            value = if value.is_empty() { Cow::Borrowed(part) } else { value + part };
            if let Some(more) = behind.strip_prefix('"') {
                value += "\"";
                rest = more;
                continue;
            }
            if !(behind.is_empty() || behind.starts_with([',', '\r', '\n'])) {
                let what = "text stands behind a closing quote".to_owned();
                return Err(BrokenCsv { line: self.line, what });
            }
            self.rest = behind;
            return Ok(value);
        }
    }

    /// Steps over a comma or a line's end: CRLF, LF, or CR alone.
    fn end(&mut self) -> End {
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return End::Value;
        }
        let rest = self.rest;
        self.rest = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix(['\r', '\n']))
            .unwrap_or_default();
        self.line += 1;
        End::Row
    }
}

/// Line ends in a quoted value.
fn breaks(text: &str) -> usize {
    text.matches('\n').count() + text.matches('\r').count() - text.matches("\r\n").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(text: &str) -> Result<String, String> {
        match to_array(text, 1_000) {
            Ok(array) => Ok(String::from_utf8(array).expect("text")),
            Err(NoArray::Broken(broken)) => Err(broken.to_string()),
            Err(NoArray::TooLarge) => Err("too large".to_owned()),
        }
    }

    #[test]
    fn rows_become_objects_of_strings() {
        let ok = |text: &str| array(text).expect(text);
        assert_eq!(ok("id,n\n1,\n2,x\n"), r#"[{"id":"1","n":""},{"id":"2","n":"x"}]"#);
        assert_eq!(ok("\u{feff}id,n\r\n1, y \r\n\r\n"), r#"[{"id":"1","n":" y "}]"#);
        assert_eq!(ok("id\rx\ry"), r#"[{"id":"x"},{"id":"y"}]"#);
        assert_eq!(
            ok("\"a \"\"b\"\"\",c\n\"1,\n2\",\"\"\"\"\n"),
            r#"[{"a \"b\"":"1,\n2","c":"\""}]"#
        );
        assert_eq!(ok("a,b\n5\" disc,\\\n"), r#"[{"a":"5\" disc","b":"\\"}]"#);
        assert_eq!(ok("a,\n1,2\n"), r#"[{"a":"1","":"2"}]"#);
        assert_eq!(ok("id,n\n"), "[]");
        assert_eq!(ok("id\n1\n\n2\n\n\n"), r#"[{"id":"1"},{"id":""},{"id":"2"}]"#);
        assert_eq!(ok("naïve\n日本"), "[{\"naïve\":\"日本\"}]");
    }

    #[test]
    fn broken_text_is_named_with_its_line() {
        let wrong = |text: &str| array(text).expect_err(text);
        assert_eq!(wrong("a,b\n1,2\n3\n"), "line 3: 1 value where the header has 2");
        assert_eq!(wrong("a,b\n\"1\n\n\",2\n3,4,5\n"), "line 5: 3 values where the header has 2");
        assert_eq!(
            wrong("id,a,b,a\n"),
            "line 1: the header has the name `a` twice, in columns 2 and 4"
        );
        assert_eq!(
            wrong("a,b\n1,2\n3,\"x\n4,5\n"),
            "line 3: the quote that begins a value here is never closed"
        );
        assert_eq!(wrong("a,b\n\"x\"y,2\n"), "line 2: text stands behind a closing quote");
        assert_eq!(wrong(""), "line 1: there is no header");
        assert_eq!(wrong("\n\n"), "line 1: there is no header");
        assert_eq!(wrong("<html>\n<body>"), "line 1: it begins with `<`, which is no header");
        assert!(wrong("a;b\n1;2\n").contains("one name with `;` in it"));
        assert!(wrong("a\tb\n1\t2\n").contains("with a tab in it"));
        assert_eq!(wrong(&format!("a\n{}\n", "x\n".repeat(200))), "too large");
    }

    proptest::proptest! {
        /// Whatever is written with every value quoted is read as it was.
        #[test]
        fn what_is_quoted_comes_back(
            rows in proptest::collection::vec(proptest::collection::vec("[a\",\n\r\\\\é ]{0,4}", 2), 0..4),
        ) {
            let quoted = |row: &Vec<String>| -> String {
                let values: Vec<String> =
                    row.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
                values.join(",")
            };
            let text: String = rows.iter().map(|row| format!("{}\r\n", quoted(row))).collect();
            let read = to_array(&format!("x,y\n{text}"), usize::MAX).expect("CSV");
            let read: Vec<serde_json::Value> = serde_json::from_slice(&read).expect("JSON");
            let values: Vec<Vec<&str>> =
                read.iter().map(|row| vec![row["x"].as_str().expect("x"), row["y"].as_str().expect("y")]).collect();
            proptest::prop_assert_eq!(values, rows);
        }

        #[test]
        fn no_text_is_too_odd(text in "[a\",\n\r; <]{0,40}") {
            let _ = array(&text);
        }
    }
}
