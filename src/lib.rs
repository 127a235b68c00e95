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
//! - [`json`]: JSON text in one validating pass: where the wanted values stand.
//! - [`window`]: half-open UTC windows and backfill.
//! - [`page`]: requests, pages and cursors as plain values.
//! - [`spec`]: the source and schema files, loaded with line numbers and checked.
//! - [`decode`]: the noted values of a page into columns, rejects and observed shape.
//! - [`http`]: requests, authentication, pacing, retries and pagination: the stream of pages.
//! - [`drift`]: the observed shape against the schema: findings and their report.
//! - [`lake`]: layout, stores, partitioned Parquet, dead letters and the keys of a window.
//! - [`manifest`]: versions, chain, publish: checkpoint, commit record and audit in one.
//! - [`run`]: the only place where the stages meet.
//! - [`webhook`]: events received, proved, kept until they land.
//! - [`cli`]: one file a command, progress and rendering.
//!
//! # A window as Arrow batches
//!
//! ```no_run
//! use futures::TryStreamExt as _;
//! use lakeward::{Lake, Source, Window};
//!
//! # async fn example() -> lakeward::Result<()> {
//! let window: Window = "20260317T000000Z_20260318T000000Z".parse()?;
//! let payments = Source::load("gateway.yaml".as_ref())?.stream("payments")?.window(window);
//! let batches: Vec<_> = payments.batches().try_collect().await?;     // rows as the API gives them
//! let report = payments.extract(&Lake::open("./lake")?).await?;       // or whole, into a lake
//! # drop((batches, report));
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod clock;
pub mod decode;
pub mod drift;
pub mod error;
pub mod http;
pub mod json;
pub mod lake;
pub mod manifest;
pub mod page;
pub mod redact;
pub mod run;
pub mod spec;
pub mod webhook;
pub mod window;

pub use error::{Error, ErrorKind, Result};
pub use lake::store::Lake;
pub use spec::source::Source;
pub use window::Window;
