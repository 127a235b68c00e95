//! One stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::page::Method;
use crate::redact::is_secret_key;
use crate::spec::declared::source as declared;
use crate::spec::document::{Document, Place};
use crate::spec::masking::secret_in_query;
use crate::spec::pagination::{CursorPlace, Pagination};
use crate::spec::resolve::format;
use crate::spec::resolve::pagination::pagination;
use crate::spec::resolve::values::{
    NAME_HINT, header_name, is_name, optional_pointer, pointer, template, template_value,
};
use crate::spec::source::{OnCountMismatch, OnStatus, Stream, TotalFrom};
use crate::spec::table::{FieldType, Scalar, Table};
use crate::spec::template::{Template, TemplateValue};

/// Resolves the stream `key` of `streams`, whose table was loaded before. One that is not polled needs no path and no
/// records.
pub(super) fn stream(
    document: &mut Document,
    streams: &Place,
    key: &str,
    written: &declared::Stream,
    polled: bool,
    table: Option<Arc<Table>>,
) -> Option<Stream> {
    let place = &streams.key(key);
    let method = match written.method {
        None | Some(declared::Method::Get) => Method::Get,
        Some(declared::Method::Post) => Method::Post,
    };
    let key_name = stream_name(document, streams, key);
    // What a stream that is not polled leaves out is never read.
    let unless_polled = |text: Option<&'_ str>| text.or((!polled).then_some("")).map(str::to_owned);
    let path = unless_polled(written.path.as_deref());
    let path = path.and_then(|text| path_of(document, &place.key("path"), &text));
    let params = params(document, &place.key("params"), written);
    let body = body(document, place, written, method);
    let records = unless_polled(written.records.as_deref());
    let records = records.and_then(|text| pointer(document, &place.key("records"), &text));
    let total = total(document, &place.key("total"), written.total.as_ref());
    let clip = clip(document, &place.key("clip"), written.clip.as_deref(), table.as_deref());
    let on_status = on_status(document, &place.key("on_status"), written);
    let error = error_pointer(document, &place.key("error"), written.error.as_deref());
    let pages = place.key("pagination");
    let pages = pagination(document, &pages, written.pagination.as_ref(), method);
    let concurrency = concurrency(document, place, written);
    let format = format::format(document, place, written);
    let conditional = conditional(document, place, written, method);
    let body = body?;
    if let (Some(Pagination::Cursor(by)), Some(body)) = (&pages, &body)
        && by.place == CursorPlace::Body
        && !matches!(body, TemplateValue::Map(_))
    {
        let message = "a cursor in the body needs a body that is a mapping";
        document.error(&place.key("body"), message);
    }
    Some(Stream {
        name: key_name?,
        table: table?,
        path: path?,
        method,
        params: params?,
        body,
        format: format?,
        records: records?,
        total: total?,
        on_count_mismatch: match written.on_count_mismatch {
            None | Some(declared::OnCountMismatch::Fail) => OnCountMismatch::Fail,
            Some(declared::OnCountMismatch::Warn) => OnCountMismatch::Warn,
        },
        clip: clip?,
        on_status: on_status?,
        error: error?,
        pagination: pages?,
        concurrency: concurrency?,
        conditional: conditional?,
        history: written.history.unwrap_or(false),
    })
}

/// Whether a refresh is conditional; only requests without a body are.
fn conditional(
    document: &mut Document,
    stream: &Place,
    written: &declared::Stream,
    method: Method,
) -> Option<bool> {
    let conditional = written.conditional.unwrap_or(false);
    if conditional && method == Method::Post {
        document
            .error(
                &stream.key("conditional"),
                "`conditional` needs `method: GET`: the answer to a POST has no validator",
            )
            .hint("leave it out: a refresh then fetches the window anew");
        return None;
    }
    Some(conditional)
}

/// How many requests may be in flight; several only where it is known ahead what they ask for.
fn concurrency(
    document: &mut Document,
    stream: &Place,
    written: &declared::Stream,
) -> Option<usize> {
    use crate::spec::declared::pagination::Pagination as Written;
    let concurrency = usize::from(written.concurrency.unwrap_or(1));
    let numbered =
        matches!(written.pagination, Some(Written::Page { .. } | Written::Offset { .. }));
    let place = stream.key("concurrency");
    if concurrency < 2 || (numbered && written.total.is_some()) {
        return Some(concurrency);
    }
    if numbered {
        document
            .error(&place, "`concurrency` needs `total`: else nobody knows how many pages follow")
            .hint("total names where the API says how many records there are, such as /total or { header: X-Total-Count }");
    } else {
        document
            .error(&place, "`concurrency` needs `pagination` of type page or offset: else each page is known only from the one before")
            .hint("windows are fetched side by side with --jobs");
    }
    None
}

fn stream_name(document: &mut Document, streams: &Place, key: &str) -> Option<String> {
    if is_name(key) {
        return Some(key.to_owned());
    }
    let message = format!("`{key}` is no name for a path");
    document.key_error(streams, key, message).hint(NAME_HINT);
    None
}

