//! What a window showed against what is declared, and against what was there before: findings that one window is enough for.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::decode::shape::{FieldShape, Kinds, PathShape, Shape, natural_kinds};
use crate::decode::sighting::{Place, Sighting};
use crate::drift::finding::{Finding, FindingKind, joined};
use crate::drift::history::History;
use crate::drift::profile::FieldProfile;
use crate::drift::renamed::Renaming;
use crate::drift::{samples, suggest};
use crate::json::tape::MAX_PATHS;
use crate::spec::table::{DriftAction, DriftPolicy, Field, FieldType, Samples, Table};

/// What is less likely is no chance.
const BY_CHANCE: f64 = 1e-4;
/// Values outside `known` that a finding lists.
const MAX_LISTED: usize = 20;

/// A comparison under way.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    pub(super) table: &'a Table,
    pub(super) shape: &'a Shape,
    pub(super) earlier: &'a History<'a>,
    pub(super) findings: Vec<Finding>,
    /// Names of columns that suggestions have given.
    given: HashSet<String>,
    /// Which finding stands for a kind and path: several fields may read one path.
    places: HashMap<(FindingKind, String), usize>,
}

/// What a finding is made of beside its severity and share.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) kind: FindingKind,
    pub(super) path: &'a str,
    pub(super) expected: String,
    pub(super) observed: BTreeMap<String, u64>,
    pub(super) sighting: Sighting,
    pub(super) suggestion: String,
}

impl<'a> Comparison<'a> {
    /// A comparison of a window with its table and its history.
    pub(super) fn new(table: &'a Table, shape: &'a Shape, earlier: &'a History<'a>) -> Self {
        Self {
            table,
            shape,
            earlier,
            findings: Vec::new(),
            given: HashSet::new(),
            places: HashMap::new(),
        }
    }
}

