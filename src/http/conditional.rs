//! `conditional: true`: whether the pages of a window are what they were, asked by `If-None-Match` and
//! `If-Modified-Since` (RFC 9110 §13.1) instead of fetched.
//!
//! A page's validator speaks of that page's body alone. So each page is asked for again, and only a window of
//! which all came with one and all are answered by 304 is unchanged; the first answer that is not ends the asking. Where a
//! stream pages or counts by headers, the answer must repeat those as they were: a new page may follow a body that is
//! the same.

use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED, LINK};

use crate::error::Result;
use crate::http::client::Client;
use crate::http::envelope::Plan;
use crate::http::lane::Lane;
use crate::http::seen::Sight;
use crate::json::tape::Paths;
use crate::page::room::Held;
use crate::page::{Cursor, Meter, Validator};
use crate::spec::pagination::{CursorFrom, Pagination};
use crate::spec::source::{OnStatus, Stream, TotalFrom};
use crate::window::Window;

/// The validator of page `page` of the stream, which was asked for at `asked`, if it came with one.
pub(super) fn validator(
    stream: &Stream,
    page: u64,
    asked: &Cursor,
    headers: &HeaderMap,
) -> Option<Validator> {
    let text = |name: HeaderName| {
        let text = headers.get(name)?.to_str().ok()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let (etag, last_modified) = (text(ETAG), text(LAST_MODIFIED));
    let says = etag.is_some() || last_modified.is_some();
    let beside = beside(stream, headers);
    says.then(|| Validator { page, asked: asked.clone(), etag, last_modified, beside })
}

/// Fingerprint of the headers that the stream pages or counts by; none where it does so in the body.
fn beside(stream: &Stream, headers: &HeaderMap) -> Option<u64> {
    let paging = match &stream.pagination {
        Pagination::LinkHeader => Some(LINK.as_str()),
        Pagination::Cursor(cursor) => match &cursor.cursor {
            CursorFrom::Header(name) => Some(name.as_str()),
            CursorFrom::Body(_) | CursorFrom::LastRecord(_) => None,
        },
        Pagination::None
        | Pagination::Page(_)
        | Pagination::Offset(_)
        | Pagination::NextUrl { .. } => None,
    };
    let total = match &stream.total {
        Some(TotalFrom::Header(name)) => Some(name.as_str()),
        Some(TotalFrom::Body(_)) | None => None,
    };
    let names: Vec<&str> = paging.into_iter().chain(total).collect();
    if names.is_empty() {
        return None;
    }
    let mut text = Vec::new();
    for name in names {
        for value in headers.get_all(name) {
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text.push(b'\n');
    }
    Some(Sight::Beside.fingerprint(&text))
}

/// Whether the API says of each of the window's `pages` that it is what it was. Never where one came without a
/// validator: it may hold what is new.
///
/// # Errors
/// As the items of [`pages`](crate::http::pages::pages).
pub async fn is_unchanged(
    client: &Client,
    stream: &Stream,
    window: Window,
    (pages, validators): (u64, &[Validator]),
    meter: &Arc<Meter>,
) -> Result<bool> {
    let whole = (1..=pages).eq(validators.iter().map(|validator| validator.page));
    if !whole || pages == 0 {
        return Ok(false);
    }
    let plan = Arc::new(Plan::new(stream, Paths::default()));
    let lane = Lane::new(1);
    let mut on_status = stream.on_status.clone();
    on_status.insert(StatusCode::NOT_MODIFIED.as_u16(), OnStatus::Empty);
    for validator in validators {
        let ask = || {
            let mut request = client.request(stream, window, validator.page, &validator.asked)?;
            for (name, value) in [
                ("If-None-Match", &validator.etag),
                ("If-Modified-Since", &validator.last_modified),
            ] {
                request.headers.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
            }
            Ok(request)
        };
        let allowance = client.budget().allowance();
        let fetched = client
            .fetch(&ask, &plan, &on_status, meter, (&allowance, &lane, &Held::default()))
            .await
            .map_err(|error| {
                client
                    .origin()
                    .scrubbed(error)
                    .with("stream", &stream.name)
                    .with("page", validator.page)
            })?;
        if fetched.status != StatusCode::NOT_MODIFIED
            || beside(stream, &fetched.headers) != validator.beside
        {
            return Ok(false);
        }
    }
    Ok(true)
}
