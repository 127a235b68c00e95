//! The `lakeward` command: arguments, the error and its hint, the exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use lakeward::cli;

fn main() -> ExitCode {
    let arguments = match cli::args::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return ExitCode::from(cli::failures::print_refused(&error, std::env::args_os()));
        }
    };
    cli::heap::share(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: could not start the runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let log = arguments.log;
    let ended = runtime.block_on(cli::run(arguments));
    // A request that hangs must not keep the process: what matters is durable by now.
    runtime.shutdown_background();
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cli::failures::print_error(log, &error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
