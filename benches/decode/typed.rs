//! arrow-json: the page as one row whose `items` is a list of structs.
//!
//! Does not: raw, drift, rejects (one bad value fails the page), minor units, JSON subtrees, instants of mixed
//! notations; and it bends values that do not fit (1.239 becomes 1.23).

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_json::ReaderBuilder;

/// A decoder of pages.
pub(crate) struct Reader {
    decoder: arrow_json::reader::Decoder,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let decoder = ReaderBuilder::new(schema()).with_batch_size(2).build_decoder();
        Self { decoder: decoder.expect("a schema that it knows") }
    }

    pub(crate) fn decode(&mut self, body: &[u8]) -> RecordBatch {
        let read = self.decoder.decode(body).expect("JSON");
        assert_eq!(read, body.len(), "the page is one row");
        let page = self.decoder.flush().expect("a page").expect("a row");
        RecordBatch::from(page.column(0).as_list::<i32>().values().as_struct())
    }
}

fn schema() -> SchemaRef {
    let money = DataType::Decimal128(18, 2);
    let utc = |unit| DataType::Timestamp(unit, Some("+00:00".into()));
    let item = vec![
        text("id"),
        // Its decimals read 3312119 as 3312119.00: minor units stay an integer.
        nullable("amount", DataType::Int64),
        text("currency"),
        nullable("base_amount", money.clone()),
        text("status"),
        text("order_id"),
        text("invoice_id"),
        nullable("international", DataType::Boolean),
        text("method"),
        nullable("amount_refunded", DataType::Int64),
        text("refund_status"),
        nullable("captured", DataType::Boolean),
        text("description"),
        texts("card", &["id", "name", "last4", "network"]),
        text("bank"),
        text("wallet"),
        text("vpa"),
        text("email"),
        text("contact"),
        texts("notes", &["city", "store_id", "cart"]),
        nullable("fee", money.clone()),
        nullable("tax", money),
        text("error_code"),
        text("error_description"),
        texts("acquirer_data", &["rrn", "auth_code"]),
        nullable("created_at", utc(TimeUnit::Second)),
        nullable("captured_at", utc(TimeUnit::Millisecond)),
        nullable("settled_at", utc(TimeUnit::Microsecond)),
    ];
    let item = nullable("item", DataType::Struct(item.into()));
    Arc::new(Schema::new(vec![nullable("items", DataType::List(Arc::new(item)))]))
}

fn nullable(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

fn text(name: &str) -> Field {
    nullable(name, DataType::Utf8)
}

fn texts(name: &str, keys: &[&str]) -> Field {
    let fields: Vec<Field> = keys.iter().map(|key| text(key)).collect();
    nullable(name, DataType::Struct(fields.into()))
}
