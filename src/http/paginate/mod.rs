//! Pagination: what a position puts into a request, and what a page says of the next one.
//!
//! Two verbs for each declared type, and no I/O: [`ask`] turns a cursor into parameters, [`advance`] turns a
//! page into the next cursor. One file a variant.

mod cursor;
pub mod link_header;
mod next_url;
mod offset;
mod page;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use crate::error::Result;
use crate::http::envelope::{Envelope, Plan};
use crate::page::Cursor;
use crate::spec::pagination::Pagination;

/// What a cursor puts into a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// Query parameters, instead of declared ones of the same name.
    pub(super) query: Vec<(String, String)>,
    /// A header.
    pub(super) header: Option<(String, String)>,
    /// A top-level key of the JSON body.
    pub(super) body: Option<(String, String)>,
    /// A URL to use as it is, instead of base URL, path and parameters.
    pub(super) url: Option<String>,
    /// The page number, for templates.
    pub(super) page: Option<u64>,
    /// The token, for templates.
    pub(super) cursor: Option<String>,
}

/// A page that has arrived, and where the stream stands with it.
pub(super) struct Turn<'a> {
    /// What was asked for.
    pub(super) asked: &'a Cursor,
    /// The stream's pointers.
    pub(super) plan: &'a Plan,
    /// What the body says.
    pub(super) envelope: &'a Envelope,
    /// The response's headers.
    pub(super) headers: &'a HeaderMap,
    /// Records in this page.
    pub(super) received: u64,
    /// The page's last record.
    pub(super) last_record: Option<Bytes>,
    /// Records up to and with this page.
    pub(super) records: u64,
    /// The last total that the API named.
    pub(super) total: Option<u64>,
}

/// What to ask for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A number or token of ours.
    Cursor(Cursor),
    /// A URL as the API named it, to be resolved and checked.
    Link(String),
}

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

impl Turn<'_> {
    /// Whether numbered pages end here: an empty page, `has_more` false, or the total reached. A page
    /// shorter than was asked for ends only where that is declared, because servers cap page sizes.
    fn ends_by_count(&self, short_page_ends: bool, size: Option<u64>) -> Result<bool> {
        let short = short_page_ends && size.is_some_and(|size| self.received < size);
        let complete = self.total.is_some_and(|total| self.records >= total);
        let no_more = self.plan.has_more(self.envelope)? == Some(false);
        Ok(self.received == 0 || no_more || complete || short)
    }
}
