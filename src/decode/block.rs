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

/// A field's values in a block.
struct Gathered {
    /// The first pointer's value that is there and not null, or what is there instead.
    spans: [Span; ROWS],
    /// Which pointer that was.
    pointers: [u8; ROWS],
    currencies: [Span; ROWS],
}

impl<'a> Block<'a> {
    pub(crate) fn cells(&self, row: usize) -> Cells<'a> {
        Cells { text: self.text, spans: self.tape.row(self.first + row) }
    }

    fn gather(
        &self,
        slots: &[usize],
        spans: &mut [Span; ROWS],
        mut pick: impl FnMut(usize, usize),
    ) {
        let values = self.tape.values.chunks_exact(self.tape.slots.max(1));
        let rows = values.skip(self.first).take(self.rows);
        if let [slot] = slots {
            for (span, row) in spans.iter_mut().zip(rows) {
                *span = row.get(*slot).copied().unwrap_or_default();
            }
            return;
        }
        for (at, (span, row)) in spans.iter_mut().zip(rows).enumerate() {
            let mut found = slots.iter().map(|slot| row.get(*slot).copied().unwrap_or_default());
            // Where none answers, null says more than absent.
            let pointer = found.clone().position(|span| !span.is_nothing());
            *span = match pointer {
                Some(pointer) => found.nth(pointer).unwrap_or_default(),
                None => found.find(|span| span.form() == Form::Null).unwrap_or_default(),
            };
            pick(at, pointer.unwrap_or(0));
        }
    }
}

impl Plan {
    /// Reads the field of a block's records. `outcome` is told of those with something to say.
    pub(crate) fn read_block(
        &mut self,
        block: Block<'_>,
        shape: &mut FieldShape,
        place: &dyn Fn(usize) -> Place,
        outcome: &mut dyn FnMut(usize, Outcome),
    ) {
        let none = [Span::NONE; ROWS];
        let mut found = Gathered { spans: none, pointers: [0; ROWS], currencies: none };
        let pointers = &mut found.pointers;
        block.gather(&self.slots, &mut found.spans, |at, pointer| {
            if let Some(slot) = pointers.get_mut(at) {
                *slot = u8::try_from(pointer).unwrap_or(u8::MAX);
            }
        });
        if let Some(currency) = &self.currency {
            block.gather(&currency.slots, &mut found.currencies, |_, _| {});
        }
        let mut at = 0;
        while at < block.rows {
            if !block.plain {
                at += self.read_run(&found, at, block, shape);
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

    /// Reads the plain values from `at` on; how many there were.
    fn read_run(
        &mut self,
        found: &Gathered,
        at: usize,
        block: Block<'_>,
        shape: &mut FieldShape,
    ) -> usize {
        let pointer = found.pointers.get(at).copied().unwrap_or(u8::MAX);
        let rest = found.spans.get(at..block.rows).unwrap_or(&[]);
        let pointers = found.pointers.get(at..block.rows).unwrap_or(&[]);
        let plain = rest.iter().zip(pointers).take_while(|(span, from)| {
            self.is_plain(**span) && (**from == pointer || span.is_nothing())
        });
        let spans = rest.get(..plain.count()).unwrap_or(&[]);
        if !is_settled(shape, Counts::of(spans), pointer) {
            return 0;
        }
        let currencies = match self.currency {
            Some(_) => found.currencies.get(at..at + spans.len()).unwrap_or(&[]),
            None => &[],
        };
        let unit = shape.units.settled();
        let Taken { rows, units } =
            self.column.push_plain(Run { text: block.text, spans, currencies, unit });
        count(shape, spans.get(..rows).unwrap_or(&[]), pointer);
        if let Some(unit) = unit.filter(|_| units > 0) {
            shape.units.count(unit, units);
        }
        rows
    }

    /// Whether nothing is to be said of a value but that it was there.
    #[inline]
    fn is_plain(&self, span: Span) -> bool {
        if span.is_nothing() {
            return !self.required && self.default.is_none();
        }
        let empty = span.form() == Form::String && span.len() == 2;
        self.forms >> span.code() & 1 == 1 && !(empty && (self.required || self.empty_is_null))
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
fn count(shape: &mut FieldShape, spans: &[Span], pointer: u8) {
    let counts = Counts::of(spans);
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
