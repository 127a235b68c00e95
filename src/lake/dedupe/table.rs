//! The surviving row of each key, in many small hash tables that grow in place and in small steps: memory follows
//! the keys at every size, and no table stands beside its larger copy.

use crate::lake::dedupe::values::Key;

/// How many tables; a power of two. One that grows holds up the caller for its part of the keys only.
const PARTS: usize = 64;
/// Slots that are allocated at once. All blocks are alike: what the allocator has for one fits the next.
const BLOCK: usize = 128;
/// Homes of a table at its first key, about.
const LEAST_HOMES: usize = 512;

/// Rows that are placed once the memory of their keys is at hand.
const WARM: usize = 256;

/// Where a row is: its file's ordinal in the window, and its number in that file. Both count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowPlace {
    /// The file's ordinal, as [`crate::lake::dedupe::KeyIndex::add_file`] gave it; never `u32::MAX`.
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

impl<const V: usize> Entry<V> {
    const VACANT: Self =
        Self { key: [0, 0], version: [0; V], place: RowPlace { file: u32::MAX, row: u32::MAX } };

    fn is_vacant(&self) -> bool {
        self.place.file == u32::MAX
    }
}

/// Keys and their surviving rows.
#[derive(Clone, Debug)]
pub(super) struct KeyTable<const V: usize> {
    parts: Vec<Part<V>>,
}

