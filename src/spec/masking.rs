//! Which bytes of a file may be a secret, so that no message shows them.
//!
//! Wider than the declaration: a secret under a misspelt key, or in a file that is no YAML, is still a secret.

use std::ops::Range;

use crate::redact;
use crate::spec::yaml::{Kind, Node};

/// Keys whose values are taken for secrets wherever they stand.
const SECRET_KEYS: [&str; 6] = ["value", "username", "passwd", "client_id", "key", "signature"];

/// Parts of keys whose values are taken for secrets.
const SECRET_PARTS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "private_key",
    "api_key",
    "api-key",
    "apikey",
    "authoriz",
    "x-auth",
    "cookie",
];

/// Words before a credential in a header.
const SCHEMES: [&str; 4] = ["bearer ", "basic ", "token ", "apikey "];

/// Keys of `auth`, and of a webhook's `signature`, whose values are no secrets.
const PLAIN_KEYS: [&str; 22] = [
    "type",
    "header",
    "query",
    "env",
    "file",
    "algorithm",
    "encoding",
    "client_auth",
    "region",
    "service",
    "token_url",
    "token_store",
    "scope",
    "extra",
    "body",
    "claims",
    "string_to_sign",
    "headers",
    "signature",
    "prefix",
    "timestamp",
    "tolerance",
];

/// Whether a value of this key is taken for a secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    (redact::is_secret_key(&key) && key != "auth")
        || SECRET_KEYS.contains(&key.as_str())
        || SECRET_PARTS.iter().any(|part| key.contains(part))
        || key.len() < 40 && strsim::damerau_levenshtein(&key, "authorization") <= 3
}

/// Whether `text` starts like the value of an `Authorization` header.
fn has_scheme(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// Whether one of the words before a credential stands in `line`.
fn mentions_scheme(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| line.contains(scheme))
}

/// Whether a key is a key and a secret value that lost what parts them.
fn is_run_together(key: &str) -> bool {
    let has_more = key.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    has_more && is_secret_key(key)
}

/// Whether `name` can name an environment variable (POSIX.1-2017, section 8.1), lower case too.
pub(crate) fn is_env_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.len() <= 128
}

/// The bytes of `root` that may be a secret.
pub(crate) fn secrets(root: &Node) -> Vec<Range<usize>> {
    let mut masked = Vec::new();
    for entry in root.entries() {
        let is_auth = strsim::damerau_levenshtein(&entry.key.to_lowercase(), "auth") <= 1;
        walk(&entry.value, &entry.key, is_auth, &mut masked);
    }
    masked
}

fn walk(node: &Node, key: &str, in_auth: bool, masked: &mut Vec<Range<usize>>) {
    let in_auth = in_auth || key == "signature" && matches!(node.kind, Kind::Map(_));
    let is_plain = in_auth && (PLAIN_KEYS.contains(&key) || key == "auth");
    let secret = !is_plain && (in_auth || is_secret_key(key));
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                let reference = entry.key == "env" || entry.key == "file";
                // A key without a value, in a flow mapping, may be a value that lost its key.
                let lone = in_auth && matches!(entry.value.kind, Kind::Null);
                if lone && !PLAIN_KEYS.contains(&entry.key.as_str()) || is_run_together(&entry.key)
                {
                    masked.push(entry.span.clone());
                }
                if secret && !reference {
                    masked.push(entry.span.clone());
                    masked.push(entry.value.span.clone());
                }
                walk(&entry.value, &entry.key, in_auth || secret, masked);
            }
        }
        Kind::List(items) => items.iter().for_each(|item| walk(item, key, in_auth, masked)),
        Kind::Null => {}
        Kind::Text(text) => {
            let bad_name = key == "env" && !is_env_name(text);
            let expression = text.contains("{{") || text.starts_with('/');
            let hidden = secret && (in_auth || !expression) || in_auth && key == "auth" || bad_name;
            if hidden || has_userinfo(text) || secret_in_query(text).is_some() || has_scheme(text) {
                masked.push(node.span.clone());
            }
        }
        Kind::Bool(_) | Kind::Number(_) => {
            if secret || in_auth {
                masked.push(node.span.clone());
            }
        }
    }
}

