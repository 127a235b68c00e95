//! The decoder of a window: page after page to batches, dead letters and the shape.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, TimestampMicrosecondArray};
use arrow::compute::filter;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use chrono::{DateTime, Utc};

use crate::decode::block::{Block, Gathered};
use crate::decode::cells::Cells;
use crate::decode::clip::Clip;
use crate::decode::column::unbuilt;
use crate::decode::columns::{raw_column, schema_of};
use crate::decode::extent;
use crate::decode::plan::{Outcome, Plan, blank_fields};
use crate::decode::record::{DeadLetter, Reject, refused};
use crate::decode::shape::Shape;
use crate::decode::sighting::{Place, shorten};
use crate::decode::strays::{self, Strays};
use crate::error::{Error, ErrorKind, Result};
use crate::json::escape::unescape;
use crate::json::grid::LANES;
use crate::json::tape::Paths;
use crate::page::Page;
use crate::spec::keys::record_keys;
use crate::spec::table::{DriftAction, Table};
use crate::window::Window;

/// What a decoder is told beside the table.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// The value of `_extracted_at`, one a run; kept to the microsecond.
    pub extracted_at: DateTime<Utc>,
    /// Rows whose field of this name lies outside the window are dropped and counted; nulls stay.
    pub clip: Option<(String, Window)>,
}

/// What became of one page: `records = rows + rejects + outside`.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The rows, in the page's order.
    pub batch: RecordBatch,
    /// The record in the page, from 0, of each row.
    pub records: Vec<u32>,
    /// The records that were refused, in the page's order.
    pub rejects: Vec<DeadLetter>,
    /// Rows dropped by `clip`.
    pub outside: u64,
    /// Values of the rows that `on_invalid` made null.
    pub nulled: u64,
}

/// Turns the pages of one window into rows.
pub struct Decoder {
    table: Arc<Table>,
    schema: SchemaRef,
    plans: Vec<Plan>,
    /// Values a row of the pages' tapes.
    slots: usize,
    shape: Shape,
    strays: Strays,
    /// The slots of the primary key's fields.
    keys: Vec<Vec<usize>>,
    extracted_at: i64,
    clip: Option<Clip>,
    /// Of one field and block at a time.
    gathered: Box<Gathered>,
    plain: bool,
}

/// What is to be said of some rows of a page, by row.
#[derive(Default)]
struct Verdicts {
    /// Refused: the record's data do not fit.
    rejects: BTreeMap<usize, Reject>,
    /// Refused: the drift policy says so.
    drift: BTreeMap<usize, Reject>,
    nulled: BTreeMap<usize, u64>,
}

impl Verdicts {
    fn add(&mut self, row: usize, outcome: Outcome) {
        if let Some(reject) = outcome.reject {
            self.rejects.entry(row).or_insert(reject);
        }
        if let Some(drift) = outcome.drift {
            self.drift.entry(row).or_insert(drift);
        }
        if outcome.nulled {
            *self.nulled.entry(row).or_default() += 1;
        }
    }

    /// The rows that are refused, with the first reason in declared order.
    fn refused(self) -> (BTreeMap<usize, Reject>, BTreeMap<usize, u64>) {
        let Self { mut rejects, drift, nulled } = self;
        for (row, reject) in drift {
            rejects.entry(row).or_insert(reject);
        }
        (rejects, nulled)
    }
}

impl Decoder {
    /// A decoder of one window of `table`.
    ///
    /// # Errors
    /// `Config` where `clip` names no timestamp or date field.
    pub fn new(table: Arc<Table>, options: DecodeOptions) -> Result<Self> {
        let (keys, slots) = record_keys(&table, Paths::default());
        let plans = Plan::all(&table, &slots)?;
        let primary = table.primary_key.iter().filter_map(|at| slots.get(*at).cloned()).collect();
        let clip =
            options.clip.map(|(field, window)| Clip::new(&table, &field, window)).transpose()?;
        Ok(Self {
            schema: schema_of(&table),
            shape: Shape { fields: blank_fields(&table), ..Shape::default() },
            extracted_at: options.extracted_at.timestamp_micros(),
            plans,
            slots: keys.slots(),
            strays: Strays::default(),
            keys: primary,
            clip,
            table,
            gathered: Box::new(Gathered::new()),
            plain: false,
        })
    }

