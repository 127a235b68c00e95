//! Record batches into one Parquet file: encoded on a blocking thread, hashed and uploaded as it grows.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use bytes::{Bytes, BytesMut};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::Lake;
use crate::lake::upload::Upload;
use crate::spec::table::{Compression, ParquetOptions};

/// The footer's key for the window's name.
pub const FOOTER_WINDOW: &str = "lakeward.window";
/// The footer's key for the run that wrote the file.
pub const FOOTER_RUN_ID: &str = "lakeward.run_id";
/// The footer's key for the schema file's fingerprint.
pub const FOOTER_SCHEMA: &str = "lakeward.schema_fingerprint";

/// Where a column's dictionary is given up: what repeats is far smaller, and every open column holds one.
const DICTIONARY_BYTES: usize = 256 << 10;
/// The most rows of a row group, whatever they weigh: readers split work by row group.
const MAX_GROUP_ROWS: usize = 1 << 20;
/// Encoded bytes are handed on in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that may wait for the upload.
const PIECES_AHEAD: usize = 4;

/// How a table's data files are written: made once, shared by all of them.
#[derive(Clone, Debug)]
pub struct DataFileFormat {
    schema: SchemaRef,
    properties: WriterProperties,
    group_bytes: u64,
    target_bytes: u64,
}

