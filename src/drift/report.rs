//! The drift report of a window: findings from its shape, the schema, and what earlier windows looked like.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::decode::shape::{FieldShape, PathShape, Shape, Sighting, natural_kinds};
use crate::drift::finding::{Finding, FindingKind, joined};
use crate::drift::renamed::{Renaming, renamings};
use crate::drift::suggest;
use crate::json::tape::MAX_PATHS;
use crate::spec::table::{DriftAction, Field, FieldType, Table};
use crate::window::Window;

/// The report's format.
const VERSION: u32 = 1;

/// Values outside `known` that a finding lists.
const MAX_LISTED: usize = 20;

/// What a window's records showed against what was declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// The format, 1.
    pub version: u32,
    /// The table.
    pub table: String,
    /// The window.
    pub window: Window,
    /// The fingerprint of the schema that it was decoded with.
    pub schema_fingerprint: String,
    /// Records received.
    pub records: u64,
    /// The findings: the gravest first, then by path.
    pub findings: Vec<Finding>,
}

impl DriftReport {
    /// The gravest severity; `None` without findings.
    pub fn worst(&self) -> Option<DriftAction> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// The same report with `change` made to every text of a record: samples, values of keys, and names.
    #[must_use]
    pub fn rewritten(mut self, change: impl Fn(&str) -> String) -> Self {
        for finding in &mut self.findings {
            let seen = finding.first_seen.as_mut().and_then(|place| place.key.as_mut());
            let named = [&mut finding.path, &mut finding.suggestion];
            for text in finding.samples.iter_mut().chain(seen).chain(named) {
                *text = change(text);
            }
            let mut observed = BTreeMap::new();
            for (what, count) in std::mem::take(&mut finding.observed) {
                *observed.entry(change(&what)).or_default() += count;
            }
            finding.observed = observed;
        }
        self
    }

    /// One line a finding, for logs.
    pub fn lines(&self) -> Vec<String> {
        self.findings.iter().map(Finding::to_string).collect()
    }
}

/// Compares a window's shape with the schema, and with the shape of earlier windows where there is one.
///
/// Without `earlier`, a fallback pointer that answers is no drift, and a field is missing where it is required, or
/// absent from every record. Findings whose policy is `ignore` are left out.
pub fn report(
    table: &Table,
    shape: &Shape,
    window: Window,
    schema_fingerprint: &str,
    earlier: Option<&Shape>,
) -> DriftReport {
    let mut compared = Comparison {
        table,
        shape,
        earlier,
        findings: Vec::new(),
        places: HashMap::new(),
        given: HashSet::new(),
    };
    let renamed = renamings(table, shape, earlier);
    let before = earlier.iter().flat_map(|shape| &shape.fields);
    let before: HashMap<&str, &FieldShape> =
        before.map(|field| (field.name.as_str(), field)).collect();
    for (field, seen) in table.fields.iter().zip(&shape.fields) {
        let before = before.get(field.name.as_str()).copied();
        let renaming = renamed.iter().find(|renaming| renaming.field == field.name);
        compared.field(field, seen, before, renaming);
    }
    for path in &shape.undeclared {
        compared.undeclared(path, renamed.iter().any(|renaming| renaming.to == path.path));
    }
    compared.untold();
    let mut findings = compared.findings;
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.path.cmp(&b.path)).then(a.kind.cmp(&b.kind))
    });
    DriftReport {
        version: VERSION,
        table: table.name.clone(),
        window,
        schema_fingerprint: schema_fingerprint.to_owned(),
        records: shape.records,
        findings,
    }
}

struct Comparison<'a> {
    table: &'a Table,
    shape: &'a Shape,
    earlier: Option<&'a Shape>,
    findings: Vec<Finding>,
    /// Names of columns that suggestions have given.
    given: HashSet<String>,
    /// Which finding stands for a kind and path: several fields may read one path.
    places: HashMap<(FindingKind, String), usize>,
}

/// What a finding is made of beside its severity and share.
struct Draft<'a> {
    kind: FindingKind,
    path: &'a str,
    expected: String,
    observed: BTreeMap<String, u64>,
    sighting: Sighting,
    suggestion: String,
}

