//! ISO 8601 dates and times as APIs write them, extended or basic form, by hand: no allocation, no format strings.

use chrono::{Datelike, NaiveDate};

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;

/// Days from 0001-01-01 to 1970-01-01, chrono's day one and the epoch.
const EPOCH_FROM_CE: i32 = 719_163;

/// A date and time as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Microseconds from 1970-01-01T00:00 on the clock of the place.
    pub(crate) local: i64,
    /// Seconds east of UTC, where the text says so.
    pub(crate) offset: Option<i32>,
    /// Whether there is a date alone.
    pub(crate) date_only: bool,
}

/// Days from the epoch of a calendar date, years 1 to 9999.
fn days_of(year: u32, month: u32, day: u32) -> Option<i32> {
    let year = i32::try_from(year).ok().filter(|year| *year >= 1)?;
    Some(NaiveDate::from_ymd_opt(year, month, day)?.num_days_from_ce() - EPOCH_FROM_CE)
}

/// Reads `2026-03-17` or `20260317` as days from the epoch.
pub(crate) fn read_date(text: &str) -> Option<i32> {
    let mut scan = Scan { rest: text.as_bytes() };
    let days = scan.date()?.0;
    scan.rest.is_empty().then_some(days)
}

/// Reads a date alone, or a date, `T` or one space, a time and perhaps an offset.
///
/// Digits below the microsecond are dropped, which is toward the past. A second of 60 is the next minute's first.
pub(crate) fn read_instant(text: &str) -> Option<Written> {
    let mut scan = Scan { rest: text.as_bytes() };
    let (days, extended) = scan.date()?;
    let midnight = i64::from(days) * DAY;
    if scan.rest.is_empty() {
        return Some(Written { local: midnight, offset: None, date_only: true });
    }
    scan.eat(|b| matches!(b, b'T' | b't' | b' '))?;
    let local = midnight + scan.time(extended)?;
    let offset = if scan.rest.is_empty() { None } else { Some(scan.offset()?) };
    scan.rest.is_empty().then_some(Written { local, offset, date_only: false })
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    fn eat(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        if !wanted(*first) {
            return None;
        }
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        number.iter().try_fold(0u32, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + u32::from(byte.wrapping_sub(b'0')))
        })
    }

    /// The date, and whether it is written with hyphens.
    fn date(&mut self) -> Option<(i32, bool)> {
        let year = self.number(4)?;
        let extended = self.eat(|b| b == b'-').is_some();
        let month = self.number(2)?;
        if extended {
            self.eat(|b| b == b'-')?;
        }
        let day = self.number(2)?;
        Some((days_of(year, month, day)?, extended))
    }

    /// Microseconds from midnight.
    fn time(&mut self, extended: bool) -> Option<i64> {
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        if extended {
            self.eat(|b| b == b':')?;
        }
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        let mut second = 0;
        let mut micros = 0;
        let seconds_follow = if extended {
            self.eat(|b| b == b':').is_some()
        } else {
            self.rest.first().is_some_and(u8::is_ascii_digit)
        };
        if seconds_follow {
            second = self.number(2).filter(|second| *second <= 60)?;
            if self.eat(|b| matches!(b, b'.' | b',')).is_some() {
                micros = self.fraction()?;
            }
        }
        Some(i64::from(hour * 3_600 + minute * 60 + second) * 1_000_000 + i64::from(micros))
    }

    fn fraction(&mut self) -> Option<u32> {
        let mut micros = 0;
        let mut unit = 100_000;
        let mut digits = 0;
        while let Some(byte) = self.eat(|b| b.is_ascii_digit()) {
            micros += u32::from(byte.wrapping_sub(b'0')) * unit;
            unit /= 10;
            digits += 1;
        }
        (digits > 0).then_some(micros)
    }

    /// `Z`, `+05:30`, `+0530` or `+05`, in seconds east.
    fn offset(&mut self) -> Option<i32> {
        let sign = self.eat(|b| matches!(b, b'Z' | b'z' | b'+' | b'-'))?;
        if matches!(sign, b'Z' | b'z') {
            return Some(0);
        }
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        let colon = self.eat(|b| b == b':').is_some();
        let minutes = if colon || !self.rest.is_empty() { self.number(2)? } else { 0 };
        let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok().filter(|_| minutes < 60)?;
        Some(if sign == b'-' { -seconds } else { seconds })
    }
}
