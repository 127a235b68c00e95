//! `format`, and the keys that speak of a body which only JSON has.

use crate::spec::declared::pagination::{Cursor, Pagination};
use crate::spec::declared::source as declared;
use crate::spec::document::{Document, Place};
use crate::spec::source::Format;

/// Resolves `format`. A body of lines is a list of records and has no envelope, so that nothing else can stand in it.
pub(super) fn format(
    document: &mut Document,
    stream: &Place,
    written: &declared::Stream,
) -> Option<Format> {
    let format = match written.format {
        None | Some(declared::Format::Json) => return Some(Format::Json),
        Some(declared::Format::Ndjson) => Format::Ndjson,
        Some(declared::Format::Csv) => Format::Csv,
    };
    let found = document.found();
    let name = format.key();
    if written.records.as_deref().is_some_and(|records| !records.is_empty()) {
        let message = format!("`records` must be \"\" with `format: {name}`");
        let hint = "every line is a record; what lies deeper is reached by the `from` of a field";
        document.error(&stream.key("records"), message).hint(hint);
    }
    let mut beside = |place: &Place, what: &str, hint: &str| {
        let message =
            format!("{what} stands beside the records, where `format: {name}` has nothing");
        document.error(place, message).hint(hint);
    };
    if matches!(written.total, Some(declared::Total::Body(_))) {
        beside(&stream.key("total"), "`total`", "name a header: total: { header: X-Total-Count }");
    }
    if written.error.is_some() {
        beside(
            &stream.key("error"),
            "`error`",
            "leave it out: a line that is no record is an error",
        );
    }
    let pages = stream.key("pagination");
    match &written.pagination {
        None | Some(Pagination::None {} | Pagination::LinkHeader {}) => {}
        Some(Pagination::NextUrl { .. }) => {
            beside(
                &pages,
                "a next URL",
                "page by link_header, page, offset or a cursor in a header",
            );
        }
        Some(Pagination::Page { has_more, .. } | Pagination::Offset { has_more, .. }) => {
            if has_more.is_some() {
                let hint = "leave it out: an empty page ends the stream";
                beside(&pages.key("has_more"), "`has_more`", hint);
            }
        }
        Some(Pagination::Cursor { cursor, has_more, .. }) => {
            if matches!(cursor, Some(Cursor::Pointer(_) | Cursor::Pointers(_))) {
                let hint =
                    "name a header or a field: cursor: { header: X-Next } or { last_record: /id }";
                beside(&pages.key("cursor"), "the cursor", hint);
            }
            if has_more.is_some() {
                let hint = "leave it out: no cursor ends the stream";
                beside(&pages.key("has_more"), "`has_more`", hint);
            }
        }
    }
    (document.found() == found).then_some(format)
}
