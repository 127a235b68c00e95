//! The command line, as a newcomer reads it in `--help`.

pub mod lake;
pub mod landing;
pub mod values;
pub mod webhook;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::args::lake::{
    CompactArgs, DriftArgs, RedecodeArgs, RejectsArgs, SqlArgs, StatusArgs, VacuumArgs, VerifyArgs,
};
use crate::cli::args::landing::{LandArgs, ReconcileArgs};
use crate::cli::args::values::{Format, Jobs, duration, instant, jobs, size};
use crate::cli::args::webhook::{InboxArgs, ServeArgs};
use crate::cli::examples::{
    CHECK_EXAMPLES, COMPACT_EXAMPLES, DEMO_EXAMPLES, DRIFT_EXAMPLES, EXITS, EXTRACT_EXAMPLES,
    INBOX_EXAMPLES, INIT_EXAMPLES, LAND_EXAMPLES, PEEK_EXAMPLES, PLAN_EXAMPLES, RECONCILE_EXAMPLES,
    REDECODE_EXAMPLES, REJECTS_EXAMPLES, SERVE_EXAMPLES, SQL_EXAMPLES, STATUS_EXAMPLES,
    VACUUM_EXAMPLES, VERIFY_EXAMPLES,
};

/// Paginated REST APIs into typed, date-partitioned Parquet, whole or not at all.
#[derive(Debug, Parser)]
#[command(name = "lakeward", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = EXITS, after_long_help = EXITS, arg_required_else_help = true)]
pub struct Cli {
    /// How the log on stderr is written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Pretty, value_name = "FORMAT", help_heading = "Log")]
    pub log: LogFormat,
    /// What the log holds: error, warn, info, debug or trace, or `lakeward::http=debug`.
    #[arg(
        long,
        global = true,
        env = "LAKEWARD_LOG",
        default_value = "info",
        value_name = "FILTER",
        help_heading = "Log"
    )]
    pub log_level: String,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Extract from an embedded API into ./lake and show what to query: the product in ten seconds.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Write a source file and a schema file: from a URL, a saved response or an OpenAPI 3 document.
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Check a source file and its schemas: everything that needs no network.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Fetch one page and show it: status, quota, envelope, and each field as declared and as seen.
    #[command(after_help = PEEK_EXAMPLES)]
    Peek(PeekArgs),
    /// Print the windows of a backfill as JSON, for an orchestrator's fan-out.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Extract windows of time from an API into the lake; resumes and skips what is done.
    #[command(after_help = EXTRACT_EXAMPLES)]
    Extract(ExtractArgs),
    /// Land the events of an inbox in the lake, exactly once.
    #[command(after_help = LAND_EXAMPLES)]
    Land(LandArgs),
    /// Poll the windows that webhooks should have brought, land what is missing, and say what they missed.
    #[command(after_help = RECONCILE_EXAMPLES)]
    Reconcile(ReconcileArgs),
    /// Show which windows a table holds, and the exact files that readers should use.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Print views for DuckDB or Spark: the exact file list, and the latest row of each key.
    #[command(after_help = SQL_EXAMPLES)]
    Sql(SqlArgs),
    /// Show what the API changed: since when, how often, where first, and the lines that would accept it.
    #[command(after_help = DRIFT_EXAMPLES)]
    Drift(DriftArgs),
    /// Show the records that could not become rows, by reason, with examples.
    #[command(after_help = REJECTS_EXAMPLES)]
    Rejects(RejectsArgs),
    /// Re-read every published file against its manifest: rows, sha256, schema.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Name what kills left in the lake and no manifest names, and delete it with --delete.
    #[command(after_help = VACUUM_EXAMPLES)]
    Vacuum(VacuumArgs),
    /// Merge the small files of each window's partitions; the rows stay as they are.
    #[command(after_help = COMPACT_EXAMPLES)]
    Compact(CompactArgs),
    /// Rebuild typed columns from the raw column by another schema, dead letters included; no request.
    #[command(after_help = REDECODE_EXAMPLES)]
    Redecode(RedecodeArgs),
    /// Receive webhooks: prove, keep durably, then answer 200.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// List, show or requeue the events that were accepted and have not landed.
    #[command(after_help = INBOX_EXAMPLES)]
    Inbox(InboxArgs),
    /// Print a completion script for your shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one a command.
    Man {
        /// The folder, such as ~/.local/share/man/man1; made where there is none.
        dir: PathBuf,
    },
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the lake is made: a folder, file:// URL or s3://bucket/prefix.
    #[arg(long, default_value = "./lake")]
    pub lake: String,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The source's name; the source file is called NAME.yaml.
    pub name: String,
    /// An http or https URL, a saved response (JSON, NDJSON, CSV), or an OpenAPI 3 document (JSON, YAML).
    #[arg(long, value_name = "URL|FILE")]
    pub from: Option<String>,
    /// Which operation of an OpenAPI document: its operationId, or its path such as /payments.
    #[arg(long, value_name = "ID", requires = "from")]
    pub operation: Option<String>,
    /// The stream's and table's name; by default the last part of the path.
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// The JSON Pointer of the records, where it is guessed wrong.
    #[arg(long, value_name = "POINTER", requires = "from")]
    pub records: Option<String>,
    /// Where credentials are found: bearer:ENV, basic:ENV:ENV, header:NAME:ENV or query:NAME:ENV.
    #[arg(long, value_name = "HOW")]
    pub auth: Option<String>,
    /// A value for a path or query parameter of an OpenAPI operation; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", requires = "from")]
    pub params: Vec<String>,
    /// The folder that the files go to: NAME.yaml, and schemas/STREAM.yaml.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The source file.
    pub source: PathBuf,
}

