//! Renamed paths: one vanished as another of the same kind appeared, or a fallback pointer took over.

use crate::decode::shape::{FieldShape, PathShape, Shape, natural_kinds};
use crate::decode::sighting::Sighting;
use crate::drift::finding::joined;
use crate::drift::history::History;
use crate::drift::profile::FieldProfile;
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
pub(crate) fn renamings(table: &Table, shape: &Shape, earlier: &History<'_>) -> Vec<Renaming> {
    if shape.observed == 0 {
        return Vec::new();
    }
    let mut found: Vec<Renaming> = Vec::new();
    let fields = table.fields.iter().zip(&shape.fields);
    for (field, seen) in fields.filter(|(field, _)| field.drift.renamed != DriftAction::Ignore) {
        let before = earlier.field(&field.name);
        let renaming = took_over(seen, before).or_else(|| {
            let taken: Vec<&str> = found.iter().map(|renaming| renaming.to.as_str()).collect();
            moved(field, seen, before, shape, earlier, &taken)
        });
        found.extend(renaming);
    }
    found
}

/// A fallback pointer that answers now and did not before, while the one that answered before is silent.
fn took_over(seen: &FieldShape, before: Option<&FieldProfile>) -> Option<Renaming> {
    let before = before?;
    let mut fallbacks = seen.pointers.iter().skip(1).filter(|p| p.answered.count > 0);
    let to = fallbacks.find(|pointer| !before.from.contains_key(&pointer.path))?;
    let was = seen
        .pointers
        .iter()
        .find(|pointer| before.from.contains_key(&pointer.path) && pointer.path != to.path)?;
    (was.answered.count < to.answered.count).then(|| Renaming {
        field: seen.name.clone(),
        from: was.path.clone(),
        to: to.path.clone(),
        sighting: to.answered.clone(),
    })
}

/// A field that is absent everywhere, while an undeclared path of its kinds is in nearly all records.
fn moved(
    field: &Field,
    seen: &FieldShape,
    before: Option<&FieldProfile>,
    shape: &Shape,
    earlier: &History<'_>,
    taken: &[&str],
) -> Option<Renaming> {
    if seen.absent.count < shape.observed {
        return None;
    }
    let from = seen.pointers.first()?.path.as_str();
    let was_there = before.is_none_or(|before| before.present > 0);
    let appeared = |path: &&PathShape| {
        let many = path.kinds.count() >= (shape.observed * NEARLY_ALL).div_ceil(100);
        let fresh = !earlier.have_both(&field.name, &path.path);
        let known = earlier.was_renamed(from, &path.path);
        many && (known || (was_there && fresh))
            && !taken.contains(&path.path.as_str())
            && has_kinds_of(field, before, path)
    };
    let likeness =
        |path: &PathShape| strsim::jaro_winkler(last_token(from), last_token(&path.path));
    // What was found once stays so, however long ago the old path was last there.
    let known = |path: &PathShape| earlier.was_renamed(from, &path.path);
    let candidates = shape.undeclared.iter().filter(appeared);
    let scored =
        candidates.map(|path| (if known(path) { f64::INFINITY } else { likeness(path) }, path));
    let (score, to) = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (earlier.has_records() || score >= ALIKE).then(|| Renaming {
        field: field.name.clone(),
        from: from.to_owned(),
        to: to.path.clone(),
        sighting: joined(to.kinds.seen().map(|(_, sighting)| sighting)),
    })
}

/// Whether a path's kinds are those that the field had, or that its type is written in.
fn has_kinds_of(field: &Field, before: Option<&FieldProfile>, path: &PathShape) -> bool {
    let natural = natural_kinds(&field.kind);
    let mut kinds =
        path.kinds.seen().map(|(kind, _)| kind).filter(|kind| *kind != Kind::Null).peekable();
    kinds.peek().is_some()
        && kinds.all(|kind| match before {
            Some(before) if before.values_seen() > 0 => before.kinds.contains_key(kind.name()),
            _ => natural.contains(&kind),
        })
}

fn last_token(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
