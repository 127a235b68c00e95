//! Rows to their partitions: a data file for each day under way, closed by size, by number or at a barrier.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::join_all;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::budget::WindowMemory;
use crate::lake::data_file::StagedFile;
use crate::lake::dedupe::{KeyIndex, RowPlace};
use crate::lake::event::{Day, EventColumn, calendar};
use crate::lake::layout::{DataFileName, TableDir, WindowName, partition_name};
use crate::lake::parquet::{DataFileFormat, DataFileWriter};
use crate::lake::partitions::open_file::OpenFile;
use crate::lake::partitions::rows::split;
use crate::lake::store::Lake;
use crate::spec::table::Table;

pub(super) mod open_file;
mod rows;

/// Batches without a row for a file after which its row group is ended: each open one holds a compressor and a
/// dictionary a column.
const IDLE_BATCHES: u64 = 16;

/// What a [`PartitionWriter`] writes, and where.
#[derive(Debug)]
pub struct WriteOptions {
    /// The declared table.
    pub table: Arc<Table>,
    /// The columns of the batches: the table's fields first, in declared order.
    pub schema: SchemaRef,
    /// The table's folder.
    pub dir: TableDir,
    /// The window.
    pub window_name: WindowName,
    /// The attempt, in whose staging folder files are written.
    pub attempt: u64,
    /// Key-values of every file's footer.
    pub footer: Vec<(String, String)>,
    /// The number of the first file; those before it are taken.
    pub first_file: u32,
    /// The keys of the window's rows so far.
    pub keys: KeyIndex,
    /// The window's share of memory: how many files may be open at once, and what their row groups may take (the
    /// largest is ended early).
    pub memory: WindowMemory,
}

/// Stages a window's rows, each in the data file of its partition.
///
/// Batches must come in the order of pages and records: of two rows of a key the later wins.
#[derive(Debug)]
pub struct PartitionWriter {
    pub(super) lake: Lake,
    dir: TableDir,
    name: WindowName,
    attempt: u64,
    pub(super) format: DataFileFormat,
    pub(super) event: Option<EventColumn>,
    partition_column: String,
    next_file: u32,
    pub(super) keys: KeyIndex,
    pub(super) memory: WindowMemory,
    /// The most recently written last.
    open: Vec<OpenFile>,
    /// Closed since the last barrier.
    closed: Vec<StagedFile>,
    /// Batches written so far.
    batches: u64,
    /// Whether it has been settled: the keys are let go then, and no row may come any more.
    pub(super) settled: bool,
    /// False while a call is under way, and for good once one has failed or was dropped half done: rows may
    /// be missing then, and no barrier must say otherwise.
    whole: bool,
}

impl PartitionWriter {
    /// A writer with no file open yet.
    ///
    /// # Errors
    /// `Config` where the table cannot be written so: `partition_by` no day, `version_by` without order.
    pub fn new(lake: Lake, options: WriteOptions) -> Result<Self> {
        let WriteOptions { table, schema, dir, window_name, attempt, footer, .. } = options;
        let named = table.fields.iter().map(|field| field.name.as_str());
        let columns = schema.fields().iter().map(|field| field.name().as_str());
        if !columns.take(table.fields.len()).eq(named) {
            return Err(Error::new(
                ErrorKind::Unexpected,
                "the columns are not the table's fields",
            )
            .with("table", &table.name));
        }
        options.keys.check(&schema)?;
        let event = table.partition_by.map(|index| EventColumn::new(&schema, index)).transpose()?;
        let raw = table.raw_column.as_deref();
        Ok(Self {
            event,
            partition_column: table.partition_column.clone(),
            next_file: options.first_file,
            keys: options.keys,
            ..Self::of(
                lake,
                (dir, window_name, attempt),
                DataFileFormat::new(schema, &table.parquet, raw, &footer)?,
                options.memory,
            )
        })
    }

    /// A writer into the staging folder of an attempt, of rows without keys and partitions.
    pub(super) fn of(
        lake: Lake,
        (dir, name, attempt): (TableDir, WindowName, u64),
        format: DataFileFormat,
        memory: WindowMemory,
    ) -> Self {
        Self {
            lake,
            dir,
            name,
            attempt,
            format,
            event: None,
            partition_column: String::new(),
            next_file: 1,
            keys: KeyIndex::keyless(),
            memory,
            open: Vec::new(),
            closed: Vec::new(),
            batches: 0,
            settled: false,
            whole: true,
        }
    }

