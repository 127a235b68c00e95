//! A field of many records at once: runs of values that look like the column's last ones need no look at each.
//!
//! Everything else takes [`Plan::read`], record by record: the first few values of every kind, so that they are seen
//! as samples; values of a kind that is not natural for the type; nulls where a value must be; and what the column's
//! decoder does not read in its usual way. Both ways come to the same columns, counts and findings.

use crate::decode::cells::Cells;
use crate::decode::column::{Run, Taken};
use crate::decode::plan::{Outcome, Plan};
use crate::decode::shape::FieldShape;
use crate::decode::sighting::Place;
use crate::json::grid::LANES;
use crate::json::span::{Form, Kind, Span};
use crate::json::tape::Tape;

/// The rows of a page that stand together on its tape: their spans fit the fastest memory, and their counts a byte
/// each.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) text: &'a str,
    pub(crate) tape: &'a Tape,
    /// The first row.
    pub(crate) first: usize,
    pub(crate) rows: usize,
    /// Whether every value takes the whole rule.
    pub(crate) plain: bool,
}

/// Room for what is collected from several slots; behind the block's last row, what an earlier one left.
pub(crate) struct Gathered {
    spans: [Span; LANES],
    pointers: [u8; LANES],
    currencies: [Span; LANES],
}

/// A field's values in a block.
#[derive(Clone, Copy)]
struct Found<'a> {
    /// The first pointer's value that is there and not null, or what is there instead.
    spans: &'a [Span],
    /// Which pointer that was; empty where there is but one.
    pointers: &'a [u8],
    /// Empty where no value depends on one.
    currencies: &'a [Span],
    /// Which values are there and not null: a bit a row.
    present: u64,
    /// Of which values nothing is to be said but that they were there.
    plain: u64,
}

impl Gathered {
    /// Of no block yet.
    pub(crate) fn new() -> Self {
        let none = [Span::NONE; LANES];
        Self { spans: none, pointers: [0; LANES], currencies: none }
    }
}

impl<'a> Block<'a> {
    pub(crate) fn cells(&self, row: usize) -> Cells<'a> {
        Cells { text: self.text, values: &self.tape.values, row: self.first + row }
    }

    /// The values of a slot.
    fn column(&self, slot: usize) -> &'a [Span] {
        let spans = self.tape.values.column(self.first, slot);
        spans.get(..self.rows).unwrap_or(spans)
    }
}

impl Plan {
    /// Reads the field of a block's records. `outcome` is told of those with something to say.
    pub(crate) fn read_block(
        &mut self,
        block: Block<'_>,
        room: &mut Gathered,
        shape: &mut FieldShape,
        place: &dyn Fn(usize) -> Place,
        outcome: &mut dyn FnMut(usize, Outcome),
    ) {
        let found = self.find(block, room);
        let mut at = 0;
        while at < block.rows {
            if !block.plain {
                at += self.read_run(found, at, block, shape);
            }
            if at < block.rows {
                let said = self.read(block.cells(at), shape, &|| place(at));
                if said.is_notable() {
                    outcome(at, said);
                }
                at += 1;
            }
        }
    }

    /// The field's values, and what they look like.
    fn find<'a>(&self, block: Block<'a>, room: &'a mut Gathered) -> Found<'a> {
        let (spans, pointers): (&[Span], &[u8]) = match *self.slots.as_slice() {
            [slot] => (block.column(slot), &[]),
            ref slots => {
                let places = room.spans.iter_mut().zip(&mut room.pointers);
                for (row, (span, pointer)) in places.take(block.rows).enumerate() {
                    (*span, *pointer) = first_of(slots, block, row);
                }
                (room.spans.get(..block.rows).unwrap_or(&[]), &room.pointers)
            }
        };
        let currencies: &[Span] = match self.currency.as_ref().map(|lookup| &*lookup.slots) {
            None => &[],
            Some([slot]) => block.column(*slot),
            Some(slots) => {
                for (row, span) in room.currencies.iter_mut().take(block.rows).enumerate() {
                    *span = first_of(slots, block, row).0;
                }
                &room.currencies
            }
        };
        let (present, plain) = self.look(spans);
        Found { spans, pointers, currencies, present, plain }
    }

    /// Which of the values are there and not null, and of which nothing is to be said but that: a bit each.
    fn look(&self, spans: &[Span]) -> (u64, u64) {
        let matters = |span: &Span| self.empty_matters && span.is_empty_string();
        if Span::are_alike(spans)
            && let Some(first) = spans.first()
            && (!self.empty_matters || !spans.iter().fold(false, |any, span| any | matters(span)))
        {
            let all = |is: bool| if is { u64::MAX } else { 0 };
            return (all(!first.is_nothing()), all(self.is_plain(*first)));
        }
        let (mut present, mut plain) = (0, 0);
        for (at, span) in spans.iter().enumerate() {
            present |= u64::from(!span.is_nothing()) << at;
            plain |= u64::from(self.is_plain(*span)) << at;
        }
        (present, plain)
    }

