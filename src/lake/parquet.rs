//! Record batches into one Parquet file, hashed and uploaded as it grows.
//!
//! - `format`: codec, encodings, statistics and footer of a table's files.
//! - `compact`: rows that wait, without their pages.
//! - `distinct`: which columns a dictionary is no use for.
//! - `lanes`: the columns of a row group, encoded side by side.
//! - `sink`: row groups into the bytes of a file.
//! - `writer`: a file under way.
//! - `weight`: what rows weigh before they are encoded.

pub use crate::lake::parquet::format::{
    DataFileFormat, FOOTER_RUN_ID, FOOTER_SCHEMA, FOOTER_WINDOW,
};
pub use crate::lake::parquet::writer::{DataFileWriter, WrittenFile};

pub(in crate::lake) use crate::lake::parquet::format::hex;

mod compact;
mod distinct;
mod format;
mod lanes;
mod sink;
mod weight;
mod writer;

#[cfg(test)]
mod tests;
