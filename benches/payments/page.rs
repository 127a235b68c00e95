//! A page's body as the library takes it: the table, and the one call that the decode bench times.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use lakeward::decode::{DecodeOptions, Decoded, Decoder};
use lakeward::json::outline::Outline;
use lakeward::json::scanner::Scanner;
use lakeward::json::tape::Paths;
use lakeward::page::Page;
use lakeward::spec::keys::record_keys;
use lakeward::spec::table::Table;

/// The declared table, with or without the raw column.
pub(crate) fn table(raw: bool) -> Arc<Table> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/payments/payments.yaml");
    let mut table = Table::load(&file).expect("the benches' table");
    if !raw {
        table.raw_column = None;
    }
    Arc::new(table)
}

/// What reads the pages of one window, as a run has it.
pub(crate) struct Reader {
    scanner: Scanner,
    decoder: Decoder,
}

/// A reader of one window of `table`.
pub(crate) fn reader(table: &Arc<Table>) -> Reader {
    let mut outline = Outline::of_records(&["items".to_owned()]);
    for noted in ["cursor", "has_more", "total"] {
        outline.note(&[noted.to_owned()]);
    }
    let keys = record_keys(table, Paths::default()).0;
    let options = DecodeOptions { extracted_at: DateTime::UNIX_EPOCH, clip: None };
    let decoder = Decoder::new(Arc::clone(table), options).expect("a decoder");
    Reader { scanner: Scanner::new(outline, keys), decoder }
}

/// From a received body to columns, dead letters and observed drift: all that a run does to a page.
pub(crate) fn decode(reader: &mut Reader, body: &Bytes) -> Decoded {
    let found = reader.scanner.scan(body).expect("strict JSON");
    reader.decoder.decode(&Page::scanned(1, body.clone(), found)).expect("a page")
}
