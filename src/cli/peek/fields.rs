//! Declared against seen, field by field.

use serde::Serialize;

use crate::decode::shape::{FieldShape, Kinds, PathShape, Shape};
use crate::spec::table::{Field, Table};

/// A declared field and what stood at its pointers.
#[derive(Debug, Serialize)]
pub(super) struct Declared {
    /// The column.
    pub(super) name: String,
    /// Its type.
    pub(super) r#type: String,
    /// The pointers that gave its values; all of them where none did.
    pub(super) from: Vec<String>,
    /// Records with a value.
    pub(super) present: u64,
    /// Records where null is all there is.
    pub(super) null: u64,
    /// Records with none of the pointers.
    pub(super) absent: u64,
    /// JSON kinds with their counts.
    pub(super) seen: String,
    /// A value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sample: Option<String>,
    /// What is odd.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// A path that nobody declared.
#[derive(Debug, Serialize)]
pub(super) struct Undeclared {
    /// The JSON Pointer, `*` for array items.
    pub(super) path: String,
    /// JSON kinds with their counts.
    pub(super) seen: String,
    /// A value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sample: Option<String>,
}

/// The declared fields in their order.
pub(super) fn declared(
    table: &Table,
    shape: &Shape,
    scrub: &dyn Fn(&str) -> String,
) -> Vec<Declared> {
    let fields = table.fields.iter().zip(&shape.fields);
    fields.map(|(field, seen)| one(field, seen, shape.observed, scrub)).collect()
}

fn one(field: &Field, seen: &FieldShape, records: u64, scrub: &dyn Fn(&str) -> String) -> Declared {
    let answered = seen.pointers.iter().filter(|pointer| !pointer.answered.is_none());
    let answered: Vec<String> = answered.map(|pointer| pointer.path.clone()).collect();
    let declared = || field.from.iter().map(ToString::to_string).collect();
    let mut notes = Vec::new();
    if seen.absent.count == records && records > 0 {
        notes.push("in no record".to_owned());
    } else if field.required && seen.present < records {
        notes.push(format!("required, but not in {} of {records}", records - seen.present));
    }
    if !seen.nulled.is_none() {
        let values = seen.nulled.samples.iter().map(|sample| scrub(sample));
        notes.push(format!(
            "{} invalid, made null: {}",
            seen.nulled.count,
            values.collect::<Vec<_>>().join(", ")
        ));
    }
    if !seen.unknown.is_none() {
        let values = seen.unknown_values.iter().take(5).map(|value| scrub(&value.value));
        notes.push(format!("not among `known`: {}", values.collect::<Vec<_>>().join(", ")));
    }
    let units: Vec<&str> = seen.units.seen().map(|(unit, _)| unit).collect();
    if units.len() > 1 {
        notes.push(format!("units {} in one column", units.join(" and ")));
    }
    Declared {
        name: field.name.clone(),
        r#type: field.kind.to_string(),
        from: if answered.is_empty() { declared() } else { answered },
        present: seen.present,
        null: seen.null,
        absent: seen.absent.count,
        seen: kinds(&seen.kinds),
        sample: sample(&seen.kinds).map(|sample| scrub(&sample)),
        notes,
    }
}

/// The undeclared paths in the order in which they were met.
pub(super) fn undeclared(shape: &Shape, scrub: &dyn Fn(&str) -> String) -> Vec<Undeclared> {
    let one = |path: &PathShape| Undeclared {
        path: scrub(&path.path),
        seen: kinds(&path.kinds),
        sample: sample(&path.kinds).map(|sample| scrub(&sample)),
    };
    shape.undeclared.iter().map(one).collect()
}

fn kinds(kinds: &Kinds) -> String {
    let seen = kinds.seen().map(|(kind, sighting)| {
        let many = if sighting.count == 1 { "" } else { "s" };
        format!("{} {}{many}", sighting.count, kind.name())
    });
    seen.collect::<Vec<_>>().join(", ")
}

fn sample(kinds: &Kinds) -> Option<String> {
    kinds.seen().find_map(|(_, sighting)| sighting.samples.first().cloned())
}
