//! What a scan noted of a page's records: where their values stand, what is undeclared, and who is refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::json::grid::Grid;
use crate::json::span::Span;
use crate::json::utf8::Utf8;

/// The largest record, in bytes (DESIGN §4).
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The deepest record, in objects and arrays inside one another, its own object included (DESIGN §4).
pub const MAX_DEPTH: u32 = 128;

/// Undeclared paths that are told apart in a window (DESIGN §7).
pub const MAX_PATHS: usize = 1_000;

/// The places of the declared values in the records of one page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    /// The page.
    pub text: Utf8,
    /// The values, by row and slot.
    pub values: Grid,
    /// The records that have a row, in order: all but the refused ones.
    pub rows: Vec<Row>,
    /// The records that are none, in order.
    pub refused: Vec<(u32, Refusal)>,
    /// Undeclared values, by record.
    pub strays: Vec<Stray>,
    /// Keys that stood twice in one object along the declared pointers; the last won.
    pub duplicates: u64,
    /// Lone surrogates in undeclared keys.
    pub surrogates: u64,
    /// The undeclared paths by number, shared by all tapes of a window.
    pub paths: Paths,
}

/// A record with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The record in the page, from 0.
    pub record: u32,
    /// Whether a string in it, a key or a value, has an escape.
    pub escaped: bool,
}

/// Why a record has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is longer than [`MAX_BYTES`].
    TooLarge,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It is not an object.
    NotAnObject,
}

/// A value at an undeclared path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The row, from 0.
    pub row: u32,
    /// The path's number; `None` beyond the first [`MAX_PATHS`].
    pub path: Option<u32>,
    /// The value.
    pub value: Span,
}

impl Tape {
    /// Of a page without records yet, whose rows have so many values.
    pub(super) fn new(slots: usize, paths: Paths) -> Self {
        Self { values: Grid::new(slots), paths, ..Self::default() }
    }
}

/// The undeclared paths of a window, numbered in the order in which they were met; shared by its scanners and tapes.
#[derive(Clone, Debug, Default)]
pub struct Paths(Arc<Mutex<Numbered>>);

#[derive(Debug, Default)]
struct Numbered {
    list: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Paths {
    /// The paths that an earlier attempt met, in their order; all beyond the first [`MAX_PATHS`] are left out.
    pub fn resumed(paths: impl IntoIterator<Item = String>) -> Self {
        let resumed = Self::default();
        for path in paths {
            resumed.number(&path);
        }
        resumed
    }

    /// The number of a path, a new one where it is met for the first time; `None` beyond the cap.
    pub fn number(&self, path: &str) -> Option<u32> {
        let mut known = self.lock();
        if let Some(number) = known.numbers.get(path) {
            return Some(*number);
        }
        let number = known.list.len();
        if number >= MAX_PATHS {
            return None;
        }
        let (path, number) = (Arc::<str>::from(path), u32::try_from(number).ok()?);
        known.list.push(Arc::clone(&path));
        known.numbers.insert(path, number);
        Some(number)
    }

    /// The paths from number `first` on.
    pub fn since(&self, first: usize) -> Vec<Arc<str>> {
        self.lock().list.get(first..).unwrap_or(&[]).to_vec()
    }

    /// Whether no further path is told apart.
    pub fn is_full(&self) -> bool {
        self.lock().list.len() >= MAX_PATHS
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        // A path is whole or not there, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Paths {
    fn eq(&self, other: &Self) -> bool {
        self.since(0) == other.since(0)
    }
}

impl Eq for Paths {}
