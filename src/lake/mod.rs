//! The lake on disk or in a bucket: names, bytes, typed Parquet, dead letters and the keys of a window.
//!
//! - [`store`]: one lake, local or S3, and the few operations that the protocol needs.
//! - [`upload`]: bytes that become one object when they are all there.
//! - [`layout`]: every path in it, built and read back in one place.
//! - [`spot`]: what an object is, by its path.
//! - [`data_file`]: a data file as the manifest names it.
//! - [`parquet`]: record batches into one data file.
//! - [`read_back`]: a data file back into record batches.
//! - [`dedupe`]: which row of a primary key survives.
//! - [`partitions`]: rows to the data files of their days.
//! - [`budget`]: the memory that the windows of a run share.
//! - [`settle`]: superseded rows dropped, small files merged.
//! - [`compact`]: the files of a committed window, to be fewer.
//! - [`dead_letters`]: records that could not become rows; [`letters`] reads them back.
//! - [`verify`]: a data file against what its manifest says.

pub mod budget;
pub mod compact;
pub mod data_file;
pub mod dead_letters;
pub mod dedupe;
mod event;
pub mod layout;
pub mod letters;
pub mod parquet;
pub mod partitions;
pub mod read_back;
pub mod settle;
pub mod spot;
pub mod store;
pub mod upload;
pub mod verify;

#[cfg(test)]
mod tests;
