//! One row of a primary key survives in a window: where each key's row is, and which rows it superseded.
//!
//! Memory: 24 bytes a key (40 with `version_by`) before the table's load factor, and a bit a row of the files
//! that hold superseded rows. Without a primary key nothing is kept and every row survives.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::dedupe::table::{Entry, KeyTable};
use crate::lake::dedupe::values::{Key, Version};
use crate::spec::table::Table;

pub use crate::lake::dedupe::table::RowPlace;

mod segment;
mod table;
pub mod values;

/// The keys of a table with or without `version_by`.
#[derive(Clone, Debug)]
enum Keys {
    None,
    Plain(KeyTable<0>),
    Versioned(KeyTable<2>),
}

/// Where each primary key's row is, and which rows of which files no longer count.
#[derive(Clone, Debug)]
pub struct KeyIndex {
    key_columns: Vec<usize>,
    version_column: Option<usize>,
    keys: Keys,
    /// The files' paths, by ordinal.
    files: Vec<String>,
    /// The files that the segments written so far know.
    saved_files: usize,
    superseded: BTreeMap<u32, RowSet>,
    /// Rows superseded since the last segment.
    fresh: Vec<RowPlace>,
    duplicates: u64,
}

impl KeyIndex {
    /// An empty index of the table's primary key.
    pub fn new(table: &Table) -> Self {
        let keys = match (table.primary_key.is_empty(), table.version_by) {
            (true, _) => Keys::None,
            (false, None) => Keys::Plain(KeyTable::new()),
            (false, Some(_)) => Keys::Versioned(KeyTable::new()),
        };
        Self {
            key_columns: table.primary_key.clone(),
            version_column: table.version_by,
            ..Self::of(keys)
        }
    }

    /// The index of rows that need none: all of them survive.
    pub(in crate::lake) fn keyless() -> Self {
        Self::of(Keys::None)
    }

    fn of(keys: Keys) -> Self {
        Self {
            key_columns: Vec::new(),
            version_column: None,
            keys,
            files: Vec::new(),
            saved_files: 0,
            superseded: BTreeMap::new(),
            fresh: Vec::new(),
            duplicates: 0,
        }
    }

