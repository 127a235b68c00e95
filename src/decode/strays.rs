//! Undeclared values: counted by path and kind, and a reason to refuse their record where the policy says so.

use crate::decode::record::{Reject, quote};
use crate::decode::shape::{PathShape, Shape};
use crate::decode::sighting::Place;
use crate::json::tape::{Stray, Tape};

/// What the counting of a window's undeclared values needs to know of each path.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    /// For a path with array items the last row that was counted: several items of a record count once.
    starred: Vec<Option<u32>>,
}

impl Strays {
    /// Counts the undeclared values of a page.
    pub(crate) fn observe(
        &mut self,
        tape: &Tape,
        text: &str,
        shape: &mut Shape,
        place: &dyn Fn(usize) -> Place,
    ) {
        if tape.strays.is_empty() {
            return;
        }
        for path in tape.paths.since(shape.undeclared.len()) {
            shape.undeclared.push(PathShape { path: path.to_string(), ..PathShape::default() });
        }
        self.starred = vec![None; shape.undeclared.len()];
        let starred: Vec<bool> =
            shape.undeclared.iter().map(|path| path.path.contains("/*")).collect();
        for Stray { row, path, value } in &tape.strays {
            let path = path.and_then(|path| usize::try_from(path).ok());
            let Some((at, known)) = path.and_then(|at| Some((at, shape.undeclared.get_mut(at)?)))
            else {
                shape.uncounted += 1;
                continue;
            };
            if starred.get(at) == Some(&true)
                && self.starred.get_mut(at).is_some_and(|last| last.replace(*row) == Some(*row))
            {
                continue;
            }
            let Some(kind) = value.form().kind() else { continue };
            let sighting = known.kinds.get_mut(kind);
            if sighting.is_settled() {
                sighting.count += 1;
            } else {
                sighting.see(value.of(text), || place(*row as usize));
            }
        }
    }
}

/// The first undeclared value of each row as a reason to refuse its record.
pub(crate) fn rejects(tape: &Tape, text: &str) -> Vec<(usize, Reject)> {
    let paths = tape.paths.since(0);
    let mut rejects: Vec<(usize, Reject)> = Vec::new();
    for Stray { row, path, value } in &tape.strays {
        let row = *row as usize;
        if rejects.last().is_some_and(|(last, _)| *last == row) {
            continue;
        }
        let path = path.and_then(|path| paths.get(path as usize));
        let path = path.map_or("a path beyond the first 1,000", AsRef::as_ref);
        let value = quote(value.of(text).unwrap_or_default());
        let message = format!("{path} is not declared, with {value}");
        rejects.push((row, Reject::record("drift_new_field", message)));
    }
    rejects
}
