//! What every pagination type reads and answers.

use bytes::Bytes;
use reqwest::header::HeaderMap;

use crate::error::Result;
use crate::http::envelope::{Envelope, Plan};
use crate::page::Cursor;

/// What a cursor puts into a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Ask {
    /// Query parameters, instead of declared ones of the same name.
    pub(in crate::http) query: Vec<(String, String)>,
    /// A header.
    pub(in crate::http) header: Option<(String, String)>,
    /// A top-level key of the JSON body.
    pub(in crate::http) body: Option<(String, String)>,
    /// A URL to use as it is, instead of base URL, path and parameters.
    pub(in crate::http) url: Option<String>,
    /// The page number, for templates.
    pub(in crate::http) page: Option<u64>,
    /// The token, for templates.
    pub(in crate::http) cursor: Option<String>,
}

/// A page that has arrived, and where the stream stands with it.
pub(in crate::http) struct Turn<'a> {
    /// What was asked for.
    pub(in crate::http) asked: &'a Cursor,
    /// The stream's pointers.
    pub(in crate::http) plan: &'a Plan,
    /// What the body says.
    pub(in crate::http) envelope: &'a Envelope,
    /// The response's headers.
    pub(in crate::http) headers: &'a HeaderMap,
    /// Records in this page.
    pub(in crate::http) received: u64,
    /// The page's last record.
    pub(in crate::http) last_record: Option<Bytes>,
    /// Records up to and with this page.
    pub(in crate::http) records: u64,
    /// The last total that the API named.
    pub(in crate::http) total: Option<u64>,
}

/// What to ask for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Next {
    /// A number or token of ours.
    Cursor(Cursor),
    /// A URL as the API named it, to be resolved and checked.
    Link(String),
}

impl Turn<'_> {
    /// Whether numbered pages end here: an empty page, `has_more` false, or the total reached. A page
    /// shorter than was asked for ends only where that is declared, because servers cap page sizes.
    pub(super) fn ends_by_count(&self, short_page_ends: bool, size: Option<u64>) -> Result<bool> {
        let short = short_page_ends && size.is_some_and(|size| self.received < size);
        let complete = self.total.is_some_and(|total| self.records >= total);
        let no_more = self.plan.has_more(self.envelope)? == Some(false);
        Ok(self.received == 0 || no_more || complete || short)
    }
}
