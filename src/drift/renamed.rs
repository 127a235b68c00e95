//! Renamed paths: one vanished as another of the same kind appeared, or a fallback pointer took over.

use crate::decode::shape::{FieldShape, PathShape, Shape, Sighting, natural_kinds};
use crate::drift::finding::joined;
use crate::json::span::Kind;
use crate::spec::table::{DriftAction, Field, Table};

/// A new path stands in for an old one where this part of the records has it, in percent.
const NEARLY_ALL: u64 = 90;

/// Without earlier windows, names must be at least this alike (Jaro-Winkler): every record has strings.
const ALIKE: f64 = 0.75;

/// A field whose value moved.
#[derive(Clone, Debug)]
pub(crate) struct Renaming {
    /// The column.
    pub(crate) field: String,
    /// The pointer that vanished.
    pub(crate) from: String,
    /// The path that has the value now.
    pub(crate) to: String,
    /// The values at `to`.
    pub(crate) sighting: Sighting,
}

/// The renamings of a window; none where the policy ignores them, so that they hide nothing.
pub(crate) fn renamings(table: &Table, shape: &Shape, earlier: Option<&Shape>) -> Vec<Renaming> {
    if table.drift.renamed == DriftAction::Ignore || shape.observed == 0 {
        return Vec::new();
    }
    let mut found: Vec<Renaming> = Vec::new();
    for (field, seen) in table.fields.iter().zip(&shape.fields) {
        let before = earlier.and_then(|shape| shape.fields.iter().find(|f| f.name == field.name));
        let renaming = took_over(seen, before).or_else(|| {
            let taken: Vec<&str> = found.iter().map(|renaming| renaming.to.as_str()).collect();
            moved(field, seen, before, shape, earlier, &taken)
        });
        found.extend(renaming);
    }
    found
}

/// A fallback pointer that answers now and did not before, while the one that answered before is silent.
fn took_over(seen: &FieldShape, before: Option<&FieldShape>) -> Option<Renaming> {
    let before = before?;
    let answered =
        |shape: &FieldShape, at: usize| shape.pointers.get(at).map_or(0, |p| p.answered.count);
    let pointers = seen.pointers.iter().enumerate();
    let (_, to) =
        pointers.skip(1).find(|(at, _)| answered(seen, *at) > 0 && answered(before, *at) == 0)?;
    let mut olds = before.pointers.iter().filter(|p| p.answered.count > 0 && p.path != to.path);
    let old = olds.next()?;
    let was = seen.pointers.iter().find(|p| p.path == old.path)?;
    (was.answered.count < to.answered.count).then(|| Renaming {
        field: seen.name.clone(),
        from: old.path.clone(),
        to: to.path.clone(),
        sighting: to.answered.clone(),
    })
}

/// A field that is absent everywhere, while an undeclared path of its kinds is in nearly all records.
fn moved(
    field: &Field,
    seen: &FieldShape,
    before: Option<&FieldShape>,
    shape: &Shape,
    earlier: Option<&Shape>,
    taken: &[&str],
) -> Option<Renaming> {
    let was_there = before.is_none_or(|before| before.present > 0);
    if seen.absent.count < shape.observed || !was_there {
        return None;
    }
    let from = seen.pointers.first()?.path.as_str();
    let appeared = |path: &&PathShape| {
        let many = path.kinds.count() >= (shape.observed * NEARLY_ALL).div_ceil(100);
        let fresh = earlier.is_none_or(|e| e.undeclared.iter().all(|old| old.path != path.path));
        many && fresh && !taken.contains(&path.path.as_str()) && has_kinds_of(field, before, path)
    };
    let likeness =
        |path: &PathShape| strsim::jaro_winkler(last_token(from), last_token(&path.path));
    let candidates = shape.undeclared.iter().filter(appeared);
    let scored = candidates.map(|path| (likeness(path), path));
    let (score, to) = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (earlier.is_some() || score >= ALIKE).then(|| Renaming {
        field: field.name.clone(),
        from: from.to_owned(),
        to: to.path.clone(),
        sighting: joined(to.kinds.seen().map(|(_, sighting)| sighting)),
    })
}

/// Whether a path's kinds are those that the field had, or that its type is written in.
fn has_kinds_of(field: &Field, before: Option<&FieldShape>, path: &PathShape) -> bool {
    let natural = natural_kinds(&field.kind);
    let mut kinds =
        path.kinds.seen().map(|(kind, _)| kind).filter(|kind| *kind != Kind::Null).peekable();
    kinds.peek().is_some()
        && kinds.all(|kind| match before {
            Some(before) => !before.kinds.get(kind).is_none(),
            None => natural.contains(&kind),
        })
}

fn last_token(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
