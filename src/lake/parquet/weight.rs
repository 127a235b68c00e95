//! What rows weigh before they are encoded.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;

/// The rows' weight before encoding. Not the arrays' memory: slices and views share buffers.
pub(in crate::lake) fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| array_bytes(column.as_ref())).sum()
}

fn array_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    match array.data_type() {
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths();
            rows * 4 + lengths.map(u64::from).sum::<u64>()
        }
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().offsets();
            rows * 4 + u64::try_from(offsets.last() - offsets.first()).unwrap_or(0)
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.offsets();
            let start = usize::try_from(offsets.first()).unwrap_or(0);
            let length = usize::try_from(offsets.last() - offsets.first()).unwrap_or(0);
            rows * 4 + array_bytes(lists.values().slice(start, length).as_ref())
        }
        other => rows * other.primitive_width().unwrap_or(1) as u64,
    }
}