    /// The same by every field's whole rule alone: slower, and what the usual way is held against.
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// The batches' schema: the fields in declared order, `_extracted_at`, the raw column.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What was observed so far.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The undeclared paths that were met so far, for the scan of the pages that follow.
    pub fn undeclared(&self) -> Vec<String> {
        self.shape.undeclared.iter().map(|path| path.path.clone()).collect()
    }

    /// Goes on from the observations of a checkpoint; fields that the table does not have are left out.
    pub fn resume(&mut self, shape: Shape) {
        let mut fields = blank_fields(&self.table);
        let places: HashMap<String, usize> =
            fields.iter().enumerate().map(|(at, own)| (own.name.clone(), at)).collect();
        for field in shape.fields {
            let Some(own) = places.get(&field.name).and_then(|at| fields.get_mut(*at)) else {
                continue;
            };
            let same =
                own.pointers.iter().map(|p| &p.path).eq(field.pointers.iter().map(|p| &p.path));
            if same {
                *own = field;
            }
        }
        self.shape = Shape { fields, ..shape };
    }

    /// Decodes one page. A record that does not fit is a value in `rejects`, not an error.
    ///
    /// # Errors
    /// `Unexpected` where the page was not scanned for this table, or Arrow refuses what was built.
    pub fn decode(&mut self, page: &Page) -> Result<Decoded> {
        let text = self.text(page)?;
        let tape = &page.tape;
        self.shape.records += u64::try_from(page.records.len()).unwrap_or(0);
        self.shape.observed += u64::try_from(tape.rows.len()).unwrap_or(0);
        self.shape.duplicate_keys += tape.duplicates;
        self.shape.surrogates += tape.surrogates;
        let mut verdicts = Verdicts::default();
        let keys = &self.keys;
        let place =
            |row: usize| place_of(keys, page, Cells { text, values: &tape.values, row }, row);
        self.strays.observe(tape, text, &mut self.shape, &place);
        if self.table.drift.new_field == DriftAction::DiscardRow {
            for (row, reject) in strays::rejects(tape, text) {
                verdicts.drift.entry(row).or_insert(reject);
            }
        }
        let gathered = &mut self.gathered;
        for first in (0..tape.rows.len()).step_by(LANES) {
            let rows = LANES.min(tape.rows.len() - first);
            let block = Block { text, tape, first, rows, plain: self.plain };
            let place = |row: usize| place(first + row);
            for (plan, shape) in self.plans.iter_mut().zip(&mut self.shape.fields) {
                let surrogates = &mut self.shape.surrogates;
                plan.read_block(block, gathered, shape, &place, &mut |row, outcome| {
                    *surrogates += outcome.surrogates;
                    verdicts.add(first + row, outcome);
                });
            }
        }
        self.finish(page, text, verdicts)
    }

