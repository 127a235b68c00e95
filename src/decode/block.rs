//! A field of many records at once: runs of values that look like the column's last ones need no look at each.
//!
//! Everything else takes [`Plan::read`], record by record: the first few values of every kind, so that they are seen
//! as samples; values of a kind that is not natural for the type; nulls where a value must be; and what the column's
//! decoder does not read in its usual way. Both ways come to the same columns, counts and findings.

use crate::decode::cells::Cells;
use crate::decode::column::{Run, Taken};
use crate::decode::plan::{Outcome, Plan};
use crate::decode::shape::{FieldShape, Place};
use crate::json::span::{Form, Kind, Span};
use crate::json::tape::Tape;

/// Records that are read together: their spans fit the fastest memory, and their counts a byte each.
pub(crate) const ROWS: usize = 64;

/// Some of a page's rows, [`ROWS`] at most.
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

/// A field's values in a block; behind the block's last row, what an earlier one left.
pub(crate) struct Gathered {
    /// The first pointer's value that is there and not null, or what is there instead.
    spans: [Span; ROWS],
    /// Which pointer that was.
    pointers: [u8; ROWS],
    currencies: [Span; ROWS],
    /// Which values are there and not null: a bit a row.
    present: u64,
    /// Of which values nothing is to be said but that they were there.
    plain: u64,
}

impl Gathered {
    /// Of no block yet.
    pub(crate) fn new() -> Self {
        let none = [Span::NONE; ROWS];
        Self { spans: none, pointers: [0; ROWS], currencies: none, present: 0, plain: 0 }
    }
}

impl<'a> Block<'a> {
    pub(crate) fn cells(&self, row: usize) -> Cells<'a> {
        Cells { text: self.text, spans: self.tape.row(self.first + row) }
    }

    /// The spans of the block's rows.
    fn rows(&self) -> impl Iterator<Item = &'a [Span]> + use<'a> {
        self.tape.values.chunks_exact(self.tape.slots.max(1)).skip(self.first).take(self.rows)
    }
}

impl Plan {
    /// Reads the field of a block's records. `outcome` is told of those with something to say.
    pub(crate) fn read_block(
        &mut self,
        block: Block<'_>,
        found: &mut Gathered,
        shape: &mut FieldShape,
        place: &dyn Fn(usize) -> Place,
        outcome: &mut dyn FnMut(usize, Outcome),
    ) {
        self.gather(block, found);
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

    /// Collects the field's values, and looks at what they are on the way.
    fn gather(&self, block: Block<'_>, found: &mut Gathered) {
        let (mut present, mut plain) = (0, 0);
        let mut note = |at: usize, span: Span| {
            present |= u64::from(!span.is_nothing()) << at;
            plain |= u64::from(self.is_plain(span)) << at;
        };
        let places = found.spans.iter_mut().zip(&mut found.pointers);
        match *self.slots.as_slice() {
            [slot] => {
                for (at, ((span, pointer), row)) in places.zip(block.rows()).enumerate() {
                    *span = row.get(slot).copied().unwrap_or_default();
                    *pointer = 0;
                    note(at, *span);
                }
            }
            ref slots => {
                for (at, ((span, pointer), row)) in places.zip(block.rows()).enumerate() {
                    (*span, *pointer) = first_of(slots, row);
                    note(at, *span);
                }
            }
        }
        (found.present, found.plain) = (present, plain);
        if let Some(currency) = &self.currency {
            for (span, row) in found.currencies.iter_mut().zip(block.rows()) {
                *span = first_of(&currency.slots, row).0;
            }
        }
    }

    /// Reads the plain values from `at` on; how many there were.
    fn read_run(
        &mut self,
        found: &Gathered,
        at: usize,
        block: Block<'_>,
        shape: &mut FieldShape,
    ) -> usize {
        let rest = at..block.rows;
        let pointer = found.pointers.get(at).copied().unwrap_or(u8::MAX);
        let mut plain = ((found.plain >> at).trailing_ones() as usize).min(rest.len());
        if self.slots.len() > 1 {
            let spans = found.spans.iter().zip(&found.pointers).skip(at).take(plain);
            plain = spans.take_while(|(span, from)| **from == pointer || span.is_nothing()).count();
        }
        let spans = found.spans.get(at..at + plain).unwrap_or(&[]);
        let counts = Counts::of(spans);
        if spans.is_empty() || !is_settled(shape, counts, pointer) {
            return 0;
        }
        let currencies = match self.currency {
            Some(_) => found.currencies.get(at..at + plain).unwrap_or(&[]),
            None => &[],
        };
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
        let empty = span.form() == Form::String && span.len() == 2;
        self.plain_forms >> span.code() & 1 == 1 && !(empty && self.empty_matters)
    }
}

/// The first value at these slots that is there and not null, or what is there instead; and which slot's it is.
fn first_of(slots: &[usize], row: &[Span]) -> (Span, u8) {
    let mut found = slots.iter().map(|slot| row.get(*slot).copied().unwrap_or_default());
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
        let empty = spans.iter().filter(|s| s.form() == Form::String && s.len() == 2).count();
        shape.empty += u64::try_from(empty).unwrap_or(0);
    }
}
