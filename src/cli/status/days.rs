//! The days of each stream: which of them the lake has, which failed, which are missing.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use crate::manifest::snapshot::{Snapshot, WindowState};

/// What a UTC day is to those who look for gaps: the worst of its windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DayState {
    /// All of it is committed.
    Committed,
    /// All of it is committed, and its drift report has findings.
    Drifting,
    /// A part of it is committed.
    Partial,
    /// No window has any of it.
    Missing,
    /// A run is at work on a part of it, or was killed.
    Running,
    /// A window of it failed or was stopped, and no commit makes up for it.
    Failed,
}

impl DayState {
    /// All of them, in the order of a legend.
    pub(super) const ALL: [Self; 6] = [
        Self::Committed,
        Self::Drifting,
        Self::Partial,
        Self::Missing,
        Self::Running,
        Self::Failed,
    ];

    /// Its name, as in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Drifting => "drifting",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::Running => "running",
            Self::Failed => "failed",
        }
    }

    /// Its mark in a line of days.
    pub(super) fn mark(self) -> char {
        match self {
            Self::Committed => '#',
            Self::Drifting => '~',
            Self::Partial => '-',
            Self::Missing => '.',
            Self::Running => '+',
            Self::Failed => '!',
        }
    }
}

/// A UTC day of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    pub(super) state: DayState,
    /// Windows that have a part of it.
    pub(super) windows: u64,
    /// Rows of its windows; `None` where one has more than this day.
    pub(super) rows: Option<u64>,
    /// Findings of its windows' drift reports.
    pub(super) findings: u64,
}

/// The days of a stream, from the first window's to the last one's without a gap.
#[derive(Debug, Serialize)]
pub(super) struct Calendar<'a> {
    pub(super) table: &'a str,
    pub(super) source: &'a str,
    pub(super) stream: &'a str,
    pub(super) days: Vec<Day>,
}

/// The calendars of all streams that have windows of time; batches of webhook events have none.
pub(super) fn calendars(snapshots: &[Snapshot]) -> Vec<Calendar<'_>> {
    let mut streams: BTreeMap<_, Vec<&WindowState>> = BTreeMap::new();
    let windows = snapshots.iter().flat_map(|snapshot| &snapshot.windows);
    for window in windows.filter(|window| !window.name.id().is_batch()) {
        let manifest = &window.manifest;
        let stream = (&*manifest.table, &*manifest.source, &*manifest.stream);
        streams.entry(stream).or_default().push(window);
    }
    let calendar = |((table, source, stream), windows): (_, Vec<&WindowState>)| Calendar {
        table,
        source,
        stream,
        days: days(&windows),
    };
    streams.into_iter().map(calendar).collect()
}

/// What is added up of a day.
#[derive(Clone, Copy, Debug)]
struct Sum {
    day: Day,
    covered: TimeDelta,
}

fn days(windows: &[&WindowState]) -> Vec<Day> {
    let mut sums: BTreeMap<NaiveDate, Sum> = BTreeMap::new();
    for window in windows {
        let bounds = window.manifest.window;
        let mut date = bounds.start.date_naive();
        while midnight(date) < bounds.end {
            let Some(next) = date.checked_add_days(Days::new(1)) else { break };
            let end = bounds.end.min(midnight(next));
            sums.entry(date)
                .or_insert_with(|| Sum { day: missing(date), covered: TimeDelta::zero() })
                .add(window, end - bounds.start.max(midnight(date)));
            date = next;
        }
    }
    let (Some(first), Some(last)) = (sums.keys().next(), sums.keys().next_back()) else {
        return Vec::new();
    };
    let all = first.iter_days().take_while(|date| date <= last);
    all.map(|date| sums.get(&date).map_or_else(|| missing(date), Sum::day)).collect()
}

impl Sum {
    /// Adds a window that has so much of the day.
    fn add(&mut self, window: &WindowState, part: TimeDelta) {
        let manifest = &window.manifest;
        let day = &mut self.day;
        day.windows += 1;
        let state = match manifest.phase() {
            "committed" => {
                self.covered += part;
                let commit = manifest.as_committed();
                let drift =
                    commit.and_then(|commit| commit.drift).map_or(0, |drift| drift.findings);
                day.findings += drift;
                let whole = part == manifest.window.end - manifest.window.start;
                let rows = manifest.published.iter().map(|file| file.rows).sum::<u64>();
                day.rows = day.rows.filter(|_| whole).map(|sum| sum + rows);
                if drift > 0 { DayState::Drifting } else { DayState::Committed }
            }
            // Also one that a later run goes on with, from its checkpoint.
            _ if manifest.failure.is_some() => DayState::Failed,
            _ => DayState::Running,
        };
        day.state = if day.windows == 1 { state } else { day.state.max(state) };
    }

    fn day(&self) -> Day {
        // Whole windows of it may have failed that shorter ones have made up for.
        let state = match self.covered >= TimeDelta::days(1) {
            true if self.day.findings > 0 => DayState::Drifting,
            true => DayState::Committed,
            false => self.day.state.max(DayState::Partial),
        };
        Day { state, ..self.day }
    }
}

fn missing(date: NaiveDate) -> Day {
    Day { date, state: DayState::Missing, windows: 0, rows: Some(0), findings: 0 }
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}
