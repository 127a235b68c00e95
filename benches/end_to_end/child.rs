//! Other processes: servers that end with the driver, and commands whose cost is measured.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// A server in a process of its own; it ends when this is dropped.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// This program again as `role:serve`, `role:proxy` or `role:echo`, which say where they listen.
    pub(crate) fn role(role: &str, arguments: &[&str]) -> Self {
        let mut process = own(role)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process of this program");
        let said = process.stdout.take().expect("its stdout");
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address).expect("a line from the server");
        let address = address.trim().parse().expect("an address from the server");
        Self { process, address }
    }

    /// A server that was started by other means.
    pub(crate) fn started(process: Child, address: SocketAddr) -> Self {
        Self { process, address }
    }

    /// The most memory it had resident at once so far, in MB.
    pub(crate) fn peak(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = kib.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        kib.map_or(f64::NAN, |kib| kib * 1024.0 / 1e6)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until whoever started this process is gone: it holds our stdin.
pub(crate) fn wait_for_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn own(role: &str) -> Command {
    let mut own = Command::new(std::env::current_exe().expect("the path of this program"));
    own.arg(format!("role:{role}"));
    own
}

/// What a command cost, with the processes that it waited for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Seconds from its start to its end.
    pub(crate) wall: f64,
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    /// The most memory it had resident at once, in MB.
    pub(crate) peak: f64,
    /// Its exit code; -1 where a signal ended it.
    pub(crate) exit: i32,
}

impl Cost {
    /// Runs a command and says what it cost. What it prints goes to `output`, errors behind it to `output.err`.
    ///
    /// A small process of its own runs it: a child's peak is never under that of the process it comes from.
    pub(crate) fn of(command: &Command, output: &Path) -> Self {
        let mut measure = own("measure");
        measure.arg(output).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            measure.env(name, value.expect("a variable that is set"));
        }
        let said = measure.stderr(Stdio::inherit()).output().expect("a measured command");
        serde_json::from_slice(&said.stdout).expect("a cost")
    }
}

/// The role `measure OUTPUT PROGRAM ARGUMENT…`.
pub(crate) fn measure(arguments: &[String]) {
    let [output, program, arguments @ ..] = arguments else { return };
    let file = |name: &str| File::create(name).expect("a file for what it prints");
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file(output))
        .stderr(file(&format!("{output}.err")))
        .status()
        .expect("a program that starts");
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the child's usage");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    #[expect(clippy::cast_precision_loss, reason = "microseconds and KiB of a bench")]
    let (cpu, peak) = (micros as f64 / 1e6, usage.max_rss() as f64 * 1024.0 / 1e6);
    let cost = Cost { wall, cpu, peak, exit: status.code().unwrap_or(-1) };
    println!("{}", serde_json::to_string(&cost).expect("a cost"));
}
