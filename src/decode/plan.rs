//! One declared field of one record: which value it is, what is observed of it, and what its rules make of it.
//!
//! This is the whole rule, for any value. [`Plan::read_block`](crate::decode::block) passes by it with values that
//! look like the column's last ones.

use crate::decode::cells::Cells;
use crate::decode::column::{Cell, ColumnDecoder, Invalid};
use crate::decode::record::Reject;
use crate::decode::shape::{FieldShape, PointerShape, natural_kinds};
use crate::decode::sighting::Place;
use crate::decode::types::decoder_of;
use crate::error::Result;
use crate::json::span::{Form, Kind};
use crate::spec::pointer::Pointer;
use crate::spec::table::{
    DriftAction, DriftPolicy, Field, FieldType, MinorUnits, OnInvalid, Scalar, Table,
};

/// How one field is read.
pub(crate) struct Plan {
    name: String,
    /// The slots of its pointers, in order.
    pub(super) slots: Vec<usize>,
    pub(super) column: Box<dyn ColumnDecoder>,
    natural: &'static [Kind],
    /// The forms of which nothing is to be said but that they were there: a bit each, by code.
    pub(super) plain_forms: u32,
    /// Whether an empty string is more than a string.
    pub(super) empty_matters: bool,
    empty_is_null: bool,
    required: bool,
    on_invalid: OnInvalid,
    default: Option<String>,
    /// The field whose value is this one's currency.
    pub(super) currency: Option<Lookup>,
    drift: DriftPolicy,
}

/// Where another field's value stands, and what stands in for it.
pub(super) struct Lookup {
    pub(super) slots: Vec<usize>,
    default: Option<String>,
}

/// What came of one field of one record.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// An invalid value became null.
    pub(crate) nulled: bool,
    /// Lone surrogates became U+FFFD.
    pub(crate) surrogates: u64,
    /// The record is refused: its data do not fit.
    pub(crate) reject: Option<Reject>,
    /// The record is refused: the drift policy says so.
    pub(crate) drift: Option<Reject>,
}

/// A value found at a field's pointers.
#[derive(Clone, Copy)]
struct Answer<'a> {
    raw: &'a str,
    /// Which pointer it came from.
    pointer: usize,
}

impl Plan {
    /// The plans of a table's fields, whose pointers' values stand in `slots`.
    ///
    /// # Errors
    /// As of the column decoders.
    pub(crate) fn all(table: &Table, slots: &[Vec<usize>]) -> Result<Vec<Self>> {
        let lookup = |at: usize| {
            let field = table.fields.get(at)?;
            Some(Lookup { slots: slots.get(at)?.clone(), default: field.default.clone() })
        };
        let plan = |(field, slots): (&Field, &Vec<usize>)| {
            let currency = match field.decimal.integers {
                Some(MinorUnits::Currency(at)) => lookup(at),
                _ => None,
            };
            let empty_is_null = field.kind != FieldType::Scalar(Scalar::String);
            let nothing = !field.required && field.default.is_none();
            Ok(Self {
                name: field.name.clone(),
                slots: slots.clone(),
                column: decoder_of(field)?,
                natural: natural_kinds(&field.kind),
                plain_forms: plain_forms(natural_kinds(&field.kind), nothing),
                empty_matters: field.required || empty_is_null,
                empty_is_null,
                required: field.required,
                on_invalid: field.on_invalid,
                default: field.default.clone(),
                currency,
                drift: field.drift,
            })
        };
        table.fields.iter().zip(slots).map(plan).collect()
    }

    /// Reads the field of one record: one slot is appended to the column whatever comes of it.
    pub(crate) fn read(
        &mut self,
        cells: Cells<'_>,
        shape: &mut FieldShape,
        place: &dyn Fn() -> Place,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let answer = self.resolve(cells, shape, place);
        if let Some(answer) = answer {
            self.observe(answer, shape, place, &mut outcome);
        } else if self.required && self.default.is_none() && outcome.reject.is_none() {
            outcome.reject =
                Some(Reject::field("missing", &self.name, "is required and missing or null", None));
        }
        let raw = answer
            .map(|answer| answer.raw)
            .or(self.default.as_deref())
            .filter(|raw| *raw != "null");
        let currency = self.currency.as_ref().and_then(|lookup| lookup.find(cells));
        match self.column.push(raw.map(|raw| Cell { raw, currency })) {
            Ok(seen) => {
                outcome.surrogates = seen.surrogates;
                if let Some(unknown) = seen.unknown {
                    shape.see_unknown(&unknown, place);
                    let reason = "is not one of the values in `known`";
                    self.drifted(
                        &mut outcome,
                        self.drift.new_value,
                        "drift_new_value",
                        reason,
                        &unknown,
                    );
                }
                if let (Some(unit), Some(raw)) = (seen.unit, raw)
                    && shape.units.see(unit, raw, place)
                {
                    let reason = "is in another unit than the column's first number";
                    self.drifted(
                        &mut outcome,
                        self.drift.mixed_units,
                        "drift_mixed_units",
                        reason,
                        raw,
                    );
                }
            }
            Err(invalid) => self.refuse(invalid, raw.unwrap_or(""), shape, place, &mut outcome),
        }
        outcome
    }

