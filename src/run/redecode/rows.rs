//! Records that the lake holds, decoded anew and staged.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;

use crate::decode::shape::Shape;
use crate::decode::{DecodeOptions, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::json::outline::Outline;
use crate::json::scanner::Scanner;
use crate::json::tape::Paths;
use crate::lake::budget::Budget;
use crate::lake::data_file::StagedFile;
use crate::lake::dead_letters::{DeadLetterWriter, Letter};
use crate::lake::dedupe::KeyIndex;
use crate::lake::partitions::{PartitionWriter, WriteOptions};
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;
use crate::manifest::hold::WindowRun;
use crate::manifest::version::{Counts, Manifest};
use crate::page::Page;
use crate::run::footer::Footer;
use crate::run::stamps::{array_of, stamped};
use crate::spec::keys::record_keys;
use crate::spec::table::{EXTRACTED_AT, Table};

/// A window on its way through another schema.
pub(super) struct Rows {
    lake: Lake,
    table: Arc<Table>,
    scanner: Scanner,
    decoder: Decoder,
    writer: PartitionWriter,
    letters: DeadLetterWriter,
    parts: Vec<String>,
    pages: u64,
    /// Rows read from data files so far.
    read: u64,
    /// Dead letters by their reason.
    refused: BTreeMap<String, u64>,
    nulled: u64,
    outside: u64,
    /// Webhook events that hold no record: they are dead letters whatever the schema says.
    kept_events: u64,
    /// Whether rows of a key were dropped before.
    deduplicated: bool,
    /// When the window's rows were extracted, of dead letters too.
    extracted_at: i64,
}

/// Where a record of a page comes from, as its dead letter is to say: the page and the index that it had.
pub(super) type Origin = (u64, u64);

impl Rows {
    pub(super) fn open(
        table: &Arc<Table>,
        run_id: &str,
        held: &WindowRun,
        commit: &Manifest,
    ) -> Result<Self> {
        let (lake, dir) = (held.chain().lake().clone(), held.chain().dir().clone());
        let name = held.name().clone();
        let clip = commit.clip.clone().map(|field| (field, commit.window));
        let options = DecodeOptions { extracted_at: commit.started_at, clip };
        let decoder = Decoder::new(Arc::clone(table), options)?;
        let options = WriteOptions {
            table: Arc::clone(table),
            schema: decoder.schema(),
            dir: dir.clone(),
            window_name: name.clone(),
            attempt: held.attempt(),
            footer: Footer::entries(table, &name.to_string(), run_id),
            first_file: 1,
            keys: KeyIndex::new(table),
            memory: Arc::new(Budget::default()).window(table),
        };
        let keys = record_keys(table, Paths::default()).0;
        Ok(Self {
            table: Arc::clone(table),
            scanner: Scanner::new(Outline::of_records(&[]), keys),
            decoder,
            writer: PartitionWriter::new(lake.clone(), options)?,
            letters: DeadLetterWriter::new(lake.clone(), dir, name, held.attempt(), 1),
            lake,
            parts: Vec::new(),
            pages: 0,
            read: 0,
            refused: BTreeMap::new(),
            nulled: 0,
            outside: 0,
            kept_events: 0,
            deduplicated: commit.counts.duplicates > 0,
            extracted_at: commit.started_at.timestamp_micros(),
        })
    }

    /// Decodes the records of a published file. They have no page any more: a dead letter of one says page 0, and its
    /// place among the window's rows.
    pub(super) async fn read(&mut self, file: &StagedFile) -> Result<()> {
        let path = file.path.clone();
        let mut reader = DataFileReader::open(&self.lake, &path, file.bytes).await?;
        let names: Vec<String> =
            reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        let own = names.iter().position(|name| name == EXTRACTED_AT);
        let raw = own.and_then(|at| names.get(at + 1)).ok_or_else(|| no_raw(&path))?.clone();
        self.has_same_key(&Footer::read(&reader)?, &path)?;
        let wanted = raw.clone();
        reader = DataFileReader::open_columns(&self.lake, &path, file.bytes, move |name| {
            name == EXTRACTED_AT || name == wanted
        })
        .await?;
        let mut rows = 0;
        while let Some(batch) = reader.next().await? {
            rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
            self.batch(&batch, &raw, &path).await?;
        }
        if rows != file.rows {
            let what = format!("a data file has {rows} rows instead of {}", file.rows);
            return Err(Error::new(ErrorKind::Store, what).with("path", path));
        }
        Ok(())
    }

    async fn batch(&mut self, batch: &RecordBatch, raw: &str, path: &str) -> Result<()> {
        let strange = || {
            Error::new(ErrorKind::Store, "a data file's columns are not lakeward's")
                .with("path", path)
        };
        let raw = batch.column_by_name(raw).ok_or_else(strange)?;
        let texts = raw.as_string_view_opt().ok_or_else(strange)?;
        let own = batch.column_by_name(EXTRACTED_AT).ok_or_else(strange)?;
        let own = own.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(strange)?;
        let first = self.read;
        self.read += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        if let Some(stamp) = own.iter().flatten().next() {
            self.extracted_at = stamp;
        }
        // A null is no record: the column has none, unless somebody else wrote it.
        if texts.null_count() > 0 {
            return Err(strange());
        }
        let origins = (first..).map(|row| (0, row));
        self.land(texts.iter().flatten(), origins, Some(own)).await
    }

    /// Refuses another key than that by which rows were dropped: those are not in the lake.
    fn has_same_key(&self, footer: &Footer, path: &str) -> Result<()> {
        if footer.has_key_of(&self.table) || !self.deduplicated {
            return Ok(());
        }
        let message = "the window's duplicates were dropped by another primary_key or version_by, or by one that is read otherwise: which row is to survive now is not in the lake";
        Err(Error::new(ErrorKind::Usage, message)
            .with("object", path)
            .hint("extract the window again with --refresh"))
    }

    /// Refuses rows of which several have one key: they were published as rows of their own, and which was last is not
    /// known any more. After the last data file.
    pub(super) fn are_unique(&self) -> Result<()> {
        match self.writer.duplicates() {
            0 => Ok(()),
            n => Err(Error::new(
                ErrorKind::Usage,
                format!("{n} published rows have the primary key of another one by this schema: which was last is not in the lake"),
            )
            .hint("extract the window again with --refresh")),
        }
    }

    /// Decodes records by their texts, and stages what becomes of them.
    pub(super) async fn land<'a>(
        &mut self,
        texts: impl Iterator<Item = &'a str>,
        origins: impl Iterator<Item = Origin>,
        stamps: Option<&TimestampMicrosecondArray>,
    ) -> Result<()> {
        let body = array_of(texts);
        self.pages += 1;
        let found = self.scanner.scan(&body).map_err(|error| {
            Error::new(ErrorKind::Store, "a raw column holds what is no JSON").caused_by(error)
        })?;
        let page = Page::scanned(self.pages, body, found);
        let decoded = self.decoder.decode(&page)?;
        let mut batch = stamped(&decoded.batch, &decoded.records, |record| {
            let stamp = stamps.filter(|s| record < s.len() && s.is_valid(record));
            stamp.map_or(self.extracted_at, |stamps| stamps.value(record))
        })?;
        let origins: Vec<Origin> = origins.take(page.records.len()).collect();
        if stamps.is_some() && decoded.outside > 0 {
            let message = "published rows lie outside of their window by the schema's clip field: they would be gone for good";
            return Err(Error::new(ErrorKind::Usage, message)
                .with("rows", decoded.outside)
                .hint("extract the window again with --refresh"));
        }
        if stamps.is_none() {
            batch = self.without_ties(batch, &decoded.records, &page, &origins).await?;
        }
        self.writer.write(&batch).await?;
        self.nulled += decoded.nulled;
        self.outside += decoded.outside;
        for reject in &decoded.rejects {
            let at = usize::try_from(reject.index).ok().and_then(|index| origins.get(index));
            let (page, index) = at.copied().unwrap_or((0, reject.index));
            self.letter(&Letter {
                page,
                index,
                code: reject.code,
                field: reject.field.as_deref(),
                message: &reject.message,
                record: &reject.record,
            })
            .await?;
        }
        Ok(())
    }

    /// The rows of dead letters, without those whose key a published row has: which of the two was later is not known, so
    /// the letter stays one.
    async fn without_ties(
        &mut self,
        batch: RecordBatch,
        records: &[u32],
        page: &Page,
        origins: &[Origin],
    ) -> Result<RecordBatch> {
        let ties = self.writer.ties(&batch)?;
        for (record, _) in records.iter().zip(&ties).filter(|(_, tie)| **tie) {
            let at = usize::try_from(*record).unwrap_or(usize::MAX);
            let span = page.records.get(at).cloned().unwrap_or_default();
            let (number, index) = origins.get(at).copied().unwrap_or_default();
            self.letter(&Letter {
                page: number,
                index,
                code: "duplicate",
                field: None,
                message: "a published row has its primary key, and which of them is later is not in the lake: extract the window again with --refresh",
                record: &page.body.slice(span),
            })
            .await?;
        }
        let kept: BooleanArray = ties.iter().map(|tie| Some(!tie)).collect();
        filter_record_batch(&batch, &kept).map_err(|cause| {
            Error::new(ErrorKind::Unexpected, "could not build the rows").caused_by(cause)
        })
    }

    /// Counts a webhook event that was kept, where it is one.
    pub(super) fn keep_event(&mut self, is_event: bool) {
        self.kept_events += u64::from(is_event);
    }

    /// Webhook events that were kept: no share of rejects counts them.
    pub(super) fn kept_events(&self) -> u64 {
        self.kept_events
    }

    /// Keeps a dead letter.
    pub(super) async fn letter(&mut self, letter: &Letter<'_>) -> Result<()> {
        let reason = format!("{} {}", letter.code, letter.field.unwrap_or("record"));
        *self.refused.entry(reason).or_default() += 1;
        self.letters.append(letter).await
    }

    /// The settled files, what became of every record, and what the records looked like.
    pub(super) async fn settle(
        &mut self,
        before: &Counts,
    ) -> Result<(Vec<StagedFile>, Counts, Shape)> {
        let files = self.writer.barrier().await?;
        let files = self.writer.settle(files).await?;
        self.parts.extend(self.letters.barrier().await?);
        let written: u64 = files.iter().map(|file| file.rows).sum();
        let counts = Counts {
            written,
            rejected: self.refused.values().sum(),
            duplicates: before.duplicates + self.writer.duplicates(),
            nulled: self.nulled,
            outside: before.outside + self.outside,
            ..*before
        };
        if !counts.add_up() {
            return Err(Error::new(ErrorKind::Unexpected, "the counts do not add up: nothing is published")
                .with("counts", format!("{counts:?}"))
                .hint("`lakeward verify` says whether a file is not what it was; else please report it with the log"));
        }
        Ok((files, counts, self.decoder.shape().clone()))
    }

    /// Why records are refused, and how many: `missing amount 230, invalid status 2`.
    pub(super) fn refused(&self) -> String {
        let reasons = self.refused.iter().map(|(reason, count)| format!("{reason} {count}"));
        reasons.collect::<Vec<_>>().join(", ")
    }

    /// Where the dead letters are, if there are some.
    pub(super) async fn publish_letters(mut self) -> Result<Option<String>> {
        self.letters.publish(&self.parts).await
    }

    /// Gives up what is staged.
    pub(super) async fn abandon(self) {
        let (data, letters) = (self.writer.abandon().await, self.letters.abandon().await);
        if let Err(error) = data.and(letters) {
            tracing::warn!(%error, "could not give up an upload");
        }
    }
}

/// The error of files that do not hold their records' text.
fn no_raw(path: &str) -> Error {
    Error::new(ErrorKind::Usage, "the rows have no raw column: there is nothing to decode anew")
        .with("object", path)
        .hint("the schema that they were extracted by says `raw_column: null`: extract the window again with --refresh")
}
