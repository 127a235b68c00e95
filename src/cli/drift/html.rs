//! The drift of a lake as one HTML file: no script, no network, light and dark, from a phone to a wide screen.

use crate::cli::drift::document::{Document, StreamDrift};
use crate::cli::drift::timeline;
use crate::cli::drift::words::{heading, meaning, path, percent, place, seen, since};
use crate::cli::markup::{self, escaped};
use crate::cli::render::counted;
use crate::drift::changes::Change;
use crate::drift::finding::action_name;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(document: &Document) -> String {
    let title = format!("Drift of {}", document.lake);
    let body: String = match document.streams.as_slice() {
        [] => "<p>No drift report in these windows.</p>\n".to_owned(),
        streams => streams.iter().map(section).collect(),
    };
    markup::page(&title, STYLE, &body)
}

fn section(stream: &StreamDrift) -> String {
    let mut text = format!("<section>\n<h2>{}</h2>\n", escaped(&heading(stream)));
    if let Some(picture) = timeline::picture(stream) {
        text.push_str(&format!(
            "<h3>Share of records with each field, by window</h3>\n<div class=\"wide\">\n{picture}</div>\n"
        ));
    }
    text.extend(stream.changes.iter().map(card));
    text + "</section>\n"
}

/// One change: what, since when, how often, where, and what would accept it.
fn card(change: &Change) -> String {
    let finding = &change.finding;
    let severity = action_name(finding.severity);
    let over = if change.current { "" } else { " over" };
    let mut rows = vec![
        ("since", since(change)),
        ("expected", finding.expected.clone()),
        ("seen", seen(finding)),
        (
            "share",
            format!(
                "{} of the last window's records; {} in {}",
                percent(finding.share),
                counted(change.records, "record"),
                counted(change.windows, "window")
            ),
        ),
    ];
    rows.extend(place(change).map(|place| ("first", place)));
    rows.push(("which means", meaning(finding.severity).to_owned()));
    let rows: String = rows
        .iter()
        .map(|(what, text)| format!("<dt>{what}</dt><dd>{}</dd>\n", escaped(text)))
        .collect();
    format!(
        "<article class=\"{severity}{over}\">\n<h3><span>{severity}</span> {} <code>{}</code></h3>\n\
         <dl>\n{rows}</dl>\n<p>To accept:</p>\n<pre>{}</pre>\n</article>\n",
        finding.kind.name().replace('_', " "),
        escaped(path(finding)),
        escaped_lines(&finding.suggestion),
    )
}

fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}
