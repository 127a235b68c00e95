//! The drift of a lake as Markdown, for a pull request or a chat.

use crate::cli::drift::document::{Document, StreamDrift};
use crate::cli::drift::words::{accepting, heading, path, percent, place, seen, since};
use crate::cli::render::{one_line, thousands};
use crate::drift::finding::action_name;

/// A section a stream: the changes as a table, where they were seen, and the lines that would accept them.
pub(super) fn page(document: &Document) -> String {
    if document.streams.is_empty() {
        return "No drift report in these windows.\n".to_owned();
    }
    document.streams.iter().map(section).collect::<Vec<_>>().join("\n")
}

fn section(stream: &StreamDrift) -> String {
    let mut text = format!("## {}\n\n", escaped(&heading(stream)));
    if stream.changes.is_empty() {
        return text;
    }
    text.push_str(
        "| severity | kind | path | since | windows | records | share | expected | seen |\n",
    );
    text.push_str("|---|---|---|---|--:|--:|--:|---|---|\n");
    for change in &stream.changes {
        let finding = &change.finding;
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            action_name(finding.severity),
            escaped(finding.kind.name()),
            code(path(finding)),
            escaped(&since(change)),
            thousands(change.windows),
            thousands(change.records),
            percent(finding.share),
            escaped(&finding.expected),
            escaped(&seen(finding)),
        ));
    }
    text.push('\n');
    for change in &stream.changes {
        if let Some(place) = place(change) {
            text.push_str(&format!("- {}: {}\n", code(path(&change.finding)), escaped(&place)));
        }
    }
    let lines = accepting(stream);
    if !lines.is_empty() {
        let lines = lines.join("\n");
        // A fence is ended by none that is shorter (CommonMark 4.5).
        let ticks = lines.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(ticks.max(2) + 1);
        text.push_str(&format!(
            "\nTo accept, in the schema file of `{}`:\n\n{fence}yaml\n{lines}\n{fence}\n",
            stream.table
        ));
    }
    text
}

/// Text of others that must not become a table, a link or a tag.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '@')
        {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A path as code; where it has what ends code or a cell, as text.
fn code(text: &str) -> String {
    let plain = !text.contains(['`', '|', '\\']) && !text.chars().any(char::is_control);
    if plain { format!("`{text}`") } else { escaped(text) }
}
