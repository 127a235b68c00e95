//! Results on stdout: aligned tables for people, JSON for programs.

use std::io::{self, Write as _};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::window::Window;
use crate::window::batch::WindowId;

/// Writes text to stdout. A reader that went away (`| head`) is no error.
///
/// # Errors
/// `Unexpected` when stdout cannot be written.
pub(crate) fn out(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Unexpected, "could not write to stdout").caused_by(error))
        }
        _ => Ok(()),
    }
}

/// Writes one indented JSON document.
///
/// # Errors
/// As [`out`].
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "a result has no JSON form").caused_by(error)
    })?;
    text.push('\n');
    out(&text)
}

/// Writes a JSON document as one line.
///
/// # Errors
/// As [`out`].
pub(crate) fn line(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "a result has no JSON form").caused_by(error)
    })?;
    text.push('\n');
    out(&text)
}

/// Text of others in one line, as a terminal may be given it: no line break, no escape sequence.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_layout(c) { ' ' } else { c }).collect()
}

/// Whether a character changes how the text around it is laid out: controls, line and paragraph separators, and marks
/// that turn the direction of writing (Unicode UAX #9).
fn is_layout(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A column's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading, columns aligned and two spaces apart.
#[derive(Debug)]
pub(crate) struct TextTable {
    heading: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// An empty table.
    pub(crate) fn new(heading: &[(&'static str, Align)]) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; it has as many cells as the heading.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| one_line(cell)).collect());
    }

    /// The text, each line ended.
    pub(crate) fn text(&self) -> String {
        let head: Vec<String> = self.heading.iter().map(|(name, _)| (*name).to_owned()).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().chain(std::iter::once(&head));
            cells
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.heading) {
                let cell = match align {
                    Align::Left => format!("{cell:<width$}  "),
                    Align::Right => format!("{cell:>width$}  "),
                };
                line.push_str(&cell);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A window as people write it: `2026-03-17` for a day, else its two ends.
pub(crate) fn bounds(window: &Window) -> String {
    let (start, end) = (window.start, window.end);
    let day = TimeDelta::days(1);
    let midnight = |instant: DateTime<Utc>| instant.time() == NaiveTime::MIN;
    if midnight(start) && end - start == day {
        return start.date_naive().to_string();
    }
    if midnight(start) && midnight(end) {
        return format!("{}..{}", start.date_naive(), end.date_naive());
    }
    let whole = |instant: DateTime<Utc>| instant.timestamp() % 60 == 0;
    if !whole(start) || !whole(end) {
        return window.to_string();
    }
    let from = start.format("%Y-%m-%dT%H:%MZ");
    if start.date_naive() == end.date_naive() {
        return format!("{from}..{}", end.format("%H:%MZ"));
    }
    format!("{from}..{}", end.format("%Y-%m-%dT%H:%MZ"))
}

/// A window as people write it, or a batch of webhook events: `webhook 1..1000`.
pub(crate) fn shown(id: &WindowId) -> String {
    match id {
        WindowId::Window(window) => bounds(window),
        WindowId::Batch(batch) => format!("webhook {}..{}", batch.first(), batch.last()),
    }
}

/// The first line of `text`, or as much of it as `width` characters hold.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// An error in one line, with what to do.
pub(crate) fn with_advice(error: &Error) -> String {
    match error.advice() {
        Some(advice) => format!("{error}: {advice}"),
        None => error.to_string(),
    }
}

/// A count and what is counted: `1 file`, `1,234 files`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_as_short_as_it_can() {
        let of = |name: &str| bounds(&name.parse().unwrap());
        assert_eq!(of("20260317T000000Z_20260318T000000Z"), "2026-03-17");
        assert_eq!(of("20260317T000000Z_20260319T000000Z"), "2026-03-17..2026-03-19");
        assert_eq!(of("20260317T060000Z_20260317T070000Z"), "2026-03-17T06:00Z..07:00Z");
        assert_eq!(of("20260317T230000Z_20260318T000000Z"), "2026-03-17T23:00Z..2026-03-18T00:00Z");
        assert_eq!(of("20260317T060001Z_20260317T070000Z"), "20260317T060001Z_20260317T070000Z");
    }

    #[test]
    fn a_batch_reads_by_its_numbers() {
        let name = "webhook-0000000000000001_0000000000001000";
        assert_eq!(shown(&name.parse().unwrap()), "webhook 1..1000");
    }

    #[test]
    fn shortens_to_whole_characters() {
        assert_eq!(shortened("längst\nzwei", 6), "längst");
        assert_eq!(shortened("längster Text", 6), "längs…");
    }

    #[test]
    fn columns_line_up() {
        let mut table = TextTable::new(&[("window", Align::Left), ("rows", Align::Right)]);
        table.row(vec!["a".to_owned(), thousands(1_234_567)]);
        assert_eq!(table.text(), "window       rows\na       1,234,567\n");
    }
}
