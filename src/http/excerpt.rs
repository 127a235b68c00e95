//! What of a response may be shown: its first characters, without the credentials that it may echo.

use crate::redact::{REDACTED, Secret};

/// Characters of a body that an error shows (DESIGN §3).
const SHOWN: usize = 500;

/// Bytes of a body that are looked at for them.
const LOOKED_AT: usize = 64 * 1024;

/// Takes credentials out of text that came from the API.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrubber {
    /// Every form in which a credential may be echoed, the longest first.
    forms: Vec<Secret>,
}

impl Scrubber {
    /// A scrubber for `secrets` as they are sent, and as JSON and URLs would write them.
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets.iter().map(Secret::expose).filter(|text| !text.is_empty()) {
            let json = serde_json::Value::from(secret).to_string();
            let json = json.trim_matches('"').to_owned();
            forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            forms.push(json.replace('/', "\\/"));
            forms.push(json);
            forms.push(secret.to_owned());
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms: forms.into_iter().map(Secret::new).collect() }
    }

    /// `text` without any credential.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for form in &self.forms {
            if clean.contains(form.expose()) {
                clean = clean.replace(form.expose(), REDACTED);
            }
        }
        clean
    }

    /// The first 500 characters of `body`, without credentials and in one line.
    ///
    /// Credentials go first: one that straddles the end would show its beginning.
    pub(super) fn excerpt(&self, body: &[u8]) -> String {
        let head = body.get(..LOOKED_AT).unwrap_or(body);
        let text = self.scrub(&String::from_utf8_lossy(head));
        text.trim().chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoed_credentials_are_taken_out_in_every_form() {
        let scrubber = Scrubber::new(&[Secret::new("a/b\"c"), Secret::new("a"), Secret::new("")]);
        let body =
            br#"{"plain": "x a/b"c", "json": "a/b\"c", "php": "a\/b\"c", "url": "a%2Fb%22c"}"#;
        let shown = scrubber.excerpt(body);
        assert!(!shown.contains("b\"c") && !shown.contains("b\\\"c") && !shown.contains("%2F"));
        assert_eq!(shown.matches("\": \"[red").count(), 3, "{shown}");
    }

    #[test]
    fn an_excerpt_is_short_and_in_one_line() {
        let scrubber = Scrubber::new(&[Secret::new("hunter2")]);
        let body = format!("<html>\n{}hunter2", "x".repeat(490));
        let shown = scrubber.excerpt(body.as_bytes());
        assert_eq!(shown.chars().count(), 500);
        assert!(!shown.contains("hun") && !shown.contains('\n'));
        assert_eq!(scrubber.excerpt(b"\xff ok"), "\u{fffd} ok");
    }
}