/// Options of `peek`.
#[derive(Debug, Args)]
pub struct PeekArgs {
    /// The source file.
    pub source: PathBuf,
    /// The stream; may be left out where the source has only one.
    pub stream: Option<String>,
    /// A UTC day such as 2026-03-17, or the 24 hours from an instant on; the last full day by default.
    #[arg(long, value_name = "D", value_parser = instant)]
    pub date: Option<DateTime<Utc>>,
    /// How the result is written on stdout.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// Which windows.
#[derive(Debug, Args)]
pub struct Windows {
    /// One UTC day such as 2026-03-17, or the window of --every that starts at an instant.
    #[arg(long, value_name = "D", value_parser = instant, conflicts_with_all = ["from", "to"])]
    pub date: Option<DateTime<Utc>>,
    /// First instant: a date or an instant such as 2026-03-17T06:00:00Z.
    #[arg(long, value_name = "D", value_parser = instant, requires = "to")]
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive: one day is --from 2026-03-17 --to 2026-03-18.
    #[arg(long, value_name = "D", value_parser = instant, requires = "from")]
    pub to: Option<DateTime<Utc>>,
    /// Length of a window: 15m, 1h, 1d; the last one is shorter where it does not divide the range.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1d")]
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
    #[arg(long, value_name = "LAKE")]
    pub lake: Option<String>,
}

/// Options of `extract`.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// The source file.
    pub source: PathBuf,
    /// Streams; all of the source by default.
    pub streams: Vec<String>,
    /// The lake: a folder, file:// URL or s3://bucket/prefix (AWS_* environment).
    #[arg(long, default_value = "./lake")]
    pub lake: String,
    /// Which windows.
    #[command(flatten)]
    pub windows: Windows,
    /// The full windows of the last DURATION, fetched anew (implies --refresh).
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with_all = ["date", "from", "to"])]
    pub lookback: Option<Duration>,
    /// Windows in flight at once; `auto` for as many as pay on this machine and fit in --memory.
    #[arg(long, value_name = "N", default_value = "1", value_parser = jobs)]
    pub jobs: Jobs,
    /// Memory that the pages, row groups and keys of all jobs share, such as 256MiB; a million keys take 30 MB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Fetch committed windows again and replace them.
    #[arg(long)]
    pub refresh: bool,
    /// Publish the staged rows of windows that drift policy or reject limit stopped, without a new request.
    #[arg(long)]
    pub accept_drift: bool,
    /// Save a checkpoint and end with exit 5 after this long.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub deadline: Option<Duration>,
    /// Save a checkpoint and end with exit 5 after this many requests.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,
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
