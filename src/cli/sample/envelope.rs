//! Where a page seems to hold its records, and what else stands beside them.

use crate::cli::sample::names::{folded, is_one};
use crate::cli::sample::tree::Tree;

/// Objects inside one another that are looked into.
const DEPTH: usize = 4;

/// Keys that lists of records go by, the likeliest first.
const LISTS: [&str; 14] = [
    "data", "items", "results", "records", "result", "rows", "entries", "content", "value",
    "values", "list", "hits", "edges", "elements",
];

/// A value beside the records.
#[derive(Clone, Debug)]
pub(crate) struct Leaf<'a> {
    /// The reference tokens that lead to it.
    pub(crate) tokens: Vec<String>,
    /// The last of them.
    pub(crate) key: &'a str,
    /// The one before, folded; empty at the top.
    pub(crate) parent: String,
    /// The value: no object.
    pub(crate) value: &'a Tree,
}

impl Leaf<'_> {
    /// Its JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        pointer(&self.tokens)
    }

    /// Whether its key folds to one of `names`.
    pub(crate) fn is(&self, names: &[&str]) -> bool {
        is_one(self.key, names)
    }
}

/// A JSON Pointer's text (RFC 6901 §3).
pub(crate) fn pointer(tokens: &[String]) -> String {
    tokens.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect()
}

/// Everything in a body but what stands in arrays.
pub(crate) fn leaves(body: &Tree) -> Vec<Leaf<'_>> {
    fn walk<'a>(tree: &'a Tree, tokens: &[String], found: &mut Vec<Leaf<'a>>) {
        let parent = tokens.last().map(|token| folded(token)).unwrap_or_default();
        for (key, value) in tree.entries() {
            let mut tokens = tokens.to_vec();
            tokens.push(key.clone());
            if value.is_map() && tokens.len() < DEPTH {
                walk(value, &tokens, found);
            } else {
                found.push(Leaf { tokens, key, parent: parent.clone(), value });
            }
        }
    }
    let mut found = Vec::new();
    walk(body, &[], &mut found);
    found
}

/// Where the records seem to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordsAt {
    /// The reference tokens.
    pub(crate) tokens: Vec<String>,
    /// Pointers of other arrays that could be meant.
    pub(crate) others: Vec<String>,
}

