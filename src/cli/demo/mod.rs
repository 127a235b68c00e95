//! What `lakeward demo` extracts: an embedded payments API, its made-up payments, its source and schema files.

pub mod api;
pub mod data;
pub mod files;
