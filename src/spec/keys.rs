//! A table's pointers as the keys that a scan of its records looks for.

use crate::json::keys::Keys;
use crate::json::tape::Paths;
use crate::spec::table::{FieldType, Table};

/// The keys of a table's records, and of each field in declared order the slots of its pointers in theirs.
/// Undeclared paths are numbered by `paths`.
pub fn record_keys(table: &Table, paths: Paths) -> (Keys, Vec<Vec<usize>>) {
    let mut keys = Keys::new(paths);
    let slots = table.fields.iter().map(|field| {
        let whole = field.kind == FieldType::Json;
        field.from.iter().map(|pointer| keys.insert(pointer.tokens(), whole)).collect()
    });
    let slots = slots.collect();
    keys.seal();
    (keys, slots)
}