/// Finds the array of records: the body itself, or the likeliest array of objects in it. `stream` is a name that it may
/// go by. An empty array counts only where no array has objects.
pub(crate) fn records(body: &Tree, leaves: &[Leaf<'_>], stream: &str) -> Option<RecordsAt> {
    if matches!(body, Tree::List(_)) {
        return Some(RecordsAt { tokens: Vec::new(), others: Vec::new() });
    }
    let arrays = leaves.iter().filter(|leaf| is_records(leaf.value));
    let mut ranked: Vec<(_, &Leaf<'_>)> = arrays.map(|leaf| (rank(leaf, stream), leaf)).collect();
    // A stable sort: of equals the first in the body.
    ranked.sort_by_key(|(rank, _)| *rank);
    let (_, best) = ranked.first()?;
    let others = ranked.iter().skip(1).filter(|(_, leaf)| !leaf.value.items().is_empty());
    Some(RecordsAt {
        tokens: best.tokens.clone(),
        others: others.map(|(_, leaf)| leaf.pointer()).collect(),
    })
}

fn is_records(value: &Tree) -> bool {
    matches!(value, Tree::List(items) if items.iter().all(Tree::is_map))
}

/// The lower the likelier: arrays with records, then well-known names, then the fewest steps, then the most records.
fn rank(leaf: &Leaf<'_>, stream: &str) -> (bool, usize, usize, std::cmp::Reverse<usize>) {
    let key = folded(leaf.key);
    let stream = folded(stream);
    let is_stream = !stream.is_empty() && key == stream;
    let named = LISTS.iter().position(|name| *name == key).map_or(LISTS.len() + 1, |at| at + 1);
    let named = if is_stream { 0 } else { named };
    let items = leaf.value.items().len();
    (items == 0, named, leaf.tokens.len(), std::cmp::Reverse(items))
}

/// Where the API seems to say how many records there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TotalAt {
    /// In the body.
    Pointer(String),
    /// In this header.
    Header(String),
}

/// Finds the total. `received` are the records of this page.
pub(crate) fn total(
    leaves: &[Leaf<'_>],
    headers: &[(String, String)],
    received: usize,
) -> Option<TotalAt> {
    const TOTALS: [&str; 14] = [
        "total",
        "totalcount",
        "totalitems",
        "totalresults",
        "totalelements",
        "totalrecords",
        "recordstotal",
        "totalhits",
        "numfound",
        "totalentries",
        "totalsize",
        "totalrows",
        "resultcount",
        "totalnumber",
    ];
    let enough = |value: &Tree| value.count().is_some_and(|count| count >= received as u64);
    let beside = |leaf: &&Leaf<'_>| {
        let parent = leaf.parent.as_str();
        parent.is_empty()
            || ["pag", "meta", "info", "result", "links", "cursor", "data", "response"]
                .iter()
                .any(|part| parent.contains(part))
    };
    let named = leaves.iter().filter(beside).find(|leaf| leaf.is(&TOTALS) && enough(leaf.value));
    if let Some(leaf) = named {
        return Some(TotalAt::Pointer(leaf.pointer()));
    }
    let header = headers.iter().find(|(name, value)| {
        is_one(name, &["xtotalcount", "xtotal", "totalcount", "xtotalrecords"])
            && value.trim().parse::<u64>().is_ok()
    });
    if let Some((name, _)) = header {
        return Some(TotalAt::Header(name.clone()));
    }
    // `count` is the page's in one API and the list's in another: of the list where it is larger, or where there are
    // links to both sides as Django REST framework has them.
    let both = ["next", "previous"].iter().all(|key| leaves.iter().any(|leaf| leaf.key == *key));
    let count = leaves.iter().filter(beside).find(|leaf| {
        let larger = leaf.value.count().is_some_and(|count| count > received as u64);
        leaf.is(&["count"]) && (larger || (both && enough(leaf.value)))
    });
    count.map(|leaf| TotalAt::Pointer(leaf.pointer()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str, stream: &str) -> Option<(String, usize)> {
        let tree = Tree::parse(body).expect(body);
        let at = records(&tree, &leaves(&tree), stream)?;
        Some((pointer(&at.tokens), at.others.len()))
    }

    #[test]
    fn records_are_found_by_name_place_and_number() {
        let at = |body: &str| found(body, "orders").expect(body);
        assert_eq!(at(r#"[{"id": 1}]"#), (String::new(), 0));
        assert_eq!(at(r#"{"included": [{}], "data": [{}]}"#), ("/data".to_owned(), 1));
        assert_eq!(
            at(r#"{"x": [{}], "result": {"orders": [{}]}}"#),
            ("/result/orders".to_owned(), 1)
        );
        assert_eq!(at(r#"{"a/b": [{}], "tags": ["x"]}"#), ("/a~1b".to_owned(), 0));
        assert_eq!(at(r#"{"errors": [], "rows2": [{}]}"#), ("/rows2".to_owned(), 0));
        assert_eq!(at(r#"{"few": [{}], "many": [{}, {}]}"#), ("/many".to_owned(), 1));
        assert_eq!(at(r#"{"items": []}"#), ("/items".to_owned(), 0));
        assert_eq!(found(r#"{"id": 1, "tags": ["x"]}"#, "orders"), None);
        assert_eq!(found("3", "orders"), None);
    }

    fn totals(body: &str, headers: &[(&str, &str)]) -> Option<TotalAt> {
        let tree = Tree::parse(body).expect(body);
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        total(&leaves(&tree), &headers, 2)
    }

    #[test]
    fn a_total_is_no_sum_and_no_count_of_the_page() {
        let at = |pointer: &str| Some(TotalAt::Pointer(pointer.to_owned()));
        assert_eq!(totals(r#"{"meta": {"total": 5}}"#, &[]), at("/meta/total"));
        assert_eq!(totals(r#"{"totalCount": 2}"#, &[]), at("/totalCount"));
        assert_eq!(totals(r#"{"order": {"total": 900}}"#, &[]), None);
        assert_eq!(totals(r#"{"total": 1}"#, &[]), None);
        assert_eq!(totals(r#"{"total": 12.5}"#, &[]), None);
        assert_eq!(totals(r#"{"count": 2, "items": []}"#, &[]), None);
        assert_eq!(totals(r#"{"count": 3, "items": []}"#, &[]), at("/count"));
        assert_eq!(totals(r#"{"count": 2, "next": null, "previous": null}"#, &[]), at("/count"));
        let header = totals("[]", &[("x-total-count", "7")]);
        assert_eq!(header, Some(TotalAt::Header("x-total-count".to_owned())));
    }
}
