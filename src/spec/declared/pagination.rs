//! The ways to page as they are written (DESIGN §3).

use schemars::JsonSchema;
use serde::Deserialize;

/// How the next page is asked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Pagination {
    /// One page.
    None {},
    /// Page numbers.
    Page {
        /// The query parameter of the page number. Default page.
        param: Option<String>,
        /// The number of the first page. Default 1.
        first: Option<u64>,
        /// The query parameter of the page size.
        size_param: Option<String>,
        /// The page size asked for; the server may give less.
        #[schemars(range(min = 1))]
        size: Option<u64>,
        /// The JSON Pointer of a boolean that says whether more pages follow.
        has_more: Option<String>,
        /// Whether a page shorter than the size is the last one. Default false, for servers cap page sizes.
        short_page_ends: Option<bool>,
    },
    /// Offsets, advanced by the records received.
    Offset {
        /// The query parameter of the offset. Default offset.
        param: Option<String>,
        /// The query parameter of the page size. Default limit.
        limit_param: Option<String>,
        /// The page size asked for; the server may give less.
        #[schemars(range(min = 1))]
        limit: Option<u64>,
        /// The JSON Pointer of a boolean that says whether more pages follow.
        has_more: Option<String>,
        /// Whether a page shorter than the limit is the last one. Default false, for servers cap page sizes.
        short_page_ends: Option<bool>,
    },
    /// A token that the API gives for the next page.
    Cursor {
        /// Where the token stands: a JSON Pointer, a list of them, a header, or a field of the last record.
        #[schemars(required)]
        cursor: Option<Cursor>,
        /// The parameter that carries the token. Default cursor.
        param: Option<String>,
        /// Where the parameter goes. Default query.
        r#in: Option<CursorPlace>,
        /// The JSON Pointer of a boolean that says whether more pages follow.
        has_more: Option<String>,
    },
    /// The URL of the next page in the body.
    NextUrl {
        /// The JSON Pointer of the URL. Default /next.
        next: Option<String>,
    },
    /// The Link header with `rel="next"`, RFC 8288.
    LinkHeader {},
}

/// Where the token of the next page stands.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Cursor {
    /// A JSON Pointer into the body.
    Pointer(String),
    /// JSON Pointers into the body; the first that is present is taken.
    Pointers(Vec<String>),
    /// A header or a field of the last record.
    Elsewhere(Elsewhere),
}

/// A place outside of the envelope.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Elsewhere {
    /// The response header that holds the token.
    Header(String),
    /// The JSON Pointer of the token in the page's last record.
    LastRecord(String),
}

/// Where the cursor goes in the next request.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CursorPlace {
    /// The query string.
    Query,
    /// A top-level key of the JSON body.
    Body,
    /// A header.
    Header,
}
