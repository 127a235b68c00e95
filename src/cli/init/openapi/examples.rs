//! A body that a schema describes, to find in it what stands where.

use serde_json::Value;

use crate::cli::init::openapi::document::Document;
use crate::cli::init::openapi::schema::whole;
use crate::cli::sample::names::{folded, is_one};
use crate::cli::sample::tree::Tree;

/// Objects and lists inside one another; deeper there is no envelope.
const DEPTH: usize = 6;

/// A body of this schema: every property, one item a list, numbers 1, links where the names say so.
pub(super) fn example(document: &Document, schema: &Value) -> Tree {
    of(document, schema, "", DEPTH)
}

fn of(document: &Document, schema: &Value, key: &str, depth: usize) -> Tree {
    let Some(deeper) = depth.checked_sub(1) else { return Tree::Null };
    let whole = whole(document, schema);
    if whole.is("array") {
        let item = whole.items.as_ref().map(|items| of(document, items, "", deeper));
        return Tree::List(item.into_iter().collect());
    }
    if whole.is("object") {
        let one = |(name, property): (&String, &Value)| {
            (name.clone(), of(document, property, name, deeper))
        };
        return Tree::Map(whole.properties.iter().map(one).collect());
    }
    match whole.types.first().map(String::as_str) {
        Some("boolean") => Tree::Bool(true),
        Some("integer" | "number") => Tree::Number("1".to_owned()),
        Some("string") => text(key, &whole.format),
        _ => Tree::Null,
    }
}

fn text(key: &str, format: &str) -> Tree {
    let name = folded(key);
    let is_link = matches!(format, "uri" | "url" | "uri-reference")
        || name.ends_with("url")
        || name.ends_with("link")
        || name.ends_with("uri")
        || name == "href";
    if is_link {
        return Tree::Text("https://h/next".to_owned());
    }
    // A link or a token: what stands beside it tells.
    if is_one(key, &["next", "previous", "prev"]) {
        return Tree::Null;
    }
    Tree::Text("x".to_owned())
}
