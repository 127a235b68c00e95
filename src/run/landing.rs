//! The last stage: rows into staged files, rejects into dead letters, and checkpoints that name both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decode::Decoder;
use crate::decode::shape::Shape;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::dead_letters::{DeadLetterWriter, Letter};
use crate::lake::dedupe::KeyIndex;
use crate::lake::partitions::{PartitionWriter, WriteOptions};
use crate::lake::store::Lake;
use crate::manifest::checkpoint::Parts;
use crate::manifest::hold::{Progress, Resumed, WindowRun};
use crate::manifest::version::Counts;
use crate::page::{Meter, Position, Validator};
use crate::run::footer::Footer;
use crate::run::judge::without_events;
use crate::run::plan::Unit;
use crate::run::shared::Run;
use crate::run::stages::Landed;
use crate::spec::table::Table;

/// A window's rows on their way into the lake, as far as they have come.
#[derive(Debug)]
pub(crate) struct Landing {
    lake: Lake,
    staging: String,
    writer: PartitionWriter,
    letters: DeadLetterWriter,
    files: Vec<StagedFile>,
    parts: Parts,
    position: Position,
    seen: Vec<u64>,
    validators: Vec<Validator>,
    counts: Counts,
    earlier: Counts,
    /// Webhook events without a record, of the rejected.
    unlandable: u64,
    meter: Arc<Meter>,
    every: Duration,
    checkpoints: u64,
    last_checkpoint: Instant,
    full: bool,
}

impl Landing {
    /// Opens the window's staging, going on from the checkpoint that an earlier attempt left.
    pub(crate) async fn open(
        run: &Run,
        unit: &Unit,
        held: &mut WindowRun,
        decoder: &mut Decoder,
        meter: Arc<Meter>,
    ) -> Result<Self> {
        let table = &unit.stream.table;
        let (lake, dir, name) = (run.lake.clone(), held.chain().dir().clone(), held.name().clone());
        let Left { shape, keys } = match left(&lake, table, held).await? {
            Some(left) => left,
            None => {
                tracing::warn!("the checkpoint is damaged: the window begins anew");
                held.start_anew().await?;
                Left { shape: None, keys: KeyIndex::new(table) }
            }
        };
        if let Some(shape) = shape {
            decoder.resume(shape);
        }
        let resumed = held.resumed();
        let parts = resumed.map(|resumed| resumed.checkpoint.parts.clone()).unwrap_or_default();
        let counts = resumed.map(|resumed| resumed.counts).unwrap_or_default();
        if let Some(resumed) = resumed {
            log_resumed(resumed);
        }
        let options = WriteOptions {
            table: Arc::clone(table),
            schema: decoder.schema(),
            dir: dir.clone(),
            window_name: name.clone(),
            attempt: held.attempt(),
            footer: Footer::entries(table, &name.to_string(), &run.run_id),
            first_file: 1,
            keys,
            memory: run.budget.window(table),
        };
        Ok(Self {
            staging: dir.staging_dir(&name, held.attempt()),
            writer: PartitionWriter::new(lake.clone(), options)?,
            letters: DeadLetterWriter::new(lake.clone(), dir, name, held.attempt(), 1),
            lake,
            files: resumed.map(|resumed| resumed.files.clone()).unwrap_or_default(),
            position: resumed.map_or_else(Position::start, |r| r.checkpoint.position()),
            seen: resumed.map(|resumed| resumed.checkpoint.seen.clone()).unwrap_or_default(),
            validators: resumed.map(|r| r.checkpoint.validators.clone()).unwrap_or_default(),
            parts,
            earlier: counts,
            counts,
            unlandable: 0,
            meter,
            every: run.source.checkpoint_every,
            checkpoints: 0,
            last_checkpoint: Instant::now(),
            full: false,
        })
    }

    /// What to ask for next.
    pub(crate) fn position(&self) -> Position {
        self.position.clone()
    }

