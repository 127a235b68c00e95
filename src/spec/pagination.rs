//! How a stream pages, as declared; `http/paginate/` does it.

use crate::spec::pointer::Pointer;

/// The declared way to page. One variant a `type`.
#[derive(Clone, Debug)]
pub enum Pagination {
    /// One page.
    None,
    /// Page numbers.
    Page(ByPage),
    /// Offsets.
    Offset(ByOffset),
    /// An opaque token.
    Cursor(ByCursor),
    /// A URL in the body.
    NextUrl {
        /// Where it stands.
        next: Pointer,
    },
    /// `Link: <…>; rel="next"`, RFC 8288.
    LinkHeader,
}

/// Page numbers.
#[derive(Clone, Debug)]
pub struct ByPage {
    /// The query parameter of the number. Default `page`.
    pub param: String,
    /// The first page's number. Default 1.
    pub first: u64,
    /// The query parameter of the page size.
    pub size_param: Option<String>,
    /// The page size asked for; the server may cap it.
    pub size: Option<u64>,
    /// A boolean in the body that says whether more follow.
    pub has_more: Option<Pointer>,
    /// Whether a page shorter than `size` is the last. Default false: servers cap page sizes.
    pub short_page_ends: bool,
}

/// Offsets, advanced by the records received.
#[derive(Clone, Debug)]
pub struct ByOffset {
    /// The query parameter of the offset. Default `offset`.
    pub param: String,
    /// The query parameter of the page size. Default `limit`.
    pub limit_param: String,
    /// The page size asked for; the server may cap it.
    pub limit: Option<u64>,
    /// A boolean in the body that says whether more follow.
    pub has_more: Option<Pointer>,
    /// Whether a page shorter than `limit` is the last. Default false.
    pub short_page_ends: bool,
}

/// An opaque token.
#[derive(Clone, Debug)]
pub struct ByCursor {
    /// Where the token of the next page stands.
    pub cursor: CursorFrom,
    /// The parameter that carries it. Default `cursor`.
    pub param: String,
    /// Where the parameter goes. Default query.
    pub place: CursorPlace,
    /// A boolean in the body that says whether more follow.
    pub has_more: Option<Pointer>,
}

/// Where the token of the next page stands.
#[derive(Clone, Debug)]
pub enum CursorFrom {
    /// In the body: the first of these that is present and not null.
    Body(Vec<Pointer>),
    /// In a response header.
    Header(String),
    /// In the page's last record.
    LastRecord(Pointer),
}

/// Where the cursor goes in the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorPlace {
    /// The query string.
    #[default]
    Query,
    /// A top-level key of the JSON body.
    Body,
    /// A header.
    Header,
}
