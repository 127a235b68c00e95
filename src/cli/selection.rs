//! `--date`, `--from`, `--to`, `--every` and `--lookback` as windows; `--since` and the like as bounds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cli::args::Windows;
use crate::cli::args::lake::Within;
use crate::error::{Error, ErrorKind, Result};
use crate::window::Window;

/// The windows that the options name, in time order.
///
/// # Errors
/// `Usage` when they name none, or no such window exists.
pub(crate) fn windows(
    options: &Windows,
    lookback: Option<Duration>,
    now: DateTime<Utc>,
) -> Result<Vec<Window>> {
    let every = options.every;
    match (options.date, options.from, options.to, lookback) {
        (Some(start), ..) => {
            let length = TimeDelta::from_std(every).ok();
            let end =
                length.and_then(|length| start.checked_add_signed(length)).ok_or_else(|| {
                    Error::new(ErrorKind::Usage, "the window ends after the end of the calendar")
                })?;
            Ok(vec![Window::new(start, end)?])
        }
        (_, Some(from), Some(to), _) => Window::new(from, to)?.split(every),
        (.., Some(lookback)) => Window::lookback(now, lookback, every),
        _ => Err(Error::new(ErrorKind::Usage, "no window is named").hint(
            "name one day with --date 2026-03-17, a range with --from and --to, \
             or the last days with --lookback 2d",
        )),
    }
}

/// A part of a lake's windows: those that end after the one and begin before the other instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    after: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
}

impl Bounds {
    /// The bounds that the options name.
    ///
    /// # Errors
    /// `Usage` where a range ends before it begins.
    pub(crate) fn of(options: &Within) -> Result<Self> {
        let (after, before) = match (options.date, options.from, options.to) {
            (Some(date), ..) => (Some(date), date.checked_add_signed(TimeDelta::days(1))),
            (_, Some(from), Some(to)) => {
                let window = Window::new(from, to)?;
                (Some(window.start), Some(window.end))
            }
            _ => (options.since, None),
        };
        Ok(Self { after, before })
    }

    /// Whether some of the window lies within.
    pub(crate) fn touch(&self, window: &Window) -> bool {
        self.after.is_none_or(|after| window.end > after)
            && self.before.is_none_or(|before| window.start < before)
    }
}
