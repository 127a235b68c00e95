//! Half-open UTC windows `[start, end)`: the unit of work, of commit and of backfill.

pub mod batch;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

const COMPACT: &str = "%Y%m%dT%H%M%SZ";

/// Fixed instants `[start, end)` in UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

impl Window {
    /// A window that is not empty.
    ///
    /// # Errors
    /// `Usage` when `end` is not after `start`, or either has a fraction of a second.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self> {
        let whole = start.timestamp_subsec_nanos() == 0 && end.timestamp_subsec_nanos() == 0;
        if !whole {
            return Err(Error::new(ErrorKind::Usage, "a window starts and ends at whole seconds"));
        }
        if end <= start {
            return Err(Error::new(
                ErrorKind::Usage,
                "the window is empty: its end is not after its start",
            )
            .with("from", show(start))
            .with("to", show(end))
            .hint("--to is exclusive: one day is --from 2026-03-17 --to 2026-03-18"));
        }
        Ok(Self { start, end })
    }

    /// The UTC day `date`.
    ///
    /// # Errors
    /// `Usage` at the end of the calendar.
    pub fn day(date: NaiveDate) -> Result<Self> {
        let start = date.and_time(chrono::NaiveTime::MIN).and_utc();
        Self::starting(start, TimeDelta::days(1))
    }

    /// The window of `length` from `start`.
    fn starting(start: DateTime<Utc>, length: TimeDelta) -> Result<Self> {
        let end = start.checked_add_signed(length).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the window ends after the end of the calendar")
        })?;
        Self::new(start, end)
    }

    /// Whether `instant` lies inside.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether the two share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether every instant of `other` lies inside.
    pub fn covers(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The least window with every instant from `first` to `last`, both included.
    ///
    /// # Errors
    /// `Usage` at the end of the calendar, or where `last` is before `first`.
    pub fn around(first: DateTime<Utc>, last: DateTime<Utc>) -> Result<Self> {
        let start = DateTime::from_timestamp(first.timestamp(), 0);
        let end = DateTime::from_timestamp(last.timestamp().saturating_add(1), 0);
        let (Some(start), Some(end)) = (start, end) else {
            return Err(Error::new(ErrorKind::Usage, "the window reaches beyond the calendar"));
        };
        Self::new(start, end)
    }

    /// Cuts the window into pieces of `every`, the last one shorter where it does not divide.
    ///
    /// # Errors
    /// `Usage` for a length under a second or more than 100,000 pieces.
    pub fn split(&self, every: Duration) -> Result<Vec<Self>> {
        let step = TimeDelta::from_std(every)
            .ok()
            .filter(|step| step.subsec_nanos() == 0 && *step >= TimeDelta::seconds(1))
            .ok_or_else(|| {
                Error::new(ErrorKind::Usage, "--every takes whole seconds, one at least")
            })?;
        if (self.end - self.start).num_seconds() / step.num_seconds() > 100_000 {
            return Err(Error::new(ErrorKind::Usage, "that is more than 100,000 windows")
                .hint("use a longer --every"));
        }
        let mut pieces = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let end = start.checked_add_signed(step).map_or(self.end, |end| end.min(self.end));
            pieces.push(Self { start, end });
            start = end;
        }
        Ok(pieces)
    }

    /// The windows of `every` that lie wholly within the `lookback` before the last full one's end.
    ///
    /// Boundaries are multiples of `every` since the epoch, so the same call gives the same windows all day.
    ///
    /// # Errors
    /// `Usage` when no window fits.
    pub fn lookback(now: DateTime<Utc>, lookback: Duration, every: Duration) -> Result<Vec<Self>> {
        let step = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
        let back = i64::try_from(lookback.as_secs()).unwrap_or(i64::MAX);
        let end = now.timestamp().div_euclid(step).saturating_mul(step);
        let start = end.saturating_sub(back.div_euclid(step).saturating_mul(step));
        let instant = |seconds| {
            DateTime::from_timestamp(seconds, 0).ok_or_else(|| {
                Error::new(ErrorKind::Usage, "--lookback reaches before the calendar begins")
            })
        };
        if start == end {
            return Err(Error::new(ErrorKind::Usage, "--lookback is shorter than one window")
                .hint("make --lookback at least as long as --every"));
        }
        Self::new(instant(start)?, instant(end)?)?.split(every)
    }
}

