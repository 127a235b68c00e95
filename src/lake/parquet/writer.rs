//! Record batches into one data file: encoded beside what the caller does, hashed and uploaded as it grows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::errors::Result as ParquetResult;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::parquet::compact::compact;
use crate::lake::parquet::distinct::distinct_fields;
use crate::lake::parquet::format::{DataFileFormat, MAX_GROUP_ROWS};
use crate::lake::parquet::lanes::{Lanes, Weight, encoders};
use crate::lake::parquet::sink::{Output, Sink};
use crate::lake::parquet::weight::batch_bytes;
use crate::lake::store::Lake;
use crate::lake::upload::Upload;

/// Batches, and ends of row groups, of one file that may be encoded while the caller goes on.
const AHEAD: usize = 2;

/// Rows that are handed to the encoders at once, at least; or this many bytes. To hand a few over and to begin anew
/// with every column of them takes longer than to encode them.
const TOGETHER_ROWS: usize = 1_000;
const TOGETHER_BYTES: u64 = 1 << 20;

/// What a closed data file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its rows.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// A data file being written. It is in the lake, whole and durable, once [`DataFileWriter::close`] returns.
///
/// Batches are encoded while the caller goes on, a few at a time; what fails meanwhile is the error of a later
/// call. [`DataFileWriter::memory`] and [`DataFileWriter::size`] tell of what is known to be encoded and count the
/// rest as it was given: the same for the same calls, however fast the encoders are.
///
/// Memory: the row group under way, the batches ahead ([`DataFileWriter::memory`] has both) and the upload's parts.
pub struct DataFileWriter {
    /// Away while a call is under way; gone for good when it failed or the caller dropped it.
    encoding: Option<Encoding>,
    /// Encoded bytes, on their way from the encoders to the upload.
    pieces: mpsc::UnboundedReceiver<Bytes>,
    upload: Upload,
    rows: u64,
    memory: usize,
    size: u64,
}

impl std::fmt::Debug for DataFileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataFileWriter({:?}, {} rows)", self.upload, self.rows)
    }
}

/// The encoders' side of a file.
struct Encoding {
    lanes: Lanes,
    format: DataFileFormat,
    factory: ArrowRowGroupWriterFactory,
    /// The fields that `factory` leaves without a dictionary.
    plain: Vec<usize>,
    output: Arc<Mutex<Output>>,
    /// Batches that wait for others, and their bytes.
    waiting: Vec<RecordBatch>,
    waiting_bytes: u64,
    /// The oldest first.
    ahead: VecDeque<Ahead>,
    groups: usize,
    /// Whether a row group is begun.
    begun: bool,
    /// Of the row group that takes batches, with those that wait: rows, and their bytes as given.
    group_rows: usize,
    group_bytes: u64,
    /// The row group that encoders are known to work on, and the bytes of those before it.
    known: Weight,
    written: usize,
}

/// What the encoders have been given and have not been known to finish.
enum Ahead {
    Batch { bytes: u64, done: oneshot::Receiver<ParquetResult<Weight>> },
    End { done: oneshot::Receiver<ParquetResult<usize>> },
}

impl DataFileWriter {
    /// Begins the file `path`.
    ///
    /// # Errors
    /// `Store` for a bad path, `Unexpected` for a schema that Parquet cannot hold.
    pub fn create(lake: &Lake, path: &str, format: &DataFileFormat) -> Result<Self> {
        let upload = lake.upload(path)?;
        let (sender, pieces) = mpsc::unbounded_channel();
        let schema = Arc::clone(&format.schema);
        let writer =
            ArrowWriter::try_new(Sink::new(sender), schema, Some(format.properties.clone()));
        let writer = writer.and_then(ArrowWriter::into_serialized_writer);
        let (writer, factory) = writer.map_err(|e| encode_error(path, e))?;
        let output = Arc::new(Mutex::new(Output::new(writer)));
        let encoding = Encoding {
            lanes: Lanes::new(&format.schema, &output),
            format: format.clone(),
            factory,
            plain: Vec::new(),
            output,
            waiting: Vec::new(),
            waiting_bytes: 0,
            ahead: VecDeque::new(),
            groups: 0,
            begun: false,
            group_rows: 0,
            group_bytes: 0,
            known: Weight::default(),
            written: 0,
        };
        Ok(Self { encoding: Some(encoding), pieces, upload, rows: 0, memory: 0, size: 0 })
    }