impl Comparison<'_> {
    /// Adds a finding, as severe as the policy has it, its values shown as the policy says.
    pub(super) fn add(&mut self, policy: &DriftPolicy, draft: Draft<'_>) {
        let severity = draft.kind.action(policy);
        if severity == DriftAction::Ignore {
            return;
        }
        let of_values = draft.kind == FindingKind::NewValue;
        let observed = match of_values {
            true => shown_values(draft.observed, policy.samples),
            false => draft.observed,
        };
        let suggestion = match of_values && policy.samples < Samples::Full {
            true => "# add the value to `known`: it is not shown here, see the rows".to_owned(),
            false => draft.suggestion,
        };
        let finding = Finding {
            kind: draft.kind,
            severity,
            path: draft.path.to_owned(),
            expected: draft.expected,
            observed,
            count: draft.sighting.count,
            share: share(draft.sighting.count, self.shape.records),
            first_seen: draft.sighting.first_seen.map(|place| self.shown_place(place)),
            samples: samples::shown(draft.sighting.samples, policy.samples),
            suggestion,
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

    /// The place, its key as the fields of the primary key may be shown.
    fn shown_place(&self, place: Place) -> Place {
        let keys = self.table.primary_key.iter().filter_map(|at| self.table.fields.get(*at));
        let policy = keys.map(|field| field.drift.samples).min().unwrap_or(Samples::Full);
        Place { key: place.key.and_then(|key| samples::text(&key, policy)), ..place }
    }

    /// What a declared field showed.
    pub(super) fn field(&mut self, field: &Field, seen: &FieldShape, renaming: Option<&Renaming>) {
        let before = self.earlier.field(&field.name);
        match renaming {
            Some(renaming) => self.renamed(field, renaming),
            None => self.missing(field, seen, before),
        }
        if renaming.is_some() && !replaces(&field.drift, FindingKind::MissingField) {
            self.missing(field, seen, before);
        }
        self.type_changed(field, seen, before);
        self.new_value(field, seen);
        self.invalid_value(field, seen);
        self.mixed_units(field, seen, before);
    }

    fn renamed(&mut self, field: &Field, renaming: &Renaming) {
        let observed = BTreeMap::from([(renaming.to.clone(), renaming.sighting.count)]);
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::Renamed,
                path: &renaming.from,
                expected: format!("{} for {}", renaming.from, field.name),
                observed,
                sighting: renaming.sighting.clone(),
                suggestion: suggest::renamed(field, renaming, self.table),
            },
        );
    }

    fn missing(&mut self, field: &Field, seen: &FieldShape, before: Option<&FieldProfile>) {
        let absent = seen.absent.count;
        let everywhere = absent == self.shape.observed;
        // Without earlier windows nothing says that it was there before, and of few records chance says much.
        let was_there = before.is_some_and(|before| {
            let there = before.present + before.null + before.empty;
            all_absent_by_chance(share(there, there + before.absent), absent) < BY_CHANCE
        });
        if absent == 0 || !(field.required || (everywhere && was_there)) {
            return;
        }
        let expected = if field.required { "required" } else { "present, as in earlier windows" };
        self.missing_from(field, seen, expected.to_owned());
    }

    /// Says that the field is absent from some records or all.
    pub(super) fn missing_from(&mut self, field: &Field, seen: &FieldShape, expected: String) {
        let absent = seen.absent.count;
        let present = self.shape.observed.saturating_sub(absent);
        let observed = [("absent".to_owned(), absent), ("present".to_owned(), present)];
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::MissingField,
                path: first_path(seen),
                expected,
                observed: observed.into_iter().filter(|(_, count)| *count > 0).collect(),
                sighting: seen.absent.clone(),
                suggestion: suggest::missing(field, self.table),
            },
        );
    }

    fn type_changed(&mut self, field: &Field, seen: &FieldShape, before: Option<&FieldProfile>) {
        if field.kind == FieldType::Json {
            return;
        }
        let natural = natural_kinds(&field.kind);
        let before = before.filter(|before| before.values_seen() > 0);
        let changed = seen.kinds.seen().filter(|(kind, _)| {
            !natural.contains(kind)
                || before.is_some_and(|before| !before.kinds.contains_key(kind.name()))
        });
        let changed: Vec<_> = changed.map(|(kind, sighting)| (kind, sighting.clone())).collect();
        if changed.is_empty() {
            return;
        }
        let kinds: Vec<_> = changed.iter().map(|(kind, _)| *kind).collect();
        let all_kinds: Vec<_> = seen.kinds.seen().map(|(kind, _)| kind).collect();
        let is_usual = |name: &&str| kinds.iter().all(|kind| kind.name() != *name);
        let usual =
            before.map(|before| names(before.kinds.keys().map(String::as_str).filter(is_usual)));
        let expected = usual
            .filter(|usual| !usual.is_empty())
            .unwrap_or_else(|| names(natural.iter().map(|kind| kind.name())));
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::TypeChanged,
                path: answering_path(seen),
                expected: format!("{expected} for {}", field.kind),
                observed: by_kind(&seen.kinds),
                sighting: joined(changed.iter().map(|(_, sighting)| sighting)),
                suggestion: suggest::type_changed(field, &all_kinds, self.table),
            },
        );
    }

    fn new_value(&mut self, field: &Field, seen: &FieldShape) {
        if seen.unknown.is_none() {
            return;
        }
        let values = seen.unknown_values.iter().take(MAX_LISTED);
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::NewValue,
                path: answering_path(seen),
                expected: format!("one of {}", names(field.known.iter().map(String::as_str))),
                observed: values.map(|value| (value.value.clone(), value.count)).collect(),
                sighting: seen.unknown.clone(),
                suggestion: suggest::new_value(field, seen, self.table),
            },
        );
    }

    fn invalid_value(&mut self, field: &Field, seen: &FieldShape) {
        if seen.nulled.is_none() {
            return;
        }
        let nested = !seen.kinds.array.is_none() || !seen.kinds.object.is_none();
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::InvalidValue,
                path: answering_path(seen),
                expected: field.kind.to_string(),
                observed: BTreeMap::from([("nulled".to_owned(), seen.nulled.count)]),
                sighting: seen.nulled.clone(),
                suggestion: suggest::invalid_value(field, nested, self.table),
            },
        );
    }

    /// Two units in this window, or another than all earlier windows had.
    fn mixed_units(&mut self, field: &Field, seen: &FieldShape, before: Option<&FieldProfile>) {
        let first = seen.units.first.as_deref().unwrap_or_default();
        let known = before.map(|before| &before.units).filter(|units| !units.is_empty());
        let new = |unit: &str| known.is_some_and(|units| !units.contains_key(unit));
        let mut others: Vec<_> = seen.units.seen().filter(|(unit, _)| new(unit)).collect();
        let mut expected = format!("one unit, {first} as in the first record");
        if let Some(units) = known.filter(|_| !others.is_empty()) {
            let units = names(units.keys().map(String::as_str));
            expected = format!("{units} as in earlier windows");
        } else {
            others = seen.units.seen().filter(|(unit, _)| *unit != first).collect();
        }
        if others.is_empty() {
            return;
        }
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::MixedUnits,
                path: answering_path(seen),
                expected,
                observed: seen.units.seen().map(|(unit, s)| (unit.to_owned(), s.count)).collect(),
                sighting: joined(others.iter().map(|(_, sighting)| *sighting)),
                suggestion: suggest::ignored_of(FindingKind::MixedUnits, field, self.table),
            },
        );
    }

    /// What was seen at an undeclared path.
    pub(super) fn undeclared(&mut self, path: &PathShape, renamed: bool) {
        let policy = self.table.drift;
        if path.kinds.count() == 0 || (renamed && replaces(&policy, FindingKind::NewField)) {
            return;
        }
        let known = self.earlier.has_undeclared(&path.path);
        let expected =
            if known { "nothing declared, as in earlier windows" } else { "nothing declared" };
        let suggestion = suggest::new_field(path, self.table, &mut self.given);
        // What a personal field is called next is not known: where there are some, this may be one.
        let personal = self.table.fields.iter().any(|field| field.pii);
        let most = if personal { Samples::Redacted } else { Samples::Full };
        let policy = DriftPolicy { samples: policy.samples.min(most), ..policy };
        self.add(
            &policy,
            Draft {
                kind: FindingKind::NewField,
                path: &path.path,
                expected: expected.to_owned(),
                observed: by_kind(&path.kinds),
                sighting: joined(path.kinds.seen().map(|(_, sighting)| sighting)),
                suggestion,
            },
        );
    }

    /// Values at paths that were not told apart, though fewer are reported than may be: of names that are too long, or
    /// because pages that were refused, and sent again, have used up the numbers. `fail` must not miss a new field there.
    pub(super) fn untold(&mut self) {
        let told = self.shape.undeclared.iter().filter(|path| path.kinds.count() > 0).count();
        if self.shape.uncounted == 0 || told >= MAX_PATHS {
            return;
        }
        let count = self.shape.uncounted.min(self.shape.observed);
        let policy = self.table.drift;
        self.add(&policy, Draft {
            kind: FindingKind::NewField,
            path: "/*",
            expected: "nothing declared".to_owned(),
            observed: [("values at paths that were not told apart".to_owned(), self.shape.uncounted)].into(),
            sighting: Sighting { count, ..Sighting::default() },
            suggestion: "# their names are longer than 256 bytes, or refused pages had used up the 1,000: see the raw column".to_owned(),
        });
    }
}

