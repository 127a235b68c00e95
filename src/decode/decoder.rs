//! The decoder of a window: page after page to batches, dead letters and the shape.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, StringViewBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::Buffer;
use arrow::compute::filter;
use arrow::datatypes::{
    DataType, Date32Type, Field as ArrowField, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use chrono::{DateTime, Utc};

use crate::decode::column::unbuilt;
use crate::decode::iso::DAY;
use crate::decode::plan::{Plan, blank_fields};
use crate::decode::record::{DeadLetter, Reject, admit, quote};
use crate::decode::shape::{Kind, PathShape, Place, Shape, shorten};
use crate::decode::text::{mend, unescape};
use crate::decode::trie::Trie;
use crate::decode::types::arrow_type;
use crate::decode::walk::Walk;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Page;
use crate::spec::table::{DriftAction, Field, FieldType, OnInvalid, Scalar, Table};
use crate::window::Window;

/// The column of the run's own instant.
const EXTRACTED_AT: &str = "_extracted_at";

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
    trie: Trie,
    shape: Shape,
    /// The slots of the primary key's fields.
    keys: Vec<Vec<usize>>,
    extracted_at: i64,
    clip: Option<Clip>,
}

struct Clip {
    column: usize,
    window: Window,
}

/// The records of a page that reached the columns.
#[derive(Default)]
struct Rows {
    records: Vec<u32>,
    kept: Vec<bool>,
    nulled: Vec<u64>,
}

impl Decoder {
    /// A decoder of one window of `table`.
    ///
    /// # Errors
    /// `Config` where `clip` names no timestamp or date field.
    pub fn new(table: Arc<Table>, options: DecodeOptions) -> Result<Self> {
        let mut trie = Trie::new();
        let plans = Plan::all(&table, &mut trie)?;
        trie.seal();
        let keys = table.primary_key.iter().filter_map(|at| plans.get(*at));
        let keys = keys.map(|plan| plan.slots().to_vec()).collect();
        let clip =
            options.clip.map(|(field, window)| clip_of(&table, &field, window)).transpose()?;
        Ok(Self {
            schema: schema_of(&table),
            shape: Shape { fields: blank_fields(&table), ..Shape::default() },
            extracted_at: options.extracted_at.timestamp_micros(),
            plans,
            trie,
            keys,
            clip,
            table,
        })
    }

    /// The batches' schema: the fields in declared order, `_extracted_at`, the raw column.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What was observed so far.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Goes on from the observations of a checkpoint; fields that the table does not have are left out.
    pub fn resume(&mut self, shape: Shape) {
        self.trie.resume(shape.undeclared.iter().map(|path| path.path.clone()).collect());
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
    /// `Unexpected` where a span lies outside the body or Arrow refuses what was built.
    pub fn decode(&mut self, page: &Page) -> Result<Decoded> {
        let mut walk = Walk::default();
        let mut rows = Rows::default();
        let mut rejects = Vec::new();
        for (index, span) in (0u32..).zip(&page.records) {
            let bytes = page.body.get(span.clone()).ok_or_else(|| {
                Error::new(ErrorKind::Unexpected, "a record's span lies outside its page")
                    .with("page", page.number)
                    .with("record", index)
            })?;
            self.shape.records += 1;
            let place = (page.number, u64::from(index));
            let reject = match admit(bytes) {
                Ok(text) => self.record(text, place, &mut walk, index, &mut rows),
                Err(reject) => Some(reject),
            };
            if let Some(reject) = reject {
                rejects.push(reject.at(
                    page.number,
                    u64::from(index),
                    page.body.slice(span.clone()),
                ));
            }
        }
        self.finish(page, rows, rejects)
    }

    /// Walks one record and appends it to the columns; says why where it is refused.
    fn record<'a>(
        &mut self,
        text: &'a str,
        (page, index): (u64, u64),
        walk: &mut Walk<'a>,
        record: u32,
        rows: &mut Rows,
    ) -> Option<Reject> {
        if let Err(error) = self.trie.walk(text, walk) {
            return Some(Reject::record(
                "not_json",
                format!("the record is not strict JSON: {error}"),
            ));
        }
        self.shape.observed += 1;
        self.shape.duplicate_keys += walk.duplicates;
        self.shape.surrogates += walk.surrogates;
        let keys = &self.keys;
        let place = || Place { page, index, key: key_of(keys, walk) };
        observe_strays(&self.trie, &mut self.shape, walk, &place);
        let mut drift = match self.table.drift.new_field {
            DriftAction::DiscardRow => stray_reject(&self.trie, walk),
            _ => None,
        };
        let mut reject = None;
        let mut nulled = 0;
        for (plan, shape) in self.plans.iter_mut().zip(&mut self.shape.fields) {
            let outcome = plan.read(walk, shape, &place);
            nulled += u64::from(outcome.nulled);
            self.shape.surrogates += outcome.surrogates;
            reject = reject.or(outcome.reject);
            drift = drift.or(outcome.drift);
        }
        let reject = reject.or(drift);
        rows.records.push(record);
        rows.kept.push(reject.is_none());
        rows.nulled.push(nulled);
        reject
    }