    /// Where it will be, relative to the lake.
    pub fn path(&self) -> &str {
        self.upload.path()
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of memory that the row groups and batches under way take, at most.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// About how long the file would be if it were closed now, in bytes; too long by what the encoders make of the
    /// batches ahead. Exact after [`DataFileWriter::flush`].
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it has encoders, and a part of what it is to be; until then rows wait in it.
    pub(in crate::lake) fn is_begun(&self) -> bool {
        self.encoding.as_ref().is_none_or(|encoding| encoding.begun || encoding.groups > 0)
    }

    /// Whether `batch` would begin it.
    pub(in crate::lake) fn begins_with(&self, batch: &RecordBatch) -> bool {
        !self.is_begun() && self.encoding.as_ref().is_some_and(|encoding| encoding.is_enough(batch))
    }

    /// Adds the rows of `batch`. Waits while too many are ahead of the encoders.
    ///
    /// # Errors
    /// `Store` with the path; `Unexpected` for a batch of another schema. Also those of batches before.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let mut encoding = self.take()?;
        let rows = batch.num_rows();
        let mut rest = batch;
        while rest.num_rows() > 0 {
            let room = MAX_GROUP_ROWS - encoding.group_rows;
            let part = rest.slice(0, room.min(rest.num_rows()));
            rest = rest.slice(part.num_rows(), rest.num_rows() - part.num_rows());
            encoding.add(part).map_err(|e| named(self.path(), e))?;
            self.catch_up(&mut encoding, AHEAD).await?;
        }
        self.rows += rows as u64;
        self.put_back(encoding);
        Ok(())
    }

    /// Ends the row group under way, to free its memory.
    ///
    /// # Errors
    /// As [`DataFileWriter::write`].
    pub async fn flush(&mut self) -> Result<()> {
        let mut encoding = self.take()?;
        encoding.end().map_err(|e| named(self.path(), e))?;
        self.catch_up(&mut encoding, 0).await?;
        self.put_back(encoding);
        Ok(())
    }

    /// Ends the row group under way, whose memory is freed while the caller goes on.
    pub(in crate::lake) fn end_group(&mut self) -> Result<()> {
        let mut encoding = self.take()?;
        encoding.end().map_err(|e| named(self.path(), e))?;
        self.put_back(encoding);
        Ok(())
    }

    /// Waits for the encoders: memory and size are exact then.
    pub(in crate::lake) async fn settle(&mut self) -> Result<()> {
        let mut encoding = self.take()?;
        self.catch_up(&mut encoding, 0).await?;
        self.put_back(encoding);
        Ok(())
    }

    /// Writes the footer and makes the file durable.
    ///
    /// # Errors
    /// `Store` with the path; there is no file then.
    pub async fn close(mut self) -> Result<WrittenFile> {
        let sha256 = match self.end().await {
            Ok(sha256) => sha256,
            Err(error) => {
                if let Err(second) = self.upload.abort().await {
                    tracing::debug!(error = %second, "parts of a data file are left in the bucket");
                }
                return Err(error);
            }
        };
        let bytes = self.upload.bytes();
        self.upload.finish().await?;
        Ok(WrittenFile { rows: self.rows, bytes, sha256 })
    }

    /// Encodes and hands on all that is left; the hash of the file.
    async fn end(&mut self) -> Result<String> {
        let mut encoding = self.take()?;
        encoding.end().map_err(|e| named(self.path(), e))?;
        self.catch_up(&mut encoding, 0).await?;
        let (done, finished) = oneshot::channel();
        let output = Arc::clone(&encoding.output);
        encoders()?.spawn(move || {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody listens where the caller dropped this call: the file is given up then.
            let _ = done.send(output.finish());
        });
        let sha256 = self.pump(finished).await?;
        self.send_ready().await?;
        Ok(sha256)
    }

    /// Gives the file up.
    ///
    /// # Errors
    /// As [`Upload::abort`].
    pub async fn abort(self) -> Result<()> {
        self.upload.abort().await
    }

    fn take(&mut self) -> Result<Encoding> {
        self.encoding.take().ok_or_else(|| given_up(self.upload.path()))
    }

    fn put_back(&mut self, encoding: Encoding) {
        let ahead: u64 = encoding.ahead.iter().map(Ahead::bytes).sum();
        let ahead = ahead + encoding.waiting_bytes;
        self.memory = encoding.known.memory + usize::try_from(ahead).unwrap_or(usize::MAX);
        self.size = (encoding.written + encoding.known.size) as u64 + ahead;
        self.encoding = Some(encoding);
    }