    /// The page's text, if the page was scanned for this table.
    fn text<'a>(&self, page: &'a Page) -> Result<&'a str> {
        let strange = |what: &str| {
            Error::new(ErrorKind::Unexpected, format!("the decoder was given {what}"))
                .with("page", page.number)
        };
        let tape = &page.tape;
        let whole = tape.values.holds(tape.rows.len())
            && tape.rows.len() + tape.refused.len() == page.records.len();
        if !whole || (tape.values.slots() != self.slots && !page.records.is_empty()) {
            return Err(strange("a page that was not scanned for its table"));
        }
        if i32::try_from(page.body.len()).is_err() {
            return Err(strange("a page of more than 2 GiB, which no string column holds"));
        }
        let text = tape.text.text();
        if text.len() != page.body.len() {
            return Err(strange("another page than was scanned"));
        }
        Ok(text)
    }

    fn finish(&mut self, page: &Page, text: &str, verdicts: Verdicts) -> Result<Decoded> {
        let rows = page.tape.rows.len();
        let mut columns: Vec<ArrayRef> =
            self.plans.iter_mut().map(|plan| plan.column.finish()).collect::<Result<_>>()?;
        let fields = self.table.fields.iter().zip(&mut self.shape.fields);
        for ((field, shape), column) in fields.zip(&columns) {
            // Of a value that is declared, or personal, no list is kept.
            let few = (field.known.is_empty() && !field.pii).then_some(&mut shape.few);
            extent::observe(&mut shape.extent, few, column);
        }
        let stamps = TimestampMicrosecondArray::from_value(self.extracted_at, rows);
        columns.push(Arc::new(stamps.with_timezone("UTC")));
        if self.table.raw_column.is_some() {
            columns.push(raw_column(page)?);
        }
        let (refused, nulled) = verdicts.refused();
        let mut kept: Vec<bool> = (0..rows).map(|row| !refused.contains_key(&row)).collect();
        let outside = match &self.clip {
            Some(clip) => clip.drop(&columns, &mut kept),
            None => 0,
        };
        if kept.contains(&false) {
            let mask = BooleanArray::from(kept.clone());
            columns =
                columns.iter().map(|c| filter(c, &mask).map_err(unbuilt)).collect::<Result<_>>()?;
        }
        let is_kept = |row: usize| kept.get(row).copied().unwrap_or(false);
        let numbered = page.tape.rows.iter().zip(&kept).filter(|(_, kept)| **kept);
        let records: Vec<u32> = numbered.map(|(row, _)| row.record).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        Ok(Decoded {
            batch: RecordBatch::try_new_with_options(self.schema(), columns, &options)
                .map_err(unbuilt)?,
            records,
            rejects: dead_letters(page, text, refused),
            outside,
            nulled: nulled.iter().filter(|(row, _)| is_kept(**row)).map(|(_, n)| n).sum(),
        })
    }
}

/// The refused records in the page's order: those without a row, and those whose values did not fit.
fn dead_letters(page: &Page, text: &str, rejects: BTreeMap<usize, Reject>) -> Vec<DeadLetter> {
    let tape = &page.tape;
    let span = |record: u32| {
        let span = usize::try_from(record).ok().and_then(|record| page.records.get(record));
        span.cloned().unwrap_or_default()
    };
    let without_row = tape.refused.iter().map(|(record, refusal)| {
        (*record, refused(*refusal, text.get(span(*record)).unwrap_or_default()))
    });
    let of_rows =
        rejects.into_iter().filter_map(|(row, reject)| Some((tape.rows.get(row)?.record, reject)));
    let mut all: Vec<(u32, Reject)> = without_row.chain(of_rows).collect();
    all.sort_by_key(|(record, _)| *record);
    let letter = |(record, reject): (u32, Reject)| {
        reject.at(page.number, u64::from(record), page.body.slice(span(record)))
    };
    all.into_iter().map(letter).collect()
}

/// Where a row stands in its window.
fn place_of(keys: &[Vec<usize>], page: &Page, cells: Cells<'_>, row: usize) -> Place {
    let record = page.tape.rows.get(row).map_or(0, |row| row.record);
    Place { page: page.number, index: u64::from(record), key: key_of(keys, cells) }
}

/// The values of the primary key, joined by commas.
fn key_of(keys: &[Vec<usize>], cells: Cells<'_>) -> Option<String> {
    let value = |slots: &Vec<usize>| {
        let mut raws = slots.iter().filter_map(|slot| cells.get(*slot));
        raws.find(|raw| *raw != "null").map(|raw| shorten(&unescape(raw).0))
    };
    let parts: Option<Vec<String>> = keys.iter().map(value).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(","))
}
