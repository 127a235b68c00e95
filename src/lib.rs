//! lakeward: paginated REST APIs into typed, date-partitioned Parquet, whole or not at all.
//!
//! The data flows one way, one stage a module, with bounded channels between them:
//!
//! ```text
//! Window -> Request -> Page -> Decoded { RecordBatch, rejects, shape } -> staged Parquet -> Manifest -> published
//! ```
//!
//! # Layout
//!
//! A module imports only from the layers above it in this list and from its own folder.
//!
//! - [`error`]: the one error type; exit codes and "does it pass by itself?".
//! - [`redact`]: secrets and URLs that cannot print themselves.
//! - [`clock`]: wall time, fixed in tests.
//! - [`window`]: half-open UTC windows and backfill.
//! - [`page`]: requests, pages and cursors as plain values.
//! - [`spec`]: the source and schema files, loaded with line numbers and checked.
//! - [`decode`]: JSON bytes to columns, dead letters and the shape of what was seen. No HTTP, no files.
//! - [`drift`]: the shape against the schema and earlier windows, as findings and a report.

pub mod clock;
pub mod decode;
pub mod drift;
pub mod error;
pub mod page;
pub mod redact;
pub mod spec;
pub mod window;
