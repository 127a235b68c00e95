//! The columns of a batch: the declared ones' Arrow types, the run's instant and the record's own text.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};

use crate::decode::types::arrow_type;
use crate::error::{Error, ErrorKind, Result};
use crate::json::escape::mend;
use crate::page::Page;
use crate::spec::table::{EXTRACTED_AT, FieldType, OnInvalid, Table};

/// The raw column: views into the page's body, free of copies but for records with lone surrogates, which readers of
/// JSON refuse: there their escapes become U+FFFD (DESIGN §4). Dead letters keep them.
pub(crate) fn raw_column(page: &Page) -> Result<ArrayRef> {
    let text = page.tape.text.text();
    let mut builder = StringViewBuilder::with_capacity(page.tape.rows.len());
    let block = builder.append_block(Buffer::from(page.tape.text.bytes().clone()));
    let beyond =
        || Error::new(ErrorKind::Unexpected, "a page's records are not where its scan found them");
    for row in &page.tape.rows {
        let span = usize::try_from(row.record).ok().and_then(|n| page.records.get(n));
        let span = span.ok_or_else(beyond)?;
        let record = text.get(span.clone()).ok_or_else(beyond)?;
        if row.escaped
            && let Some((mended, _)) = mend(record)
        {
            builder.append_value(mended);
            continue;
        }
        let offset = u32::try_from(span.start).map_err(|_| beyond())?;
        let length = u32::try_from(record.len()).map_err(|_| beyond())?;
        #[expect(
            unsafe_code,
            reason = "the checked way reads every record once more for its UTF-8"
        )]
        // SAFETY: `block` holds the bytes of `text`, and `record` is a slice of `text` at `offset` of `length` bytes: in
        // the block, UTF-8, and cut between characters.
        unsafe {
            builder.append_view_unchecked(block, offset, length);
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// The batches' schema: the fields in declared order, `_extracted_at`, the raw column.
pub(crate) fn schema_of(table: &Table) -> SchemaRef {
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