fn path_of(document: &mut Document, place: &Place, text: &str) -> Option<Template> {
    let starts = text.is_empty() || text.starts_with(['/', '?']) || text.starts_with("{{");
    if !starts {
        document
            .error(place, "`path` must start with `/`: it is appended to the base URL as it is")
            .meant(format!("/{text}"));
        return None;
    }
    if text.contains('#') || text.chars().any(char::is_control) {
        document.error(place, "`path` has a `#` or a line break in it");
        return None;
    }
    if let Some(key) = secret_in_query(text).filter(|key| is_secret_param(key)) {
        document
            .error(place, format!("the secret `{key}` is written into the file"))
            .hint(SECRET_HINT);
        return None;
    }
    template(document, place, text)
}

fn params(
    document: &mut Document,
    place: &Place,
    written: &declared::Stream,
) -> Option<Vec<(String, TemplateValue)>> {
    let mut params = Vec::new();
    let mut whole = true;
    for (key, value) in written.params.iter().flat_map(|params| &params.0) {
        let at = place.key(key);
        let is_literal = value.0.as_str().is_some_and(|text| !text.contains("{{"));
        if is_secret_param(key) && is_literal {
            document
                .error(&at, format!("the secret `{key}` is written into the file"))
                .hint(SECRET_HINT);
            whole = false;
            continue;
        }
        match template_value(document, &at, &value.0) {
            Some(value) => params.push((key.clone(), value)),
            None => whole = false,
        }
    }
    whole.then_some(params)
}

/// Where a credential belongs, and the way out for what is none.
const SECRET_HINT: &str = "declare it as auth: { type: api_key, query: NAME, value: { env: NAME } }; if it is no secret, write its value as a template: \"{{ 'text' }}\"";

/// Parameters that are a credential. `key` alone may be anything.
fn is_secret_param(key: &str) -> bool {
    is_secret_key(key) && !key.eq_ignore_ascii_case("key")
}

#[expect(clippy::option_option, reason = "absent is fine, wrong is not")]
fn body(
    document: &mut Document,
    place: &Place,
    written: &declared::Stream,
    method: Method,
) -> Option<Option<TemplateValue>> {
    let Some(body) = &written.body else { return Some(None) };
    let at = place.key("body");
    if method == Method::Get {
        document
            .error(&at, "a GET request has no body")
            .hint("add `method: POST`, or use `params`");
        return None;
    }
    template_value(document, &at, body).map(Some)
}

#[expect(clippy::option_option, reason = "absent is fine, wrong is not")]
fn total(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Total>,
) -> Option<Option<TotalFrom>> {
    match written {
        None => Some(None),
        Some(declared::Total::Body(text)) => {
            Some(Some(TotalFrom::Body(pointer(document, place, text)?)))
        }
        Some(declared::Total::Header(from)) => {
            let name = header_name(document, &place.key("header"), from.header.as_deref()?)?;
            Some(Some(TotalFrom::Header(name)))
        }
    }
}

#[expect(clippy::option_option, reason = "absent is fine, wrong is not")]
fn clip(
    document: &mut Document,
    place: &Place,
    written: Option<&str>,
    table: Option<&Table>,
) -> Option<Option<String>> {
    let Some(clip) = written else { return Some(None) };
    let table = table?;
    let names = || table.fields.iter().map(|field| field.name.as_str());
    let Some(field) = table.fields.iter().find(|field| field.name == clip) else {
        let message = format!("`clip: {clip}` is no field of the table `{}`", table.name);
        document.error(place, message).nearest(clip, names());
        return None;
    };
    match field.kind {
        FieldType::Scalar(Scalar::Timestamp | Scalar::Date) => Some(Some(clip.to_owned())),
        _ => {
            let message = format!("the field `{clip}` is neither a timestamp nor a date");
            document.error(place, message).hint("rows are clipped by the time they carry");
            None
        }
    }
}

fn on_status(
    document: &mut Document,
    place: &Place,
    written: &declared::Stream,
) -> Option<BTreeMap<u16, OnStatus>> {
    let mut statuses = BTreeMap::new();
    let mut whole = true;
    for (key, declared::OnStatus::Empty) in written.on_status.iter().flat_map(|all| &all.0) {
        match key.parse::<u16>() {
            Ok(status @ 200..=599) => {
                statuses.insert(status, OnStatus::Empty);
            }
            _ => {
                whole = false;
                let message =
                    format!("`{key}` is no HTTP status: a number from 200 to 599 is wanted");
                document.key_error(place, key, message);
            }
        }
    }
    whole.then_some(statuses)
}

#[expect(clippy::option_option, reason = "absent is fine, wrong is not")]
fn error_pointer(
    document: &mut Document,
    place: &Place,
    written: Option<&str>,
) -> Option<Option<crate::spec::pointer::Pointer>> {
    if written == Some("") {
        document.error(place, "`error` is empty: every body would be an error");
        return None;
    }
    optional_pointer(document, place, written)
}
