//! How an API seems to page: told from its headers, the envelope and the parameters that were sent.

use crate::cli::sample::envelope::Leaf;
use crate::cli::sample::names::{folded, is_one};
use crate::cli::sample::tree::Tree;
use crate::http::paginate::link_header::next_target;

/// A way to page, as it is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Paging {
    /// One page.
    #[default]
    None,
    /// Page numbers.
    Page { param: String, first: u64, size: Option<(String, u64)>, has_more: Option<String> },
    /// Offsets.
    Offset {
        param: String,
        limit_param: Option<String>,
        limit: Option<u64>,
        has_more: Option<String>,
    },
    /// A token at a JSON Pointer of the body.
    Cursor { cursor: String, param: String, has_more: Option<String> },
    /// A field of the last record.
    LastRecord { field: String, param: String, has_more: Option<String> },
    /// A URL at a JSON Pointer of the body.
    NextUrl { next: String },
    /// The Link header.
    LinkHeader,
}

/// What there is to tell by.
pub(crate) struct Signs<'a> {
    /// What stands beside the records.
    pub(crate) leaves: &'a [Leaf<'a>],
    /// The response's headers.
    pub(crate) headers: &'a [(String, String)],
    /// The parameters that were sent, or that the API takes.
    pub(crate) params: &'a [(String, Option<String>)],
    /// Whether records have a field `id`.
    pub(crate) has_id: bool,
}

const CURSORS: [&str; 13] = [
    "nextcursor",
    "cursor",
    "nextpagetoken",
    "nexttoken",
    "continuationtoken",
    "continuation",
    "endcursor",
    "nextpage",
    "pagetoken",
    "nextmarker",
    "scrollid",
    "bookmark",
    "nextpagecursor",
];
const MORE: [&str; 6] =
    ["hasmore", "hasnext", "hasnextpage", "more", "moreavailable", "hasmoreitems"];
/// Parameters of a page's size, folded.
pub(crate) const SIZES: [&str; 9] =
    ["perpage", "pagesize", "size", "limit", "count", "rows", "maxresults", "top", "take"];

impl Paging {
    /// Tells the way to page, the surest sign first.
    pub(crate) fn guess(signs: &Signs<'_>) -> Self {
        if let Some(found) = signs.link_header().or_else(|| signs.next_url()) {
            return found;
        }
        let more =
            signs.leaves.iter().find(|leaf| leaf.is(&MORE) && matches!(leaf.value, Tree::Bool(_)));
        let has_more = more.map(Leaf::pointer);
        if let Some(found) = signs.cursor(has_more.as_ref()) {
            return found;
        }
        if let Some(found) =
            signs.offset(has_more.as_ref()).or_else(|| signs.page(has_more.as_ref()))
        {
            return found;
        }
        match has_more {
            Some(has_more) if signs.has_id => Self::LastRecord {
                field: "/id".to_owned(),
                param: "starting_after".to_owned(),
                has_more: Some(has_more),
            },
            _ => Self::None,
        }
    }

    /// The parameters that it sends by itself.
    pub(crate) fn params(&self) -> Vec<&str> {
        match self {
            Self::None | Self::NextUrl { .. } | Self::LinkHeader => Vec::new(),
            Self::Page { param, size, .. } => {
                let size = size.as_ref().map(|(param, _)| param.as_str());
                std::iter::once(param.as_str()).chain(size).collect()
            }
            Self::Offset { param, limit_param, limit, .. } => {
                let limit = limit_param.as_deref().filter(|_| limit.is_some());
                std::iter::once(param.as_str()).chain(limit).collect()
            }
            Self::Cursor { param, .. } | Self::LastRecord { param, .. } => vec![param],
        }
    }
}

