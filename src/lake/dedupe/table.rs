//! The surviving row of each key, in many small hash tables: one that grows holds its old slots and twice as
//! many new ones at once, and a part of the keys costs a part of that.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use crate::lake::dedupe::values::Key;

/// How many tables; a power of two.
const PARTS: usize = 64;

/// Where a row is: its file's ordinal in the window, and its number in that file. Both count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowPlace {
    /// The file's ordinal, as [`crate::lake::dedupe::KeyIndex::add_file`] gave it.
    pub file: u32,
    /// The row's number in the file.
    pub row: u32,
}

/// The surviving row of one key. `V` is the number of words of its version: 0 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<const V: usize> {
    pub(super) key: Key,
    pub(super) version: [u64; V],
    pub(super) place: RowPlace,
}

const _: () = assert!(size_of::<Entry<0>>() == 24, "24 bytes a key are promised");
const _: () = assert!(size_of::<Entry<2>>() == 40, "40 bytes a key with version_by are promised");

/// Keys and their surviving rows.
#[derive(Clone, Debug)]
pub(super) struct KeyTable<const V: usize> {
    parts: Vec<HashTable<Entry<V>>>,
}

impl<const V: usize> KeyTable<V> {
    pub(super) fn new() -> Self {
        Self { parts: std::iter::repeat_with(HashTable::new).take(PARTS).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<V>> {
        self.parts.iter().flat_map(HashTable::iter)
    }

    /// Puts a row in place of its key's last one, unless that is of a later version; gives back who lost.
    pub(super) fn place_row(&mut self, row: Entry<V>) -> Option<RowPlace> {
        match self.slot(row.key)? {
            Slot::Vacant(slot) => {
                slot.insert(row);
                None
            }
            Slot::Occupied(mut slot) => {
                let known = slot.get_mut();
                if known.version > row.version {
                    return Some(row.place);
                }
                let lost = known.place;
                *known = row;
                Some(lost)
            }
        }
    }

    /// Puts a row in place of its key's last one, whatever that was.
    pub(super) fn replace(&mut self, row: Entry<V>) {
        match self.slot(row.key) {
            Some(Slot::Vacant(slot)) => drop(slot.insert(row)),
            Some(Slot::Occupied(mut slot)) => *slot.get_mut() = row,
            None => {}
        }
    }

    /// Never `None`: every key has its part.
    fn slot(&mut self, key: Key) -> Option<Slot<'_, Entry<V>>> {
        let part = self.parts.get_mut(part_of(&key))?;
        Some(part.entry(hash_of(&key), |known| known.key == key, |known| hash_of(&known.key)))
    }
}

fn hash_of(key: &Key) -> u64 {
    let [high, _] = *key;
    high
}

/// By the half of the key that the tables do not hash.
fn part_of(key: &Key) -> usize {
    let [_, low] = *key;
    usize::try_from(low % PARTS as u64).unwrap_or(0)
}
