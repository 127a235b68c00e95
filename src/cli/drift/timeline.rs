//! Fields over windows as a picture: a row a field, a column a window, the darker the more records have it.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::drift::document::StreamDrift;
use crate::cli::markup::escaped;
use crate::cli::render::bounds;
use crate::drift::profile::Profile;

/// Rows of a picture.
const MAX_ROWS: usize = 60;
/// Columns: the last windows.
const MAX_COLUMNS: usize = 120;
/// The side of a cell and the room for names, in pixels.
const CELL: usize = 14;
const NAMES: usize = 220;

/// The picture as SVG; nothing where no window has a profile.
pub(super) fn picture(stream: &StreamDrift) -> Option<String> {
    let windows = &stream.windows;
    let windows = windows.get(windows.len().saturating_sub(MAX_COLUMNS)..)?;
    let profiles: Vec<Option<&Profile>> =
        windows.iter().map(|window| window.profile.as_ref()).collect();
    let rows = rows(&profiles);
    if rows.is_empty() {
        return None;
    }
    let changed: BTreeSet<&str> =
        stream.changes.iter().map(|change| change.finding.path.as_str()).collect();
    let (width, height) = (NAMES + CELL * windows.len(), CELL * (rows.len() + 1));
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"share of records with each field, by window\">\n"
    );
    for (at, (name, shares)) in rows.iter().enumerate() {
        let top = CELL * at;
        let class = if changed.contains(name.as_str()) { " class=\"changed\"" } else { "" };
        svg.push_str(&format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\"{class}>{}</text>\n",
            NAMES - 6,
            top + CELL - 3,
            escaped(&shortened(name)),
        ));
        for (column, (share, window)) in shares.iter().zip(windows).enumerate() {
            let left = NAMES + CELL * column;
            let title = format!("{name}, {}", bounds(&window.report.window));
            let (class, opacity, told) = match share {
                Some(share) => ("cell", *share, format!("{:.1} %", share * 100.0)),
                None => ("none", 1.0, "no record".to_owned()),
            };
            svg.push_str(&format!(
                "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{0}\" height=\"{0}\" \
                 fill-opacity=\"{opacity:.3}\"><title>{1}: {told}</title></rect>\n",
                CELL - 2,
                escaped(&title),
            ));
        }
    }
    svg.push_str(&dates(windows.len(), rows.len(), stream));
    svg.push_str("</svg>\n");
    Some(svg)
}

/// The first and the last window under the cells.
fn dates(columns: usize, rows: usize, stream: &StreamDrift) -> String {
    let shown = stream.windows.get(stream.windows.len().saturating_sub(columns)..);
    let ends = shown.and_then(|shown| Some((shown.first()?, shown.last()?)));
    let Some((first, last)) = ends else { return String::new() };
    let y = CELL * rows + CELL - 3;
    let mut text =
        format!("<text x=\"{NAMES}\" y=\"{y}\">{}</text>\n", bounds(&first.report.window));
    if columns > 14 {
        let x = NAMES + CELL * columns;
        text.push_str(&format!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>\n",
            bounds(&last.report.window)
        ));
    }
    text
}

/// A name and the share of records that have it in each window.
type Row = (String, Vec<Option<f64>>);

/// Declared columns in the order of their names, then undeclared paths; those that change first where there are too many.
fn rows(profiles: &[Option<&Profile>]) -> Vec<Row> {
    let mut names: BTreeMap<(bool, &str), ()> = BTreeMap::new();
    for profile in profiles.iter().flatten() {
        names.extend(profile.fields.keys().map(|name| ((false, name.as_str()), ())));
        names.extend(profile.undeclared.keys().map(|path| ((true, path.as_str()), ())));
    }
    let shares = |undeclared: bool, name: &str| -> Vec<Option<f64>> {
        profiles.iter().map(|profile| share(profile.as_ref()?, undeclared, name)).collect()
    };
    let mut rows: Vec<Row> = names
        .into_keys()
        .map(|(undeclared, name)| (name.to_owned(), shares(undeclared, name)))
        .collect();
    if rows.len() > MAX_ROWS {
        rows.sort_by(|a, b| spread(&b.1).total_cmp(&spread(&a.1)));
        rows.truncate(MAX_ROWS);
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "a share of a picture")]
fn share(profile: &Profile, undeclared: bool, name: &str) -> Option<f64> {
    if profile.observed == 0 {
        return None;
    }
    let count = if undeclared {
        profile.undeclared.get(name).map_or(0, |kinds| kinds.values().sum())
    } else {
        profile.fields.get(name).map_or(0, |field| field.present)
    };
    Some((count as f64 / profile.observed as f64).min(1.0))
}

/// How far a row's shares are apart.
fn spread(shares: &[Option<f64>]) -> f64 {
    let known = || shares.iter().flatten().copied();
    known().fold(0.0_f64, f64::max) - known().fold(1.0_f64, f64::min)
}

/// The end of a long name: keys of the same object begin alike.
fn shortened(name: &str) -> String {
    const MOST: usize = 32;
    let length = name.chars().count();
    if length <= MOST {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - MOST + 1).collect();
    format!("…{end}")
}