    fn finish(&mut self, page: &Page, rows: Rows, rejects: Vec<DeadLetter>) -> Result<Decoded> {
        let mut columns: Vec<ArrayRef> =
            self.plans.iter_mut().map(|plan| plan.column().finish()).collect::<Result<_>>()?;
        let stamps = TimestampMicrosecondArray::from_value(self.extracted_at, rows.records.len());
        columns.push(Arc::new(stamps.with_timezone("UTC")));
        if self.table.raw_column.is_some() {
            columns.push(raw_column(page, &rows.records)?);
        }
        let mut kept = rows.kept;
        let mut outside = 0;
        if let Some(clip) = &self.clip
            && let Some(column) = columns.get(clip.column)
        {
            for (row, kept) in kept.iter_mut().enumerate().filter(|(_, kept)| **kept) {
                *kept = clip.keeps(column, row);
                outside += u64::from(!*kept);
            }
        }
        let mut records = rows.records;
        let mut nulled = rows.nulled;
        if kept.contains(&false) {
            let mask = BooleanArray::from(kept.clone());
            columns =
                columns.iter().map(|c| filter(c, &mask).map_err(unbuilt)).collect::<Result<_>>()?;
            records = pick(records, &kept);
            nulled = pick(nulled, &kept);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let batch =
            RecordBatch::try_new_with_options(self.schema(), columns, &options).map_err(unbuilt)?;
        Ok(Decoded { batch, records, rejects, outside, nulled: nulled.iter().sum() })
    }
}

/// Counts undeclared values.
fn observe_strays(trie: &Trie, shape: &mut Shape, walk: &Walk<'_>, place: &dyn Fn() -> Place) {
    for path in trie.paths().iter().skip(shape.undeclared.len()) {
        shape.undeclared.push(PathShape { path: path.clone(), ..PathShape::default() });
    }
    let mut starred = Vec::new();
    for (number, raw) in &walk.strays {
        // Two items of one array share a path; a record counts once.
        if let Some(path) = number.and_then(|number| shape.undeclared.get(number))
            && path.path.contains("/*")
        {
            if starred.contains(number) {
                continue;
            }
            starred.push(*number);
        }
        match number.and_then(|number| shape.undeclared.get_mut(number)) {
            Some(path) => path.kinds.get_mut(Kind::of(raw)).see(Some(raw), place),
            None => shape.uncounted += 1,
        }
    }
}

/// The first undeclared value as a reason to refuse the record.
fn stray_reject(trie: &Trie, walk: &Walk<'_>) -> Option<Reject> {
    let (number, raw) = walk.strays.first()?;
    let path = number.and_then(|number| trie.paths().get(number));
    let path = path.map_or("a path beyond the first 1,000", String::as_str);
    Some(Reject::record("drift_new_field", format!("{path} is not declared, with {}", quote(raw))))
}

/// The values of the primary key, joined by commas.
fn key_of(keys: &[Vec<usize>], walk: &Walk<'_>) -> Option<String> {
    let value = |slots: &Vec<usize>| {
        let raws = slots.iter().filter_map(|slot| walk.slots.get(*slot).copied().flatten());
        raws.into_iter().find(|raw| *raw != "null").map(|raw| shorten(&unescape(raw).0))
    };
    let parts: Option<Vec<String>> = keys.iter().map(value).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(","))
}

