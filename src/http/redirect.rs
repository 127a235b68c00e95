//! Where a redirect, a `next` URL or a Link target may lead, and which origin gets credentials.

use url::{Origin, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::redact::is_secret_key;

/// Redirects of one request that are followed.
pub(super) const MAX_REDIRECTS: usize = 10;

/// Headers that carry credentials by their name, beside the declared one: not sent to another origin.
const CREDENTIAL_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Parts of a header's name that may speak of a credential: better one too many stays at home.
const CREDENTIAL_WORDS: [&str; 6] = ["key", "token", "secret", "auth", "session", "signature"];

/// The source's own origin, and the hosts that may be followed without credentials.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    home: Origin,
    allow_hosts: Vec<String>,
}

impl Routes {
    /// Routes of the source at `base_url`.
    pub(super) fn new(base_url: &Url, allow_hosts: &[String]) -> Self {
        Self { home: base_url.origin(), allow_hosts: allow_hosts.to_vec() }
    }

    /// Whether `url` is on the source's own origin, the only one that gets credentials.
    pub(super) fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.home
    }

    /// Resolves `target`, which the API named in the answer to `from` (RFC 3986 §5), and checks where it leads.
    /// `show` gives a URL in the form that messages may show.
    ///
    /// # Errors
    /// `Api` for what is no URL, holds a user name, is not HTTP, goes from https to http, or leads to
    /// another origin whose host is not in `allow_hosts`.
    pub(super) fn follow(
        &self,
        from: &Url,
        target: &str,
        show: impl Fn(&Url) -> String,
    ) -> Result<Url> {
        let refused = |what: &str| Error::new(ErrorKind::Api, what.to_owned());
        let mut url = from.join(target.trim()).map_err(|error| {
            refused("the API leads to something that is no URL").caused_by(error)
        })?;
        url.set_fragment(None);
        let shown = show(&url);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(
                refused("the API leads to a URL that is not HTTP").with("scheme", url.scheme())
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("the API leads to a URL that holds a user name").with("to", shown));
        }
        if from.scheme() == "https" && url.scheme() == "http" {
            return Err(refused("the API leads from https to http").with("to", shown).hint(
                "an API behind a proxy must be told that it is reached by https; else page by number or offset",
            ));
        }
        if !self.is_home(&url) && !self.is_allowed(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(refused("the API leads to another origin").with("to", shown).hint(format!(
                "if that is right, make it the base_url, or add `{host}` to http.allow_hosts to follow it without credentials"
            )));
        }
        Ok(url)
    }

    /// Whether the host is allowed, declared as `host` or `host:port`.
    fn is_allowed(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let port = url.port_or_known_default().unwrap_or_default();
        let with_port = format!("{host}:{port}");
        self.allow_hosts.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(&with_port)
        })
    }
}

/// Whether a declared header of this name may carry a credential, and so stays at home.
pub(super) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIAL_HEADERS.contains(&name.as_str())
        || is_secret_key(&name)
        || CREDENTIAL_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::SafeUrl;

    fn routes(base: &str, allow: &[&str]) -> Routes {
        let allow: Vec<String> = allow.iter().map(|&host| host.to_owned()).collect();
        Routes::new(&base.parse().expect("base"), &allow)
    }

    fn follow(routes: &Routes, from: &str, target: &str) -> Result<String> {
        routes
            .follow(&from.parse().expect("from"), target, |url| SafeUrl::new(url).to_string())
            .map(String::from)
    }

    #[test]
    fn targets_resolve_against_the_request() {
        let routes = routes("https://h.example/v1", &[]);
        let from = "https://h.example/v1/items?page=1";
        for (target, url) in [
            ("?page=2", "https://h.example/v1/items?page=2"),
            ("/v2/x#y", "https://h.example/v2/x"),
            ("more", "https://h.example/v1/more"),
            ("//h.example:443/z", "https://h.example/z"),
            (" https://H.EXAMPLE/v1/items?page=2 ", "https://h.example/v1/items?page=2"),
        ] {
            assert_eq!(follow(&routes, from, target).expect(target), url);
        }
    }

    #[test]
    fn other_origins_are_refused_unless_allowed() {
        let routes = routes("https://h.example/v1", &["Cdn.example", "other.example:8443"]);
        let from = "https://h.example/v1/items";
        for target in
            ["https://cdn.example/a", "https://cdn.example:444/a", "https://other.example:8443/"]
        {
            let url: Url = follow(&routes, from, target).expect(target).parse().expect("url");
            assert!(!routes.is_home(&url));
        }
        for target in [
            "https://evil.example/",
            "https://h.example:8443/",
            "https://h.example.evil.example/",
            "https://other.example/",
            "http://h.example/v1",
            "http://cdn.example/",
            "//evil.example/",
            "https://user:hunter2@h.example/",
            "ftp://h.example/",
            "file:///etc/passwd",
            "https://",
        ] {
            let error = follow(&routes, from, target).expect_err(target);
            assert_eq!(error.kind(), ErrorKind::Api);
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn headers_that_speak_of_credentials_stay_at_home() {
        for name in
            ["Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "X-Session", "X-Password"]
        {
            assert!(is_credential(name), "{name}");
        }
        for name in ["Accept", "X-Api-Version", "X-Request-Id", "User-Agent"] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
