//! The options of the commands about webhooks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::values::{Format, period, size};

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The source file, whose webhooks are served.
    pub source: PathBuf,
    /// Where to listen; with port 0 the system chooses one, which is printed.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// The inbox's folder, on a local disk; made where there is none.
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub inbox: PathBuf,
    /// What the inbox may take; beyond it senders are told to come again (503).
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1GiB")]
    pub inbox_max: u64,
    /// A PEM file of the TLS certificate and those that it was issued by; without it, plain HTTP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// A PEM file of the certificate's key, not encrypted.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Connections at once; others wait.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_connections: u32,
    /// How long a client may take to send a request's head, again its body, and to take the answer.
    #[arg(long, value_name = "DURATION", value_parser = period, default_value = "10s")]
    pub client_timeout: Duration,
}

/// Options of `inbox`.
#[derive(Debug, Args)]
pub struct InboxArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: InboxCommand,
}

/// What to do with an inbox.
#[derive(Debug, Subcommand)]
pub enum InboxCommand {
    /// List the events that have not landed, the oldest first.
    List(InboxListArgs),
    /// Show an event with its body.
    Show(InboxShowArgs),
    /// Let refused events be landed after all, by the source file as it is now.
    Requeue(InboxRequeueArgs),
}

/// Options of `inbox list`.
#[derive(Debug, Args)]
pub struct InboxListArgs {
    /// The inbox's folder.
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub inbox: PathBuf,
    /// Only events of this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Only events in this state.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<EventState>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
    /// How the result is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// Options of `inbox show`.
#[derive(Debug, Args)]
pub struct InboxShowArgs {
    /// The event's number, as `inbox list` shows it.
    #[arg(value_name = "SEQ")]
    pub seq: i64,
    /// The inbox's folder.
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub inbox: PathBuf,
    /// Print the body alone, byte for byte.
    #[arg(long)]
    pub body: bool,
}

/// Options of `inbox requeue`.
#[derive(Debug, Args)]
pub struct InboxRequeueArgs {
    /// The events' numbers, as `inbox list` shows them.
    #[arg(value_name = "SEQ", required_unless_present = "all")]
    pub seqs: Vec<i64>,
    /// All refused events.
    #[arg(long, conflicts_with = "seqs")]
    pub all: bool,
    /// The inbox's folder.
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub inbox: PathBuf,
}

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventState {
    /// It waits to be landed.
    Waiting,
    /// It can become no row.
    Refused,
}
