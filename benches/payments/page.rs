//! A page's body as the library takes it: the table, and the one call that the decode bench times.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use lakeward::decode::{DecodeOptions, Decoded, Decoder};
use lakeward::page::{Page, Position};
use lakeward::spec::table::Table;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The declared table, with or without the raw column.
pub(crate) fn table(raw: bool) -> Arc<Table> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/payments/payments.yaml");
    let mut table = Table::load(&file).expect("the benches' table");
    if !raw {
        table.raw_column = None;
    }
    Arc::new(table)
}

/// A decoder of one window of `table`, as a run has it.
pub(crate) fn decoder(table: &Arc<Table>) -> Decoder {
    let options = DecodeOptions { extracted_at: DateTime::UNIX_EPOCH, clip: None };
    Decoder::new(Arc::clone(table), options).expect("a decoder")
}

/// From a received body to columns, dead letters and observed drift: all that a run does to a page.
///
/// The body is validated whole and its records found first. The library does that behind its requests, where
/// nobody outside can call it, so serde does the same work here.
pub(crate) fn decode(decoder: &mut Decoder, body: &Bytes) -> Decoded {
    decoder.decode(&page(body)).expect("a page")
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

fn page(body: &Bytes) -> Page {
    let envelope: Envelope<'_> = serde_json::from_slice(body).expect("strict JSON");
    let start = body.as_ptr().addr();
    let span = |item: &&RawValue| {
        let from = item.get().as_ptr().addr() - start;
        from..from + item.get().len()
    };
    Page {
        number: 1,
        request_id: String::new(),
        records: envelope.items.iter().map(span).collect(),
        body: body.clone(),
        seen: Vec::new(),
        after: Position::start(),
        round_trip: Duration::ZERO,
    }
}
