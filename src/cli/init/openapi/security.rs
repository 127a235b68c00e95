//! How an operation is authenticated: the first of its requirements that a source file can declare.

use serde_json::Value;

use crate::cli::init::auth::{Auth, variable};
use crate::cli::init::openapi::document::Document;
use crate::cli::init::openapi::operation::Operation;

/// The auth of an operation of the source `name`, and what is unclear about it.
pub(super) fn auth(
    document: &Document,
    operation: &Operation<'_>,
    name: &str,
) -> (Auth, Option<String>) {
    let required = operation.node.get("security").or_else(|| document.0.get("security"));
    let required = required.and_then(Value::as_array);
    let mut unclear = None;
    for requirement in required.into_iter().flatten().filter_map(Value::as_object) {
        let Some((scheme, _)) = requirement.iter().next() else {
            // An empty requirement: it can be asked without credentials.
            return (Auth::none(), None);
        };
        let node =
            document.0.pointer("/components/securitySchemes").and_then(|all| all.get(scheme));
        let Some(node) = node.and_then(|node| document.resolve(node).ok()) else { continue };
        match of_scheme(node, name) {
            Ok((auth, note)) if requirement.len() == 1 => return (auth, note),
            Ok((auth, note)) => {
                let others: Vec<&str> = requirement.keys().skip(1).map(String::as_str).collect();
                let more = format!(
                    "the API also wants {}: declare it under `headers` or `params`",
                    others.join(", ")
                );
                return (
                    auth,
                    Some(note.map_or_else(|| more.clone(), |note| format!("{note}; {more}"))),
                );
            }
            Err(why) => {
                unclear =
                    Some(format!("the security scheme `{scheme}` {why}: put in `auth` what fits"))
            }
        }
    }
    (Auth::none(), unclear)
}

/// The auth of a security scheme.
///
/// # Errors
/// Why no source file can declare it, as the end of a sentence.
fn of_scheme(node: &Value, source: &str) -> Result<(Auth, Option<String>), String> {
    let text = |key: &str| node.get(key).and_then(Value::as_str).unwrap_or_default();
    let token = || variable(source, "TOKEN");
    match (text("type"), text("scheme").to_ascii_lowercase().as_str(), text("in")) {
        ("http", "bearer", _) => Ok((Auth::bearer(&token()), None)),
        ("http", "basic", _) => {
            Ok((Auth::basic(&variable(source, "USERNAME"), &variable(source, "PASSWORD")), None))
        }
        ("http", other, _) => Err(format!("is `{other}`, which is not known")),
        ("apiKey", _, place @ ("header" | "query")) => {
            Ok((Auth::api_key(place, text("name"), &variable(source, "API_KEY")), None))
        }
        ("apiKey", _, place) => Err(format!("is a key in a {place}, which is not known")),
        ("oauth2" | "openIdConnect", _, _) => {
            let url = node.pointer("/flows/clientCredentials/tokenUrl").and_then(Value::as_str);
            if let Some(url) = url.filter(|url| is_endpoint(url)) {
                let (id, secret) =
                    (variable(source, "CLIENT_ID"), variable(source, "CLIENT_SECRET"));
                return Ok((Auth::client(url, &id, &secret), None));
            }
            let note = "the API takes OAuth 2 tokens: `auth` has one that is fixed and expires; an auth type \
                        that gets them may fit better";
            Ok((Auth::bearer(&token()), Some(note.to_owned())))
        }
        (other, _, _) => Err(format!("is of the type `{other}`, which is not known")),
    }
}

/// Whether a source file may name this token endpoint.
fn is_endpoint(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_oauth_client_is_declared_where_its_endpoint_is_named() {
        let scheme = |url: &str| {
            let node = json!({"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": url}}});
            of_scheme(&node, "shop").expect("auth")
        };
        let (auth, note) = scheme("https://a.example/token");
        assert_eq!(
            (auth.variables, note),
            (vec!["SHOP_CLIENT_ID".into(), "SHOP_CLIENT_SECRET".into()], None)
        );
        for url in ["/oauth/token", "ftp://a.example/token", "https://me:pw@a.example/token", ""] {
            let (auth, note) = scheme(url);
            assert_eq!(auth.variables, ["SHOP_TOKEN"], "{url}");
            assert!(note.is_some(), "{url}");
        }
    }
}
