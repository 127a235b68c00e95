//! The command line, as a newcomer reads it in `--help`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::window::{parse_duration, parse_instant};

/// Paginated REST APIs into typed, date-partitioned Parquet, whole or not at all.
#[derive(Debug, Parser)]
#[command(name = "lakeward", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = EXITS, after_long_help = EXITS, arg_required_else_help = true)]
pub struct Cli {
    /// How the log on stderr is written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Pretty)]
    pub log: LogFormat,
    /// What the log holds: error, warn, info, debug or trace, or `lakeward::http=debug`.
    #[arg(
        long,
        global = true,
        env = "LAKEWARD_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log_level: String,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "\
Try it:  lakeward demo

Exit codes, for an orchestrator:
    0  done, or nothing to do                     go on
    1  unexpected                                 look
    2  usage, source or schema file wrong         fix, not retry
    3  credentials or permission refused          alert, not retry
    4  the API refused or broke its contract      alert, not retry
    5  a passing fault outlasted the retries      retry later, resumes from the checkpoint
    6  the lake could not be written or read      retry later
    7  drift policy or reject limit exceeded      alert; staged rows and reports are kept
    8  the API's total and the rows disagree      alert
    9  another live run holds the window          skip
  130, 143  interrupted; checkpoint saved         run again";

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How the result is written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A short table for people.
    Table,
    /// One JSON document.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Extract from an embedded API into ./lake and show what to query: the product in ten seconds.
    Demo(DemoArgs),
    /// Check a source file and its schemas: everything that needs no network.
    Check(CheckArgs),
    /// Print the windows of a backfill as JSON, for an orchestrator's fan-out.
    Plan(PlanArgs),
    /// Extract windows of time from an API into the lake; resumes and skips what is done.
    Extract(ExtractArgs),
    /// Show which windows a table holds, and the exact files that readers should use.
    Status(StatusArgs),
    /// Print views for DuckDB or Spark: the exact file list, and the latest row of each key.
    Sql(SqlArgs),
    /// Re-read every published file against its manifest: rows, sha256, schema.
    Verify(VerifyArgs),
    /// Print a completion script for your shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the lake is made.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The source file.
    pub source: PathBuf,
}

/// Which windows.
#[derive(Debug, Args)]
pub struct Windows {
    /// One UTC day, or the window of --every that starts at an instant.
    #[arg(long, value_name = "D", value_parser = parse_instant, conflicts_with_all = ["from", "to"])]
    pub date: Option<DateTime<Utc>>,
    /// First instant: a date or an instant such as 2026-03-17T06:00:00Z.
    #[arg(long, value_name = "D", value_parser = parse_instant, requires = "to")]
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive.
    #[arg(long, value_name = "D", value_parser = parse_instant, requires = "from")]
    pub to: Option<DateTime<Utc>>,
    /// Length of a window.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "1d")]
    pub every: Duration,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The source file.
    pub source: PathBuf,
    /// Streams; all of the source by default.
    pub streams: Vec<String>,
    /// Which windows.
    #[command(flatten)]
    pub windows: Windows,
    /// Adds the state of each window in this lake.
    #[arg(long)]
    pub lake: Option<String>,
}

/// Options of `extract`.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// The source file.
    pub source: PathBuf,
    /// Streams; all of the source by default.
    pub streams: Vec<String>,
    /// A folder, file:// URL or s3://bucket/prefix (AWS_* environment).
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// Which windows.
    #[command(flatten)]
    pub windows: Windows,
    /// The full windows of the last DURATION, fetched anew (implies --refresh).
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with_all = ["date", "from", "to"])]
    pub lookback: Option<Duration>,
    /// Windows in flight at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Fetch committed windows again and replace them.
    #[arg(long)]
    pub refresh: bool,
    /// Save a checkpoint and end with exit 5 after this long.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub deadline: Option<Duration>,
    /// Save a checkpoint and end with exit 5 after this many requests.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,
    /// How the result is written on stdout.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub report: Format,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The lake.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// Print the published files alone, one a line: the exact list for a reader.
    #[arg(long, conflicts_with = "format")]
    pub files: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Options of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The lake.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// For which engine.
    #[arg(long, value_enum, default_value_t = Dialect::Duckdb)]
    pub dialect: Dialect,
}

/// The SQL engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// DuckDB 1.x.
    Duckdb,
    /// Spark SQL 3.x and 4.x.
    Spark,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The lake.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}
