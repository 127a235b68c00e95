//! Credentials in a URL's query.

use url::Url;

/// Removes the query pairs that `remove` picks, and leaves the others byte for byte as they are.
pub(super) fn without_query(url: &mut Url, remove: impl Fn(&str, &str) -> bool) {
    let Some(query) = url.query() else { return };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|part| {
            !url::form_urlencoded::parse(part.as_bytes()).any(|(key, value)| remove(&key, &value))
        })
        .collect();
    let kept = kept.join("&");
    if kept != query {
        url.set_query((!kept.is_empty()).then_some(&kept));
    }
}
