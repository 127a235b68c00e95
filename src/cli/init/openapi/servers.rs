//! Where the API is: the first server of the operation, its path, or the document.

use serde_json::Value;
use url::Url;

use crate::cli::init::draft::PLACEHOLDER;
use crate::cli::init::openapi::document::Document;
use crate::cli::init::openapi::operation::Operation;

/// A base URL.
pub(super) struct Base {
    /// The URL, without a slash at its end.
    pub(super) url: String,
    /// Whether it is more than a stand-in.
    pub(super) known: bool,
    /// What is to be looked at.
    pub(super) warning: Option<String>,
}

/// The base URL of an operation; `from` is where the document came from.
pub(super) fn base_url(document: &Document, operation: &Operation<'_>, from: Option<&Url>) -> Base {
    let servers = [operation.node, operation.item, &document.0].into_iter().find_map(|node| {
        node.get("servers").and_then(Value::as_array).filter(|all| !all.is_empty())
    });
    let first = servers.and_then(|all| all.first());
    let written = first.map(filled).unwrap_or_else(|| "/".to_owned());
    let others = servers.map_or(0, |all| all.len().saturating_sub(1));
    let warning = (others > 0)
        .then(|| format!("base_url is the first of {} servers of the document", others + 1));
    let base = |url: &Url, warning| Base {
        url: url.as_str().trim_end_matches('/').to_owned(),
        known: true,
        warning,
    };
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.query().is_none();
    if let Ok(url) = Url::parse(&written) {
        if is_http(&url) && url.username().is_empty() && url.password().is_none() {
            return base(&url, warning);
        }
    } else if let Some(url) = from.and_then(|from| from.join(&written).ok()).filter(is_http) {
        return base(&url, warning);
    }
    let path = written.trim_matches('/');
    let host = PLACEHOLDER.trim_end_matches("/v1");
    let stands = if path.is_empty() || path.contains(':') {
        PLACEHOLDER.to_owned()
    } else {
        format!("{host}/{path}")
    };
    let warning = Some("the document names no host: put the API's own in base_url".to_owned());
    Base { url: stands, known: false, warning }
}

/// A server's URL with its variables at their defaults.
fn filled(server: &Value) -> String {
    let mut url = server.get("url").and_then(Value::as_str).unwrap_or("/").to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    url
}
