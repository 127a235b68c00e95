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
//! - [`lake`]: layout, stores, partitioned Parquet, dead letters and the keys of a window.
//! - [`manifest`]: the numbered versions of a window: checkpoint, commit and audit in one.

pub mod clock;
pub mod error;
pub mod lake;
pub mod manifest;
pub mod page;
pub mod redact;
pub mod spec;
pub mod window;