    /// Refuses a schema whose columns are not those of the table, or whose versions have no order.
    ///
    /// # Errors
    /// `Config` for `version_by` a string, list or JSON; `Unexpected` for a missing column.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let kind = |index: usize| {
            schema.fields().get(index).map(|field| field.data_type()).ok_or_else(|| {
                Error::new(ErrorKind::Unexpected, "the schema lacks a column of the table")
            })
        };
        for index in &self.key_columns {
            kind(*index)?;
        }
        match self.version_column.map(kind).transpose()? {
            Some(version) if !values::orders(version) => Err(unordered(version)),
            _ => Ok(()),
        }
    }

    /// Whether rows are deduplicated at all.
    pub fn is_keyed(&self) -> bool {
        !matches!(self.keys, Keys::None)
    }

    /// The keys that it holds.
    pub fn len(&self) -> usize {
        match &self.keys {
            Keys::None => 0,
            Keys::Plain(keys) => keys.len(),
            Keys::Versioned(keys) => keys.len(),
        }
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        let keys = match &self.keys {
            Keys::None => 0,
            Keys::Plain(keys) => keys.memory(),
            Keys::Versioned(keys) => keys.memory(),
        };
        let rows: usize = self.superseded.values().map(|rows| rows.words.capacity() * 8).sum();
        keys + rows + self.fresh.capacity() * size_of::<RowPlace>()
    }

    /// Lets go of the keys, but not of what they have told: no row can be recorded any more.
    pub(in crate::lake) fn let_go_of_keys(&mut self) {
        self.keys = Keys::None;
    }

    /// Whether it holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows that a later version of their key has superseded.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Makes a file known and gives its ordinal.
    ///
    /// # Errors
    /// `Unexpected` past 2^32 - 2 files.
    pub fn add_file(&mut self, path: &str) -> Result<u32> {
        let ordinal = u32::try_from(self.files.len()).ok().filter(|ordinal| *ordinal < u32::MAX);
        let too_many = || Error::new(ErrorKind::Unexpected, "a window has too many files");
        let ordinal = ordinal.ok_or_else(too_many)?;
        self.files.push(path.to_owned());
        Ok(ordinal)
    }

    /// The rows of the file `path` that no longer count, if there are any.
    pub fn superseded(&self, path: &str) -> Option<&RowSet> {
        let ordinal = self.files.iter().position(|file| file == path)?;
        self.superseded.get(&u32::try_from(ordinal).ok()?)
    }

    /// Records the rows of `batch`, in their order, each at its place.
    ///
    /// Of two rows of a key the one with the later version survives; with equal versions, or without
    /// `version_by`, the one recorded last. A row whose key fields are all null has no key and survives.
    ///
    /// # Errors
    /// `Config` for a key or version of a type that has neither.
    pub fn record(&mut self, batch: &RecordBatch, places: &[RowPlace]) -> Result<()> {
        if !self.is_keyed() {
            return Ok(());
        }
        let keys = values::keys(batch, &self.key_columns)?;
        let mut lost = Vec::new();
        match (&mut self.keys, self.version_column) {
            (Keys::Plain(table), _) => {
                let rows = keys.into_iter().zip(places);
                let entry = |(key, place): (Option<Key>, &RowPlace)| {
                    Some(Entry { key: key?, version: [], place: *place })
                };
                table.place_rows(&rows.filter_map(entry).collect::<Vec<_>>(), &mut lost);
            }
            (Keys::Versioned(table), Some(column)) => {
                let versions: Vec<Version> = values::versions(batch, column)?;
                let rows = keys.into_iter().zip(places).zip(versions);
                let entry = |((key, place), version): ((Option<Key>, &RowPlace), Version)| {
                    Some(Entry { key: key?, version, place: *place })
                };
                table.place_rows(&rows.filter_map(entry).collect::<Vec<_>>(), &mut lost);
            }
            (Keys::None | Keys::Versioned(_), _) => {}
        }
        for place in lost {
            self.supersede(place);
            self.fresh.push(place);
        }
        Ok(())
    }

    /// Which rows of `batch` have the key of a recorded row that is of no earlier and of no later version.
    ///
    /// # Errors
    /// As [`KeyIndex::record`].
    pub fn ties(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        if !self.is_keyed() {
            return Ok(vec![false; batch.num_rows()]);
        }
        let keys = values::keys(batch, &self.key_columns)?;
        Ok(match (&self.keys, self.version_column) {
            (Keys::Versioned(table), Some(column)) => {
                let versions: Vec<Version> = values::versions(batch, column)?;
                let known = |key: Option<Key>| key.and_then(|key| table.get(&key));
                let rows = keys.into_iter().zip(versions);
                rows.map(|(key, version)| known(key).is_some_and(|e| e.version == version))
                    .collect()
            }
            (Keys::Plain(table), _) => keys
                .into_iter()
                .map(|key| key.is_some_and(|key| table.get(&key).is_some()))
                .collect(),
            _ => vec![false; batch.num_rows()],
        })
    }

    fn supersede(&mut self, place: RowPlace) {
        if self.superseded.entry(place.file).or_default().insert(place.row) {
            self.duplicates += 1;
        }
    }
}

fn unordered(kind: &DataType) -> Error {
    Error::new(ErrorKind::Config, format!("version_by cannot be of type {kind}"))
        .hint("versions are told apart by a number, a date or a timestamp")
}

/// A set of row numbers: a bit each, up to the greatest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
    count: u64,
}

impl RowSet {
    /// Adds a row; whether it is new.
    pub fn insert(&mut self, row: u32) -> bool {
        let (word, bit) = (row as usize / 64, 1_u64 << (row % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(word) = self.words.get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(new);
        new
    }

    /// Whether the row is in it.
    pub fn contains(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// The rows in it.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether no row is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests;
