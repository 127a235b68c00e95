//! The findings of many windows as changes: what it is, since when, in how many windows, and whether it is still so.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::drift::finding::{Finding, FindingKind};
use crate::drift::report::DriftReport;
use crate::window::Window;

/// One finding over the windows that it was made in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The first window with it, of those that were looked at.
    pub since: Window,
    /// The last window with it.
    pub last: Window,
    /// Windows with it.
    pub windows: u64,
    /// Whether the last window that was looked at has it.
    pub current: bool,
    /// Records concerned in all of them.
    pub records: u64,
    /// The finding of the last of them.
    pub finding: Finding,
}

/// The changes that these reports of one stream show: those that are current first, then the gravest, then by path.
pub fn changes(reports: &[&DriftReport]) -> Vec<Change> {
    let mut ordered = reports.to_vec();
    ordered.sort_by_key(|report| report.window.start);
    let newest = ordered.last().map(|report| report.window);
    let mut found: BTreeMap<(FindingKind, &str), Change> = BTreeMap::new();
    for report in &ordered {
        for finding in &report.findings {
            let fresh = Change {
                since: report.window,
                last: report.window,
                windows: 0,
                current: false,
                records: 0,
                finding: finding.clone(),
            };
            let key = (finding.kind, finding.path.as_str());
            let change = found.entry(key).or_insert(fresh);
            change.last = report.window;
            change.windows += 1;
            change.current = Some(report.window) == newest;
            change.records += finding.count;
            change.finding = finding.clone();
        }
    }
    let mut changes: Vec<Change> = found.into_values().collect();
    changes.sort_by(|a, b| {
        let gravity = |change: &Change| (change.current, change.finding.severity);
        gravity(b).cmp(&gravity(a)).then_with(|| a.finding.path.cmp(&b.finding.path))
    });
    changes
}
