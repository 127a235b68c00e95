//! `--metrics-file`: what a run did, in the text format of Prometheus, for node_exporter's textfile collector beside cron.
//!
//! All are gauges of the last run: a run is no process that lives long enough to be asked.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::Path;

use crate::clock::{Clock as _, SystemClock};
use crate::run::report::{Outcome, RunReport, WindowReport};
use crate::webhook::metrics::head;
use crate::webhook::reconcile::report::{Reconciled, StreamReport};

/// Writes the metrics of a run where a file is named.
pub(crate) fn write_run(file: Option<&Path>, report: &RunReport) {
    let mut text = Text::default();
    text.run(report, report.exit);
    write(file, &text.0);
}

/// Writes those of a reconciliation: of its polls, and of what the webhook missed.
pub(crate) fn write_reconciled(file: Option<&Path>, reconciled: &Reconciled) {
    let mut text = Text::default();
    text.run(&reconciled.polled, reconciled.exit);
    text.reconciled(&reconciled.streams);
    write(file, &text.0);
}

/// A file that cannot be written changes nothing of what the run did.
fn write(file: Option<&Path>, text: &str) {
    let Some(file) = file else { return };
    if let Err(error) = replace(file, text) {
        tracing::warn!(file = %file.display(), %error, "could not write the metrics file");
    }
}

/// Whole or not at all for who reads it meanwhile: written beside, then moved. Its name ends otherwise until then, so that a
/// collector of `*.prom` passes it over.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let mut to = std::fs::File::create(&part)?;
    to.write_all(text.as_bytes())
        .and_then(|()| to.sync_all())
        .and_then(|()| std::fs::rename(&part, file))
        .inspect_err(|_| drop(std::fs::remove_file(&part)))
}

type Labels<'a> = &'a [(&'a str, &'a str)];

type Count = fn(&StreamReport) -> u64;

#[derive(Default)]
struct Text(String);

impl Text {
    fn run(&mut self, report: &RunReport, exit: u8) {
        self.head("lakeward_run_exit_code", "Exit code of the last run.");
        self.line("lakeward_run_exit_code", &[], exit);
        self.head("lakeward_run_ended_timestamp_seconds", "When the last run ended.");
        let ended = SystemClock.now().timestamp();
        self.line("lakeward_run_ended_timestamp_seconds", &[], ended);
        let traffic = &report.traffic;
        for (what, help, count) in [
            ("requests", "Requests sent, retries included.", traffic.requests),
            ("retries", "Requests sent again.", traffic.retries),
            ("throttled", "Responses that asked to slow down.", traffic.throttled),
        ] {
            let name = format!("lakeward_run_{what}");
            self.head(&name, help);
            self.line(&name, &[], count);
        }
        self.windows(&report.windows);
    }

    fn windows(&mut self, windows: &[WindowReport]) {
        let mut outcomes: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
        let mut records: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
        let mut findings: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for window in windows {
            let (source, table) = (window.source.as_str(), window.table.as_str());
            *outcomes.entry((source, table, window.outcome.name())).or_default() += 1;
            if window.outcome != Outcome::Committed {
                continue;
            }
            let counts = window.counts.unwrap_or_default();
            for (what, count) in [
                ("written", counts.written),
                ("rejected", counts.rejected),
                ("duplicates", counts.duplicates),
                ("outside", counts.outside),
            ] {
                *records.entry((source, table, what)).or_default() += count;
            }
            let found = window.drift.as_ref().map_or(0, |drift| drift.findings);
            *findings.entry((source, table)).or_default() += found;
        }
        self.head("lakeward_run_windows", "Windows of the last run by outcome.");
        for ((source, table, outcome), count) in outcomes {
            let labels = [("source", source), ("table", table), ("outcome", outcome)];
            self.line("lakeward_run_windows", &labels, count);
        }
        self.head("lakeward_run_records", "Records of the windows that it committed.");
        for ((source, table, what), count) in records {
            let labels = [("source", source), ("table", table), ("what", what)];
            self.line("lakeward_run_records", &labels, count);
        }
        self.head(
            "lakeward_run_drift_findings",
            "Drift findings of the windows that it committed.",
        );
        for ((source, table), count) in findings {
            let labels = [("source", source), ("table", table)];
            self.line("lakeward_run_drift_findings", &labels, count);
        }
    }

    fn reconciled(&mut self, streams: &[StreamReport]) {
        let counts: [(&str, &str, Count); 4] = [
            ("polled", "Records that the API has in the windows.", |stream| stream.polled),
            ("delivered", "Those that events had brought.", |stream| stream.delivered),
            ("missed", "Those that no event had brought.", |stream| stream.missed),
            ("stale", "Those delivered in an earlier version only.", |stream| stream.stale),
        ];
        for (what, help, count) in counts {
            let name = format!("lakeward_reconcile_{what}");
            self.head(&name, help);
            for stream in streams {
                self.line(&name, &[("stream", &stream.stream)], count(stream));
            }
        }
        let name = "lakeward_reconcile_late_seconds";
        self.head(name, "How long after a record's own time its event came.");
        for stream in streams {
            let Some(late) = &stream.late else { continue };
            let quantiles = [
                ("0.5", late.p50_ms),
                ("0.9", late.p90_ms),
                ("0.99", late.p99_ms),
                ("1", late.max_ms),
            ];
            for (quantile, ms) in quantiles {
                let (sign, abs) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
                let seconds = format!("{sign}{}.{:03}", abs / 1_000, abs % 1_000);
                self.line(name, &[("stream", &stream.stream), ("quantile", quantile)], seconds);
            }
        }
    }

    fn head(&mut self, name: &str, help: &str) {
        head(&mut self.0, name, "gauge", help);
    }

    fn line(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let shown = |(name, value): &(&str, &str)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        };
        let labels: Vec<String> = labels.iter().map(shown).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