    /// Waits until no more than `most` are ahead of the encoders, and sends on what they finish meanwhile.
    async fn catch_up(&mut self, encoding: &mut Encoding, most: usize) -> Result<()> {
        while encoding.ahead.len() > most {
            match encoding.ahead.pop_front() {
                Some(Ahead::Batch { done, .. }) => encoding.known = self.pump(done).await?,
                Some(Ahead::End { done }) => {
                    encoding.written = self.pump(done).await?;
                    encoding.known = Weight::default();
                }
                None => return Ok(()),
            }
        }
        self.send_ready().await
    }

    /// Waits for an answer of the encoders, and sends on what they finish meanwhile.
    async fn pump<T>(&mut self, mut done: oneshot::Receiver<ParquetResult<T>>) -> Result<T> {
        let answer = loop {
            tokio::select! {
                biased;
                Some(piece) = self.pieces.recv() => self.upload.write(piece).await?,
                answer = &mut done => break answer,
            }
        };
        let answer = answer.map_err(|e| encode_error(self.path(), e))?;
        answer.map_err(|e| encode_error(self.path(), e))
    }

    async fn send_ready(&mut self) -> Result<()> {
        while let Ok(piece) = self.pieces.try_recv() {
            self.upload.write(piece).await?;
        }
        Ok(())
    }
}

impl Encoding {
    /// Takes a batch that the row group has room for.
    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_columns() != self.format.schema.fields().len() {
            return Err(unnamed("the batch has other columns"));
        }
        let bytes = batch_bytes(&batch);
        let enough = self.is_enough(&batch);
        self.group_rows += batch.num_rows();
        self.group_bytes += bytes;
        self.waiting_bytes += bytes;
        if enough {
            self.waiting.push(batch);
            self.hand_over()?;
        } else {
            self.waiting.push(compact(&batch).map_err(unnamed)?);
        }
        if self.group_bytes >= self.format.group_bytes || self.group_rows >= MAX_GROUP_ROWS {
            self.end()?;
        }
        Ok(())
    }

    /// Whether `batch` and what waits are enough for the encoders.
    fn is_enough(&self, batch: &RecordBatch) -> bool {
        let rows: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
        let bytes = self.waiting_bytes + batch_bytes(batch);
        rows + batch.num_rows() >= TOGETHER_ROWS || bytes >= TOGETHER_BYTES
    }

    /// Gives the encoders what waits.
    fn hand_over(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let bytes = std::mem::take(&mut self.waiting_bytes);
        let batch = match waiting.as_slice() {
            [] => return Ok(()),
            [alone] => alone.clone(),
            many => concat_batches(&self.format.schema, many).map_err(unnamed)?,
        };
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(&batch)?;
        }
        let done = self.lanes.write(&batch)?;
        self.ahead.push_back(Ahead::Batch { bytes, done });
        Ok(())
    }

    /// Begins a row group, whose first rows decide which columns have a dictionary.
    fn begin(&mut self, first: &RecordBatch) -> Result<()> {
        let plain = distinct_fields(first);
        if plain != self.plain {
            let properties = self.format.without_dictionary(&plain);
            let schema = Arc::clone(&self.format.schema);
            // Only for the encoders that it makes: the file's own writer has the same columns.
            let writer = ArrowWriter::try_new(std::io::sink(), schema, Some(properties));
            let writer = writer.and_then(ArrowWriter::into_serialized_writer).map_err(unnamed)?;
            (self.factory, self.plain) = (writer.1, plain);
        }
        self.lanes.begin(&self.factory, self.groups).map_err(unnamed)
    }

    /// Ends the row group, if one is begun.
    fn end(&mut self) -> Result<()> {
        self.hand_over()?;
        if !std::mem::replace(&mut self.begun, false) {
            return Ok(());
        }
        let done = self.lanes.end()?;
        self.ahead.push_back(Ahead::End { done });
        self.groups += 1;
        (self.group_rows, self.group_bytes) = (0, 0);
        Ok(())
    }
}

impl Ahead {
    fn bytes(&self) -> u64 {
        match self {
            Self::Batch { bytes, .. } => *bytes,
            Self::End { .. } => 0,
        }
    }
}

fn encode_error(path: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    unnamed(cause).with("path", path)
}

fn unnamed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unexpected, "could not encode a data file").caused_by(cause)
}

fn named(path: &str, error: Error) -> Error {
    error.with("path", path)
}

fn given_up(path: &str) -> Error {
    Error::new(ErrorKind::Unexpected, "a data file was given up while it was written")
        .with("path", path)
}
