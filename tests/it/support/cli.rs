//! The binary under test in a workspace of its own: source and schema files, a clean environment, kills and signals.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::lake::LakeDir;
use super::paged_api::{PagedApi, Style};
use super::wait_until;

/// Longer than any run of these tests takes; a run that is still there is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// The table, stream and source that the workspaces declare.
pub(crate) const TABLE: &str = "payments";

/// A source file, piece by piece, with settings that keep tests fast.
#[derive(Clone, Debug)]
pub(crate) struct SourceYaml {
    /// The API's address.
    pub(crate) base_url: String,
    /// How it pages.
    pub(crate) style: Style,
    /// `retry.max_attempts`; waits are a second at most.
    pub(crate) max_attempts: u32,
    /// `checkpoint_every`.
    pub(crate) checkpoint_every: String,
    /// `http.timeout`.
    pub(crate) timeout: String,
    /// `records`.
    pub(crate) records: String,
    /// `auth`, as a YAML flow mapping.
    pub(crate) auth: String,
    /// Further lines of the top level.
    pub(crate) top: String,
    /// Further lines of the stream, without their indentation.
    pub(crate) stream: Vec<String>,
}

impl SourceYaml {
    /// A source that reads a [`PagedApi`] at `base_url`.
    pub(crate) fn new(base_url: &str, style: Style) -> Self {
        Self {
            base_url: base_url.to_owned(),
            style,
            max_attempts: 2,
            checkpoint_every: "30s".to_owned(),
            timeout: "5s".to_owned(),
            records: "/data".to_owned(),
            auth: "{ type: none }".to_owned(),
            top: String::new(),
            stream: Vec::new(),
        }
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let pagination = match self.style {
            Style::Cursor => {
                "{ type: cursor, cursor: /pagination/next_cursor, param: cursor, has_more: /pagination/has_more }"
            }
            Style::Page => "{ type: page, param: page, first: 1, size_param: per_page, size: 100 }",
            Style::Offset => "{ type: offset, param: offset, limit_param: limit, limit: 100 }",
            Style::NextUrl => "{ type: next_url, next: /next }",
            Style::Link => "{ type: link_header }",
        };
        let Self { base_url, max_attempts, checkpoint_every, timeout, records, auth, top, .. } =
            self;
        let stream: String = self.stream.iter().map(|line| format!("    {line}\n")).collect();
        format!(
            r#"version: 1
source: gateway
base_url: {base_url}
auth: {auth}
http: {{ timeout: {timeout}, connect_timeout: 2s }}
retry: {{ max_attempts: {max_attempts}, max_wait: 1s }}
checkpoint_every: {checkpoint_every}
{top}
streams:
  payments:
    schema: schema.yaml
    path: /payments
    params: {{ from: "{{{{ window.start | unix }}}}", to: "{{{{ window.end | unix }}}}" }}
    records: {records}
    total: /pagination/total
    pagination: {pagination}
{stream}"#
        )
    }
}

/// The schema of the payments that a [`PagedApi`] serves.
pub(crate) fn schema_yaml() -> &'static str {
    r#"version: 1
table: payments
primary_key: [payment_id]
partition_by: created_at
raw_column: _raw
reject_limit: 0.05
fields:
  - { name: payment_id, type: string, from: [/id, /payment_id], required: true }
  - { name: amount, type: "decimal(18, 2)", from: /amount, integers: minor, required: true, min: 0 }
  - { name: currency, type: string, from: /currency, default: INR }
  - { name: status, type: string, from: /status, case: lower, known: [created, authorized, captured, refunded, failed] }
  - { name: method, type: string, from: /method }
  - { name: created_at, type: timestamp, from: /created_at, required: true }
  - { name: notes, type: json, from: /notes }
"#
}

/// A folder with `source.yaml`, `schema.yaml` and a lake, which goes away with the value.
pub(crate) struct Workspace {
    dir: TempDir,
}

impl Workspace {
    /// A workspace without files.
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A workspace for this source.
    pub(crate) fn new(source: &SourceYaml) -> Self {
        let workspace = Self::empty();
        workspace.write("source.yaml", &source.text());
        workspace.write("schema.yaml", schema_yaml());
        workspace
    }

    /// A workspace that reads `api` with the default settings.
    pub(crate) fn reading(api: &PagedApi, style: Style) -> Self {
        Self::new(&SourceYaml::new(&api.base_url(), style))
    }

    /// Writes a file of the workspace, over the old one.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// With a file of it changed.
    pub(crate) fn with(self, name: &str, change: impl FnOnce(String) -> String) -> Self {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        self.write(name, &change(text));
        self
    }

    /// The path of a file of the workspace.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The lake that the runs write.
    pub(crate) fn lake(&self) -> LakeDir {
        LakeDir::new(self.path("lake"))
    }

    /// `lakeward ARGS` in this folder, in an environment that holds nothing of the developer's.
    pub(crate) fn lakeward(&self, args: &[&str]) -> Lakeward {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakeward"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Lakeward { command }
    }

