//! Records that could not become rows, one JSON object a line: why, and the record as it came.
//!
//! An attempt stages them in parts, one a checkpoint; settling joins the parts that checkpoints have named
//! into one file, so that a part of a run that died is never counted.

use bytes::{BufMut, BytesMut};
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::parquet::hex;
use crate::lake::store::Lake;
use crate::lake::upload::Upload;

/// The longest record that is kept whole.
const MAX_RECORD_BYTES: usize = 16 << 20;
/// What is kept of a longer one.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes that are handed to the upload at once.
const CHUNK_BYTES: usize = 1 << 20;

/// One record that could not become a row.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Its page, from 1.
    pub page: u64,
    /// Its place in the page, from 0.
    pub index: u64,
    /// Why, as a word.
    pub code: &'a str,
    /// The field at fault, if one is.
    pub field: Option<&'a str>,
    /// Why, for people.
    pub message: &'a str,
    /// The record as it came.
    pub record: &'a [u8],
}

/// The format of a line.
pub(super) const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    page: u64,
    index: u64,
    error: Reason<'a>,
    record: Record<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: &'a str,
    field: Option<&'a str>,
    message: &'a str,
}

/// The record itself, or what is left of one that a line cannot hold.
#[derive(Serialize)]
#[serde(untagged)]
enum Record<'a> {
    Whole(&'a RawValue),
    Digest { sha256: String, bytes: usize, head: &'a str },
}

/// Writes an attempt's dead letters.
#[derive(Debug)]
pub struct DeadLetterWriter {
    lake: Lake,
    dir: TableDir,
    name: WindowName,
    attempt: u64,
    next_part: u64,
    part: Option<Part>,
    letters: u64,
    /// False while a call is under way, and for good once one has failed or was dropped half done: letters
    /// may be missing then, and no barrier must say otherwise.
    whole: bool,
}

#[derive(Debug)]
struct Part {
    upload: Upload,
    buffer: BytesMut,
}

impl DeadLetterWriter {
    /// A writer whose first part has the number `first_part`: those before it are named by checkpoints.
    pub fn new(lake: Lake, dir: TableDir, name: WindowName, attempt: u64, first_part: u64) -> Self {
        Self {
            lake,
            dir,
            name,
            attempt,
            next_part: first_part,
            part: None,
            letters: 0,
            whole: true,
        }
    }

    /// Letters appended by this writer.
    pub fn letters(&self) -> u64 {
        self.letters
    }

    /// Adds a letter to the part under way.
    ///
    /// # Errors
    /// `Store` with the path. The part is lost then, as it is when the call is dropped half done: every later
    /// call is refused.
    pub async fn append(&mut self, letter: &Letter<'_>) -> Result<()> {
        self.begin()?;
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.create_part()?,
        };
        write_line(&mut part.buffer, letter)?;
        if part.buffer.len() >= CHUNK_BYTES {
            let chunk = std::mem::take(&mut part.buffer).freeze();
            part.upload.write(chunk).await?;
        }
        self.part = Some(part);
        self.letters += 1;
        self.whole = true;
        Ok(())
    }

    /// Makes the part under way durable and gives back its path, to be named by the checkpoint after those
    /// before it; `None` where no letter came since the last barrier.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn barrier(&mut self) -> Result<Option<String>> {
        self.begin()?;
        let Some(Part { mut upload, buffer }) = self.part.take() else {
            self.whole = true;
            return Ok(None);
        };
        let path = upload.path().to_owned();
        upload.write(buffer.freeze()).await?;
        upload.finish().await?;
        self.whole = true;
        Ok(Some(path))
    }

    /// Joins `parts`, all that checkpoints have named, in their order, into the window's file of dead
    /// letters, and gives back its path; `None` where there are none. May be repeated.
    ///
    /// # Errors
    /// `Store` with the path, also for a part that is gone.
    pub async fn publish(&mut self, parts: &[String]) -> Result<Option<String>> {
        if parts.is_empty() {
            return Ok(None);
        }
        let path = self.dir.rejects_path(&self.name, self.attempt);
        let mut upload = self.lake.upload(&path)?;
        for part in parts {
            let mut pieces = self.lake.read_stream(part).await?;
            while let Some(piece) = pieces.try_next().await? {
                upload.write(piece).await?;
            }
        }
        upload.finish().await?;
        Ok(Some(path))
    }

    /// Gives up the part under way.
    ///
    /// # Errors
    /// `Store` where a bucket could not be told to drop it.
    pub async fn abandon(self) -> Result<()> {
        match self.part {
            Some(part) => part.upload.abort().await,
            None => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.whole, false) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unexpected, "writing dead letters goes on after it failed")
            .hint("go on from the last checkpoint with a new attempt"))
    }

    fn create_part(&mut self) -> Result<Part> {
        let dir = self.dir.staging_dir(&self.name, self.attempt);
        let upload = self.lake.upload(&format!("{dir}/rejects-{}.ndjson", self.next_part))?;
        self.next_part += 1;
        Ok(Part { upload, buffer: BytesMut::new() })
    }
}