/// Whether `text` looks like a URL with credentials.
fn has_userinfo(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
    })
}

/// The name of the first query parameter in `text`, a URL or a path, whose value is written out and taken for
/// a secret.
pub(crate) fn secret_in_query(text: &str) -> Option<&str> {
    let (_, query) = text.split_once('?')?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| {
        let literal = !value.is_empty() && !value.trim_start().starts_with("{{");
        (literal && is_secret_key(key)).then_some(key)
    })
}

/// The bytes of `text`, which is no YAML, that may be a secret: told by keys and by the `auth:` block.
pub(crate) fn secrets_of_lines(text: &str) -> Vec<Range<usize>> {
    let mut masked = Vec::new();
    let mut start = 0;
    let mut in_auth = false;
    let mut open_key = false;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indented = content.starts_with([' ', '\t']);
        // Whatever is no key may be the rest of a value that lost its place.
        let continues = !content.contains(':') || content.starts_with(['#', ':', '}', ',']);
        if !indented && !continues {
            in_auth = content.trim_start_matches(['"', '\'']).starts_with("auth");
        }
        let in_url = has_userinfo(content) || secret_in_query(content).is_some();
        if in_auth || open_key || in_url || mentions_scheme(content) {
            let value = content.find(':').filter(|_| !open_key).map_or(0, |at| at + 1);
            masked.push(start + value..start + content.len());
        } else if let Some(at) = secret_value(content) {
            masked.push(start + at..start + content.len());
        }
        let key = content.trim().trim_end_matches(':').trim_start_matches("- ");
        open_key = content.ends_with(':') && is_secret_key(key.trim_matches(['"', '\'']))
            || open_key && indented;
        start += line.len();
    }
    masked
}

/// Where the value of the first secret key of `line` starts.
fn secret_value(line: &str) -> Option<usize> {
    line.match_indices(':').find_map(|(at, _)| {
        let before = line.get(..at)?.trim_end_matches(['"', '\'', ' ']);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let key = before.rsplit(|c| !word(c)).next()?;
        is_secret_key(key).then_some(at + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::yaml::parse;

    fn shown(text: &str) -> String {
        let masked = match parse(text) {
            (Some(root), _) => secrets(&root),
            (None, _) => secrets_of_lines(text),
        };
        let hidden = |at: usize| masked.iter().any(|range| range.contains(&at));
        text.char_indices().map(|(at, c)| if hidden(at) { '*' } else { c }).collect()
    }

    #[test]
    fn literals_are_masked_wherever_they_stand() {
        for text in [
            "auth: { type: bearer, token: sk_live }",
            "auth: sk_live",
            "atuh: { type: bearer, tokn: 5, token: sk_live }",
            "auth: { type: bearer, tokn: sk_live }",
            "auth:\n  type: api_key\n  value:\n    - sk_live\n",
            "auth: { type: bearer, token: { sk_live } }",
            "auth: { type: bearer, token: { env: 'sk_live 1' } }",
            "auth: { type: bearer, token: { value: { deep: sk_live } } }",
            "headers: { Authorization: sk_live }",
            "base_url: https://sk_live@example.com",
            "http: { proxy: 'http://u:sk_live@proxy' }",
            "auth: { type: bearer, token: sk_live",
            "auth:\n  type: bearer\n  token: \"sk_live\n",
            "x: [\nheaders:\n  authorization:\n    sk_live\n",
        ] {
            assert!(!shown(text).contains("sk_live"), "{}", shown(text));
        }
    }

    #[test]
    fn the_rest_is_shown() {
        let text = "source: a\nauth: { type: bearer, token: { env: TOKEN } }\nparams: { key: \"{{ cursor }}\" }";
        assert_eq!(shown(text), text);
    }
}
