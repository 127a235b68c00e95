//! The days of each stream as text: a line a month, a mark a day.

use chrono::{Datelike as _, NaiveDate};

use crate::cli::status::days::{Calendar, Day, DayState};

/// Months that are shown of a stream; earlier ones are in `--format json`.
pub(super) const MONTHS: usize = 24;

/// All calendars, with what the marks mean.
pub(super) fn text(calendars: &[Calendar<'_>]) -> String {
    let mut text = String::new();
    for calendar in calendars {
        let Calendar { source, stream, days, .. } = calendar;
        text.push_str(&format!("\n{source}.{stream}, days of UTC\n"));
        let months = months(days);
        let left_out = months.len().saturating_sub(MONTHS);
        if left_out > 0 {
            text.push_str(&format!("{left_out} earlier months: --format json\n"));
        }
        text.push_str("         1        10        20        30\n");
        for month in months.into_iter().skip(left_out) {
            text.push_str(&format!("{}  {}\n", name(month), marks(month)));
        }
    }
    if !text.is_empty() {
        let legend = DayState::ALL.map(|state| format!("{} {}", state.mark(), state.name()));
        text.push_str(&format!("\n{}\n", legend.join("   ")));
    }
    text
}

/// The days by month.
pub(super) fn months(days: &[Day]) -> Vec<&[Day]> {
    days.chunk_by(|one, next| one.date.month() == next.date.month()).collect()
}

/// Such as `2026-03`.
pub(super) fn name(month: &[Day]) -> String {
    month.first().map_or_else(String::new, |day| day.date.format("%Y-%m").to_string())
}

fn marks(month: &[Day]) -> String {
    let before = month.first().map_or(0, |day| day.date.day0());
    let blank = (0..before).map(|_| ' ');
    blank.chain(month.iter().map(|day| day.state.mark())).collect()
}

/// Days of the first week that are of the month before; weeks begin on Monday (ISO 8601).
pub(super) fn blank_days(date: NaiveDate) -> u32 {
    date.weekday().num_days_from_monday()
}