/// Writes one line: no line break in it, whatever the record's layout was.
fn write_line(out: &mut BytesMut, letter: &Letter<'_>) -> Result<()> {
    let line = Line {
        version: FORMAT,
        page: letter.page,
        index: letter.index,
        error: Reason { code: letter.code, field: letter.field, message: letter.message },
        record: record(letter.record),
    };
    let start = out.len();
    serde_json::to_writer((&mut *out).writer(), &line).map_err(|e| {
        Error::new(ErrorKind::Unexpected, "could not encode a dead letter").caused_by(e)
    })?;
    // Strings hold no bare control characters in JSON, so every line break stands between tokens.
    for byte in out.iter_mut().skip(start).filter(|byte| matches!(**byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    out.put_u8(b'\n');
    Ok(())
}

fn record(bytes: &[u8]) -> Record<'_> {
    if bytes.len() <= MAX_RECORD_BYTES {
        // The page was checked as a whole; what is not JSON by itself must still not break the file.
        if let Ok(raw) = serde_json::from_slice(bytes) {
            return Record::Whole(raw);
        }
    }
    let sha256 = hex(&Sha256::digest(bytes));
    Record::Digest { sha256, bytes: bytes.len(), head: head(bytes) }
}

/// The first bytes, up to a whole character.
fn head(bytes: &[u8]) -> &str {
    let first = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(e) => first
            .get(..e.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::batch::WindowId;

    fn writer(lake: &Lake) -> DeadLetterWriter {
        let window: WindowId = "20260317T000000Z_20260318T000000Z".parse().expect("window");
        let name = WindowName::new("s", "t", window).expect("name");
        DeadLetterWriter::new(lake.clone(), TableDir::new("t").expect("dir"), name, 3, 1)
    }

    fn letter(index: u64, record: &[u8]) -> Letter<'_> {
        let (code, message) = ("invalid_value", "`x` is no decimal");
        Letter { page: 1, index, code, field: Some("amount"), message, record }
    }

    async fn text(lake: &Lake, path: &str) -> String {
        let bytes = lake.read(path).await.expect("read").expect("there");
        String::from_utf8(bytes.to_vec()).expect("utf-8")
    }

    #[tokio::test]
    async fn a_line_holds_the_record_as_it_came_without_its_line_breaks() {
        let lake = Lake::in_memory();
        let mut writer = writer(&lake);
        let pretty = b"{\r\n  \"amount\": 1.50,\n  \"a\": \"\\n\", \"a\": 2\n}";
        writer.append(&letter(0, pretty)).await.expect("append");
        let lonely = Letter { field: None, ..letter(7, b"\"text\"") };
        writer.append(&lonely).await.expect("append");
        let path = writer.barrier().await.expect("barrier").expect("path");
        assert!(path.ends_with("/3/rejects-1.ndjson"), "{path}");
        insta::assert_snapshot!(text(&lake, &path).await, @r#"
        {"version":1,"page":1,"index":0,"error":{"code":"invalid_value","field":"amount","message":"`x` is no decimal"},"record":{    "amount": 1.50,   "a": "\n", "a": 2 }}
        {"version":1,"page":1,"index":7,"error":{"code":"invalid_value","field":null,"message":"`x` is no decimal"},"record":"text"}
        "#);
        assert_eq!((writer.letters(), writer.barrier().await.expect("none")), (2, None));
    }

    #[tokio::test]
    async fn a_long_record_is_kept_by_its_digest_and_head() {
        let lake = Lake::in_memory();
        let mut writer = writer(&lake);
        let long = format!("\"{}\"", "ä".repeat(8 << 20));
        writer.append(&letter(0, long.as_bytes())).await.expect("append");
        let broken = b"{\"a\":\n1";
        writer.append(&letter(1, broken)).await.expect("append");
        let path = writer.barrier().await.expect("barrier").expect("path");
        let text = text(&lake, &path).await;
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
        let record = &lines[0]["record"];
        assert_eq!(record["bytes"], long.len());
        assert_eq!(record["sha256"], hex(&Sha256::digest(long.as_bytes())));
        let kept = record["head"].as_str().expect("head");
        assert!(long.starts_with(kept) && kept.len() == HEAD_BYTES - 1, "{}", kept.len());
        assert_eq!(lines[1]["record"]["head"], "{\"a\":\n1");
        assert_eq!(lines.len(), 2);
    }

    #[tokio::test]
    async fn only_parts_that_a_checkpoint_named_are_published() {
        let lake = Lake::in_memory();
        let mut first = writer(&lake);
        assert_eq!(first.publish(&[]).await.expect("publish"), None);
        first.append(&letter(0, b"{}")).await.expect("append");
        let mut parts: Vec<String> = first.barrier().await.expect("barrier").into_iter().collect();
        first.append(&letter(1, b"{}")).await.expect("append");
        first.abandon().await.expect("abandon");
        let mut next = writer(&lake);
        next.next_part = 2;
        for index in 2..40 {
            let record = format!("\"{}\"", "x".repeat(300_000));
            next.append(&letter(index, record.as_bytes())).await.expect("append");
        }
        parts.extend(next.barrier().await.expect("barrier"));
        for _ in 0..2 {
            let path = next.publish(&parts).await.expect("publish").expect("path");
            assert_eq!(path, next.dir.rejects_path(&next.name, 3));
            let text = text(&lake, &path).await;
            let indexes: Vec<u64> = text
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"))
                .map(|line| line["index"].as_u64().expect("index"))
                .collect();
            assert_eq!(indexes, [0].into_iter().chain(2..40).collect::<Vec<u64>>());
        }
        let lost = next.publish(&["t/none".to_owned()]).await.expect_err("gone");
        assert_eq!(lost.kind(), ErrorKind::Store);
    }
}