impl DataFileFormat {
    /// The format of rows of `schema`. `raw_column` holds each record's text: it is neither repeated nor
    /// ordered, so that a dictionary or statistics would only cost. `footer` is written as key and value.
    ///
    /// # Errors
    /// `Config` for a zstd level out of range.
    pub fn new(
        schema: SchemaRef,
        options: &ParquetOptions,
        raw_column: Option<&str>,
        footer: &[(String, String)],
    ) -> Result<Self> {
        let codec = match options.compression {
            Compression::Uncompressed => Codec::UNCOMPRESSED,
            Compression::Snappy => Codec::SNAPPY,
            Compression::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level).map_err(|e| {
                Error::new(ErrorKind::Config, "the zstd level is out of range").caused_by(e)
            })?),
        };
        let footer = footer.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let mut builder = WriterProperties::builder()
            .set_compression(codec)
            .set_created_by(concat!("lakeward version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_max_row_group_row_count(Some(MAX_GROUP_ROWS))
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_key_value_metadata(Some(footer.collect()));
        for field in schema.fields() {
            builder = column_properties(builder, field, raw_column);
        }
        Ok(Self {
            properties: builder.build(),
            group_bytes: options.row_group_bytes.max(1),
            target_bytes: options.target_file_bytes.max(1),
            schema,
        })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Bytes at which a data file is closed.
    pub fn target_bytes(&self) -> u64 {
        self.target_bytes
    }
}

fn column_properties(
    builder: WriterPropertiesBuilder,
    field: &Field,
    raw_column: Option<&str>,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::new(vec![field.name().clone()]);
    // Instants and money rarely repeat but lie close together: differences beat a dictionary.
    let near = match field.data_type() {
        DataType::Timestamp(..) => true,
        DataType::Decimal128(precision, _) => *precision <= 18,
        _ => false,
    };
    if near {
        return builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    let raw = raw_column == Some(field.name().as_str());
    if raw || field.data_type() == &DataType::Utf8View {
        // JSON text has no order that a reader could use; subtrees such as `{}` do repeat.
        return builder
            .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
            .set_column_dictionary_enabled(path, !raw);
    }
    builder
}

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
/// Memory: the encoded columns of the row group under way ([`DataFileWriter::memory`]) and the upload's parts.
#[derive(Debug)]
pub struct DataFileWriter {
    /// Away while a blocking thread encodes; gone for good when the caller dropped that write.
    encoder: Option<Box<Encoder>>,
    /// Encoded bytes, on their way from the encoder to the upload.
    pieces: mpsc::Receiver<Bytes>,
    upload: Upload,
    rows: u64,
    memory: usize,
    size: u64,
}

impl DataFileWriter {
    /// Begins the file `path`.
    ///
    /// # Errors
    /// `Store` for a bad path, `Unexpected` for a schema that Parquet cannot hold.
    pub fn create(lake: &Lake, path: &str, format: &DataFileFormat) -> Result<Self> {
        let upload = lake.upload(path)?;
        let schema = Arc::clone(&format.schema);
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let sink = Sink { pieces: sender, current: BytesMut::new(), hash: Sha256::new() };
        let writer = ArrowWriter::try_new(sink, schema, Some(format.properties.clone()));
        let writer = writer.map_err(|e| encode_error(path, e))?;
        let encoder = Encoder { writer, group_bytes: 0, limit: format.group_bytes };
        let encoder = Some(Box::new(encoder));
        Ok(Self { encoder, pieces, upload, rows: 0, memory: 0, size: 0 })
    }

    /// Where it will be, relative to the lake.
    pub fn path(&self) -> &str {
        self.upload.path()
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of memory that the row group under way takes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// About how long the file would be if it were closed now, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the rows of `batch`.
    ///
    /// # Errors
    /// `Store` with the path; `Unexpected` for a batch of another schema.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as u64;
        self.encode(move |encoder| encoder.write(&batch)).await?;
        self.rows += rows;
        Ok(())
    }

    /// Ends the row group under way, to free its memory.
    ///
    /// # Errors
    /// As [`DataFileWriter::write`].
    pub async fn flush(&mut self) -> Result<()> {
        self.encode(Encoder::flush).await
    }

    /// Writes the footer and makes the file durable.
    ///
    /// # Errors
    /// `Store` with the path; there is no file then.
    pub async fn close(mut self) -> Result<WrittenFile> {
        self.encode(Encoder::finish).await?;
        let encoder = self.encoder.take().ok_or_else(|| given_up(self.upload.path()))?;
        let sha256 = hex(&encoder.writer.inner().hash.clone().finalize());
        let bytes = self.upload.bytes();
        self.upload.finish().await?;
        Ok(WrittenFile { rows: self.rows, bytes, sha256 })
    }

    /// Gives the file up.
    ///
    /// # Errors
    /// As [`Upload::abort`].
    pub async fn abort(self) -> Result<()> {
        self.upload.abort().await
    }

    /// Runs `work` where it may take its time, and sends on what it finishes meanwhile.
    async fn encode(
        &mut self,
        work: impl FnOnce(&mut Encoder) -> parquet::errors::Result<()> + Send + 'static,
    ) -> Result<()> {
        let mut encoder = self.encoder.take().ok_or_else(|| given_up(self.upload.path()))?;
        let (finished, mut working) = oneshot::channel();
        // Few threads, always the same ones: what one frees it uses again, where the memory of the many
        // that tokio keeps for blocking would add up.
        encoders()?.spawn(move || {
            let result = work(&mut encoder);
            // Nobody listens where the caller dropped this write: the file is given up then.
            let _ = finished.send((encoder, result));
        });
        let done = loop {
            tokio::select! {
                biased;
                Some(piece) = self.pieces.recv() => self.send(piece).await?,
                done = &mut working => break done,
            }
        };
        let (encoder, result) = done.map_err(|e| encode_error(self.path(), e))?;
        result.map_err(|e| encode_error(self.path(), e))?;
        while let Ok(piece) = self.pieces.try_recv() {
            self.send(piece).await?;
        }
        self.memory = encoder.writer.memory_size();
        self.size = (encoder.writer.bytes_written() + encoder.writer.in_progress_size()) as u64;
        self.encoder = Some(encoder);
        Ok(())
    }

    async fn send(&mut self, piece: Bytes) -> Result<()> {
        let sent = self.upload.write(piece).await;
        if sent.is_err() {
            // The encoder may be waiting for room: without a receiver it ends.
            self.pieces.close();
            while self.pieces.try_recv().is_ok() {}
        }
        sent
    }
}

/// The threads that encode, as many as there are cores.
fn encoders() -> Result<&'static rayon::ThreadPool> {
    static ENCODERS: OnceLock<rayon::ThreadPool> = OnceLock::new();
    if let Some(encoders) = ENCODERS.get() {
        return Ok(encoders);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .thread_name(|n| format!("encode-{n}"))
        // Whoever waits for the work sees it gone, and says so.
        .panic_handler(|_| ())
        .build()
        .map_err(|e| {
            Error::new(ErrorKind::Unexpected, "could not start the encoders").caused_by(e)
        })?;
    Ok(ENCODERS.get_or_init(|| pool))
}

/// Encodes, and ends a row group when its rows have weighed enough.
struct Encoder {
    writer: ArrowWriter<Sink>,
    group_bytes: u64,
    limit: u64,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoder({} of {} bytes)", self.group_bytes, self.limit)
    }
}

impl Encoder {
    fn write(&mut self, batch: &RecordBatch) -> parquet::errors::Result<()> {
        self.writer.write(batch)?;
        self.group_bytes += batch_bytes(batch);
        if self.group_bytes >= self.limit {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> parquet::errors::Result<()> {
        self.group_bytes = 0;
        self.writer.flush()?;
        self.writer.sync()?;
        Ok(())
    }

    fn finish(&mut self) -> parquet::errors::Result<()> {
        self.writer.finish()?;
        self.writer.sync()?;
        Ok(())
    }
}

/// Takes encoded bytes, hashes them and hands them on in pieces; waits while the upload is behind.
struct Sink {
    pieces: mpsc::Sender<Bytes>,
    current: BytesMut,
    hash: Sha256,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hash.update(bytes);
        self.current.extend_from_slice(bytes);
        if self.current.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.current.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.current).freeze();
        self.pieces.blocking_send(piece).map_err(std::io::Error::other)
    }
}

/// The rows' weight before encoding. Not the arrays' memory: slices and views share buffers.
pub(super) fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| array_bytes(column.as_ref())).sum()
}

fn array_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    match array.data_type() {
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths();
            rows * 4 + lengths.map(u64::from).sum::<u64>()
        }
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().offsets();
            rows * 4 + u64::try_from(offsets.last() - offsets.first()).unwrap_or(0)
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.offsets();
            let start = usize::try_from(offsets.first()).unwrap_or(0);
            let length = usize::try_from(offsets.last() - offsets.first()).unwrap_or(0);
            rows * 4 + array_bytes(lists.values().slice(start, length).as_ref())
        }
        other => rows * other.primitive_width().unwrap_or(1) as u64,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn encode_error(path: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unexpected, "could not encode a data file")
        .with("path", path)
        .caused_by(cause)
}

fn given_up(path: &str) -> Error {
    Error::new(ErrorKind::Unexpected, "a data file was given up while it was written")
        .with("path", path)
}

#[cfg(test)]
mod tests;