impl Comparison<'_> {
    fn add(&mut self, draft: Draft<'_>) {
        let severity = draft.kind.action(&self.table.drift);
        if severity == DriftAction::Ignore {
            return;
        }
        let finding = Finding {
            kind: draft.kind,
            severity,
            path: draft.path.to_owned(),
            expected: draft.expected,
            observed: draft.observed,
            count: draft.sighting.count,
            share: share(draft.sighting.count, self.shape.records),
            first_seen: draft.sighting.first_seen,
            samples: draft.sighting.samples,
            suggestion: draft.suggestion,
        };
        let place = (finding.kind, finding.path.clone());
        match self.places.get(&place).and_then(|at| self.findings.get_mut(*at)) {
            Some(same) => same.join(finding),
            None => {
                self.places.insert(place, self.findings.len());
                self.findings.push(finding);
            }
        }
    }

    fn field(
        &mut self,
        field: &Field,
        seen: &FieldShape,
        before: Option<&FieldShape>,
        renaming: Option<&Renaming>,
    ) {
        match renaming {
            Some(renaming) => self.renamed(field, renaming),
            None => self.missing(field, seen, before),
        }
        if renaming.is_some() && !self.replaces(FindingKind::MissingField) {
            self.missing(field, seen, before);
        }
        self.type_changed(field, seen, before);
        self.new_value(field, seen);
        self.invalid_value(field, seen);
        self.mixed_units(seen);
    }

    /// Whether a finding of a renaming stands for another kind too: only where its policy is no weaker.
    fn replaces(&self, kind: FindingKind) -> bool {
        FindingKind::Renamed.action(&self.table.drift) >= kind.action(&self.table.drift)
    }

    fn renamed(&mut self, field: &Field, renaming: &Renaming) {
        let observed = BTreeMap::from([(renaming.to.clone(), renaming.sighting.count)]);
        self.add(Draft {
            kind: FindingKind::Renamed,
            path: &renaming.from,
            expected: format!("{} for {}", renaming.from, field.name),
            observed,
            sighting: renaming.sighting.clone(),
            suggestion: suggest::renamed(field, renaming, self.table),
        });
    }

    fn missing(&mut self, field: &Field, seen: &FieldShape, before: Option<&FieldShape>) {
        let absent = seen.absent.count;
        let everywhere = absent == self.shape.observed;
        // Without earlier windows nothing says that it was there before.
        let was_there =
            before.is_some_and(|before| before.present + before.null + before.empty > 0);
        if absent == 0 || !(field.required || (everywhere && was_there)) {
            return;
        }
        let present = self.shape.observed.saturating_sub(absent);
        let observed = [("absent".to_owned(), absent), ("present".to_owned(), present)];
        self.add(Draft {
            kind: FindingKind::MissingField,
            path: first_path(seen),
            expected: if field.required { "required" } else { "present" }.to_owned(),
            observed: observed.into_iter().filter(|(_, count)| *count > 0).collect(),
            sighting: seen.absent.clone(),
            suggestion: suggest::missing(field, self.table),
        });
    }

    fn type_changed(&mut self, field: &Field, seen: &FieldShape, before: Option<&FieldShape>) {
        if field.kind == FieldType::Json {
            return;
        }
        let natural = natural_kinds(&field.kind);
        let before = before.filter(|before| before.kinds.count() > 0);
        let changed = seen.kinds.seen().filter(|(kind, _)| {
            !natural.contains(kind)
                || before.is_some_and(|before| before.kinds.get(*kind).is_none())
        });
        let changed: Vec<_> = changed.map(|(kind, sighting)| (kind, sighting.clone())).collect();
        if changed.is_empty() {
            return;
        }
        let expected = match before {
            Some(before) => names(before.kinds.seen().map(|(kind, _)| kind.name())),
            None => names(natural.iter().map(|kind| kind.name())),
        };
        let kinds: Vec<_> = changed.iter().map(|(kind, _)| *kind).collect();
        self.add(Draft {
            kind: FindingKind::TypeChanged,
            path: answering_path(seen),
            expected: format!("{expected} for {}", field.kind),
            observed: seen
                .kinds
                .seen()
                .map(|(kind, s)| (kind.name().to_owned(), s.count))
                .collect(),
            sighting: joined(changed.iter().map(|(_, sighting)| sighting)),
            suggestion: suggest::type_changed(field, &kinds, self.table),
        });
    }

    fn new_value(&mut self, field: &Field, seen: &FieldShape) {
        if seen.unknown.is_none() {
            return;
        }
        let values = seen.unknown_values.iter().take(MAX_LISTED);
        self.add(Draft {
            kind: FindingKind::NewValue,
            path: answering_path(seen),
            expected: format!("one of {}", names(field.known.iter().map(String::as_str))),
            observed: values.map(|value| (value.value.clone(), value.count)).collect(),
            sighting: seen.unknown.clone(),
            suggestion: suggest::new_value(field, seen, self.table),
        });
    }

    fn invalid_value(&mut self, field: &Field, seen: &FieldShape) {
        if seen.nulled.is_none() {
            return;
        }
        let nested = !seen.kinds.array.is_none() || !seen.kinds.object.is_none();
        self.add(Draft {
            kind: FindingKind::InvalidValue,
            path: answering_path(seen),
            expected: field.kind.to_string(),
            observed: BTreeMap::from([("nulled".to_owned(), seen.nulled.count)]),
            sighting: seen.nulled.clone(),
            suggestion: suggest::invalid_value(field, nested, self.table),
        });
    }

    fn mixed_units(&mut self, seen: &FieldShape) {
        let first = seen.units.first.as_deref().unwrap_or_default();
        let others: Vec<_> = seen.units.seen().filter(|(unit, _)| *unit != first).collect();
        if others.is_empty() {
            return;
        }
        self.add(Draft {
            kind: FindingKind::MixedUnits,
            path: answering_path(seen),
            expected: format!("one unit, {first} as in the first record"),
            observed: seen.units.seen().map(|(unit, s)| (unit.to_owned(), s.count)).collect(),
            sighting: joined(others.iter().map(|(_, sighting)| *sighting)),
            suggestion: suggest::ignored(FindingKind::MixedUnits, &self.table.drift),
        });
    }

    fn undeclared(&mut self, path: &PathShape, renamed: bool) {
        if path.kinds.count() == 0 || (renamed && self.replaces(FindingKind::NewField)) {
            return;
        }
        let known = self.earlier.is_some_and(|e| e.undeclared.iter().any(|p| p.path == path.path));
        let expected =
            if known { "nothing declared, as in earlier windows" } else { "nothing declared" };
        let suggestion = suggest::new_field(path, self.table, &mut self.given);
        self.add(Draft {
            kind: FindingKind::NewField,
            path: &path.path,
            expected: expected.to_owned(),
            observed: path
                .kinds
                .seen()
                .map(|(kind, s)| (kind.name().to_owned(), s.count))
                .collect(),
            sighting: joined(path.kinds.seen().map(|(_, sighting)| sighting)),
            suggestion,
        });
    }
}

