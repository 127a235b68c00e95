//! Secrets and URLs that cannot print themselves.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// What stands in for a secret wherever text is shown.
pub const REDACTED: &str = "[redacted]";

/// Query keys whose values never appear in text, whatever the source file says.
const SECRET_KEYS: [&str; 18] = [
    "key",
    "apikey",
    "api_key",
    "api-key",
    "token",
    "access_token",
    "auth",
    "authorization",
    "secret",
    "client_secret",
    "password",
    "passwd",
    "pwd",
    "signature",
    "sig",
    "hmac",
    "x-amz-signature",
    "x-amz-security-token",
];

/// Whether a query key of this name carries a credential, whatever the source file says.
pub fn is_secret_key(name: &str) -> bool {
    SECRET_KEYS.iter().any(|key| key.eq_ignore_ascii_case(name))
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
