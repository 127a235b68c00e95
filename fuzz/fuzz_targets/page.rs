//! Any body: counts add up, the raw column and the dead letters are the records' exact bytes.
#![no_main]

use arrow::array::AsArray;
use lakeward::spec::table::{FieldType, Scalar};
use lakeward_fuzz::{decode, field, table};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let scalar = FieldType::Scalar;
    let fields = vec![
        field("a", scalar(Scalar::String), &["/a", "/b/c"]),
        field("b", FieldType::Json, &["/b"]),
        field("c", scalar(Scalar::Decimal { precision: 18, scale: 2 }), &["/c", "/d/0/e"]),
        field("d", scalar(Scalar::Timestamp), &["/d"]),
        field("e", FieldType::List(Scalar::Int32), &["/e"]),
        field("f", scalar(Scalar::Date), &["/f"]),
    ];
    // An array's items as the records, as the envelope's scan gives them; else the whole body as one.
    let spans = match serde_json::from_slice::<Vec<&RawValue>>(body) {
        Ok(items) => items
            .iter()
            .map(|item| {
                let start = item.get().as_ptr() as usize - body.as_ptr() as usize;
                start..start + item.get().len()
            })
            .collect(),
        Err(_) => vec![0..body.len()],
    };
    let decoded = decode(table(fields), body, spans.clone());
    assert_eq!(spans.len(), decoded.batch.num_rows() + decoded.rejects.len());
    let raw = decoded.batch.column_by_name("_raw").expect("raw").as_string_view();
    for (row, record) in decoded.records.iter().enumerate() {
        let record = &body[spans[*record as usize].clone()];
        // Lone surrogates become U+FFFD in rows, in as many bytes.
        let mended = raw.value(row).contains("\\ufffd");
        assert!(raw.value(row).as_bytes() == record || (mended && raw.value(row).len() == record.len()));
    }
    for reject in &decoded.rejects {
        assert_eq!(&reject.record[..], &body[spans[reject.index as usize].clone()]);
    }
});