    /// Reads the plain values from `at` on; how many there were.
    fn read_run(
        &mut self,
        found: Found<'_>,
        at: usize,
        block: Block<'_>,
        shape: &mut FieldShape,
    ) -> usize {
        let rest = at..block.rows;
        let pointer = found.pointers.get(at).copied().unwrap_or_default();
        let mut plain = ((found.plain >> at).trailing_ones() as usize).min(rest.len());
        if !found.pointers.is_empty() {
            let spans = found.spans.iter().zip(found.pointers).skip(at).take(plain);
            plain = spans.take_while(|(span, from)| **from == pointer || span.is_nothing()).count();
        }
        let spans = found.spans.get(at..at + plain).unwrap_or(&[]);
        let counts = Counts::of(spans);
        if spans.is_empty() || !is_settled(shape, counts, pointer) {
            return 0;
        }
        let currencies = found.currencies.get(at..at + plain).unwrap_or(&[]);
        let unit = shape.units.settled();
        let run = Run { text: block.text, spans, present: found.present >> at, currencies, unit };
        let Taken { rows, units } = self.column.push_plain(run);
        let taken = spans.get(..rows).unwrap_or(&[]);
        count(shape, taken, if rows == plain { counts } else { Counts::of(taken) }, pointer);
        if let Some(unit) = unit.filter(|_| units > 0) {
            shape.units.count(unit, units);
        }
        rows
    }

    /// Whether nothing is to be said of a value but that it was there.
    #[inline]
    fn is_plain(&self, span: Span) -> bool {
        self.plain_forms >> span.code() & 1 == 1 && !(self.empty_matters && span.is_empty_string())
    }
}

/// The first value at these slots that is there and not null, or what is there instead; and which slot's it is.
fn first_of(slots: &[usize], block: Block<'_>, row: usize) -> (Span, u8) {
    let row = block.first + row;
    let mut found = slots.iter().map(|slot| block.tape.values.get(row, *slot));
    match found.clone().position(|span| !span.is_nothing()) {
        Some(at) => (found.nth(at).unwrap_or_default(), u8::try_from(at).unwrap_or(u8::MAX)),
        // Where none answers, null says more than absent.
        None => (found.find(|span| span.form() == Form::Null).unwrap_or_default(), 0),
    }
}

/// How many spans are of each form: a byte each, by code.
#[derive(Clone, Copy)]
struct Counts(u64);

impl Counts {
    fn of(spans: &[Span]) -> Self {
        if Span::are_alike(spans) {
            let form = spans.first().map_or(0, |first| first.code());
            return Self((spans.len() as u64) << (form * 8));
        }
        Self(spans.iter().fold(0, |counts, span| counts + (1 << (span.code() * 8))))
    }

    fn get(self, form: Form) -> u64 {
        self.0 >> (form.code() * 8) & 0xff
    }
}

/// Whether enough was seen of all that is in a run, so that it need only be counted.
fn is_settled(shape: &FieldShape, counts: Counts, pointer: u8) -> bool {
    let answered = shape.pointers.get(usize::from(pointer)).map(|pointer| &pointer.answered);
    Form::ALL.into_iter().filter(|form| counts.get(*form) > 0).all(|form| match form.kind() {
        None => shape.absent.is_settled(),
        Some(Kind::Null) => true,
        Some(kind) => {
            shape.kinds.get(kind).is_settled() && answered.is_some_and(|seen| seen.is_settled())
        }
    })
}

/// Counts a run of which all is settled.
fn count(shape: &mut FieldShape, spans: &[Span], counts: Counts, pointer: u8) {
    shape.absent.count += counts.get(Form::Absent);
    shape.null += counts.get(Form::Null);
    let mut present = 0;
    for form in Form::ALL {
        let more = counts.get(form);
        if let Some(kind) = form.kind().filter(|_| more > 0 && form != Form::Null) {
            shape.kinds.get_mut(kind).count += more;
            present += more;
        }
    }
    shape.present += present;
    if let Some(pointer) = shape.pointers.get_mut(usize::from(pointer)) {
        pointer.answered.count += present;
    }
    if counts.get(Form::String) > 0 {
        shape.empty += spans.iter().map(|span| u64::from(span.is_empty_string())).sum::<u64>();
    }
}
