//! Files that are published into fewer: the rows, their order and the footers stay as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use parquet::basic::Compression as Codec;

use crate::error::Result;
use crate::lake::budget::Budget;
use crate::lake::data_file::StagedFile;
use crate::lake::event::EventColumn;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::parquet::DataFileFormat;
use crate::lake::partitions::PartitionWriter;
use crate::lake::read_back::DataFileReader;
use crate::lake::settle::is_small;
use crate::lake::store::Lake;
use crate::spec::table::{Compression, ParquetOptions};

/// How many files of a window there would be after [`PartitionWriter::settle`], about; as many as there are where it
/// would merge none.
pub fn files_after(files: &[StagedFile], target: u64) -> usize {
    let mut small: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for file in files.iter().filter(|file| is_small(file.bytes, target)) {
        let (count, bytes) = small.entry(&file.partition).or_default();
        *count += 1;
        *bytes += file.bytes;
    }
    let merged = small.values().filter(|(count, _)| *count > 1).map(|(count, bytes)| {
        let made = usize::try_from(bytes.div_ceil(target.max(1))).unwrap_or(usize::MAX).max(1);
        count.saturating_sub(made)
    });
    files.len() - merged.sum::<usize>()
}

impl PartitionWriter {
    /// A writer that settles published files of the columns, the codec and the footer of `like`, up to `target` bytes.
    /// `partition_by` is the column that their partitions come from.
    ///
    /// # Errors
    /// `Config` where `partition_by` is no day.
    pub fn like(
        lake: Lake,
        attempt: (TableDir, WindowName, u64),
        like: &DataFileReader,
        partition_by: Option<&str>,
        target: u64,
    ) -> Result<Self> {
        let schema = Arc::clone(like.schema());
        let parquet = ParquetOptions {
            compression: codec(like),
            target_file_bytes: target,
            ..ParquetOptions::default()
        };
        let memory = Arc::new(Budget::default()).share(schema.fields().len(), &parquet);
        let event = partition_by.and_then(|name| schema.index_of(name).ok());
        let event = event.map(|index| EventColumn::new(&schema, index)).transpose()?;
        let raw = raw_column(&schema).map(ToOwned::to_owned);
        let format = DataFileFormat::new(schema, &parquet, raw.as_deref(), &footer(like))?;
        let mut writer = Self::of(lake, attempt, format, memory);
        writer.event = event;
        Ok(writer)
    }
}

/// The codec that a file was written with; the level is not kept in it.
fn codec(file: &DataFileReader) -> Compression {
    let column = file.metadata().row_groups().first().and_then(|group| group.columns().first());
    match column.map(|column| column.compression()) {
        Some(Codec::UNCOMPRESSED) => Compression::Uncompressed,
        Some(Codec::SNAPPY) => Compression::Snappy,
        _ => ParquetOptions::default().compression,
    }
}

/// The column of the records' text: the last, behind `_extracted_at`, which is itself the last where there is none.
fn raw_column(schema: &Schema) -> Option<&str> {
    let last = schema.fields().last()?;
    (last.data_type() == &DataType::Utf8View).then_some(last.name().as_str())
}

fn footer(file: &DataFileReader) -> Vec<(String, String)> {
    let entries = file.metadata().file_metadata().key_value_metadata();
    let entries = entries.into_iter().flatten().filter(|entry| entry.key.starts_with("lakeward."));
    entries.filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(partition: &str, bytes: u64) -> StagedFile {
        StagedFile {
            path: format!("t/{partition}/{bytes}.parquet"),
            partition: partition.to_owned(),
            rows: 1,
            bytes,
            sha256: String::new(),
            min_event: None,
            max_event: None,
        }
    }

    #[test]
    fn only_several_small_files_of_a_partition_become_fewer() {
        let after = |files: &[StagedFile]| files_after(files, 100);
        assert_eq!(after(&[]), 0);
        assert_eq!(after(&[file("a", 10), file("b", 10)]), 2);
        assert_eq!(after(&[file("a", 10), file("a", 60)]), 2);
        assert_eq!(after(&[file("a", 10), file("a", 60), file("a", 20), file("b", 10)]), 3);
        assert_eq!(after(&[file("a", 49), file("a", 49), file("a", 49)]), 2);
    }
}
