//! How a stream pages.

use crate::page::Method;
use crate::spec::declared::pagination as declared;
use crate::spec::document::{Document, Place};
use crate::spec::pagination::{ByCursor, ByOffset, ByPage, CursorFrom, CursorPlace, Pagination};
use crate::spec::resolve::values::{header_name, optional_pointer, param_name, pointer};

/// Resolves `pagination`, of a stream whose requests use `method`.
pub(super) fn pagination(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Pagination>,
    method: Method,
) -> Option<Pagination> {
    use declared::Pagination as Written;
    match written {
        None | Some(Written::None {}) => Some(Pagination::None),
        Some(Written::LinkHeader {}) => Some(Pagination::LinkHeader),
        Some(Written::NextUrl { next }) => {
            let next = next.as_deref().unwrap_or("/next");
            Some(Pagination::NextUrl { next: pointer(document, &place.key("next"), next)? })
        }
        Some(Written::Cursor { cursor, param, r#in, has_more }) => {
            let has_more = optional_pointer(document, &place.key("has_more"), has_more.as_deref());
            let from =
                cursor.as_ref().and_then(|from| cursor_from(document, &place.key("cursor"), from));
            let param_place = place.key("param");
            let param = param_name(document, &param_place, param.as_deref(), "cursor");
            let place = cursor_place(document, place, *r#in, method);
            let param = param.filter(|name| {
                place != Some(CursorPlace::Header)
                    || header_name(document, &param_place, name).is_some()
            });
            Some(Pagination::Cursor(ByCursor {
                cursor: from?,
                param: param?,
                place: place?,
                has_more: has_more?,
            }))
        }
        Some(Written::Page { .. }) => by_page(document, place, written?),
        Some(Written::Offset { .. }) => by_offset(document, place, written?),
    }
}

fn by_page(
    document: &mut Document,
    place: &Place,
    written: &declared::Pagination,
) -> Option<Pagination> {
    let declared::Pagination::Page { param, first, size_param, size, has_more, short_page_ends } =
        written
    else {
        return None;
    };
    let short_page_ends = short_page_ends.unwrap_or(false);
    let has_more = optional_pointer(document, &place.key("has_more"), has_more.as_deref());
    let param = param_name(document, &place.key("param"), param.as_deref(), "page");
    let named = param_name(document, &place.key("size_param"), size_param.as_deref(), "size");
    let before = document.found();
    match (size, size_param) {
        (Some(_), None) => {
            document
                .error(&place.key("size"), "`size` is sent to nobody: `size_param` is missing")
                .hint("size_param names the query parameter, such as `per_page`");
        }
        (None, Some(_)) => {
            document
                .error(&place.key("size_param"), "`size_param` without `size` has nothing to send");
        }
        (None, None) if short_page_ends => {
            document.error(
                &place.key("short_page_ends"),
                "`short_page_ends` needs `size`: else no page is short",
            );
        }
        _ => {}
    }
    (document.found() == before).then_some(())?;
    Some(Pagination::Page(ByPage {
        param: param?,
        first: first.unwrap_or(1),
        size_param: size_param.as_ref().and(named),
        size: *size,
        has_more: has_more?,
        short_page_ends,
    }))
}

fn by_offset(
    document: &mut Document,
    place: &Place,
    written: &declared::Pagination,
) -> Option<Pagination> {
    let declared::Pagination::Offset { param, limit_param, limit, has_more, short_page_ends } =
        written
    else {
        return None;
    };
    let has_more = optional_pointer(document, &place.key("has_more"), has_more.as_deref());
    let param = param_name(document, &place.key("param"), param.as_deref(), "offset");
    let limit_param =
        param_name(document, &place.key("limit_param"), limit_param.as_deref(), "limit");
    let short_page_ends = short_page_ends.unwrap_or(false);
    if short_page_ends && limit.is_none() {
        document.error(
            &place.key("short_page_ends"),
            "`short_page_ends` needs `limit`: else no page is short",
        );
        return None;
    }
    Some(Pagination::Offset(ByOffset {
        param: param?,
        limit_param: limit_param?,
        limit: *limit,
        has_more: has_more?,
        short_page_ends,
    }))
}

fn cursor_from(
    document: &mut Document,
    place: &Place,
    from: &declared::Cursor,
) -> Option<CursorFrom> {
    use declared::{Cursor, Elsewhere};
    match from {
        Cursor::Pointer(text) => Some(CursorFrom::Body(vec![pointer(document, place, text)?])),
        Cursor::Pointers(texts) if texts.is_empty() => {
            document.error(place, "the list of pointers is empty");
            None
        }
        Cursor::Pointers(texts) => {
            let pointers: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(index, text)| pointer(document, &place.item(index), text))
                .collect();
            Some(CursorFrom::Body(pointers.into_iter().collect::<Option<_>>()?))
        }
        Cursor::Elsewhere(Elsewhere::Header(name)) => {
            Some(CursorFrom::Header(header_name(document, &place.key("header"), name)?))
        }
        Cursor::Elsewhere(Elsewhere::LastRecord(text)) => {
            Some(CursorFrom::LastRecord(pointer(document, &place.key("last_record"), text)?))
        }
    }
}

fn cursor_place(
    document: &mut Document,
    place: &Place,
    written: Option<declared::CursorPlace>,
    method: Method,
) -> Option<CursorPlace> {
    match written {
        None | Some(declared::CursorPlace::Query) => Some(CursorPlace::Query),
        Some(declared::CursorPlace::Header) => Some(CursorPlace::Header),
        Some(declared::CursorPlace::Body) if method == Method::Post => Some(CursorPlace::Body),
        Some(declared::CursorPlace::Body) => {
            document.error(&place.key("in"), "a cursor in the body needs `method: POST`");
            None
        }
    }
}
