//! The options of the commands that look at a lake, or after it.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::values::{Format, duration, instant, size};

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// Print the published files alone, one a line: the exact list for a reader.
    #[arg(long, conflicts_with = "format")]
    pub files: bool,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = StatusFormat::Table)]
    pub format: StatusFormat,
}

/// How a lake's status is written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// A short table for people; of one table also its days.
    Table,
    /// One JSON document.
    Json,
    /// One HTML file: the days as calendars.
    Html,
}

/// Options of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
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

/// Which windows of a lake; all by default.
#[derive(Debug, Args)]
pub struct Within {
    /// One UTC day such as 2026-03-17, or the 24 hours from an instant on.
    #[arg(long, value_name = "D", value_parser = instant, conflicts_with_all = ["from", "to", "since"])]
    pub date: Option<DateTime<Utc>>,
    /// First instant: a date or an instant such as 2026-03-17T06:00:00Z.
    #[arg(long, value_name = "D", value_parser = instant, requires = "to", conflicts_with = "since")]
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive.
    #[arg(long, value_name = "D", value_parser = instant, requires = "from")]
    pub to: Option<DateTime<Utc>>,
    /// The windows from this date or instant on.
    #[arg(long, value_name = "D", value_parser = instant)]
    pub since: Option<DateTime<Utc>>,
}

/// Options of `drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// Which windows.
    #[command(flatten)]
    pub within: Within,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DriftFormat::Table)]
    pub format: DriftFormat,
    /// Print the schema file with the proposed lines worked in, of what the last window shows.
    #[arg(long, requires = "schema", requires = "table", conflicts_with = "format")]
    pub patch: bool,
    /// The schema file of the table, for --patch.
    #[arg(long, value_name = "FILE", requires = "patch")]
    pub schema: Option<PathBuf>,
}

/// How a drift report is written on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriftFormat {
    /// A short table for people.
    Table,
    /// One JSON document.
    Json,
    /// For a pull request or a chat.
    Markdown,
    /// One file for a browser, with a timeline of the fields.
    Html,
    /// SARIF 2.1.0, for the annotations of a CI.
    Sarif,
}

/// Options of `rejects`, or of `rejects replay`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RejectsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: Option<RejectsCommand>,
    /// What is listed.
    #[command(flatten)]
    pub list: ListArgs,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum RejectsCommand {
    /// Land those that a schema accepts by now, from the lake alone; no request.
    Replay(RedecodeArgs),
}

/// Options of `redecode` and `rejects replay`.
#[derive(Debug, Args)]
pub struct RedecodeArgs {
    /// The schema file; the table is the one that it names.
    #[arg(long, value_name = "FILE")]
    pub schema: PathBuf,
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// Which windows.
    #[command(flatten)]
    pub within: Within,
    /// Only windows of this stream, as STREAM or SOURCE.STREAM; needed where the table has rows of several, and repeated
    /// where the schema file is of several.
    #[arg(long = "stream", value_name = "STREAM")]
    pub streams: Vec<String>,
    /// Publish whatever reject limit and drift policy say.
    #[arg(long)]
    pub accept_drift: bool,
    /// Says which windows would be decoded anew, and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// Options of the list of dead letters.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show values and records also where fields are `pii: true` or their samples are not full.
    #[arg(long)]
    pub show_values: bool,
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// Which windows.
    #[command(flatten)]
    pub within: Within,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// Options of `vacuum`.
#[derive(Debug, Args)]
pub struct VacuumArgs {
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// Leaves alone what was written later than this long ago.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "7d")]
    pub older_than: Duration,
    /// Deletes; without it, what would be deleted is only named.
    #[arg(long)]
    pub delete: bool,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// Options of `compact`.
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// The lake: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// The table; all of the lake by default.
    pub table: Option<String>,
    /// Files of less than half of this are merged, up to about this size.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "512MiB")]
    pub target_file: u64,
    /// Says what would be merged, and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}
