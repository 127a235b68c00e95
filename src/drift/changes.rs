//! The findings of many windows as changes: what it is, since when, in how many windows, and whether it is still so.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The finding of the last of them; of new values with those of the others, and the lines that accept them all.
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
            let before = std::mem::replace(&mut change.finding, finding.clone());
            if finding.kind == FindingKind::NewValue && change.windows > 1 {
                add_values(&mut change.finding, before);
            }
        }
    }
    let mut changes: Vec<Change> = found.into_values().collect();
    changes.sort_by(|a, b| {
        let gravity = |change: &Change| (change.current, change.finding.severity);
        gravity(b).cmp(&gravity(a)).then_with(|| a.finding.path.cmp(&b.finding.path))
    });
    changes
}

/// Takes the values of earlier windows into a finding: to accept the last window's alone would let the others come anew.
fn add_values(finding: &mut Finding, before: Finding) {
    for (value, records) in before.observed {
        *finding.observed.entry(value).or_default() += records;
    }
    let own: BTreeSet<String> = finding.suggestion.lines().map(str::to_owned).collect();
    let lines = before.suggestion.lines().filter(|line| !own.contains(*line));
    let lines: Vec<&str> = lines.chain(finding.suggestion.lines()).collect();
    finding.suggestion = lines.join("\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::table::DriftAction;

    fn on_day(day: u32, values: &[(&str, u64)]) -> DriftReport {
        let start = chrono::NaiveDate::from_ymd_opt(2026, 3, day).expect("a day");
        let names: Vec<&str> = values.iter().map(|(value, _)| *value).collect();
        DriftReport {
            version: 1,
            table: "t".to_owned(),
            window: Window::day(start).expect("a window"),
            schema_fingerprint: String::new(),
            records: 9,
            findings: vec![Finding {
                kind: FindingKind::NewValue,
                severity: DriftAction::Warn,
                path: "/status".to_owned(),
                expected: "paid".to_owned(),
                observed: values.iter().map(|(value, n)| ((*value).to_owned(), *n)).collect(),
                count: values.iter().map(|(_, n)| n).sum(),
                share: 0.5,
                first_seen: None,
                samples: Vec::new(),
                suggestion: format!("- {{ name: status, known: [paid, {}] }}", names.join(", ")),
            }],
        }
    }

    #[test]
    fn new_values_of_all_windows_are_shown_and_accepted() {
        let reports = [on_day(17, &[("a", 2)]), on_day(18, &[("b", 1)]), on_day(19, &[("b", 3)])];
        let changes = changes(&reports.iter().collect::<Vec<_>>());
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].windows, changes[0].records, changes[0].current), (3, 6, true));
        let finding = &changes[0].finding;
        assert_eq!(finding.observed, BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 4)]));
        assert_eq!(
            finding.suggestion,
            "- { name: status, known: [paid, a] }\n- { name: status, known: [paid, b] }"
        );
    }
}
