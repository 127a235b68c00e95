//! The binary under test over one window: its source and schema files, its command, and the rows that it must report.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::Cost;
use crate::places;

/// The table of the benches.
pub(crate) const SCHEMA: &str = include_str!("../payments/payments.yaml");

/// How a stream goes from page to page.
#[derive(Clone, Copy)]
pub(crate) enum Paging {
    /// By the cursor of the last page: one request after another.
    Cursor,
    /// By number, so many requests at once.
    Numbers(u32),
}

/// One way to extract.
pub(crate) struct Extract<'a> {
    /// The API.
    pub(crate) api: SocketAddr,
    /// The schema file's text.
    pub(crate) schema: &'a str,
    /// Whether the raw column is kept.
    pub(crate) raw: bool,
    /// The pagination.
    pub(crate) paging: Paging,
}

impl Extract<'_> {
    /// Writes the source and schema files into `folder`, and gives back the command into a lake beside them.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let schema = match self.raw {
            true => self.schema.to_owned(),
            false => self.schema.replace("raw_column: _raw", "raw_column: null"),
        };
        let pagination = match self.paging {
            Paging::Cursor => {
                "pagination: { type: cursor, cursor: /cursor, param: cursor, has_more: /has_more }"
                    .to_owned()
            }
            Paging::Numbers(at_once) => {
                format!("concurrency: {at_once}\n    pagination: {{ type: page, param: page }}")
            }
        };
        let source = format!(
            "version: 1
source: bench
base_url: http://{}/v1
streams:
  payments:
    schema: payments.yaml
    path: /payments
    records: /items
    total: /total
    {pagination}
",
            self.api
        );
        let file = folder.join("source.yaml");
        std::fs::write(&file, source).expect("a source file");
        std::fs::write(folder.join("payments.yaml"), schema).expect("a schema file");
        let mut command = Command::new(places::lakeward());
        command.arg("extract").arg(file).arg("payments").arg("--lake").arg(folder.join("lake"));
        command.args(["--from", "2026-03-16", "--to", "2026-03-19", "--every", "3d"]);
        command.args(["--report", "json"]);
        command
    }

    /// Runs it into a new lake and checks that every record was written.
    ///
    /// # Errors
    /// The exit code; the end of the log goes to stderr.
    pub(crate) fn run(&self, records: u64) -> Result<Cost, String> {
        let folder = places::fresh("lakeward");
        let report = folder.join("report.json");
        let cost = Cost::of(&self.command(&folder), &report);
        if cost.exit != 0 {
            eprintln!("{}", end_of_log(&report));
            return Err(format!("exit {}", cost.exit));
        }
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("JSON");
        let written = report.pointer("/windows/0/counts/written").and_then(|n| n.as_u64());
        assert_eq!(written, Some(records), "records written, by the report");
        places::fresh("lakeward");
        Ok(cost)
    }
}

fn end_of_log(output: &Path) -> String {
    let mut log = PathBuf::from(output).into_os_string();
    log.push(".err");
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(4).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
