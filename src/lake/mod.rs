//! The lake on disk or in a bucket: names, bytes, typed Parquet, dead letters and the keys of a window.
//!
//! - [`store`]: one lake, local or S3, and the few operations that the protocol needs.
//! - [`layout`]: every path in it, built and read back in one place.
//! - [`upload`]: bytes that become one object when they are all there.

pub mod layout;
pub mod store;
pub mod upload;
