//! Earlier windows: each one's profile, and all of them as one.

use std::sync::Arc;

use crate::drift::profile::{FieldProfile, Profile};
use crate::window::Window;

/// Windows that a window is compared with: four weeks of days, so that each weekday has its like.
pub const MOST: usize = 28;

/// A window that was committed before, and ended before the one that is compared with it began.
#[derive(Clone, Debug)]
pub struct Past {
    /// The window.
    pub window: Window,
    /// What its records were like.
    pub profile: Arc<Profile>,
}

/// Earlier windows of one stream.
#[derive(Debug)]
pub(crate) struct History<'a> {
    /// One by one, in any order.
    pub(crate) windows: &'a [Past],
    all: Profile,
}

impl<'a> History<'a> {
    /// The history of these windows; those without a record say nothing of their fields.
    pub(crate) fn of(windows: &'a [Past]) -> Self {
        let mut all = Profile::default();
        for past in windows {
            all.add(&past.profile);
        }
        Self { windows, all }
    }

    /// What all of them showed of a column; `None` where they showed no record.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldProfile> {
        self.all.fields.get(name).filter(|_| self.has_records())
    }

    /// Whether any of them had a record.
    pub(crate) fn has_records(&self) -> bool {
        self.all.observed > 0
    }

    /// Whether a window had values both in the column and at the undeclared path: neither stands for the other then.
    pub(crate) fn have_both(&self, column: &str, path: &str) -> bool {
        self.windows.iter().any(|past| {
            past.profile.undeclared.contains_key(path)
                && past.profile.fields.get(column).is_some_and(|field| field.present > 0)
        })
    }

    /// Whether the path was found to stand in for the other one before.
    pub(crate) fn was_renamed(&self, from: &str, to: &str) -> bool {
        self.all.renamed.get(from).is_some_and(|known| known == to)
    }

    /// Whether the path was there before, undeclared.
    pub(crate) fn has_undeclared(&self, path: &str) -> bool {
        self.all.undeclared.contains_key(path)
    }
}