impl Signs<'_> {
    fn link_header(&self) -> Option<Paging> {
        let mut links = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link"));
        // The last page names the ones before it.
        let pages = |value: &str| {
            next_target(value).is_some()
                || ["prev", "first", "last"]
                    .iter()
                    .any(|rel| value.contains(&format!("rel=\"{rel}\"")))
        };
        links.any(|(_, value)| pages(value)).then_some(Paging::LinkHeader)
    }

    fn next_url(&self) -> Option<Paging> {
        const NEXT: [&str; 7] = [
            "next",
            "nexturl",
            "nextlink",
            "nextpageurl",
            "odatanextlink",
            "nextpageuri",
            "nextpagelink",
        ];
        let is_url = |text: &str| {
            text.starts_with("http://")
                || text.starts_with("https://")
                || text.starts_with(['/', '?'])
        };
        let linked = |leaf: &Leaf<'_>| {
            let name = folded(leaf.key);
            // `null` on the last page: the name alone must say that it is a link.
            (NEXT.contains(&name.as_str()) && name != "next")
                || leaf.parent.contains("link")
                || self.leaves.iter().any(|other| {
                    other.tokens.len() == leaf.tokens.len()
                        && other.is(&["previous", "prev", "first", "last", "self"])
                })
        };
        let found = self.leaves.iter().find(|leaf| {
            let named = leaf.is(&NEXT)
                || (leaf.is(&["href", "uri", "url"])
                    && matches!(leaf.parent.as_str(), "next" | "nextpage"));
            named
                && match leaf.value {
                    Tree::Text(text) => is_url(text),
                    Tree::Null => linked(leaf),
                    _ => false,
                }
        });
        found.map(|leaf| Paging::NextUrl { next: leaf.pointer() })
    }

    fn cursor(&self, has_more: Option<&String>) -> Option<Paging> {
        let token = |leaf: &&Leaf<'_>| match leaf.value {
            Tree::Text(text) => !text.is_empty(),
            Tree::Number(_) => leaf.is(&["nextpage", "nextcursor"]),
            // Alone it may be the request's own, of which there was none.
            Tree::Null => has_more.is_some() || !leaf.is(&["cursor"]),
            _ => false,
        };
        let leaf = self.leaves.iter().filter(token).find(|leaf| {
            let after = leaf.is(&["after", "next"])
                && ["cursor", "paging", "pagination"].iter().any(|part| leaf.parent.contains(part));
            leaf.is(&CURSORS) || after
        })?;
        let cursor = leaf.pointer();
        Some(Paging::Cursor { param: self.cursor_param(leaf), cursor, has_more: has_more.cloned() })
    }

    /// The parameter that takes the token: one that was sent, else what the token's own name suggests.
    fn cursor_param(&self, leaf: &Leaf<'_>) -> String {
        const PARAMS: [&str; 10] = [
            "cursor",
            "pagetoken",
            "after",
            "startingafter",
            "nexttoken",
            "continuationtoken",
            "marker",
            "scrollid",
            "bookmark",
            "pagecursor",
        ];
        if matches!(leaf.value, Tree::Number(_)) || leaf.is(&["nextpage"]) {
            let sent = self.params.iter().find(|(name, _)| is_one(name, &["page", "pagenumber"]));
            return sent.map_or_else(|| "page".to_owned(), |(name, _)| name.clone());
        }
        if let Some((name, _)) = self.params.iter().find(|(name, _)| is_one(name, &PARAMS)) {
            return name.clone();
        }
        let key = leaf.key;
        match folded(key).as_str() {
            "nextpagetoken" | "pagetoken" if key.contains('_') => "page_token".to_owned(),
            "nextpagetoken" | "pagetoken" => "pageToken".to_owned(),
            "nexttoken" | "continuationtoken" | "scrollid" | "bookmark" => key.to_owned(),
            "nextmarker" => "marker".to_owned(),
            "endcursor" | "after" => "after".to_owned(),
            _ => "cursor".to_owned(),
        }
    }

    fn param(&self, names: &[&str]) -> Option<(&String, Option<u64>)> {
        let (name, value) = self.params.iter().find(|(name, _)| is_one(name, names))?;
        let number = value.as_deref().and_then(|value| value.parse().ok());
        (value.is_none() || number.is_some()).then_some((name, number))
    }

    fn number(&self, names: &[&str]) -> Option<u64> {
        self.leaves.iter().find(|leaf| leaf.is(names)).and_then(|leaf| leaf.value.count())
    }

    fn size(&self) -> Option<(String, u64)> {
        let (name, value) = self.param(&SIZES)?;
        let size = value.or_else(|| self.number(&SIZES)).filter(|size| *size > 0)?;
        Some((name.clone(), size))
    }

    fn offset(&self, has_more: Option<&String>) -> Option<Paging> {
        const OFFSETS: [&str; 4] = ["offset", "skip", "startat", "startindex"];
        let sent = self.param(&OFFSETS).map(|(name, _)| name.clone());
        let named = || {
            let leaf = self
                .leaves
                .iter()
                .find(|leaf| leaf.is(&OFFSETS) && leaf.value.count().is_some())?;
            Some(leaf.key.to_owned())
        };
        let param = sent.or_else(named)?;
        let size = self.size().or_else(|| Some(("limit".to_owned(), self.number(&["limit"])?)));
        Some(Paging::Offset {
            param,
            limit: size.as_ref().map(|(_, limit)| *limit).filter(|limit| *limit > 0),
            limit_param: size.map(|(param, _)| param),
            has_more: has_more.cloned(),
        })
    }

    fn page(&self, has_more: Option<&String>) -> Option<Paging> {
        const PAGES: [&str; 5] = ["page", "pagenumber", "pageno", "pageindex", "p"];
        const NUMBERS: [&str; 5] = ["page", "currentpage", "pagenumber", "pageno", "pageindex"];
        const LAST: [&str; 4] = ["totalpages", "lastpage", "pages", "pagecount"];
        let sent = self.param(&PAGES).map(|(name, number)| (name.clone(), number));
        let stands = self.number(&NUMBERS);
        if sent.is_none() && stands.is_none() && self.number(&LAST).is_none() {
            return None;
        }
        let (param, number) = sent.unwrap_or_else(|| ("page".to_owned(), None));
        let first = number.or(stands).filter(|first| *first == 0).unwrap_or(1);
        Some(Paging::Page { param, first, size: self.size(), has_more: has_more.cloned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample::envelope::leaves;

    fn guess(body: &str, headers: &[(&str, &str)], query: &str, has_id: bool) -> String {
        let tree = Tree::parse(body).expect(body);
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let params: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), Some(value.into_owned())))
            .collect();
        let leaves = leaves(&tree);
        let signs = Signs { leaves: &leaves, headers: &headers, params: &params, has_id };
        format!("{:?}", Paging::guess(&signs)).replace("Some(", "(").replace(".to_owned()", "")
    }

    #[test]
    fn each_way_is_told_by_its_signs() {
        let of = |body: &str, query: &str| guess(body, &[], query, true);
        let link = [("link", "</a?page=2>; rel=\"next\"")];
        assert_eq!(guess("[]", &link, "page=1", true), "LinkHeader");
        let last = [("link", "</a?page=1>; rel=\"prev\"")];
        assert_eq!(guess("[]", &last, "", true), "LinkHeader");
        assert_eq!(of(r#"{"next": "https://h/a?page=2"}"#, ""), "NextUrl { next: \"/next\" }");
        assert_eq!(of(r#"{"next": null, "previous": null}"#, ""), "NextUrl { next: \"/next\" }");
        assert_eq!(
            of(r#"{"_links": {"next": {"href": "/a?c=1"}}}"#, ""),
            "NextUrl { next: \"/_links/next/href\" }"
        );
        assert_eq!(
            of(r#"{"meta": {"nextPageToken": "x"}}"#, ""),
            "Cursor { cursor: \"/meta/nextPageToken\", param: \"pageToken\", has_more: None }"
        );
        assert_eq!(
            of(r#"{"next_cursor": null, "has_more": false}"#, "after=x"),
            "Cursor { cursor: \"/next_cursor\", param: \"after\", has_more: (\"/has_more\") }"
        );
        assert_eq!(
            of(r#"{"cursor": null, "has_more": false}"#, ""),
            "Cursor { cursor: \"/cursor\", param: \"cursor\", has_more: (\"/has_more\") }"
        );
        assert_eq!(
            of(r#"{"next_page": 2, "page": 1}"#, "page=1"),
            "Cursor { cursor: \"/next_page\", param: \"page\", has_more: None }"
        );
        assert_eq!(
            of(r#"{"paging": {"cursors": {"after": "MTA="}}}"#, ""),
            "Cursor { cursor: \"/paging/cursors/after\", param: \"after\", has_more: None }"
        );
        assert_eq!(
            of(r#"{"has_more": true}"#, "limit=10"),
            "LastRecord { field: \"/id\", param: \"starting_after\", has_more: (\"/has_more\") }"
        );
        assert_eq!(
            of(r#"{"current_page": 1, "last_page": 9}"#, "per_page=50"),
            "Page { param: \"page\", first: 1, size: ((\"per_page\", 50)), has_more: None }"
        );
        assert_eq!(
            of("[]", "p=0&size=20"),
            "Page { param: \"p\", first: 0, size: ((\"size\", 20)), has_more: None }"
        );
        assert_eq!(
            of(r#"{"offset": 0, "limit": 25}"#, ""),
            "Offset { param: \"offset\", limit_param: (\"limit\"), limit: (25), has_more: None }"
        );
        assert_eq!(
            of("[]", "skip=0&count=100"),
            "Offset { param: \"skip\", limit_param: (\"count\"), limit: (100), has_more: None }"
        );
        assert_eq!(guess(r#"{"has_more": true}"#, &[], "", false), "None");
        assert_eq!(of("[]", "from=1"), "None");
    }
}
