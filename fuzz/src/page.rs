//! Any body: the fast pass, the reference and serde_json agree on it; its records add up and keep their exact bytes.

use arrow::array::AsArray;
use bytes::Bytes;
use lakeward::page::Page;
use lakeward::spec::table::{FieldType, Scalar, Table};
use serde_json::value::RawValue;

use super::support::{decode, field, scanner, table};

fn wide_table() -> Table {
    let scalar = FieldType::Scalar;
    table(vec![
        field("a", scalar(Scalar::String), &["/a", "/b/c"]),
        field("b", FieldType::Json, &["/b"]),
        field("c", scalar(Scalar::Decimal { precision: 18, scale: 2 }), &["/c", "/d/0/e"]),
        field("d", scalar(Scalar::Timestamp), &["/d"]),
        field("e", FieldType::List(Scalar::Int32), &["/e"]),
        field("f", scalar(Scalar::Date), &["/f"]),
        field("g", scalar(Scalar::Bool), &["/g/h/i"]),
    ])
}

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let table = wide_table();
    let (mut fast, mut plain) = (scanner(&table), scanner(&table).plain());
    let body = Bytes::copy_from_slice(bytes);
    // Twice: the second time with what was learned from the first.
    for _ in 0..2 {
        let (one, two) = (fast.scan(&body).ok(), plain.scan(&body).ok());
        assert_eq!(one.is_some(), two.is_some());
        let (Some(one), Some(two)) = (one, two) else { break };
        assert_eq!((&one.records, &one.tape.values), (&two.records, &two.tape.values));
        assert_eq!((&one.tape.rows, &one.tape.refused), (&two.tape.rows, &two.tape.refused));
        assert_eq!(one.tape.strays.len(), two.tape.strays.len());
    }
    let Ok(found) = fast.scan(&body) else {
        assert!(serde_json::from_slice::<Vec<&RawValue>>(&body).is_err());
        return;
    };
    let page = Page::scanned(1, body.clone(), found);
    let (decoded, shape) = decode(table, &page);
    assert_eq!(page.records.len(), decoded.batch.num_rows() + decoded.rejects.len());
    assert_eq!(shape.records, page.records.len() as u64);
    let raw = decoded.batch.column_by_name("_raw").expect("raw").as_string_view();
    for (row, record) in decoded.records.iter().enumerate() {
        let record = &body[page.records[*record as usize].clone()];
        // Lone surrogates become U+FFFD in rows, in as many bytes.
        let mended = raw.value(row).contains("\\ufffd");
        assert!(
            raw.value(row).as_bytes() == record || (mended && raw.value(row).len() == record.len())
        );
    }
    for reject in &decoded.rejects {
        let index = usize::try_from(reject.index).expect("index");
        assert_eq!(&reject.record[..], &body[page.records[index].clone()]);
    }
}
