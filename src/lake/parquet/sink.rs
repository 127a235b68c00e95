//! Where encoded row groups become the bytes of a file: hashed, and handed on in pieces.

use std::io::Write;

use bytes::{Bytes, BytesMut};
use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::errors::Result as ParquetResult;
use parquet::file::writer::SerializedFileWriter;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::lake::parquet::format::hex;

/// Bytes of a piece.
const PIECE_BYTES: usize = 1 << 20;

/// The file as Parquet's writer knows it.
pub(super) struct Output {
    writer: SerializedFileWriter<Sink>,
}

impl Output {
    pub(super) fn new(writer: SerializedFileWriter<Sink>) -> Self {
        Self { writer }
    }

    /// Adds a row group of the columns' chunks, in the schema's order; gives the file's length after it.
    pub(super) fn add(&mut self, columns: Vec<Vec<ArrowColumnChunk>>) -> ParquetResult<usize> {
        let mut group = self.writer.next_row_group()?;
        for chunk in columns.into_iter().flatten() {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.writer.flush()?;
        Ok(self.writer.bytes_written())
    }

    /// Writes the footer; gives the SHA-256 of the whole file in hex.
    pub(super) fn finish(&mut self) -> ParquetResult<String> {
        self.writer.finish()?;
        self.writer.flush()?;
        Ok(hex(&self.writer.inner().hash.clone().finalize()))
    }
}

/// Takes encoded bytes, hashes them and hands them on.
///
/// The pieces wait without a bound of their own: they are the bytes of a row group whose chunks are freed as they
/// are copied here, and a file takes no more batches before its row group has been sent on.
pub(super) struct Sink {
    pieces: mpsc::UnboundedSender<Bytes>,
    current: BytesMut,
    hash: Sha256,
}

impl Sink {
    pub(super) fn new(pieces: mpsc::UnboundedSender<Bytes>) -> Self {
        Self { pieces, current: BytesMut::new(), hash: Sha256::new() }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.current.capacity() == 0 {
            self.current.reserve(PIECE_BYTES);
        }
        let room = PIECE_BYTES.saturating_sub(self.current.len()).min(bytes.len());
        let taken = bytes.get(..room).unwrap_or_default();
        self.hash.update(taken);
        self.current.extend_from_slice(taken);
        if self.current.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.current.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.current).freeze();
        self.pieces.send(piece).map_err(std::io::Error::other)
    }
}
