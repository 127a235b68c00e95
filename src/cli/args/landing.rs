//! The options of the commands behind the inbox: `land` and `reconcile`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::args::values::{Format, duration, instant, period, share, size};

/// Options of `land`.
#[derive(Debug, Args)]
pub struct LandArgs {
    /// The source file.
    pub source: PathBuf,
    /// Streams; all that webhooks bring events of by default.
    pub streams: Vec<String>,
    /// The inbox's folder, as `serve` has it.
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub inbox: PathBuf,
    /// The lake: a folder, file:// URL or s3://bucket/prefix (AWS_* environment).
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// Land again and again, this long after the last time, until a signal. A batch that was stopped rests longer each time.
    #[arg(long, value_name = "DURATION", value_parser = period)]
    pub every: Option<Duration>,
    /// Memory that the row groups and keys share, such as 256MiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Publish the staged rows of batches that drift policy or reject limit stopped.
    #[arg(long)]
    pub accept_drift: bool,
    /// Write what the run did to this file, in the text format of Prometheus.
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Tell a catalogue of each window's start, commit or failure: OpenLineage events to a file, or to an http(s) URL.
    #[arg(long, value_name = "FILE|URL", env = "OPENLINEAGE_URL", hide_env_values = true)]
    pub openlineage: Option<String>,
    /// How the result is written on stdout; with --every one of each time that there was something to land.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub report: Format,
}

/// Options of `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The source file.
    pub source: PathBuf,
    /// Streams; all that webhooks bring events of by default.
    pub streams: Vec<String>,
    /// The lake: a folder, file:// URL or s3://bucket/prefix (AWS_* environment).
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The full windows of the last DURATION.
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with_all = ["date", "from", "to"])]
    pub lookback: Option<Duration>,
    /// One UTC day such as 2026-03-17, or the window of --every that starts at an instant.
    #[arg(long, value_name = "D", value_parser = instant, conflicts_with_all = ["from", "to"])]
    pub date: Option<DateTime<Utc>>,
    /// First instant: a date or an instant such as 2026-03-17T06:00:00Z.
    #[arg(long, value_name = "D", value_parser = instant, requires = "to")]
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive.
    #[arg(long, value_name = "D", value_parser = instant, requires = "from")]
    pub to: Option<DateTime<Utc>>,
    /// Length of a window, as `extract` has it for the same lake: 1h of --lookback by default, else 1d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub every: Option<Duration>,
    /// The inbox's folder: what waits in it is landed first.
    #[arg(long, value_name = "DIR")]
    pub inbox: Option<PathBuf>,
    /// The largest share of records that the webhook may have missed; more ends with exit 7.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.05")]
    pub max_missed: f64,
    /// Windows in flight at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Memory that the pages, row groups and keys of all jobs share, such as 256MiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Write what the run did to this file, in the text format of Prometheus.
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Tell a catalogue of each window's start, commit or failure: OpenLineage events to a file, or to an http(s) URL.
    #[arg(long, value_name = "FILE|URL", env = "OPENLINEAGE_URL", hide_env_values = true)]
    pub openlineage: Option<String>,
    /// How the result is written on stdout.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub report: Format,
}
