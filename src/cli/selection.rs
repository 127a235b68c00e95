//! `--date`, `--from`, `--to`, `--every` and `--lookback`, as windows.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cli::args::Windows;
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
