//! The days of each stream as one HTML file: months as calendars, no script, no network, light and dark.

use chrono::Datelike as _;

use crate::cli::markup::{self, escaped};
use crate::cli::render::counted;
use crate::cli::status::calendar::{MONTHS, blank_days, months, name};
use crate::cli::status::days::{Calendar, Day, DayState};

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(lake: &str, calendars: &[Calendar<'_>]) -> String {
    let title = format!("Days of {lake}");
    let sections: String = calendars.iter().map(section).collect();
    let body = match sections.is_empty() {
        true => {
            "<p>No windows of time yet: <code>lakeward extract</code> makes them.</p>\n".to_owned()
        }
        false => legend() + &sections,
    };
    markup::page(&title, STYLE, &body)
}

fn legend() -> String {
    let of = |state: DayState| format!("<li class=\"{0}\"><b></b>{0}</li>", state.name());
    format!("<ul class=\"legend\">{}</ul>\n", DayState::ALL.map(of).concat())
}

fn section(calendar: &Calendar<'_>) -> String {
    let Calendar { table, source, stream, days } = calendar;
    let count = |state| days.iter().filter(|day| day.state == state).count() as u64;
    let counts: Vec<String> = DayState::ALL
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| format!("{} {}", counted(count(state), "day"), state.name()))
        .collect();
    let all = months(days);
    let left_out = all.len().saturating_sub(MONTHS);
    let note = match left_out {
        0 => String::new(),
        n => format!("<p>{n} earlier months: <code>--format json</code></p>\n"),
    };
    format!(
        "<section>\n<h2>{} <small>{}</small></h2>\n<p>{}</p>\n{note}<div class=\"months\">\n{}</div>\n</section>\n",
        escaped(&format!("{source}.{stream}")),
        escaped(table),
        escaped(&counts.join(", ")),
        all.into_iter().skip(left_out).map(month).collect::<String>(),
    )
}

fn month(days: &[Day]) -> String {
    let Some(first) = days.first() else { return String::new() };
    // A month may begin in its middle.
    let blank = blank_days(first.date);
    let mut cells = "<i></i>".repeat(blank as usize);
    cells.extend(days.iter().map(cell));
    format!(
        "<figure><figcaption>{}</figcaption><div class=\"days\">{cells}</div></figure>\n",
        name(days)
    )
}

fn cell(day: &Day) -> String {
    let Day { date, state, windows, rows, findings } = day;
    let mut said = format!("{date}: {}", state.name());
    if *windows > 0 {
        said += &format!(", {}", counted(*windows, "window"));
        said.extend(rows.map(|rows| format!(", {}", counted(rows, "row"))));
    }
    if *findings > 0 {
        said += &format!(", {}", counted(*findings, "finding"));
    }
    format!(
        "<span class=\"{}\" title=\"{said}\" aria-label=\"{said}\" role=\"img\">{}</span>",
        state.name(),
        date.day()
    )
}
