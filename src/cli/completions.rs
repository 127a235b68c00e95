//! `lakeward completions`: what a shell needs to complete commands and options.

use clap::CommandFactory as _;

use crate::cli::args::Cli;
use crate::cli::render::out;
use crate::error::Result;

/// Prints the completion script of `shell`.
pub(crate) fn run(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lakeward", &mut script);
    out(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
