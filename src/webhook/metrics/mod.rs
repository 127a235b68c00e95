//! What the receiver counts, in Prometheus' text format:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

pub mod histogram;
pub mod reason;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use self::histogram::Histogram;
use self::reason::Reason;

/// Counts of one endpoint since the start.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    accepted: AtomicU64,
    duplicates: AtomicU64,
    ignored: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
    /// A request came.
    pub fn receive(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// An event was kept.
    pub fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// An event was seen before.
    pub fn duplicate(&self) {
        self.duplicates.fetch_add(1, Ordering::Relaxed);
    }

    /// An event is of a type that is ignored.
    pub fn ignore(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused.
    pub fn refuse(&self, reason: Reason) {
        let counted = Reason::ALL.iter().zip(&self.refused).find(|(of, _)| **of == reason);
        if let Some((_, count)) = counted {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts of a process since its start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// The endpoints' names and counts.
    pub endpoints: Vec<(String, Counters)>,
    /// Requests for paths that nothing is served at.
    pub elsewhere: AtomicU64,
    /// How long it took to make a group of events durable.
    pub durable: Histogram,
    /// Open connections.
    pub connections: AtomicU64,
}

/// One of an endpoint's counts.
type Count = fn(&Counters) -> &AtomicU64;

/// What the inbox says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Gauges {
    /// Events in it.
    pub depth: u64,
    /// Bytes in use.
    pub bytes: u64,
    /// The bytes that it may use.
    pub most: u64,
    /// How long ago its oldest event came, in milliseconds; 0 where it is empty.
    pub oldest_millis: u64,
}

/// A metric's type and what it is.
pub(crate) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String does not fail; nor below.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

impl Metrics {
    /// Counts for these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = String>) -> Self {
        let endpoints = endpoints.into_iter().map(|name| (name, Counters::default())).collect();
        Self { endpoints, ..Self::default() }
    }

    /// The counts of an endpoint.
    pub fn of(&self, endpoint: &str) -> Option<&Counters> {
        self.endpoints.iter().find(|(name, _)| name == endpoint).map(|(_, counters)| counters)
    }

    /// All of it as text; without the inbox's part where that could not be read.
    pub fn text(&self, gauges: Option<Gauges>) -> String {
        let mut text = String::new();
        let of: [(&str, &str, Count); 4] = [
            ("received", "Requests to an endpoint.", |counters| &counters.received),
            ("accepted", "Events made durable and answered 200.", |counters| &counters.accepted),
            ("duplicates", "Events answered 200 whose id was seen before.", |c| &c.duplicates),
            ("ignored", "Events answered 200 of a type that is ignored.", |c| &c.ignored),
        ];
        for (what, help, count) in of {
            let name = format!("lakeward_webhook_{what}_total");
            head(&mut text, &name, "counter", help);
            for (endpoint, counters) in &self.endpoints {
                let count = count(counters).load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{endpoint=\"{endpoint}\"}} {count}");
            }
        }
        self.write_refused(&mut text);
        let name = "lakeward_webhook_fsync_seconds";
        head(&mut text, name, "histogram", "Time to make a group of events durable.");
        self.durable.write(name, &mut text);
        let name = "lakeward_webhook_connections";
        head(&mut text, name, "gauge", "Open connections.");
        let _ = writeln!(text, "{name} {}", self.connections.load(Ordering::Relaxed));
        write_gauges(&mut text, gauges);
        text
    }

    fn write_refused(&self, text: &mut String) {
        let name = "lakeward_webhook_refused_total";
        head(text, name, "counter", "Requests that were not answered 200, by reason.");
        for (endpoint, counters) in &self.endpoints {
            for (reason, count) in Reason::ALL.iter().zip(&counters.refused) {
                let (reason, count) = (reason.name(), count.load(Ordering::Relaxed));
                let _ =
                    writeln!(text, "{name}{{endpoint=\"{endpoint}\",reason=\"{reason}\"}} {count}");
            }
        }
        let elsewhere = self.elsewhere.load(Ordering::Relaxed);
        let _ = writeln!(text, "{name}{{endpoint=\"\",reason=\"path\"}} {elsewhere}");
    }
}

fn write_gauges(text: &mut String, gauges: Option<Gauges>) {
    head(text, "lakeward_inbox_up", "gauge", "Whether the inbox could be read.");
    let _ = writeln!(text, "lakeward_inbox_up {}", u8::from(gauges.is_some()));
    let Some(Gauges { depth, bytes, most, oldest_millis }) = gauges else { return };
    let oldest = format!("{}.{:03}", oldest_millis / 1_000, oldest_millis % 1_000);
    for (name, help, value) in [
        ("lakeward_inbox_events", "Events that have not landed.", depth.to_string()),
        ("lakeward_inbox_bytes", "Bytes of the inbox in use.", bytes.to_string()),
        ("lakeward_inbox_max_bytes", "Bytes that the inbox may use.", most.to_string()),
        (
            "lakeward_inbox_oldest_unlanded_seconds",
            "Age of the oldest event that has not landed, 0 where there is none.",
            oldest,
        ),
    ] {
        head(text, name, "gauge", help);
        let _ = writeln!(text, "{name} {value}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::new(["gateway".to_owned()]);
        let counters = metrics.of("gateway").unwrap();
        counters.receive();
        counters.refuse(Reason::Full);
        metrics.durable.observe(Duration::from_micros(300));
        metrics.durable.observe(Duration::from_secs(9));
        let gauges = Gauges { depth: 3, bytes: 4096, most: 8192, oldest_millis: 61_005 };
        let text = metrics.text(Some(gauges));
        for line in [
            "lakeward_webhook_received_total{endpoint=\"gateway\"} 1",
            "lakeward_webhook_accepted_total{endpoint=\"gateway\"} 0",
            "lakeward_webhook_refused_total{endpoint=\"gateway\",reason=\"inbox_full\"} 1",
            "lakeward_webhook_refused_total{endpoint=\"\",reason=\"path\"} 0",
            "lakeward_webhook_fsync_seconds_bucket{le=\"0.00025\"} 0",
            "lakeward_webhook_fsync_seconds_bucket{le=\"5\"} 1",
            "lakeward_webhook_fsync_seconds_bucket{le=\"+Inf\"} 2",
            "lakeward_webhook_fsync_seconds_sum 9.000300",
            "lakeward_inbox_oldest_unlanded_seconds 61.005",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let names: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut once = names.clone();
        once.dedup();
        assert_eq!(names, once);
        assert!(metrics.text(None).contains("lakeward_inbox_up 0"));
    }
}