    /// Stages the rows of `batch`; gives back the files that reached the target size by it, which is the
    /// moment for a checkpoint. A later [`PartitionWriter::barrier`] names them again.
    ///
    /// # Errors
    /// `Store` with the path. What was staged since the last barrier is lost then, as it is when the call is
    /// dropped half done: every later call is refused.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<Vec<StagedFile>> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        self.begin()?;
        self.batches += 1;
        let nowhere = RowPlace { file: u32::MAX, row: u32::MAX };
        let mut places = Vec::new();
        if self.keys.is_keyed() {
            places.resize(batch.num_rows(), nowhere);
        }
        let days = self.event.map(|event| event.days(batch)).transpose()?;
        for (day, rows) in split(&days.unwrap_or_default()) {
            let part = rows.of(batch)?;
            let first = self.write_part(day, part).await?;
            rows.locate(&mut places, first)?;
        }
        // In the batch's own order, not by partition: of two rows of a key the later one wins.
        self.keys.record(batch, &places)?;
        self.memory.set_keys(self.keys.memory());
        let full = self.close_full().await?;
        self.whole = true;
        Ok(full)
    }

    /// Closes all open files, durably, and gives back every file closed since the last barrier, in the order
    /// they were begun.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn barrier(&mut self) -> Result<Vec<StagedFile>> {
        self.begin()?;
        let open = std::mem::take(&mut self.open);
        // Each to its end, also where another fails: one that is dropped half done leaves its parts in the bucket.
        for file in join_all(open.into_iter().map(OpenFile::close)).await {
            self.closed.push(file?);
        }
        let mut closed = std::mem::take(&mut self.closed);
        closed.sort_by_key(|file| DataFileName::of_path(&file.path).map_or(0, |name| name.n));
        self.whole = true;
        Ok(closed)
    }

    /// Rows of this window that a later one of their key has superseded.
    pub fn duplicates(&self) -> u64 {
        self.keys.duplicates()
    }

    /// Which rows of `batch` have the key of a staged row, and neither is the later one by `version_by`.
    ///
    /// # Errors
    /// `Config` for a key or version of a type that has neither.
    pub fn ties(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        self.keys.ties(batch)
    }

    /// The number of the next data file: `first_file` of a writer that goes on in the same attempt.
    pub fn next_file(&self) -> u32 {
        self.next_file
    }

    /// Writes what the key index has learnt since the last time as `keys-<checkpoint>.bin` in the attempt's
    /// staging folder, and gives back its path: to be named by the checkpoint, after those before it.
    /// `None` in a table without a primary key. Only after a barrier.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn save_keys(&mut self, checkpoint: u64) -> Result<Option<String>> {
        self.check_closed("saving the key index")?;
        let dir = self.dir.staging_dir(&self.name, self.attempt);
        let path = format!("{dir}/keys-{checkpoint}.bin");
        Ok(self.keys.save(&self.lake, &path).await?.then_some(path))
    }

    /// Gives up the open files; those that a barrier has named stay.
    ///
    /// # Errors
    /// `Store` where a bucket could not be told to drop their parts.
    pub async fn abandon(self) -> Result<()> {
        join_all(self.open.into_iter().map(OpenFile::abort)).await.into_iter().collect()
    }

    fn begin(&mut self) -> Result<()> {
        if self.settled {
            return Err(Error::new(ErrorKind::Unexpected, "staging goes on after it was settled"));
        }
        if std::mem::replace(&mut self.whole, false) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unexpected, "staging goes on after it failed")
            .hint("go on from the last checkpoint with a new attempt"))
    }

    pub(super) fn check_closed(&self, what: &str) -> Result<()> {
        if self.whole && self.open.is_empty() && self.closed.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unexpected, format!("{what} takes a barrier first")))
    }

    /// A new file for the partition folder `partition`.
    pub(super) fn create_file(&mut self, day: Day, partition: String) -> Result<OpenFile> {
        let path = self.dir.staged_path(&self.name, self.attempt, self.next_file);
        let writer = DataFileWriter::create(&self.lake, &path, &self.format)?;
        let too_many = || Error::new(ErrorKind::Unexpected, "a window has too many files");
        self.next_file = self.next_file.checked_add(1).ok_or_else(too_many)?;
        Ok(OpenFile {
            writer,
            day,
            partition,
            ordinal: 0,
            event: self.event,
            span: None,
            last_batch: 0,
        })
    }

    /// Writes rows of one day; gives back the place of the first.
    async fn write_part(&mut self, day: Day, part: RecordBatch) -> Result<RowPlace> {
        let open = self.open.iter().position(|file| file.day == day);
        let mut file = match open {
            Some(at) => self.open.remove(at),
            None => self.open_file(day)?,
        };
        if file.writer.begins_with(&part) {
            self.make_room().await?;
        }
        let row = u32::try_from(file.writer.rows())
            .map_err(|_| Error::new(ErrorKind::Unexpected, "a data file has too many rows"))?;
        let first = RowPlace { file: file.ordinal, row };
        let written = file.write(part).await;
        file.last_batch = self.batches;
        // Also where that failed: it is given up with the rest.
        self.open.push(file);
        written?;
        self.bound_memory().await?;
        Ok(first)
    }

    fn open_file(&mut self, day: Day) -> Result<OpenFile> {
        let partition = match self.event {
            Some(_) => partition_name(&self.partition_column, day.and_then(calendar)),
            None => String::new(),
        };
        let mut file = self.create_file(day, partition)?;
        file.ordinal = self.keys.add_file(file.writer.path())?;
        Ok(file)
    }

    /// Closes files that are begun until one more may be.
    async fn make_room(&mut self) -> Result<()> {
        while self.begun().count() >= self.memory.open_files().max(1) {
            let Some(spare) = self.spare() else { break };
            let spare = self.open.remove(spare);
            self.closed.push(spare.close().await?);
        }
        Ok(())
    }

    /// The files that have encoders; the others hold no more than a few rows, which cost no more than themselves.
    fn begun(&self) -> impl DoubleEndedIterator<Item = (usize, &OpenFile)> {
        self.open.iter().enumerate().filter(|(_, file)| file.writer.is_begun())
    }

    /// The file that is best closed: the one that was longest without rows. Where each of them had some of this
    /// batch or the last, the rows of every page are spread over more days than may be open: these come in the order of
    /// days, so that the file just written is the one whose next rows are farthest.
    fn spare(&self) -> Option<usize> {
        let (first, oldest) = self.begun().next()?;
        if oldest.last_batch + 1 < self.batches {
            return Some(first);
        }
        self.begun().next_back().map(|(last, _)| last)
    }

    /// Ends row groups whose memory is better used elsewhere: of files that no rows come for, and of the
    /// largest file where all together take too much.
    async fn bound_memory(&mut self) -> Result<()> {
        let idle = self.batches.saturating_sub(IDLE_BATCHES);
        let open = self.open.iter_mut();
        for file in open.filter(|file| file.last_batch < idle && file.writer.is_begun()) {
            if file.writer.memory() > 0 {
                file.writer.flush().await?;
            }
        }
        let most = self.memory.row_groups(self.begun().count());
        if self.taken() <= most {
            return Ok(());
        }
        // A row group that was ended counts until it is written, and a batch as it was given.
        for file in &mut self.open {
            file.writer.settle().await?;
        }
        if self.taken() <= most {
            return Ok(());
        }
        let largest = self.open.iter().enumerate().max_by_key(|(_, file)| file.writer.memory());
        let Some((at, _)) = largest else { return Ok(()) };
        match self.open.get_mut(at).filter(|file| file.writer.is_begun()) {
            Some(file) => file.writer.end_group(),
            // A row group of its few rows would stay as small as it is; a small file is merged with others.
            None => {
                let few = self.open.remove(at);
                self.closed.push(few.close().await?);
                Ok(())
            }
        }
    }

    /// Bytes of memory that all open files take.
    fn taken(&self) -> usize {
        let waiting = self.open.len() - self.begun().count();
        let rows: usize = self.open.iter().map(|file| file.writer.memory()).sum();
        rows + waiting * self.memory.waiting_file()
    }

    async fn close_full(&mut self) -> Result<Vec<StagedFile>> {
        let target = self.format.target_bytes();
        let mut full = Vec::new();
        loop {
            let at = self.open.iter().position(|file| file.writer.size() >= target);
            let Some((at, file)) = at.and_then(|at| Some((at, self.open.get_mut(at)?))) else {
                break;
            };
            // What the encoders have yet to do counts as it was given, which is more than it will be.
            file.writer.settle().await?;
            if file.writer.size() < target {
                break;
            }
            full.push(self.open.remove(at).close().await?);
        }
        self.closed.extend(full.iter().cloned());
        Ok(full)
    }
}

#[cfg(test)]
mod tests;