impl<const V: usize> KeyTable<V> {
    pub(super) fn new() -> Self {
        // Each begins a little larger than the one before, up to the next step of the first: so they take turns
        // to grow, and their memory together grows evenly.
        let homes = |number: usize| LEAST_HOMES + number * LEAST_HOMES / (STEP * PARTS);
        Self { parts: (0..PARTS).map(|number| Part::new(homes(number))).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// Bytes that are allocated.
    pub(super) fn memory(&self) -> usize {
        let blocks: usize = self.parts.iter().map(|part| part.blocks.len()).sum();
        blocks * BLOCK * size_of::<Entry<V>>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<V>> {
        self.parts
            .iter()
            .flat_map(|part| part.blocks.iter())
            .flat_map(|block| block.iter())
            .filter(|entry| !entry.is_vacant())
    }

    /// Places rows one after another, as [`KeyTable::place_row`] does; adds who lost.
    pub(super) fn place_rows(&mut self, rows: &[Entry<V>], lost: &mut Vec<RowPlace>) {
        for rows in rows.chunks(WARM) {
            self.warm(rows.iter().map(|row| &row.key));
            lost.extend(rows.iter().filter_map(|row| self.place_row(*row)));
        }
    }

    /// Reads where each key belongs, all at once: the memory of many is fetched side by side, where placing one row
    /// after another would wait for each.
    fn warm<'a>(&self, keys: impl Iterator<Item = &'a Key>) {
        let read = keys.fold(0, |sum, key| {
            sum ^ self.parts.get(part_of(key)).map_or(0, |part| part.peek(key))
        });
        std::hint::black_box(read);
    }

    /// Puts a row in place of its key's last one, unless that is of a later version; gives back who lost.
    pub(super) fn place_row(&mut self, row: Entry<V>) -> Option<RowPlace> {
        let known = self.find_or_insert(row)?;
        if known.version > row.version {
            return Some(row.place);
        }
        Some(std::mem::replace(known, row).place)
    }

    /// Makes room for so many more keys, which are going to come in the order of their hashes: a table that grew under
    /// them would have them crowded at its beginning, each new one behind all before it.
    pub(super) fn reserve(&mut self, more: usize) {
        // Parts differ by chance.
        let each = more / PARTS;
        let each = each + each / 32 + 8;
        self.parts.iter_mut().for_each(|part| part.reserve(each));
    }

    /// Puts a row in place of its key's last one, whatever that was.
    pub(super) fn replace(&mut self, row: Entry<V>) {
        if let Some(known) = self.find_or_insert(row) {
            *known = row;
        }
    }

    /// The entry of the key, if there is one.
    pub(super) fn get(&self, key: &Key) -> Option<&Entry<V>> {
        self.parts.get(part_of(key))?.get(key)
    }

    /// The entry of the row's key, or `None` once the row is put in as the first of its key.
    fn find_or_insert(&mut self, row: Entry<V>) -> Option<&mut Entry<V>> {
        self.parts.get_mut(part_of(&row.key))?.find_or_insert(row)
    }
}

/// A table grows by one part in so many.
const STEP: usize = 4;

type Block<const V: usize> = Box<[Entry<V>; BLOCK]>;

/// One table: open addressing, entries in the order of their hashes, each at its home or after it with no vacant
/// slot between. The homes are as the hashes are, so that growing keeps the order, and slots after the last home
/// take what runs over.
#[derive(Clone, Debug)]
struct Part<const V: usize> {
    blocks: Vec<Block<V>>,
    homes: usize,
    len: usize,
}

impl<const V: usize> Part<V> {
    fn new(homes: usize) -> Self {
        Self { blocks: Vec::new(), homes, len: 0 }
    }

    /// Where the key belongs among the homes.
    fn home(&self, key: &Key) -> usize {
        let [high, _] = *key;
        let home = (u128::from(high) * self.homes as u128) >> 64;
        usize::try_from(home).unwrap_or(usize::MAX)
    }

    /// Something of the key's home.
    fn peek(&self, key: &Key) -> u32 {
        let home = self.home(key);
        let slot = self.blocks.get(home / BLOCK).and_then(|block| block.get(home % BLOCK));
        slot.map_or(0, |slot| slot.place.row)
    }

    fn find_or_insert(&mut self, row: Entry<V>) -> Option<&mut Entry<V>> {
        if self.blocks.is_empty() {
            extend(&mut self.blocks, self.homes);
        } else if !fits(self.len, self.homes) {
            self.grow(larger(self.homes));
        }
        let (number, start) = self.place(&row.key);
        if self.at(number, start, &row.key).is_some() {
            return self.blocks.get_mut(number)?.get_mut(start);
        }
        self.insert(number, start, row);
        None
    }

    fn get(&self, key: &Key) -> Option<&Entry<V>> {
        let (number, start) = self.place(key);
        self.at(number, start, key)
    }

    fn at(&self, number: usize, start: usize, key: &Key) -> Option<&Entry<V>> {
        let known = self.blocks.get(number)?.get(start)?;
        (known.key == *key && !known.is_vacant()).then_some(known)
    }

    /// The block and slot of the key's entry, or where it would be put in.
    fn place(&self, key: &Key) -> (usize, usize) {
        let home = self.home(key);
        let (mut number, mut start) = (home / BLOCK, home % BLOCK);
        loop {
            let slots = self.blocks.get(number).and_then(|block| block.get(start..));
            // The first that is vacant, the key's own, or of a greater hash.
            let found = slots.and_then(|slots| {
                slots.iter().position(|slot| slot.is_vacant() || slot.key >= *key)
            });
            match (found, slots) {
                (Some(offset), _) => return (number, start + offset),
                (None, Some(_)) => (number, start) = (number + 1, 0),
                (None, None) => return (number, start),
            }
        }
    }

    /// Puts an entry at a slot and moves those that stand there on by one, up to the next vacant slot.
    fn insert(&mut self, number: usize, start: usize, row: Entry<V>) {
        self.len += 1;
        let (mut number, mut start, mut moved) = (number, start, row);
        loop {
            extend(&mut self.blocks, (number + 1) * BLOCK);
            let block = self.blocks.get_mut(number);
            let Some(slots) = block.and_then(|block| block.get_mut(start..)) else { return };
            let vacant = slots.iter().position(Entry::is_vacant);
            let run = vacant.map_or(slots.len(), |vacant| vacant + 1);
            let Some(run) = slots.get_mut(..run) else { return };
            run.rotate_right(1);
            let Some(first) = run.first_mut() else { return };
            moved = std::mem::replace(first, moved);
            if vacant.is_some() {
                return;
            }
            (number, start) = (number + 1, 0);
        }
    }

    fn reserve(&mut self, more: usize) {
        let mut homes = self.homes;
        while !fits(self.len.saturating_add(more), homes) {
            homes = larger(homes);
        }
        if homes > self.homes {
            self.grow(homes);
        }
    }

    /// Adds homes, and moves each entry on to its new one. The old blocks are freed as the new ones are filled.
    fn grow(&mut self, homes: usize) {
        self.homes = homes;
        let old = std::mem::take(&mut self.blocks);
        let mut blocks: Vec<Block<V>> = Vec::with_capacity(self.homes / BLOCK + 2);
        let mut free = 0;
        for block in old {
            for entry in block.iter().filter(|entry| !entry.is_vacant()) {
                let at = self.home(&entry.key).max(free);
                free = at + 1;
                extend(&mut blocks, free);
                let slot = blocks.get_mut(at / BLOCK).and_then(|block| block.get_mut(at % BLOCK));
                if let Some(slot) = slot {
                    *slot = *entry;
                }
            }
        }
        extend(&mut blocks, self.homes);
        self.blocks = blocks;
    }
}

/// Whether a table of so many homes takes one more key: it is full to seven in eight at most.
fn fits(keys: usize, homes: usize) -> bool {
    keys.saturating_mul(8) < homes.saturating_mul(7)
}

/// The homes of a table that has grown by a step.
fn larger(homes: usize) -> usize {
    homes.saturating_add(homes / STEP)
}

fn extend<const V: usize>(blocks: &mut Vec<Block<V>>, slots: usize) {
    while blocks.len() * BLOCK < slots {
        blocks.push(Box::new([Entry::VACANT; BLOCK]));
    }
}

/// By the half of the key that decides no home.
fn part_of(key: &Key) -> usize {
    let [_, low] = *key;
    usize::try_from(low % PARTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;
    use crate::lake::dedupe::values::halves;

    fn entry<const V: usize>(key: Key, row: u32) -> Entry<V> {
        Entry { key, version: [0; V], place: RowPlace { file: 0, row } }
    }

    fn hashed(n: u64) -> Key {
        halves(xxh3_128(&n.to_le_bytes()))
    }

    /// Every entry can be found, stands in order, and has no vacant slot between its home and itself.
    fn check<const V: usize>(table: &KeyTable<V>) {
        for part in &table.parts {
            let slots: Vec<&Entry<V>> = part.blocks.iter().flat_map(|b| b.iter()).collect();
            let keys: Vec<Key> = slots.iter().filter(|e| !e.is_vacant()).map(|e| e.key).collect();
            assert!(keys.is_sorted() && keys.len() == part.len);
            for (at, entry) in slots.iter().enumerate().filter(|(_, entry)| !entry.is_vacant()) {
                let home = part.home(&entry.key);
                assert!(home <= at, "{at} is before its home {home}");
                assert!(slots[home..at].iter().all(|slot| !slot.is_vacant()), "{home}..{at}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map(rows in prop::collection::vec((0_u64..400, 0_u8..4), 0..1200)) {
            let mut table = KeyTable::<0>::new();
            let mut model: HashMap<Key, u32> = HashMap::new();
            for (number, (key, spread)) in (0_u32..).zip(rows) {
                // Also keys that all crowd at one end of one part.
                let key = match spread {
                    0 => hashed(key),
                    1 => [key, 0],
                    2 => [u64::MAX - key, 64],
                    _ => [u64::MAX, key * 64],
                };
                let lost = table.place_row(entry(key, number));
                prop_assert_eq!(lost.map(|place| place.row), model.insert(key, number));
            }
            check(&table);
            prop_assert_eq!(table.len(), model.len());
            let found: HashMap<Key, u32> = table.iter().map(|e| (e.key, e.place.row)).collect();
            prop_assert_eq!(found, model);
        }
    }

    #[test]
    fn memory_follows_the_keys_at_every_size() {
        let mut table = KeyTable::<0>::new();
        assert_eq!(table.memory(), 0);
        for n in 0..600_000_u64 {
            assert_eq!(table.place_row(entry(hashed(n), 0)), None);
            let keys = table.len();
            if keys > 100_000 && keys.is_multiple_of(1_000) {
                let each = table.memory() / keys;
                assert!((27..=31).contains(&each), "{each} bytes a key at {keys}");
            }
        }
        check(&table);
        for n in 0..600_000_u64 {
            assert_eq!(table.place_row(entry(hashed(n), 1)), Some(RowPlace { file: 0, row: 0 }));
        }
        assert_eq!(table.len(), 600_000);
    }

    #[test]
    fn keys_that_come_in_their_order_do_not_crowd_where_room_was_made() {
        let mut grown = KeyTable::<0>::new();
        for n in 0..20_000_u64 {
            let [high, _] = hashed(n);
            grown.replace(entry([high, 0], 0));
        }
        let entries: Vec<Entry<0>> = grown.iter().copied().collect();
        let mut loaded = KeyTable::<0>::new();
        loaded.reserve(entries.len() * PARTS);
        for (number, entry) in entries.iter().enumerate() {
            loaded.replace(*entry);
            if number % 5_000 == 2_500 {
                check(&loaded);
                let part = loaded.parts.first().expect("the one that all are in");
                let slots = part.blocks.iter().flat_map(|block| block.iter()).enumerate();
                let taken = slots.filter(|(_, entry)| !entry.is_vacant());
                let furthest = taken.map(|(at, entry)| at - part.home(&entry.key)).max();
                assert!(furthest < Some(200), "{furthest:?} from home after {number}");
            }
        }
        assert!(loaded.iter().eq(grown.iter()));
    }
}
