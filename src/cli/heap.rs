//! One heap for a run with a budget of memory.

use crate::cli::args::Cli;

/// Says to glibc how many heaps a program may have (mallopt(3)).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: &str = "MALLOC_ARENA_MAX";

/// Begins the program anew with a single heap where `--memory` is given, which is the only way to ask for it from
/// outside; nothing happens where somebody has asked for a number already, or where it cannot be done.
///
/// glibc gives each thread a heap of its own, where what a page leaves behind is of no use to the other threads: pages
/// of 20 MB then take 340 MiB instead of 212, and a thousand columns 736 instead of 255. Few threads allocate at once,
/// so that one heap costs no time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share(arguments: &Cli) {
    use std::os::unix::process::CommandExt as _;

    use crate::cli::args::Command;

    let Command::Extract(extract) = &arguments.command else { return };
    if extract.memory.is_none() || std::env::var_os(HEAPS).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    // Run by the loader, which is the program then.
    let name = program.file_name().and_then(|name| name.to_str());
    if name.is_none_or(|name| name.starts_with("ld-") || name.starts_with("ld.")) {
        return;
    }
    let mut given = std::env::args_os();
    let mut anew = std::process::Command::new(program);
    if let Some(name) = given.next() {
        anew.arg0(name);
    }
    // Comes back only where it failed.
    let _ = anew.args(given).env(HEAPS, "1").exec();
}

/// As there is no such number to ask for.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share(_: &Cli) {}