    /// `lakeward extract source.yaml --lake lake ARGS`.
    pub(crate) fn extract(&self, args: &[&str]) -> Lakeward {
        self.lakeward(&[&["extract", "source.yaml", "--lake", "lake"], args].concat())
    }

    /// `lakeward extract` of the first day of the [`PagedApi`], 2026-03-17.
    pub(crate) fn extract_day(&self, args: &[&str]) -> Lakeward {
        self.extract(&[&["--date", "2026-03-17"], args].concat())
    }
}

/// A shell script in front of a command: no file that it writes may grow past 16 blocks (8 or 16 KiB),
/// and the write that tries fails with EFBIG as it would with ENOSPC on a full disk.
const SMALL_FILES: &str = r#"trap '' XFSZ; ulimit -f 16; exec "$0" "$@""#;

/// A command that is not started yet.
pub(crate) struct Lakeward {
    command: Command,
}

impl Lakeward {
    /// Sets an environment variable.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// On a disk that takes only small files.
    #[must_use]
    pub(crate) fn with_small_files_only(self) -> Self {
        self.behind(SMALL_FILES)
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        self.start().wait()
    }

    /// Runs it to its end, which must be this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ended {
        let ended = self.run();
        assert_eq!(ended.code, Some(code), "{ended}");
        ended
    }

    /// A write past the largest size of a file, which a test may set later, fails as on a full disk, and kills nothing.
    #[must_use]
    pub(crate) fn minding_file_sizes(self) -> Self {
        self.behind(r#"trap '' XFSZ; exec "$0" "$@""#)
    }

    fn behind(self, script: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(self.command.get_program());
        command.args(self.command.get_args()).env_clear();
        let set = self.command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(set).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.command.get_current_dir().expect("a command has a folder"));
        Self { command }
    }

    /// Starts it and waits until it says where it listens.
    #[track_caller]
    pub(crate) fn start_listening(mut self) -> (Running, SocketAddr) {
        let mut child = self.command.spawn().unwrap();
        let stderr = drain(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let running = Running { child, stdout: Some(drain(stdout)), stderr: Some(stderr) };
        match line.trim().strip_prefix("listening on ").and_then(|text| text.parse().ok()) {
            Some(address) => (running, address),
            None => panic!("it does not listen: {line}{}", running.wait()),
        }
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stdout = drain(child.stdout.take().unwrap());
        let stderr = drain(child.stderr.take().unwrap());
        Running { child, stdout: Some(stdout), stderr: Some(stderr) }
    }
}

/// Reads a pipe to its end beside the test, so that a full pipe never blocks the child.
fn drain(mut pipe: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A command under way; killed when the value goes away.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// SIGKILL, and waits until it is gone. True when it was still running.
    pub(crate) fn kill9(mut self) -> bool {
        let running = self.child.try_wait().unwrap().is_none();
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        running && status.code().is_none()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Asks it to end with SIGTERM or SIGINT.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        let ended = wait_until(STUCK, || self.child.try_wait().unwrap().is_some());
        if !ended {
            let _ = self.child.kill();
        }
        let status = self.child.wait().unwrap();
        let text = |pipe: &mut Option<JoinHandle<String>>| pipe.take().unwrap().join().unwrap();
        let ended_as = Ended {
            code: status.code(),
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
        };
        assert!(ended, "still running after {STUCK:?}: {ended_as}");
        ended_as
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote on stdout.
    pub(crate) stdout: String,
    /// What it wrote on stderr.
    pub(crate) stderr: String,
}

impl Ended {
    /// The JSON document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON document: {error}\n{self}"))
    }

    /// Asserts that one line of stderr has every one of `words` (letter case aside), and that
    /// nothing panicked.
    #[track_caller]
    pub(crate) fn complains(&self, words: &[&str]) {
        let text = self.stderr.to_lowercase();
        let has = |line: &str| words.iter().all(|word| line.contains(&word.to_lowercase()));
        assert!(text.lines().any(has), "no line of stderr has all of {words:?}: {self}");
        assert!(!text.contains("panicked"), "{self}");
    }

    /// Asserts that stdout or stderr has `words` (letter case aside).
    #[track_caller]
    pub(crate) fn says(&self, words: &str) {
        let text = format!("{}\n{}", self.stdout, self.stderr).to_lowercase();
        assert!(text.contains(words), "`{words}` is not said: {self}");
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(f, "exit {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

mod tests {
    use super::*;

    #[test]
    fn writes_the_templates_with_their_braces() {
        let source = SourceYaml::new("http://127.0.0.1:9/v1", Style::Cursor);
        let text = source.text();
        assert!(text.contains(r#"params: { from: "{{ window.start | unix }}""#), "{text}");
        assert!(text.contains("\nretry: { max_attempts: 2, max_wait: 1s }\n"), "{text}");
    }

    #[test]
    fn runs_in_a_clean_environment() {
        let workspace = Workspace::new(&SourceYaml::new("http://127.0.0.1:9/v1", Style::Link));
        assert!(workspace.path("source.yaml").exists() && workspace.path("schema.yaml").exists());
        workspace.lakeward(&["--version"]).env("X", "y").exits(0);
        workspace.lakeward(&["--version"]).with_small_files_only().exits(0);
    }
}