fn pick<T>(values: Vec<T>, kept: &[bool]) -> Vec<T> {
    values.into_iter().zip(kept).filter_map(|(value, kept)| kept.then_some(value)).collect()
}

impl Clip {
    /// Whether a row's instant, or a part of its day, lies in the window; a null stays.
    fn keeps(&self, column: &ArrayRef, row: usize) -> bool {
        if column.is_null(row) {
            return true;
        }
        let start = self.window.start.timestamp_micros();
        let end = self.window.end.timestamp_micros();
        if let Some(instants) = column.as_primitive_opt::<TimestampMicrosecondType>() {
            return (start..end).contains(&instants.value(row));
        }
        column.as_primitive_opt::<Date32Type>().is_none_or(|days| {
            let midnight = i64::from(days.value(row)) * DAY;
            midnight < end && start < midnight + DAY
        })
    }
}

fn clip_of(table: &Table, field: &str, window: Window) -> Result<Clip> {
    let is_time = |f: &Field| matches!(f.kind, FieldType::Scalar(Scalar::Timestamp | Scalar::Date));
    let column =
        table.fields.iter().position(|f| f.name == field && is_time(f)).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("`clip: {field}` names no timestamp or date field"),
            )
            .with("table", &table.name)
            .hint("name a field of the schema file whose type is timestamp or date")
        })?;
    Ok(Clip { column, window })
}

/// The raw column: views into the page's body, free of copies but for records with lone surrogates, which readers of
/// JSON refuse: there their escapes become U+FFFD (DESIGN §4). Dead letters keep them.
fn raw_column(page: &Page, records: &[u32]) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(records.len());
    let block = builder.append_block(Buffer::from(page.body.clone()));
    let beyond =
        || Error::new(ErrorKind::Unexpected, "a page of more than 4 GiB reached the decoder");
    for record in records {
        let span =
            usize::try_from(*record).ok().and_then(|n| page.records.get(n)).ok_or_else(beyond)?;
        let bytes = page.body.get(span.clone()).unwrap_or_default();
        let escaped = bytes.contains(&b'\\').then(|| std::str::from_utf8(bytes).ok()).flatten();
        if let Some((text, _)) = escaped.and_then(mend) {
            builder.append_value(text);
            continue;
        }
        let offset = u32::try_from(span.start).map_err(|_| beyond())?;
        let length = u32::try_from(span.len()).map_err(|_| beyond())?;
        builder.try_append_view(block, offset, length).map_err(unbuilt)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn schema_of(table: &Table) -> SchemaRef {
    let declared = table.fields.iter().map(|field| {
        let nullable = !(field.required && field.on_invalid == OnInvalid::Reject);
        let column = ArrowField::new(&field.name, arrow_type(&field.kind), nullable);
        if field.kind == FieldType::Json { as_json(column) } else { column }
    });
    let stamp = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let extracted_at = ArrowField::new(EXTRACTED_AT, stamp, false);
    let raw = table
        .raw_column
        .iter()
        .map(|name| as_json(ArrowField::new(name, DataType::Utf8View, false)));
    Arc::new(Schema::new(declared.chain([extracted_at]).chain(raw).collect::<Vec<_>>()))
}

/// Marks a column as the canonical extension type `arrow.json`, which Parquet writes as its logical type JSON.
///
/// By its metadata keys, as the `arrow` crate does not pass the type on from `arrow-schema`.
fn as_json(column: ArrowField) -> ArrowField {
    let name = ("ARROW:extension:name".to_owned(), "arrow.json".to_owned());
    let metadata = ("ARROW:extension:metadata".to_owned(), String::new());
    column.with_metadata(HashMap::from([name, metadata]))
}
