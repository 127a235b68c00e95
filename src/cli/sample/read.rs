//! A body whose format nobody declared: JSON, a JSON value a line, or rows behind a header.

use crate::cli::sample::tree::Tree;
use crate::error::{Error, ErrorKind, Result};
use crate::http::body::csv::{self, NoArray};
use crate::http::body::ndjson::{Lines, broken_line};
use crate::spec::source::Format;

/// The largest array that rows may become.
const MOST: usize = 256 * 1024 * 1024;

/// A body, read.
#[derive(Debug)]
pub(crate) struct Sample {
    /// How it is written.
    pub(crate) format: Format,
    /// What it says.
    pub(crate) tree: Tree,
    /// As JSON, lines and rows as the array that an extract reads.
    pub(crate) json: String,
}

/// Reads a sample. `named` is what a content type or a file's name says of it.
///
/// # Errors
/// `Usage`: why it is neither of the three, for the one that it is most like.
pub(crate) fn sample(text: &str, named: Option<Format>) -> Result<Sample> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::Usage, "the sample is empty")
            .hint("a sample needs one page with records"));
    }
    if named == Some(Format::Csv) {
        return rows(text);
    }
    if named == Some(Format::Ndjson) {
        return lines(text);
    }
    let wrong = match Tree::parse(text) {
        Ok(tree) => return Ok(Sample { format: Format::Json, tree, json: text.to_owned() }),
        Err(error) => error,
    };
    if text.trim_start().starts_with('{') && broken_line(text).is_none() {
        return lines(text);
    }
    let begins = text.trim_start().chars().next();
    if named.is_none()
        && !matches!(begins, Some('{' | '[' | '<'))
        && let Ok(read) = rows(text)
    {
        return Ok(read);
    }
    // Of a file with a value a line the second line is what breaks the document.
    if named.is_none()
        && let Some(first) = text.lines().next()
        && first.starts_with('{')
        && Tree::parse(first).is_ok()
    {
        return lines(text);
    }
    Err(Error::new(ErrorKind::Usage, "the sample is neither JSON, NDJSON nor CSV")
        .caused_by(wrong)
        .hint("it must hold one page of the API, whole and as the API sends it"))
}

fn lines(text: &str) -> Result<Sample> {
    if let Some(broken) = broken_line(text) {
        return Err(Error::new(ErrorKind::Usage, "the sample is not NDJSON").caused_by(broken));
    }
    arranged(Format::Ndjson, Lines::join(text).array)
}

fn rows(text: &str) -> Result<Sample> {
    let array = csv::to_array(text, MOST).map_err(|error| match error {
        NoArray::Broken(broken) => {
            Error::new(ErrorKind::Usage, "the sample is not CSV with a header").caused_by(broken)
        }
        NoArray::TooLarge => Error::new(ErrorKind::Usage, "the sample is larger than 256 MiB")
            .hint("a few hundred rows are enough"),
    })?;
    arranged(Format::Csv, array)
}

fn arranged(format: Format, array: Vec<u8>) -> Result<Sample> {
    let unread = || Error::new(ErrorKind::Usage, "the sample cannot be read");
    let json = String::from_utf8(array).map_err(|error| unread().caused_by(error))?;
    let tree = Tree::parse(&json).map_err(|error| unread().caused_by(error))?;
    Ok(Sample { format, tree, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_the_text() {
        let format = |text: &str| sample(text, None).expect(text).format;
        assert_eq!(format("{\"items\": [\n{\"id\": 1}]}"), Format::Json);
        assert_eq!(format("{\"id\": 1}\n{\"id\": 2}\n"), Format::Ndjson);
        assert_eq!(format("id,name\n1,x\n"), Format::Csv);
        assert_eq!(format("\u{feff}[]"), Format::Json);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |text: &str, named| sample(text, named).expect_err(text).to_string();
        assert!(said("{\"id\": 1}\n{\"id\": 2\n", None).contains("line 2 is not one JSON value"));
        assert!(said("id,name\n1\n", Some(Format::Csv)).contains("line 2: 1 value"));
        assert!(said("<html>", None).contains("neither JSON, NDJSON nor CSV"));
        assert!(said(" \n", None).contains("empty"));
    }
}
