//! Pagination: what a position puts into a request, and what a page says of the next one.
//!
//! Two verbs for each declared type, and no I/O: `ask` turns a cursor into parameters, `advance` turns a
//! page into the next cursor. One file a variant.

mod cursor;
pub mod link_header;
mod next_url;
mod offset;
mod page;
mod turn;

pub(super) use self::turn::{Ask, Next, Turn};
use crate::error::Result;
use crate::page::Cursor;
use crate::spec::pagination::Pagination;

/// What `cursor` puts into a request.
pub(super) fn ask(pagination: &Pagination, cursor: &Cursor) -> Ask {
    if let Cursor::Url { url } = cursor {
        return Ask { url: Some(url.clone()), ..Ask::default() };
    }
    match pagination {
        Pagination::None | Pagination::NextUrl { .. } | Pagination::LinkHeader => Ask::default(),
        Pagination::Page(by) => page::ask(by, cursor),
        Pagination::Offset(by) => offset::ask(by, cursor),
        Pagination::Cursor(by) => cursor::ask(by, cursor),
    }
}

/// What to ask for after this page; `None` after the last.
///
/// # Errors
/// `Api` when the page says something that cannot be followed.
pub(super) fn advance(pagination: &Pagination, turn: &Turn<'_>) -> Result<Option<Next>> {
    match pagination {
        Pagination::None => Ok(None),
        Pagination::Page(by) => page::advance(by, turn),
        Pagination::Offset(by) => offset::advance(by, turn),
        Pagination::Cursor(by) => cursor::advance(by, turn),
        Pagination::NextUrl { .. } => next_url::advance(turn),
        Pagination::LinkHeader => Ok(link_header::advance(turn)),
    }
}
