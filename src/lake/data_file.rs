//! One data file as the manifest names it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A whole, durable data file: an entry of the manifest's `files[]` and `published[]` (DESIGN §5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Where it is, relative to the lake.
    pub path: String,
    /// Its partition folder (`date=2026-03-17`); `""` in a table without partitions.
    pub partition: String,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// The earliest value of `partition_by` in it.
    pub min_event: Option<DateTime<Utc>>,
    /// The latest value of `partition_by` in it.
    pub max_event: Option<DateTime<Utc>>,
}