/// `20260317T000000Z_20260318T000000Z`, as in file names.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.start.format(COMPACT), self.end.format(COMPACT))
    }
}

impl std::str::FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse =
            |part: &str| NaiveDateTime::parse_from_str(part, COMPACT).ok().map(|t| t.and_utc());
        text.split_once('_')
            .and_then(|(start, end)| Some((parse(start)?, parse(end)?)))
            .ok_or_else(|| Error::new(ErrorKind::Usage, format!("`{text}` is not a window name")))
            .and_then(|(start, end)| Self::new(start, end))
    }
}

/// Reads a date (midnight UTC) or an RFC 3339 instant from the command line.
///
/// # Errors
/// `Usage` for anything else.
pub fn parse_instant(text: &str) -> Result<DateTime<Utc>> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text).map(|t| t.with_timezone(&Utc)).map_err(|_| {
        Error::new(ErrorKind::Usage, format!("`{text}` is neither a date nor an instant"))
            .hint("write 2026-03-17 or 2026-03-17T06:00:00Z")
    })
}

/// Reads a length of time such as `30s`, `15m`, `6h`, `2d` or `1h30m`.
///
/// # Errors
/// A message that shows the form.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let wrong = || {
        Error::new(ErrorKind::Usage, format!("`{text}` is not a length of time"))
            .hint("write a number and a unit: 500ms, 30s, 15m, 6h or 2d")
    };
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// An instant as people read it: RFC 3339 in UTC, to the second.
pub fn show(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        text.parse().expect("window")
    }

    #[test]
    fn name_round_trips() {
        let name = "20260317T000000Z_20260318T000000Z";
        assert_eq!(window(name).to_string(), name);
        assert!("20260318T000000Z_20260317T000000Z".parse::<Window>().is_err());
        assert!("yesterday".parse::<Window>().is_err());
    }

    #[test]
    fn split_covers_without_gap_or_overlap() {
        let whole = window("20260316T000000Z_20260318T120000Z");
        let days = whole.split(Duration::from_secs(86_400)).expect("split");
        assert_eq!(days.len(), 3);
        assert_eq!(days[0].start, whole.start);
        assert_eq!(days[2].end, whole.end);
        assert!(days.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn lookback_ends_at_the_last_full_window() {
        let now = parse_instant("2026-03-18T13:45:10Z").expect("now");
        let day = Duration::from_secs(86_400);
        let windows = Window::lookback(now, day * 2, day).expect("windows");
        let names: Vec<String> = windows.iter().map(Window::to_string).collect();
        assert_eq!(
            names,
            ["20260316T000000Z_20260317T000000Z", "20260317T000000Z_20260318T000000Z"]
        );
        assert!(Window::lookback(now, Duration::from_secs(60), day).is_err());
    }

    #[test]
    fn around_holds_both_instants() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("instant").to_utc();
        let (first, last) = (at("2026-03-17T10:00:00.9Z"), at("2026-03-17T10:00:05Z"));
        let around = Window::around(first, last).expect("window");
        assert_eq!(around.to_string(), "20260317T100000Z_20260317T100006Z");
        assert!(around.contains(first) && around.contains(last));
        assert_eq!(
            Window::around(last, last).expect("one").to_string(),
            "20260317T100005Z_20260317T100006Z"
        );
        assert!(Window::around(last, first).is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1h30m").expect("d"), Duration::from_secs(5_400));
        assert_eq!(parse_duration("250ms").expect("d"), Duration::from_millis(250));
        for wrong in ["", "5", "s", "5w", "-1s", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