impl Comparison<'_> {
    /// Values at paths that were not told apart, though fewer are reported than may be: of names that are too long, or
    /// because pages that were refused, and sent again, have used up the numbers. `fail` must not miss a new field there.
    fn untold(&mut self) {
        let told = self.shape.undeclared.iter().filter(|path| path.kinds.count() > 0).count();
        if self.shape.uncounted == 0 || told >= MAX_PATHS {
            return;
        }
        let count = self.shape.uncounted.min(self.shape.observed);
        self.add(Draft {
            kind: FindingKind::NewField,
            path: "/*",
            expected: "nothing declared".to_owned(),
            observed: [("values at paths that were not told apart".to_owned(), self.shape.uncounted)].into(),
            sighting: Sighting { count, ..Sighting::default() },
            suggestion: "# their names are longer than 256 bytes, or refused pages had used up the 1,000: see the raw column".to_owned(),
        });
    }
}

fn first_path(seen: &FieldShape) -> &str {
    seen.pointers.first().map_or("", |pointer| &pointer.path)
}

/// The pointer that most values came from.
fn answering_path(seen: &FieldShape) -> &str {
    let most = seen.pointers.iter().rev().max_by_key(|pointer| pointer.answered.count);
    most.map_or("", |pointer| &pointer.path)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}

#[expect(clippy::cast_precision_loss, reason = "a share is for reading; records fit 53 bits")]
fn share(count: u64, records: u64) -> f64 {
    if records == 0 { 0.0 } else { count as f64 / records as f64 }
}

#[cfg(test)]
mod tests;
