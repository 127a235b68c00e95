//! What a window's records were like, kept small in its manifest: later windows are compared with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decode::extent::Extent;
use crate::decode::shape::{FieldShape, PathShape, Shape};
use crate::spec::table::{Field, Samples, Table};

/// Undeclared paths that are kept: those of most records.
const MAX_UNDECLARED: usize = 100;

/// Counts by name.
pub type CountsByName = BTreeMap<String, u64>;

/// The profile of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Records received.
    pub records: u64,
    /// Records that were walked: the others are no objects, or beyond a limit.
    pub observed: u64,
    /// The declared fields, by column.
    pub fields: BTreeMap<String, FieldProfile>,
    /// The hundred most frequent undeclared paths, with their values by JSON kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub undeclared: BTreeMap<String, CountsByName>,
    /// Paths that stood in for declared ones, by those.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<String, String>,
}

/// What a declared field was like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldProfile {
    /// Its type as declared then.
    #[serde(rename = "type")]
    pub kind: String,
    /// Records with a value that is not null.
    pub present: u64,
    /// Records with none of its pointers.
    #[serde(skip_serializing_if = "is_zero")]
    pub absent: u64,
    /// Records where null is all there is.
    #[serde(skip_serializing_if = "is_zero")]
    pub null: u64,
    /// Records with an empty string.
    #[serde(skip_serializing_if = "is_zero")]
    pub empty: u64,
    /// Values by JSON kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: CountsByName,
    /// Values by the pointer that gave them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub from: CountsByName,
    /// Numeric timestamps by unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub units: CountsByName,
    /// The values of a string that has few, with their counts; absent where it has many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<CountsByName>,
    /// Whether reports show its values redacted or not at all; then no value of it is here.
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// How large numbers, or how long strings were.
    #[serde(skip_serializing_if = "Extent::is_none")]
    pub extent: Extent,
}

impl Profile {
    /// The profile of a window's shape.
    pub(crate) fn of(table: &Table, shape: &Shape) -> Self {
        let fields = table.fields.iter().zip(&shape.fields);
        let mut paths: Vec<&PathShape> =
            shape.undeclared.iter().filter(|path| path.kinds.count() > 0).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.kinds.count()));
        let undeclared = paths.into_iter().take(MAX_UNDECLARED).map(|path| {
            let kinds = path.kinds.seen().map(|(kind, s)| (kind.name().to_owned(), s.count));
            (path.path.clone(), kinds.collect())
        });
        Self {
            records: shape.records,
            observed: shape.observed,
            fields: fields
                .map(|(field, seen)| (field.name.clone(), FieldProfile::of(field, seen)))
                .collect(),
            undeclared: undeclared.collect(),
            renamed: BTreeMap::new(),
        }
    }

    /// The same with `change` made to every text that came from a record.
    #[must_use]
    pub fn rewritten(mut self, change: impl Fn(&str) -> String) -> Self {
        let rewrite = |counts: CountsByName| {
            let mut all = CountsByName::new();
            for (text, count) in counts {
                *all.entry(change(&text)).or_default() += count;
            }
            all
        };
        for field in self.fields.values_mut() {
            field.values = field.values.take().map(rewrite);
        }
        let undeclared = std::mem::take(&mut self.undeclared);
        self.undeclared =
            undeclared.into_iter().map(|(path, kinds)| (change(&path), kinds)).collect();
        self
    }

    /// The same without the lists of values that hold one which is not to be kept.
    #[must_use]
    pub fn without_values(mut self, is_kept_out: impl Fn(&str) -> bool) -> Self {
        for field in self.fields.values_mut() {
            field.values =
                field.values.take().filter(|values| !values.keys().any(|v| is_kept_out(v)));
        }
        self
    }

    /// Adds the counts of another window.
    pub(crate) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.observed += other.observed;
        for (name, field) in &other.fields {
            self.fields.entry(name.clone()).or_default().add(field);
        }
        for (path, kinds) in &other.undeclared {
            add(self.undeclared.entry(path.clone()).or_default(), kinds);
        }
        for (from, to) in &other.renamed {
            self.renamed.entry(from.clone()).or_insert_with(|| to.clone());
        }
    }
}

impl FieldProfile {
    fn of(field: &Field, seen: &FieldShape) -> Self {
        let kinds = seen.kinds.seen().map(|(kind, s)| (kind.name().to_owned(), s.count));
        let answered = seen.pointers.iter().filter(|pointer| !pointer.answered.is_none());
        let hidden = field.drift.samples < Samples::Full;
        let values = seen.few.values().filter(|_| !hidden);
        let extent = match hidden {
            true => Extent { least: None, greatest: None, ..seen.extent.clone() },
            false => seen.extent.clone(),
        };
        Self {
            kind: field.kind.to_string(),
            present: seen.present,
            absent: seen.absent.count,
            null: seen.null,
            empty: seen.empty,
            kinds: kinds.collect(),
            from: answered.map(|p| (p.path.clone(), p.answered.count)).collect(),
            units: seen.units.seen().map(|(unit, s)| (unit.to_owned(), s.count)).collect(),
            values: values.map(|values| values.iter().cloned().collect()),
            hidden,
            extent,
        }
    }

    /// Values of all JSON kinds.
    pub(crate) fn values_seen(&self) -> u64 {
        self.kinds.values().sum()
    }

    fn add(&mut self, other: &Self) {
        let first = self.kind.is_empty();
        self.kind.clone_from(&other.kind);
        self.present += other.present;
        self.absent += other.absent;
        self.null += other.null;
        self.empty += other.empty;
        add(&mut self.kinds, &other.kinds);
        add(&mut self.from, &other.from);
        add(&mut self.units, &other.units);
        self.values = match (self.values.take(), &other.values) {
            (Some(mut values), Some(more)) => {
                add(&mut values, more);
                Some(values)
            }
            (None, more) if first => more.clone(),
            _ => None,
        };
    }
}

fn add(counts: &mut CountsByName, more: &CountsByName) {
    for (name, count) in more {
        *counts.entry(name.clone()).or_default() += count;
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
