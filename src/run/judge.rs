//! Whether the contract lets a window be published: the reject limit, and the drift policy.

use crate::drift::finding::FindingKind;
use crate::drift::report::DriftReport;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::version::Counts;
use crate::spec::table::{DriftAction, Table};

/// Holds a window against the reject limit and the drift policy, in this order.
///
/// # Errors
/// `Contract` where either forbids it.
pub(crate) fn judge(
    table: &Table,
    counts: &Counts,
    report: &DriftReport,
    drift: Option<&str>,
    rejects: Option<&str>,
) -> Result<()> {
    let named = |error: Error, key: &'static str, path: Option<&str>| match path {
        Some(path) => error.with(key, path),
        None => error,
    };
    if exceeds(counts.rejected, counts.fetched, table.reject_limit) {
        let error = Error::new(
            ErrorKind::Contract,
            format!(
                "{} of {} records were rejected, more than reject_limit {} allows",
                counts.rejected, counts.fetched, table.reject_limit
            ),
        );
        return Err(named(error, "dead letters", rejects).hint("nothing was published: look at the dead letters, then mend the schema or the limit and run again; --accept-drift publishes the other rows as they are staged"));
    }
    // A renaming is known when the window has ended: its rows cannot be discarded one by one.
    let discarded = report.findings.iter().any(|finding| {
        finding.kind == FindingKind::Renamed
            && finding.severity == DriftAction::DiscardRow
            && finding.share > table.reject_limit
    });
    if discarded || report.worst() == Some(DriftAction::Fail) {
        let error = Error::new(
            ErrorKind::Contract,
            "the API has changed in a way that the drift policy forbids",
        );
        return Err(named(error, "report", drift).hint("nothing was published: the report has the lines that would accept the change; or run again with --accept-drift"));
    }
    Ok(())
}

/// What a share of rejects is counted of: webhook events that hold no record of the stream say nothing of its records.
pub(crate) fn without_events(counts: Counts, events: u64) -> Counts {
    Counts {
        fetched: counts.fetched.saturating_sub(events),
        rejected: counts.rejected.saturating_sub(events),
        ..counts
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn exceeds(part: u64, whole: u64, limit: f64) -> bool {
    part > 0 && part as f64 > limit * whole as f64
}
