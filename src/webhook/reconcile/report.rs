//! What a reconciliation found: for programs.

use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::run::report::{Failure, RunReport};

/// What a reconciliation did and found.
#[derive(Debug, Serialize)]
pub struct Reconciled {
    /// The run's id.
    pub run_id: String,
    /// The batches that were landed first; absent without an inbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landed: Option<RunReport>,
    /// The windows that were polled, as `extract` reports them.
    pub polled: RunReport,
    /// What the webhook had brought of them, stream by stream.
    pub streams: Vec<StreamReport>,
    /// The largest share of missed records that is no failure.
    pub max_missed: f64,
    /// Batches of events that could not be landed, or that another run was landing: records of theirs count as missed.
    pub unlanded: usize,
    /// The exit code: that of what was landed (9 apart: another run lands it), of what was polled, or 7 where too many
    /// were missed.
    pub exit: u8,
    /// Why it ended with 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl Reconciled {
    /// The report of these parts.
    pub fn new(
        run_id: String,
        (landed, polled): (Option<RunReport>, RunReport),
        streams: Vec<StreamReport>,
        max_missed: f64,
    ) -> Self {
        let too_many = streams.iter().find(|stream| stream.missed_share > max_missed);
        let batches = landed.iter().flat_map(|landed| &landed.windows);
        let unlanded = batches.filter(|batch| batch.exit != 0).count();
        let error = too_many.map(|stream| too_many_missed(stream, max_missed, unlanded));
        let of_landing = landed.as_ref().map_or(0, RunReport::exit_but_held);
        let exits = [of_landing, polled.exit];
        let contract = error.as_ref().map_or(0, |error| error.kind().exit_code());
        let exit = exits.into_iter().chain([contract]).find(|&exit| exit != 0).unwrap_or(0);
        let error = error.as_ref().map(Failure::from);
        Self { run_id, landed, polled, streams, max_missed, unlanded, exit, error }
    }
}

fn too_many_missed(stream: &StreamReport, max_missed: f64, unlanded: usize) -> Error {
    let StreamReport { missed, polled, .. } = stream;
    let message =
        format!("the webhook missed {missed} of {polled} records, more than {max_missed} of them");
    let hint = match unlanded {
        0 => {
            "the records are in the lake now: see at the vendor why deliveries fail, and whether all event types are subscribed; --max-missed sets the limit"
        }
        _ => {
            "batches of events have not landed, and their records count as missed: see to those first (`lakeward land`), then run this again"
        }
    };
    Error::new(ErrorKind::Contract, message).with("stream", &stream.stream).hint(hint)
}

/// What the webhook had brought of a stream's polled windows.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// The stream.
    pub stream: String,
    /// Its table.
    pub table: String,
    /// The windows that were compared, by name.
    pub windows: Vec<String>,
    /// Records that the API has in them, by primary key.
    pub polled: u64,
    /// Those of them that some event had brought, in whatever version.
    pub delivered: u64,
    /// Those of them that no event had brought.
    pub missed: u64,
    /// `missed` of `polled`; 0 of none.
    pub missed_share: f64,
    /// Those of the delivered that are later in the API than in the last event.
    pub stale: u64,
    /// How long after the record's own time its event was received; absent where the records have no time, or none was
    /// delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// Primary keys of the missed, in the order of the files; the first hundred.
    pub missed_ids: Vec<String>,
    /// How many more were missed.
    pub missed_ids_left_off: u64,
}

/// Percentiles over the delivered records of: the instant at which the event was received, less the record's own time.
/// Milliseconds; below zero where the two clocks disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// The field that is the record's own time: `version_by`, else `partition_by`.
    pub since: String,
    /// Which event of a record is measured: `version`, the one that brought its latest version; or `first`, the first one.
    pub of: &'static str,
    /// Records that were measured.
    pub records: u64,
    /// Half of them were not later.
    pub p50_ms: i64,
    /// Nine of ten.
    pub p90_ms: i64,
    /// Ninety-nine of a hundred.
    pub p99_ms: i64,
    /// The latest.
    pub max_ms: i64,
}

impl Late {
    /// The percentiles (nearest rank) of these delays, in microseconds; `None` of none.
    pub(super) fn of(since: &str, of: &'static str, mut micros: Vec<i64>) -> Option<Self> {
        micros.sort_unstable();
        let rank = |percent: usize| {
            let at = (micros.len() * percent).div_ceil(100).max(1) - 1;
            micros.get(at).map(|micros| micros.div_euclid(1_000))
        };
        Some(Self {
            since: since.to_owned(),
            of,
            records: u64::try_from(micros.len()).unwrap_or(u64::MAX),
            p50_ms: rank(50)?,
            p90_ms: rank(90)?,
            p99_ms: rank(99)?,
            max_ms: rank(100)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let late = Late::of("created_at", "first", (1..=200).rev().map(|n| n * 1_000).collect());
        let late = late.expect("some");
        assert_eq!((late.p50_ms, late.p90_ms, late.p99_ms, late.max_ms), (100, 180, 198, 200));
        let one = Late::of("created_at", "first", vec![-1]).expect("one");
        assert_eq!((one.records, one.p50_ms, one.max_ms), (1, -1, -1));
        assert_eq!(Late::of("created_at", "first", Vec::new()), None);
    }
}