/// How likely it is that none of so many records has what this share of them has.
fn all_absent_by_chance(share: f64, records: u64) -> f64 {
    (1.0 - share).powi(i32::try_from(records).unwrap_or(i32::MAX))
}

/// Whether a finding of a renaming stands for another kind too: only where its policy is no weaker.
fn replaces(policy: &DriftPolicy, kind: FindingKind) -> bool {
    FindingKind::Renamed.action(policy) >= kind.action(policy)
}

fn by_kind(kinds: &Kinds) -> BTreeMap<String, u64> {
    kinds.seen().map(|(kind, sighting)| (kind.name().to_owned(), sighting.count)).collect()
}

/// Values with their counts; those that are shown alike are one.
fn shown_values(values: BTreeMap<String, u64>, policy: Samples) -> BTreeMap<String, u64> {
    let mut shown = BTreeMap::new();
    for (value, count) in values {
        let value = samples::text(&value, policy).unwrap_or_else(|| "values".to_owned());
        *shown.entry(value).or_default() += count;
    }
    shown
}

fn first_path(seen: &FieldShape) -> &str {
    seen.pointers.first().map_or("", |pointer| &pointer.path)
}

/// The pointer that most values came from.
pub(super) fn answering_path(seen: &FieldShape) -> &str {
    let most = seen.pointers.iter().rev().max_by_key(|pointer| pointer.answered.count);
    most.map_or("", |pointer| &pointer.path)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}

#[expect(clippy::cast_precision_loss, reason = "a share is for reading; records fit 53 bits")]
pub(super) fn share(count: u64, records: u64) -> f64 {
    if records == 0 { 0.0 } else { count as f64 / records as f64 }
}
