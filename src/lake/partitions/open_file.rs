//! A data file of a partition while rows are added to it.

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::lake::data_file::StagedFile;
use crate::lake::event::{Day, EventColumn, Span, instant, widest};
use crate::lake::parquet::DataFileWriter;

/// A data file under way.
#[derive(Debug)]
pub(in crate::lake) struct OpenFile {
    pub(super) writer: DataFileWriter,
    pub(super) day: Day,
    pub(super) partition: String,
    pub(super) ordinal: u32,
    pub(super) event: Option<EventColumn>,
    pub(super) span: Span,
    pub(super) last_batch: u64,
}

impl OpenFile {
    pub(in crate::lake) async fn write(&mut self, part: RecordBatch) -> Result<()> {
        if let Some(event) = self.event {
            self.span = widest(self.span, event.span(&part)?);
        }
        self.writer.write(part).await
    }

    /// Gives the file up.
    pub(in crate::lake) async fn abort(self) -> Result<()> {
        self.writer.abort().await
    }

    /// Ends the row group under way where it takes more than `most` bytes.
    pub(in crate::lake) async fn bound_memory(&mut self, most: usize) -> Result<()> {
        if self.writer.memory() > most { self.writer.flush().await } else { Ok(()) }
    }

    /// Ends the row group under way, so that the size is exact.
    pub(in crate::lake) async fn flush(&mut self) -> Result<()> {
        self.writer.flush().await
    }

    /// About how long it would be if it were closed now, in bytes.
    pub(in crate::lake) fn size(&self) -> u64 {
        self.writer.size()
    }

    pub(in crate::lake) async fn close(self) -> Result<StagedFile> {
        let Self { writer, partition, span, .. } = self;
        let path = writer.path().to_owned();
        let written = writer.close().await?;
        Ok(StagedFile {
            path,
            partition,
            rows: written.rows,
            bytes: written.bytes,
            sha256: written.sha256,
            min_event: span.and_then(|(low, _)| instant(low)),
            max_event: span.and_then(|(_, high)| instant(high)),
        })
    }
}
