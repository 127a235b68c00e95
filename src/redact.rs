//! Secrets and URLs that cannot print themselves.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// What stands in for a secret wherever text is shown.
pub const REDACTED: &str = "[redacted]";

/// Words that make a name one of a credential, wherever they stand in it.
const SECRET_WORDS: [&str; 17] = [
    "secret",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "credential",
    "credentials",
    "jwt",
    "bearer",
    "cookie",
    "authorization",
    "authentication",
    "signature",
    "sig",
    "hmac",
    "hapikey",
];

/// Names that speak of a credential where they stand alone.
const SECRET_ALONE: [&str; 4] = ["key", "auth", "pass", "sid"];

/// What a key is of that is a credential; `sort_key` and `partition_key` are none.
const KEY_OF: [&str; 16] = [
    "api",
    "app",
    "access",
    "auth",
    "subscription",
    "license",
    "private",
    "secret",
    "client",
    "consumer",
    "developer",
    "security",
    "master",
    "signing",
    "encryption",
    "apim",
];

/// Ends of names that are written in one word.
const SECRET_ENDS: [&str; 15] = [
    "apikey",
    "appkey",
    "accesskey",
    "authkey",
    "privatekey",
    "licensekey",
    "apitoken",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "sessionid",
    "sessid",
    "secret",
    "password",
    "userpass",
];

/// Words by which a token is one of paging, unless it is also one of access.
const OF_PAGING: [&str; 17] = [
    "page",
    "pagination",
    "next",
    "prev",
    "previous",
    "cursor",
    "continuation",
    "continue",
    "sync",
    "start",
    "marker",
    "scroll",
    "resume",
    "delta",
    "skip",
    "offset",
    "watermark",
];
const OF_ACCESS: [&str; 5] = ["access", "api", "auth", "refresh", "private"];

/// Last words of names that say something of a credential or another thing, and hold none.
const SPEAKS_OF: [&str; 14] = [
    "type", "count", "used", "limit", "url", "uri", "ttl", "symbol", "address", "status", "policy",
    "name", "version", "id",
];

/// First words of names that ask whether there is one.
const ASKS_FOR: [&str; 5] = ["has", "is", "with", "include", "needs"];

/// Whether a query key, header or field of this name carries a credential, whatever the source file says. Told by its
/// words, however they are joined: `X-Api-Key`, `api_key` and `apiKey` are one name.
pub fn is_secret_key(name: &str) -> bool {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "x").collect();
    let joined = words.concat();
    if SECRET_ENDS.iter().any(|end| joined.ends_with(end)) {
        return true;
    }
    let (first, last) = (words.first().copied(), words.last().copied());
    let is_about = last.is_some_and(|last| SPEAKS_OF.contains(&last) && joined != "secretid")
        || first.is_some_and(|first| ASKS_FOR.contains(&first));
    if is_about {
        return false;
    }
    let is_any = |of: &[&str]| words.iter().any(|word| of.contains(word));
    let key_of = |pair: &[&str]| matches!(pair, [of, "key"] if KEY_OF.contains(of));
    match words.as_slice() {
        [alone] if SECRET_ALONE.contains(alone) => true,
        words => {
            let is_token = words.contains(&"token") && (!is_any(&OF_PAGING) || is_any(&OF_ACCESS));
            is_token || is_any(&SECRET_WORDS) || words.windows(2).any(key_of)
        }
    }
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        let begins = !c.is_alphanumeric() || (lower && c.is_uppercase());
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A credential: zeroed when dropped, and without a way to be printed.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a credential.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The credential itself; call it only where a request is signed.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A URL whose text form shows no user name, password or credential in its query.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(String);

impl SafeUrl {
    /// Keeps the text of `url` without what is secret by its name.
    pub fn new(url: &Url) -> Self {
        Self::hiding(url, &[])
    }

    /// Like [`SafeUrl::new`], and also hides the values of the query keys in `names`.
    pub fn hiding(url: &Url, names: &[&str]) -> Self {
        let mut safe = url.clone();
        // Both only fail for URLs that cannot hold a user name, which then have none to hide.
        let _ = safe.set_password(None);
        let _ = safe.set_username("");
        safe.set_fragment(None);
        if url.query().is_some() {
            let shown = |key: &str| {
                !is_secret_key(key) && !names.iter().any(|name| name.eq_ignore_ascii_case(key))
            };
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(|(k, v)| {
                    let value = if shown(&k) { v.into_owned() } else { REDACTED.to_owned() };
                    (k.into_owned(), value)
                })
                .collect();
            safe.query_pairs_mut().clear().extend_pairs(pairs);
        }
        Self(String::from(safe).replace("%5Bredacted%5D", REDACTED))
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_credentials_are_known_however_they_are_written() {
        for name in [
            "key",
            "api_key",
            "apiKey",
            "APIKEY",
            "X-Api-Key",
            "Ocp-Apim-Subscription-Key",
            "subscription-key",
            "access_key",
            "app_key",
            "license_key",
            "hapikey",
            "auth-key",
            "token",
            "private_token",
            "api_token",
            "accessToken",
            "refresh_token",
            "X-Amz-Security-Token",
            "X-Amz-Signature",
            "client_secret",
            "X-Password",
            "X-Pass",
            "pwd",
            "X-Credential",
            "X-Jwt",
            "X-Session-Id",
            "sessionid",
            "sig",
            "hmac",
            "auth",
            "authorization",
            "page_access_token",
            "next_api_key",
            "sync_secret",
            "apisecret",
            "userpassword",
            "user_pass",
            "passcode",
            "PHPSESSID",
            "secret_id",
        ] {
            assert!(is_secret_key(name), "{name}");
        }
        for name in [
            "page",
            "token_symbol",
            "token_address",
            "token_id",
            "signature_status",
            "password_policy",
            "cookie_id",
            "service_key",
            "shared_key",
            "scroll_token",
            "resume_token",
            "has_signature",
            "X-Api-Key-Id",
            "page_token",
            "nextPageToken",
            "continuation_token",
            "sync_token",
            "sort_key",
            "partition_key",
            "author",
            "X-Token-Type",
            "token_url",
            "session_key",
            "keyword",
            "monkey",
            "tokens_used",
            "compass",
            "design",
            "X-Api-Version",
            "",
        ] {
            assert!(!is_secret_key(name), "{name}");
        }
    }

    #[test]
    fn hides_user_info_known_keys_and_declared_keys() {
        let url = Url::parse("https://u:p@h.example/a?api_key=S1&page=2&X=S2#f").expect("url");
        let shown = SafeUrl::hiding(&url, &["x"]).to_string();
        assert_eq!(shown, "https://h.example/a?api_key=[redacted]&page=2&X=[redacted]");
    }

    #[test]
    fn a_secret_has_no_text_form() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), REDACTED);
    }
}
