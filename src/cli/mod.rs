//! The command line: one file a command, rendering, progress and the log.

pub mod args;
mod check;
mod compact;
mod completions;
pub mod demo;
mod drift;
mod examples;
mod extract;
pub mod failures;
pub mod heap;
mod inbox;
mod init;
mod land;
mod lineage;
mod logging;
mod man;
mod markup;
mod metrics_file;
mod peek;
mod plan;
mod progress;
mod reconcile;
mod redecode;
mod rejects;
mod render;
mod sample;
mod selection;
mod serve;
mod signals;
mod sql;
mod status;
mod tables;
mod vacuum;
mod verify;

use crate::cli::args::{Cli, Command};
use crate::error::Result;

/// Runs a command and gives the process's exit code.
///
/// # Errors
/// Whatever ends a command before it has a result to print; the error's kind is the exit code.
pub async fn run(cli: Cli) -> Result<u8> {
    logging::start(cli.log, &cli.log_level)?;
    let log = cli.log;
    match cli.command {
        Command::Demo(args) => demo::run(args, log).await,
        Command::Init(args) => init::run(args).await,
        Command::Check(args) => check::run(&args),
        Command::Peek(args) => peek::run(args).await,
        Command::Plan(args) => plan::run(args).await,
        Command::Extract(args) => extract::run(args, log).await,
        Command::Land(args) => land::run(args, log).await,
        Command::Reconcile(args) => reconcile::run(args, log).await,
        Command::Status(args) => status::run(args).await,
        Command::Sql(args) => sql::run(args).await,
        Command::Drift(args) => drift::run(args).await,
        Command::Rejects(args) => rejects::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Vacuum(args) => vacuum::run(args).await,
        Command::Compact(args) => compact::run(args).await,
        Command::Redecode(args) => redecode::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Inbox(args) => inbox::run(args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(&dir),
    }
}