    /// The first pointer's value that is present and not null, with what its absence means.
    fn resolve<'a>(
        &self,
        cells: Cells<'a>,
        shape: &mut FieldShape,
        place: &dyn Fn() -> Place,
    ) -> Option<Answer<'a>> {
        let mut found_null = false;
        let mut found_empty = false;
        for (pointer, slot) in self.slots.iter().enumerate() {
            match cells.get(*slot) {
                None => {}
                Some("null") => found_null = true,
                Some("\"\"") if self.empty_is_null => found_empty = true,
                Some(raw) => return Some(Answer { raw, pointer }),
            }
        }
        if found_empty {
            shape.empty += 1;
        } else if found_null {
            shape.null += 1;
        } else {
            // A record without a required field is rejected as such, whatever the drift policy.
            shape.absent.see(None, place);
        }
        None
    }

    fn observe(
        &self,
        answer: Answer<'_>,
        shape: &mut FieldShape,
        place: &dyn Fn() -> Place,
        outcome: &mut Outcome,
    ) {
        let Answer { raw, pointer } = answer;
        shape.present += 1;
        if let Some(shape) = shape.pointers.get_mut(pointer) {
            shape.answered.see(Some(raw), place);
        }
        let kind = Kind::of(raw);
        shape.kinds.get_mut(kind).see(Some(raw), place);
        if !self.natural.contains(&kind) {
            let reason = "is of a JSON kind that is not natural for the column's type";
            self.drifted(outcome, self.drift.type_changed, "drift_type_changed", reason, raw);
        }
        if raw == "\"\"" {
            shape.empty += 1;
            if self.required {
                let reason = "is required and an empty string";
                outcome.reject = Some(Reject::field("empty", &self.name, reason, None));
            }
        }
    }

    fn refuse(
        &self,
        invalid: Invalid,
        raw: &str,
        shape: &mut FieldShape,
        place: &dyn Fn() -> Place,
        outcome: &mut Outcome,
    ) {
        match self.on_invalid {
            OnInvalid::Reject => {
                let reject = Reject::field(invalid.code, &self.name, invalid.reason, Some(raw));
                outcome.reject.get_or_insert(reject);
            }
            OnInvalid::Null => {
                outcome.nulled = true;
                shape.nulled.see(Some(raw), place);
                self.drifted(
                    outcome,
                    self.drift.invalid_value,
                    "drift_invalid_value",
                    invalid.reason,
                    raw,
                );
            }
        }
    }

    /// Refuses the record where the policy of a drift that was seen in it says so.
    fn drifted(
        &self,
        outcome: &mut Outcome,
        action: DriftAction,
        code: &'static str,
        reason: &str,
        raw: &str,
    ) {
        if action == DriftAction::DiscardRow {
            outcome.drift.get_or_insert(Reject::field(code, &self.name, reason, Some(raw)));
        }
    }
}

impl Outcome {
    /// Whether it says more than that the value was read.
    pub(crate) fn is_notable(&self) -> bool {
        self.nulled || self.surrogates > 0 || self.reject.is_some() || self.drift.is_some()
    }
}

/// The forms of these kinds, a bit each; with those of no value where `nothing` may be.
fn plain_forms(kinds: &[Kind], nothing: bool) -> u32 {
    let is_plain = |form: &Form| match form.kind() {
        None | Some(Kind::Null) => nothing,
        Some(kind) => kinds.contains(&kind),
    };
    Form::ALL.into_iter().filter(is_plain).fold(0, |forms, form| forms | 1 << form.code())
}

impl Lookup {
    fn find<'a>(&'a self, cells: Cells<'a>) -> Option<&'a str> {
        self.slots
            .iter()
            .filter_map(|slot| cells.get(*slot))
            .find(|raw| *raw != "null")
            .or(self.default.as_deref())
    }
}

/// The shape of a table's fields before the first record.
pub(crate) fn blank_fields(table: &Table) -> Vec<FieldShape> {
    let pointer = |p: &Pointer| PointerShape { path: p.to_string(), ..PointerShape::default() };
    let field = |field: &Field| FieldShape {
        name: field.name.clone(),
        pointers: field.from.iter().map(pointer).collect(),
        ..FieldShape::default()
    };
    table.fields.iter().map(field).collect()
}
