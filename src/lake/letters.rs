//! Dead letters read back, line by line.

use bytes::BytesMut;
use futures::TryStreamExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::dead_letters::FORMAT;
use crate::lake::store::Lake;

/// One dead letter, as its line has it.
#[derive(Debug, Deserialize)]
pub struct ReadLetter {
    /// The line's format; lines had none in the beginning, when it was the first.
    #[serde(default = "first_format")]
    version: u32,
    /// Its page, from 1.
    pub page: u64,
    /// Its place in the page, from 0.
    pub index: u64,
    /// Why it is here.
    pub error: Reason,
    /// The record as it came; of one that was too long or no JSON by itself, a digest and its head.
    pub record: Box<RawValue>,
}

/// Why a record could not become a row.
#[derive(Debug, Deserialize)]
pub struct Reason {
    /// As a word.
    pub code: String,
    /// The field at fault, if one is.
    pub field: Option<String>,
    /// For people.
    pub message: String,
}

/// Gives every line of the file at `path` to `each`, the number of the line first, from 1; a line that cannot be read is an
/// error of its own, and the others still come. Memory: the longest line.
///
/// # Errors
/// `Store` with the path where the lake does not give the file.
pub async fn read_letters(
    lake: &Lake,
    path: &str,
    mut each: impl FnMut(Result<ReadLetter>),
) -> Result<()> {
    let mut pieces = lake.read_stream(path).await?;
    let (mut number, mut rest) = (0_u64, BytesMut::new());
    let mut line = |text: &[u8]| {
        number += 1;
        if !text.is_empty() {
            each(parsed(lake, path, number, text));
        }
    };
    while let Some(piece) = pieces.try_next().await? {
        let searched = rest.len();
        rest.extend_from_slice(&piece);
        let mut from = searched;
        while let Some(end) = rest.get(from..).and_then(|new| memchr::memchr(b'\n', new)) {
            let text = rest.split_to(from + end + 1);
            line(text.strip_suffix(b"\n").unwrap_or(&text));
            from = 0;
        }
    }
    if !rest.is_empty() {
        line(&rest);
    }
    Ok(())
}

fn first_format() -> u32 {
    1
}

fn parsed(lake: &Lake, path: &str, number: u64, text: &[u8]) -> Result<ReadLetter> {
    let broken = |what: &str| {
        Error::new(ErrorKind::Store, format!("a dead letter {what}"))
            .with("object", lake.url_of(path))
            .with("line", number)
    };
    let letter: ReadLetter = serde_json::from_slice(text).map_err(|error| {
        broken("is cut, or none of lakeward's")
            .hint("the others were read; a refresh of the window writes the file anew")
            .caused_by(error)
    })?;
    match letter.version {
        FORMAT => Ok(letter),
        other => Err(broken(&format!("has format {other}, this lakeward reads {FORMAT}"))
            .hint("use the lakeward that wrote it, or a later one; the others were read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cut_line_is_an_error_of_its_own() {
        let lake = Lake::in_memory();
        let good = |index: u64| {
            format!(
                r#"{{"page":1,"index":{index},"error":{{"code":"missing","field":"id","message":"m"}},"record":{{"a": 1}}}}"#
            )
        };
        let text = format!("{}\n{}\n\n{}\n{}", good(0), &good(1)[..40], good(2), &good(3)[..70]);
        lake.put("r.ndjson", text.into()).await.expect("put");
        let (mut read, mut broken) = (Vec::new(), Vec::new());
        let each = |letter: Result<ReadLetter>| match letter {
            Ok(letter) => read.push((letter.index, letter.record.get().to_owned())),
            Err(error) => {
                broken.push(error.context().map(|(k, v)| format!("{k}={v}")).collect::<String>())
            }
        };
        read_letters(&lake, "r.ndjson", each).await.expect("read");
        let record = r#"{"a": 1}"#.to_owned();
        assert_eq!(read, [(0, record.clone()), (2, record)]);
        assert_eq!(broken.len(), 2);
        assert!(broken[0].contains("line=2") && broken[1].contains("line=5"), "{broken:?}");
        assert!(read_letters(&lake, "none.ndjson", |_| ()).await.is_err());
    }

    #[tokio::test]
    async fn the_fixture_of_format_1_stays_readable_and_a_later_one_is_told() {
        let fixture = include_str!("../../tests/fixtures/rejects-v1.ndjson");
        let later =
            r#"{"version":2,"page":1,"index":0,"error":{"code":"c","message":"m"},"record":1}"#;
        let lake = Lake::in_memory();
        lake.put("r.ndjson", format!("{fixture}{later}\n").into()).await.expect("put");
        let (mut read, mut broken) = (Vec::new(), Vec::new());
        let each = |letter: Result<ReadLetter>| match letter {
            Ok(letter) => read.push((letter.page, letter.index, letter.error.code)),
            Err(error) => broken.push(error.to_string()),
        };
        read_letters(&lake, "r.ndjson", each).await.expect("read");
        let wanted = [(8, 60, "invalid".to_owned()), (17, 4, "not_an_object".to_owned())];
        assert_eq!(read, wanted);
        assert_eq!(broken.len(), 1);
        assert!(broken[0].contains("has format 2") && broken[0].contains("line: 3"), "{broken:?}");
    }
}
