//! A data file of the lake back into record batches, a few at a time, from local disk and S3 alike.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::{Bytes, BytesMut};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::Lake;

/// Bytes fetched at once where less is wanted.
const BLOCK_BYTES: u64 = 1 << 20;
/// Blocks kept: columns are read side by side, each from its own place.
const BLOCKS_KEPT: usize = 16;
/// About how many encoded bytes one batch is made of.
const BATCH_BYTES: i64 = 4 << 20;
/// The most rows of a batch.
const BATCH_ROWS: i64 = 8192;

/// A data file being read.
#[derive(Debug)]
pub struct DataFileReader {
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch>>,
}

impl DataFileReader {
    /// Reads the footer of `path`, `bytes` long, and begins to read its rows on a blocking thread, at most
    /// two batches ahead.
    ///
    /// # Errors
    /// `Store` with the path: it cannot be read, or is no Parquet.
    pub async fn open(lake: &Lake, path: &str, bytes: u64) -> Result<Self> {
        Self::open_columns(lake, path, bytes, |_| true).await
    }

    /// The same of those columns alone that are `wanted`, by their names.
    ///
    /// # Errors
    /// As [`DataFileReader::open`].
    pub async fn open_columns(
        lake: &Lake,
        path: &str,
        bytes: u64,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Self> {
        let chunks = LakeChunks::new(lake.clone(), path.to_owned(), bytes);
        let named = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(chunks)?;
            let names = builder.schema().fields().iter().enumerate();
            let roots: Vec<usize> =
                names.filter(|(_, field)| wanted(field.name())).map(|(at, _)| at).collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            Ok::<_, ParquetError>(builder.with_projection(mask))
        });
        let builder =
            opened.await.map_err(|e| read_error(path, e))?.map_err(|e| read_error(path, e))?;
        let metadata = Arc::clone(builder.metadata());
        // The footer's key-values are no part of the columns.
        let schema = Arc::new(Schema::new(builder.schema().fields().clone()));
        let rows = batch_rows(&metadata);
        let (sender, batches) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            let reader = match builder.with_batch_size(rows).build() {
                Ok(reader) => reader,
                Err(e) => return drop(sender.blocking_send(Err(read_error(&named, e)))),
            };
            for batch in reader {
                let batch = batch.map_err(|e| read_error(&named, e));
                let last = batch.is_err();
                // A closed channel means that nobody wants the rest.
                if sender.blocking_send(batch).is_err() || last {
                    return;
                }
            }
        });
        Ok(Self { metadata, schema, batches })
    }

    /// The footer.
    pub fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// The columns of the file, read or not.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows, in the order they were written; `None` at the end.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.batches.recv().await.transpose()
    }
}

/// Rows of a batch such that long records do not fill memory.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let groups = metadata.row_groups();
    let bytes: i64 = groups.iter().map(|group| group.total_byte_size()).sum();
    let rows = metadata.file_metadata().num_rows().max(1);
    let rows = (BATCH_BYTES / (bytes / rows).max(1)).clamp(1, BATCH_ROWS);
    usize::try_from(rows).unwrap_or(1)
}

/// An object as Parquet's reader wants it. Only for blocking threads: it waits for the store.
struct LakeChunks(Arc<Blocks>);

struct Blocks {
    lake: Lake,
    path: String,
    bytes: u64,
    runtime: Handle,
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl LakeChunks {
    fn new(lake: Lake, path: String, bytes: u64) -> Self {
        let runtime = Handle::current();
        Self(Arc::new(Blocks { lake, path, bytes, runtime, kept: Mutex::default() }))
    }
}

impl Blocks {
    fn fetch(&self, start: u64, end: u64) -> std::io::Result<Bytes> {
        let read = self.lake.read_range(&self.path, start..end);
        self.runtime.block_on(read).map_err(std::io::Error::other)
    }

    /// The bytes from `start` to the end of its block.
    fn block_from(&self, start: u64) -> std::io::Result<Bytes> {
        let number = start / BLOCK_BYTES;
        let first = number * BLOCK_BYTES;
        let found = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let at = kept.iter().position(|(n, _)| *n == number);
            let found = at.and_then(|at| kept.remove(at));
            found.inspect(|block| kept.push_back(block.clone()))
        };
        let block = match found {
            Some((_, block)) => block,
            None => {
                let block = self.fetch(first, (first + BLOCK_BYTES).min(self.bytes))?;
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= BLOCKS_KEPT {
                    kept.pop_front();
                }
                kept.push_back((number, block.clone()));
                block
            }
        };
        let skip = usize::try_from(start - first).unwrap_or(usize::MAX).min(block.len());
        Ok(block.slice(skip..))
    }
}

impl Length for LakeChunks {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for LakeChunks {
    type T = BlockReader;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BlockReader { blocks: Arc::clone(&self.0), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        if end > self.0.bytes {
            return Err(ParquetError::EOF("the file ends before its footer says".to_owned()));
        }
        let head = if length as u64 > BLOCK_BYTES {
            self.0.fetch(start, end)?
        } else {
            self.0.block_from(start)?
        };
        if head.len() >= length {
            return Ok(head.slice(..length));
        }
        let mut all = BytesMut::with_capacity(length);
        all.extend_from_slice(&head);
        while all.len() < length {
            let piece = self.0.block_from(start + all.len() as u64)?;
            if piece.is_empty() {
                return Err(ParquetError::EOF("the file is shorter than its manifest says".into()));
            }
            let wanted = piece.len().min(length - all.len());
            all.extend_from_slice(&piece.slice(..wanted));
        }
        Ok(all.freeze())
    }
}

/// Reads on from a position, block by block.
struct BlockReader {
    blocks: Arc<Blocks>,
    at: u64,
}

impl Read for BlockReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at >= self.blocks.bytes || out.is_empty() {
            return Ok(0);
        }
        let block = self.blocks.block_from(self.at)?;
        let read = block.as_ref().read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn read_error(path: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Store, "could not read a data file").with("path", path).caused_by(cause)
}
