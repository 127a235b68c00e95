//! Rows that wait to be encoded, without the pages that they came from.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// The batch with no more text in memory than about twice what its rows hold: views into a page would keep all of it.
pub(super) fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View if is_loose(column.as_string_view()) => {
            Arc::new(column.as_string_view().gc()) as ArrayRef
        }
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(batch.schema(), columns.collect())
}

fn is_loose(texts: &StringViewArray) -> bool {
    let kept: usize = texts.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
    let held: usize = texts.lengths().filter_map(|length| usize::try_from(length).ok()).sum();
    kept / 2 > held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_rows_do_not_keep_their_page() {
        let page: Vec<String> = (0..1000).map(|n| format!("a record that is long, {n}")).collect();
        let texts = Arc::new(StringViewArray::from_iter_values(&page)) as ArrayRef;
        let numbers = Arc::new(arrow::array::Int32Array::from_iter_values(0..1000)) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("_raw", texts), ("n", numbers)]).expect("batch");
        let kept = |batch: &RecordBatch| -> usize {
            batch.column(0).as_string_view().data_buffers().iter().map(|b| b.capacity()).sum()
        };
        assert_eq!(kept(&compact(&batch).expect("whole")), kept(&batch));
        let few = batch.slice(10, 3);
        let own = compact(&few).expect("few");
        assert_eq!(own, few);
        assert!(kept(&own) < 200, "{} bytes", kept(&own));
    }
}
