//! The errors for a `records` pointer that leads nowhere, or to no array: what stands there instead.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{Error, ErrorKind};
use crate::json::outline::kind;
use crate::json::scanner::text_at;
use crate::spec::pointer::Pointer;

/// Keys that the message lists at most.
const LISTED: usize = 20;

/// `Api`: names the pointer, the nearest place that is there, and its keys.
pub(super) fn error(pointer: &Pointer, body: &[u8]) -> Error {
    let tokens = pointer.tokens();
    let error = Error::new(ErrorKind::Api, format!("records `{pointer}` is not in the body"));
    for depth in (0..tokens.len()).rev() {
        let (Some(parent), Some(token)) = (tokens.get(..depth), tokens.get(depth)) else {
            continue;
        };
        let Some(text) = text_at(parent, body) else { continue };
        let place = if depth == 0 { "the body".to_owned() } else { format!("`{}`", show(parent)) };
        let Some(keys) = keys(text) else {
            return error.hint(format!("{place} is {}, not an object", kind(text)));
        };
        return error.hint(hint(&place, token, &keys));
    }
    error
}

/// `Api`: says what stands at the pointer instead of an array.
pub(super) fn not_array(pointer: &Pointer, stands: &str, body: &[u8]) -> Error {
    let hint = "`records` is the JSON Pointer of the array of records in a page";
    if !pointer.tokens().is_empty() {
        let message = format!("records `{pointer}` is {stands}, not an array");
        return Error::new(ErrorKind::Api, message).hint(hint);
    }
    let keys = std::str::from_utf8(body).ok().and_then(keys).unwrap_or_default();
    let keys: Vec<&str> = keys.iter().take(LISTED).map(String::as_str).collect();
    let listed = match keys.is_empty() {
        true => String::new(),
        false => format!("; the body has the keys {}", keys.join(", ")),
    };
    Error::new(ErrorKind::Api, format!("the body is {stands}, not an array of records"))
        .hint(format!("{hint}{listed}"))
}

fn hint(place: &str, token: &str, keys: &BTreeSet<String>) -> String {
    if keys.is_empty() {
        return format!("{place} is an empty object");
    }
    let shown: Vec<&str> = keys.iter().take(LISTED).map(String::as_str).collect();
    let more = if keys.len() > LISTED { ", …" } else { "" };
    let nearest = keys
        .iter()
        .map(|key| (strsim::jaro_winkler(&key.to_lowercase(), &token.to_lowercase()), key))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let nearest = nearest.map(|(_, key)| format!("; did you mean `{key}`?")).unwrap_or_default();
    format!("{place} has the keys {}{more}{nearest}", shown.join(", "))
}

fn show(tokens: &[String]) -> String {
    tokens.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect()
}

/// The keys of an object; `None` for anything else.
fn keys(text: &str) -> Option<BTreeSet<String>> {
    let map = std::collections::BTreeMap::<String, IgnoredAny>::deserialize(
        &mut serde_json::Deserializer::from_str(text),
    );
    map.ok().map(|map| map.into_keys().collect())
}