    /// Fingerprints of the pages so far.
    pub(crate) fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }

    /// Stages a page whole.
    pub(crate) async fn land(&mut self, page: Landed) -> Result<()> {
        let decoded = page.decoded;
        let (rejected, fetched) = (count(decoded.rejects.len()), count(page.records));
        self.full |= !self.writer.write(&decoded.batch).await?.is_empty();
        for reject in &decoded.rejects {
            let letter = Letter {
                page: reject.page,
                index: reject.index,
                code: reject.code,
                field: reject.field.as_deref(),
                message: &reject.message,
                record: &reject.record,
            };
            self.letters.append(&letter).await?;
        }
        self.unlandable += count(page.unlandable);
        self.counts.fetched += fetched;
        self.counts.rejected += rejected;
        self.counts.outside += decoded.outside;
        self.counts.nulled += decoded.nulled;
        self.position = page.after;
        self.seen.extend(page.seen);
        self.validators.extend(page.validator);
        // What the encoders still hold of it counts as the row groups' memory.
        drop(page.held);
        Ok(())
    }

    /// Whether a checkpoint is due: a file has reached its size, or enough time has passed.
    pub(crate) fn checkpoint_due(&self) -> bool {
        self.full || self.last_checkpoint.elapsed() >= self.every
    }

    /// Whether the API refuses to go on from the earlier attempt's checkpoint: its cursor may have run out, and
    /// would be refused by every rerun.
    pub(crate) fn is_refused(&self, error: &Error) -> bool {
        let resumed = self.earlier.pages > 0 && self.position.pages == self.earlier.pages;
        resumed && error.kind() == ErrorKind::Api
    }

    /// Makes all that has landed durable, then names it. Only at a page boundary.
    pub(crate) async fn checkpoint(&mut self, held: &WindowRun, shape: &Shape) -> Result<()> {
        self.close(shape).await?;
        let progress = Progress {
            files: self.files.clone(),
            position: self.position.clone(),
            seen: self.seen.clone(),
            parts: self.parts.clone(),
            validators: self.validators.clone(),
            counts: self.counts(),
        };
        held.checkpoint(progress).await?;
        tracing::debug!(pages = self.position.pages, files = self.files.len(), "checkpoint");
        self.last_checkpoint = Instant::now();
        self.full = false;
        Ok(())
    }

    /// Closes what is open and writes what a resume needs beside the data.
    async fn close(&mut self, shape: &Shape) -> Result<()> {
        self.files.extend(self.writer.barrier().await?);
        self.checkpoints += 1;
        self.parts.keys.extend(self.writer.save_keys(self.checkpoints).await?);
        self.parts.rejects.extend(self.letters.barrier().await?);
        let path = format!("{}/shape-{}.json", self.staging, self.checkpoints);
        let text = serde_json::to_vec(shape).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "the shape has no JSON form").caused_by(error)
        })?;
        self.lake.put(&path, text.into()).await?;
        self.parts.shape = vec![path];
        Ok(())
    }

    /// The settled files, and where the dead letters are. After the last page.
    pub(crate) async fn settle(&mut self) -> Result<(Vec<StagedFile>, Option<String>)> {
        self.files.extend(self.writer.barrier().await?);
        let files = self.writer.settle(self.files.clone()).await?;
        self.parts.rejects.extend(self.letters.barrier().await?);
        let rejects = self.letters.publish(&self.parts.rejects).await?;
        Ok((files, rejects))
    }

    /// Gives up what is staged since the last checkpoint, so that no upload stays open in a bucket.
    pub(crate) async fn abandon(self) {
        let (data, letters) = (self.writer.abandon().await, self.letters.abandon().await);
        if let Err(error) = data.and(letters) {
            tracing::warn!(%error, "could not give up an upload");
        }
    }

    /// What a share of rejects is counted of: events that hold no record say nothing of the records.
    pub(crate) fn judged(&self) -> Counts {
        without_events(self.counts(), self.unlandable)
    }

    /// What has become of every record so far.
    pub(crate) fn counts(&self) -> Counts {
        let (requests, retries, throttled) = self.meter.read();
        let duplicates = self.writer.duplicates();
        let landed = self.counts.fetched - self.counts.rejected - self.counts.outside;
        Counts {
            pages: self.position.pages,
            written: landed.saturating_sub(duplicates),
            duplicates,
            api_total: self.position.total,
            requests: self.earlier.requests + requests,
            retries: self.earlier.retries + retries,
            throttled: self.earlier.throttled + throttled,
            ..self.counts
        }
    }
}

/// What an earlier attempt knew, beside the rows.
struct Left {
    shape: Option<Shape>,
    keys: KeyIndex,
}

/// Reads what the checkpoint names; `None` where a part of it is missing or damaged, which the log names.
async fn left(lake: &Lake, table: &Table, held: &WindowRun) -> Result<Option<Left>> {
    let Some(resumed) = held.resumed() else {
        return Ok(Some(Left { shape: None, keys: KeyIndex::new(table) }));
    };
    let parts = &resumed.checkpoint.parts;
    if !is_whole(lake, held, resumed).await? {
        return Ok(None);
    }
    let shape = match parts.shape.last() {
        Some(path) => match read_shape(lake, path).await? {
            Some(shape) => Some(shape),
            None => return Ok(None),
        },
        None => None,
    };
    let keys = KeyIndex::load(lake, table, &parts.keys).await?;
    Ok(keys.map(|keys| Left { shape, keys }))
}

/// Whether everything that the checkpoint names is there, the data files at their length.
async fn is_whole(lake: &Lake, held: &WindowRun, resumed: &Resumed) -> Result<bool> {
    let root = held.chain().dir().staging_root(held.name());
    let staged = lake.list(&root).await?;
    let size = |path: &str| staged.iter().find(|object| object.path == path).map(|o| o.size);
    let files = resumed.files.iter().filter(|file| size(&file.path) != Some(file.bytes));
    let parts = resumed.checkpoint.parts.paths().filter(|path| size(path).is_none());
    let lost: Vec<&str> = files.map(|file| file.path.as_str()).chain(parts).collect();
    for path in &lost {
        tracing::warn!(path = lake.url_of(path), "a staged file is missing or cut");
    }
    Ok(lost.is_empty())
}

async fn read_shape(lake: &Lake, path: &str) -> Result<Option<Shape>> {
    let text = lake.read(path).await?.unwrap_or_default();
    Ok(match serde_json::from_slice(&text) {
        Ok(shape) => Some(shape),
        Err(error) => {
            let path = lake.url_of(path);
            tracing::warn!(path, %error, "the drift observations cannot be used");
            None
        }
    })
}

fn log_resumed(resumed: &Resumed) {
    tracing::info!(
        pages = resumed.checkpoint.pages,
        records = resumed.checkpoint.records,
        "going on from the checkpoint of attempt {}",
        resumed.attempt
    );
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
