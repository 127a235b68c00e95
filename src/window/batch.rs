//! A batch of webhook events, by their numbers in the inbox; and what the name of a unit of work ends with: a window of
//! time, or such a batch.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::window::Window;

/// What the name of a batch begins with: no window's does.
const PREFIX: &str = "webhook-";
/// Digits of a number at least, so that names sort as numbers do.
const DIGITS: usize = 16;

/// The events `first` to `last` of an inbox, both included; those between them that another stream has are not in it.
///
/// Written `webhook-0000000000000001_0000000000001000`, as in file names. Batches share no event, so that they overlap
/// nothing, whatever instants their records are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Batch {
    first: u64,
    last: u64,
}

impl Batch {
    /// The batch from `first` to `last`.
    ///
    /// # Errors
    /// `Usage` where it would end before it begins.
    pub fn new(first: u64, last: u64) -> Result<Self> {
        if last < first {
            return Err(Error::new(ErrorKind::Usage, "a batch ends before it begins")
                .with("first", first)
                .with("last", last));
        }
        Ok(Self { first, last })
    }

    /// The number of its first event.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number of its last event.
    pub fn last(&self) -> u64 {
        self.last
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:0DIGITS$}_{:0DIGITS$}", self.first, self.last)
    }
}

impl FromStr for Batch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| part.parse::<u64>().ok();
        text.strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .and_then(|(first, last)| Self::new(number(first)?, number(last)?).ok())
            // One batch has one name: another spelling of it would be another chain.
            .filter(|batch| batch.to_string() == text)
            .ok_or_else(|| {
                Error::new(ErrorKind::Usage, format!("`{text}` is not a batch's name"))
                    .hint("a batch is called webhook-<first>_<last>, 16 digits each")
            })
    }
}

/// What a unit of work is of, as its name ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WindowId {
    /// A window of time, whose records an API is asked for.
    Window(Window),
    /// A batch of webhook events.
    Batch(Batch),
}

impl WindowId {
    /// The window of time; `None` of a batch.
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::Window(window) => Some(*window),
            Self::Batch(_) => None,
        }
    }

    /// The batch; `None` of a window of time.
    pub fn batch(&self) -> Option<Batch> {
        match self {
            Self::Window(_) => None,
            Self::Batch(batch) => Some(*batch),
        }
    }

    /// Whether it is a batch of webhook events.
    pub fn is_batch(&self) -> bool {
        self.batch().is_some()
    }
}

impl From<Window> for WindowId {
    fn from(window: Window) -> Self {
        Self::Window(window)
    }
}

impl From<Batch> for WindowId {
    fn from(batch: Batch) -> Self {
        Self::Batch(batch)
    }
}

impl fmt::Display for WindowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(window) => window.fmt(f),
            Self::Batch(batch) => batch.fmt(f),
        }
    }
}

impl FromStr for WindowId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with(PREFIX) {
            text.parse().map(Self::Batch)
        } else {
            text.parse().map(Self::Window)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_sort_as_numbers_do() {
        let of = |first, last| Batch::new(first, last).expect("batch").to_string();
        let name = of(1, 1000);
        assert_eq!(name, "webhook-0000000000000001_0000000000001000");
        let id: WindowId = name.parse().expect("id");
        assert_eq!((id.to_string(), id.is_batch(), id.window()), (name.clone(), true, None));
        assert!(of(2, 2) > of(1, 1000) && of(10, 11) > of(9, 9));
        let huge = of(u64::MAX, u64::MAX);
        assert_eq!(huge.parse::<Batch>().expect("batch").to_string(), huge);
        let window = "20260317T000000Z_20260318T000000Z";
        let id: WindowId = window.parse().expect("window");
        assert_eq!((id.to_string(), id.is_batch()), (window.to_owned(), false));
    }

    #[test]
    fn one_batch_has_one_name() {
        for wrong in [
            "webhook-1_2",
            "webhook-+000000000000001_0000000000000002",
            "webhook-0000000000000002_0000000000000001",
            "webhook-00000000000000001_0000000000000002",
            "webhook-0000000000000001",
            "webhook-",
            "batch-0000000000000001_0000000000000002",
        ] {
            assert!(wrong.parse::<WindowId>().is_err(), "{wrong}");
        }
    }
}
