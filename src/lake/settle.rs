//! Settling a window: superseded rows go, and the small files that checkpoints left become few.
//!
//! Files are only added: inputs stay until the window's staging folder is dropped after the commit, so that a
//! run killed here settles again from the same checkpoint.

use std::collections::BTreeMap;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::dedupe::RowSet;
use crate::lake::partitions::PartitionWriter;
use crate::lake::partitions::open_file::OpenFile;
use crate::lake::read_back::DataFileReader;

impl PartitionWriter {
    /// Gives back the files to publish: `files` (all of the window, in the order they were written) without
    /// superseded rows, and with those under half the target size merged up to it, partition by partition.
    ///
    /// A file that needs neither is given back as it is. Rows keep their order within what is merged. Memory:
    /// one file under way and a few batches; the keys are let go. Only after a barrier, and
    /// nothing is staged after it.
    ///
    /// # Errors
    /// `Store` with the path, also for a staged file that is no longer what it was.
    pub async fn settle(&mut self, files: Vec<StagedFile>) -> Result<Vec<StagedFile>> {
        self.check_closed("settling")?;
        self.settled = true;
        self.keys.let_go_of_keys();
        self.memory.set_keys(self.keys.memory());
        let mut partitions: BTreeMap<String, Vec<StagedFile>> = BTreeMap::new();
        for file in &files {
            partitions.entry(file.partition.clone()).or_default().push(file.clone());
        }
        let mut settled = Vec::with_capacity(files.len());
        let mut changed = false;
        for (partition, files) in partitions {
            let target = self.format.target_bytes();
            let (keep, rewrite): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| {
                !is_small(file.bytes, target) && self.keys.superseded(&file.path).is_none()
            });
            settled.extend(keep);
            let single = rewrite.len() == 1;
            if single && rewrite.iter().all(|file| self.keys.superseded(&file.path).is_none()) {
                settled.extend(rewrite);
            } else if !rewrite.is_empty() {
                changed = true;
                settled.extend(self.merge(&partition, &rewrite).await?);
            }
        }
        // Nothing to do leaves the order as it was, too.
        Ok(if changed { settled } else { files })
    }

    /// Writes the surviving rows of `files` into new files of the partition, in order.
    async fn merge(&mut self, partition: &str, files: &[StagedFile]) -> Result<Vec<StagedFile>> {
        let (mut merged, mut open) = (Vec::new(), None);
        for file in files {
            if let Err(error) = self.append(partition, file, &mut open, &mut merged).await {
                if let Some(file) = open
                    && let Err(second) = file.abort().await
                {
                    tracing::debug!(error = %second, "parts of a merged file are left in the bucket");
                }
                return Err(error);
            }
        }
        if let Some(last) = open {
            merged.push(last.close().await?);
        }
        Ok(merged)
    }

    /// Adds the surviving rows of `file` to the merged file that is open, and begins another where that is full.
    async fn append(
        &mut self,
        partition: &str,
        file: &StagedFile,
        open: &mut Option<OpenFile>,
        merged: &mut Vec<StagedFile>,
    ) -> Result<()> {
        let superseded = self.keys.superseded(&file.path).cloned().unwrap_or_default();
        if superseded.len() == file.rows {
            return Ok(());
        }
        let mut reader = DataFileReader::open(&self.lake, &file.path, file.bytes).await?;
        let mut row = 0;
        while let Some(batch) = reader.next().await? {
            let rows = batch.num_rows() as u64;
            let batch = survivors(batch, row, &superseded)?;
            row += rows;
            if batch.num_rows() == 0 {
                continue;
            }
            let target = match open {
                Some(target) => target,
                None => open.insert(self.create_file(None, partition.to_owned())?),
            };
            target.write(batch).await?;
            target.bound_memory(self.memory.row_groups(1)).await?;
            if target.size() >= self.format.target_bytes() {
                // What is not encoded yet counts as it was given, which is more than it will be.
                target.flush().await?;
            }
            if target.size() >= self.format.target_bytes()
                && let Some(full) = open.take()
            {
                merged.push(full.close().await?);
            }
        }
        check_rows(file, row)
    }
}

/// Whether a file of so many bytes is better merged with others.
pub(super) fn is_small(bytes: u64, target: u64) -> bool {
    bytes < target / 2
}

/// The rows of `batch`, whose first is the file's row `first`, that are not superseded.
fn survivors(batch: RecordBatch, first: u64, superseded: &RowSet) -> Result<RecordBatch> {
    if superseded.is_empty() {
        return Ok(batch);
    }
    let rows = first..first + batch.num_rows() as u64;
    let keep: BooleanArray = rows.map(|row| Some(!superseded.contains(row))).collect();
    if keep.true_count() == batch.num_rows() {
        return Ok(batch);
    }
    filter_record_batch(&batch, &keep).map_err(|e| {
        Error::new(ErrorKind::Unexpected, "could not drop superseded rows").caused_by(e)
    })
}

fn check_rows(file: &StagedFile, read: u64) -> Result<()> {
    if read == file.rows {
        return Ok(());
    }
    let what = format!("a staged file has {read} rows instead of {}", file.rows);
    Err(Error::new(ErrorKind::Store, what)
        .with("path", &file.path)
        .hint("extract the window again with --refresh"))
}
