//! Records that come from elsewhere than a request: as the body of a page, and with instants of their own.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::table::EXTRACTED_AT;

/// The texts as one JSON array.
pub(crate) fn array_of<'a>(texts: impl Iterator<Item = &'a str>) -> Bytes {
    let mut body = vec![b'['];
    for (n, text) in texts.enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(text.as_bytes());
    }
    body.push(b']');
    body.into()
}

/// The batch with `_extracted_at`, in microseconds since the epoch, as `of` has it for a record's place in the page.
pub(crate) fn stamped(
    batch: &RecordBatch,
    records: &[u32],
    of: impl Fn(usize) -> i64,
) -> Result<RecordBatch> {
    let unbuilt = |cause: arrow::error::ArrowError| {
        Error::new(ErrorKind::Unexpected, "could not build the rows").caused_by(cause)
    };
    let schema = batch.schema();
    let at = schema.index_of(EXTRACTED_AT).map_err(unbuilt)?;
    let place = |record: &u32| usize::try_from(*record).unwrap_or(usize::MAX);
    let column: TimestampMicrosecondArray =
        records.iter().map(|record| Some(of(place(record)))).collect();
    let column: ArrayRef = Arc::new(column.with_timezone("UTC"));
    let mut columns = batch.columns().to_vec();
    if let Some(own) = columns.get_mut(at) {
        *own = column;
    }
    RecordBatch::try_new(schema, columns).map_err(unbuilt)
}
