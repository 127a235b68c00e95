//! Any text as `Retry-After`: never a panic, never a wait of nothing, and seconds and dates as they are written.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lakeward::http::retry::retry_after;

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let Ok(value) = std::str::from_utf8(bytes) else { return };
    let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_529);
    let wait = retry_after(value, now);
    assert_ne!(wait, Some(Duration::ZERO), "{value}");
    if let Ok(seconds) = value.trim().parse::<u64>()
        && value.trim().bytes().all(|b| b.is_ascii_digit())
        // Beyond that a double no longer holds every second.
        && seconds < 1 << 53
    {
        let wanted = (seconds > 0).then(|| Duration::from_secs(seconds));
        assert_eq!(wait, wanted, "{value}");
    }
    if let Ok(date) = DateTime::parse_from_rfc2822(value) {
        let until = (date.to_utc() - now).to_std().ok().filter(|until| !until.is_zero());
        if wait.is_some() {
            assert_eq!(wait, until, "{value}");
        }
    }
}
