//! The drift of a lake as a table for a terminal, and the words that all formats share.

use crate::cli::drift::document::{Document, StreamDrift};
use crate::cli::render::{Align, TextTable, bounds, counted, one_line, shortened, thousands};
use crate::drift::changes::Change;
use crate::drift::finding::{Finding, action_name};
use crate::spec::table::DriftAction;

/// Characters of a cell in the terminal.
const CELL: usize = 60;

/// Everything that changed, and the lines that would accept it.
pub(super) fn table(document: &Document) -> String {
    if document.streams.is_empty() {
        return "no drift report in these windows: `lakeward status` shows which there are\n"
            .to_owned();
    }
    document.streams.iter().map(of_stream).collect::<Vec<_>>().join("\n")
}

fn of_stream(stream: &StreamDrift) -> String {
    let mut text = heading(stream) + "\n";
    if stream.changes.is_empty() {
        return text;
    }
    let mut table = TextTable::new(&[
        ("severity", Align::Left),
        ("kind", Align::Left),
        ("path", Align::Left),
        ("since", Align::Left),
        ("windows", Align::Right),
        ("records", Align::Right),
        ("share", Align::Right),
        ("expected", Align::Left),
        ("seen", Align::Left),
    ]);
    for change in &stream.changes {
        let finding = &change.finding;
        table.row(vec![
            action_name(finding.severity).to_owned(),
            finding.kind.name().to_owned(),
            shortened(path(finding), CELL),
            since(change),
            thousands(change.windows),
            thousands(change.records),
            percent(finding.share),
            shortened(&finding.expected, CELL),
            shortened(&seen(finding), CELL),
        ]);
    }
    text.push_str(&table.text());
    text.push_str("\nfirst seen:\n");
    for change in &stream.changes {
        if let Some(place) = place(change) {
            let of = format!("{} {}: {place}", change.finding.kind.name(), path(&change.finding));
            text.push_str(&format!("  {}\n", one_line(&of)));
        }
    }
    text.push_str(&format!("\nto accept, in the schema file of {}:\n", stream.table));
    for line in accepting(stream) {
        text.push_str(&format!("  {}\n", one_line(line)));
    }
    text
}

/// The lines that would accept what the last window showed, each once.
pub(super) fn accepting(stream: &StreamDrift) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    for change in stream.changes.iter().filter(|change| change.current) {
        for line in change.finding.suggestion.lines() {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// `payments of gateway: 3 changes in 14 windows, 2026-03-01 to 2026-03-14`.
pub(super) fn heading(stream: &StreamDrift) -> String {
    let StreamDrift { table, source, stream: name, by_webhook, changes, windows } = stream;
    let by = if *by_webhook { " by webhook" } else { "" };
    let of = format!("{table}: {source} {name}{by}");
    let span = match (windows.first(), windows.last()) {
        (Some(first), Some(last)) if windows.len() > 1 => {
            format!("{} to {}", bounds(&first.report.window), bounds(&last.report.window))
        }
        (Some(only), _) => bounds(&only.report.window),
        (None, _) => String::new(),
    };
    let many = u64::try_from(windows.len()).unwrap_or(u64::MAX);
    let found = match u64::try_from(changes.len()).unwrap_or(u64::MAX) {
        0 => "no drift".to_owned(),
        found => counted(found, "change"),
    };
    let many = match (by_webhook, many) {
        (false, many) => counted(many, "window"),
        (true, 1) => "1 batch".to_owned(),
        (true, many) => format!("{} batches", thousands(many)),
    };
    format!("{of}: {found} in {many}, {span}")
}

/// A path, or what stands for the whole window.
pub(super) fn path(finding: &Finding) -> &str {
    if finding.path.is_empty() { "(all records)" } else { &finding.path }
}

/// Since which window, and until which where it is over, or has become what is usual.
pub(super) fn since(change: &Change) -> String {
    match change.current {
        true => bounds(&change.since),
        false if change.since == change.last => bounds(&change.since),
        false => format!("{} to {}", bounds(&change.since), bounds(&change.last)),
    }
}

/// What was seen, with counts.
pub(super) fn seen(finding: &Finding) -> String {
    let seen = finding.observed.iter().map(|(what, count)| format!("{what} {}", thousands(*count)));
    seen.collect::<Vec<_>>().join(", ")
}

/// Where the first such record of the last window stands, and what its value looks like.
pub(super) fn place(change: &Change) -> Option<String> {
    let place = change.finding.first_seen.as_ref()?;
    let key = place.key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
    let samples = match change.finding.samples.as_slice() {
        [] => String::new(),
        samples => format!(": {}", samples.join(", ")),
    };
    Some(format!(
        "{} page {}, record {}{key}{samples}",
        bounds(&change.last),
        place.page,
        place.index
    ))
}

/// A share with a digit behind the point.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What a severity means for the window.
pub(super) fn meaning(action: DriftAction) -> &'static str {
    match action {
        DriftAction::Ignore => "not reported",
        DriftAction::Warn => "published, and reported here",
        DriftAction::DiscardRow => "the records are among the dead letters",
        DriftAction::Fail => "nothing was published: the rows are staged",
    }
}
