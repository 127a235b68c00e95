//! The dead letters of a window, tried anew.

use serde_json::value::RawValue;

use crate::error::Result;
use crate::lake::dead_letters::Letter;
use crate::lake::letters::{ReadLetter, read_letters};
use crate::lake::store::Lake;
use crate::run::events::is_event_code;
use crate::run::redecode::rows::{Origin, Rows};

/// Records that are decoded at once, and bytes of them.
const RECORDS: usize = 1_000;
const BYTES: usize = 4 << 20;

/// Decodes the records of the file at `path`; what is still refused, or was kept as a digest, stays a dead letter, and so
/// does a webhook event that holds no record of the stream.
///
/// Memory: all of the file, which `reject_limit` keeps small.
///
/// # Errors
/// `Store` for a line that cannot be read: what it held would be lost.
pub(super) async fn read(lake: &Lake, path: &str, rows: &mut Rows) -> Result<()> {
    let mut read = Vec::new();
    let mut broken = None;
    read_letters(lake, path, |letter| match letter {
        Ok(letter) => read.push(letter),
        Err(error) => broken = broken.take().or(Some(error)),
    })
    .await?;
    if let Some(error) = broken {
        return Err(
            error.hint("extract the window again with --refresh, which writes the file anew")
        );
    }
    // Rows that a redecode refused have lost their page: whether they came before or after another of their key is not
    // known, so they come last, and those that tie stay dead letters.
    read.sort_by_key(|letter| letter.page == 0);
    let mut batch: Vec<ReadLetter> = Vec::new();
    let mut bytes = 0;
    for letter in read {
        let is_event = is_event_code(&letter.error.code);
        if is_event || is_digest(&letter.record) {
            keep(rows, &letter).await?;
            rows.keep_event(is_event);
            continue;
        }
        let first_without_page = letter.page == 0 && batch.last().is_some_and(|last| last.page > 0);
        if batch.len() == RECORDS || bytes >= BYTES || first_without_page {
            land(rows, &batch).await?;
            batch.clear();
            bytes = 0;
        }
        bytes += letter.record.get().len();
        batch.push(letter);
    }
    land(rows, &batch).await
}

async fn land(rows: &mut Rows, letters: &[ReadLetter]) -> Result<()> {
    if letters.is_empty() {
        return Ok(());
    }
    let texts: Vec<&str> = letters.iter().map(|letter| letter.record.get()).collect();
    let origins: Vec<Origin> = letters.iter().map(|letter| (letter.page, letter.index)).collect();
    rows.land(texts.into_iter(), origins.into_iter(), None).await
}

async fn keep(rows: &mut Rows, letter: &ReadLetter) -> Result<()> {
    rows.letter(&Letter {
        page: letter.page,
        index: letter.index,
        code: &letter.error.code,
        field: letter.error.field.as_deref(),
        message: &letter.error.message,
        record: letter.record.get().as_bytes(),
    })
    .await
}

/// Whether a record was too long for its line, which then holds its digest.
fn is_digest(record: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "that they are there tells it")]
    struct Digest {
        sha256: String,
        bytes: u64,
        head: String,
    }
    let text = record.get();
    let digest = serde_json::from_str::<Digest>(text);
    text.starts_with("{\"sha256\":") && digest.is_ok_and(|digest| digest.sha256.len() == 64)
}
