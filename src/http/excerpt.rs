//! What of a response may be shown: its first characters, without the credentials that it may echo.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use crate::redact::{REDACTED, Secret};

mod escape;

/// Characters of a body that an error shows (DESIGN §3).
const SHOWN: usize = 500;

/// Bytes of a body that are looked at for them.
const LOOKED_AT: usize = 64 * 1024;

/// Credentials that are shorter than this are not looked for in URLs.
pub(super) const TELLING_BYTES: usize = 6;

/// Takes credentials out of text that came from the API.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrubber {
    /// Every form in which a credential may be echoed, the longest first.
    forms: Vec<Secret>,
    /// What was got or made since; shared by all clones.
    live: Arc<RwLock<Live>>,
}

/// Credentials that were not declared.
#[derive(Debug, Default)]
struct Live {
    /// The last ones last.
    recent: VecDeque<Secret>,
    /// Those of requests that are under way, by their number.
    held: BTreeMap<u64, Vec<Secret>>,
    next: u64,
}

/// Credentials that are kept in mind, in any form: an API may still echo one that was replaced.
const RECENT: usize = 64;

/// Keeps the credentials of one request in mind until its answer is read, however many others are under way.
#[derive(Debug)]
pub(super) struct Kept {
    live: Arc<RwLock<Live>>,
    number: u64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let forms = live.held.remove(&self.number).unwrap_or_default();
        live.remember(forms);
    }
}

impl Live {
    fn remember(&mut self, forms: Vec<Secret>) {
        for form in forms {
            if !self.recent.iter().any(|known| known.expose() == form.expose()) {
                self.recent.push_back(form);
            }
        }
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    fn forms(&self) -> impl Iterator<Item = &Secret> {
        self.recent.iter().chain(self.held.values().flatten())
    }
}

impl Scrubber {
    /// A scrubber for `secrets` as they are sent, and as JSON and URLs would write them.
    pub(super) fn new(secrets: &[Secret]) -> Self {
        Self { forms: forms(secrets), ..Self::default() }
    }

    /// As [`Scrubber::new`], with the tokens that `other` learns.
    pub(super) fn beside(secrets: &[Secret], other: &Self) -> Self {
        Self { forms: forms(secrets), live: Arc::clone(&other.live) }
    }

    /// Takes a token that was just got for a credential too.
    pub(super) fn learn(&self, token: &Secret) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.remember(forms(std::slice::from_ref(token)));
    }

    /// Takes `secrets` for credentials too: until what is given back is dropped, and a while longer.
    pub(super) fn keep(&self, secrets: &[Secret]) -> Kept {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let number = live.next;
        live.next += 1;
        live.held.insert(number, forms(secrets));
        Kept { live: Arc::clone(&self.live), number }
    }

    /// `text` without any credential.
    pub(super) fn scrub(&self, text: &str) -> String {
        self.without(text, 0)
    }

    /// As [`Scrubber::scrub`], where `text` may have been cut: it may end with the beginning of a credential.
    pub(super) fn scrub_cut(&self, text: &str) -> String {
        let clean = self.scrub(text);
        let Some(head) = clean.strip_suffix('…') else { return clean };
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let cut_at = self.forms.iter().chain(live.forms()).filter_map(|form| {
            let begun =
                |end: &usize| form.expose().get(..*end).is_some_and(|part| head.ends_with(part));
            (TELLING_BYTES..form.expose().len()).rev().find(begun)
        });
        match cut_at.max() {
            Some(bytes) => {
                let kept = head.len().saturating_sub(bytes);
                format!("{}{REDACTED}…", head.get(..kept).unwrap_or_default())
            }
            None => clean,
        }
    }

    /// `text` without any credential of at least so many bytes.
    fn without(&self, text: &str, least: usize) -> String {
        let mut clean = text.to_owned();
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let forms = self.forms.iter().chain(live.forms());
        for form in forms.filter(|form| form.expose().len() >= least) {
            if clean.contains(form.expose()) {
                clean = clean.replace(form.expose(), REDACTED);
            }
            if clean.contains(['%', '\\', '&']) {
                clean = without_escaped(&clean, form.expose());
            }
        }
        clean
    }

    /// Whether `text` holds a credential that is long enough to stand nowhere by chance, with any of its bytes percent-encoded.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.without(text, TELLING_BYTES) != text
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

/// A credential as it is sent, and as JSON and URLs would write it; the longest first.
fn forms(secrets: &[Secret]) -> Vec<Secret> {
    let mut forms: Vec<String> = Vec::new();
    for secret in secrets.iter().map(Secret::expose).filter(|text| !text.is_empty()) {
        let json = serde_json::Value::from(secret).to_string();
        let json = json.trim_matches('"').to_owned();
        forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        forms.push(json.replace('/', "\\/"));
        forms.push(json);
        // As a host, URLs write everything in lower case.
        forms.push(secret.to_ascii_lowercase());
        forms.push(secret.to_owned());
    }
    forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    forms.into_iter().map(Secret::new).collect()
}

/// `text` without `form`, any characters of which may be escaped: which ones are, and how, is the sender's choice.
fn without_escaped(text: &str, form: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match escape::behind(rest, form) {
            Some(after) => {
                clean.push_str(REDACTED);
                rest = after;
            }
            None => {
                clean.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    clean
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
    fn credentials_are_found_however_a_url_writes_them() {
        let scrubber = Scrubber::new(&[Secret::new("s3cr/t+x é")]);
        for text in [
            "s3cr/t%2Bx%20%C3%A9",
            "s3cr/t%2bx%20é",
            "%73%33cr%2ft%2Bx%20%c3%A9",
            "s3cr%2Ft%2Bx+%C3%A9",
        ] {
            assert_eq!(
                scrubber.scrub(&format!("a={text}é&b=%")),
                format!("a={REDACTED}é&b=%"),
                "{text}"
            );
            assert!(scrubber.is_in(text));
        }
        assert!(!scrubber.is_in("s3cr/t%2Bx%2"));
    }

    #[test]
    fn credentials_are_found_as_other_encoders_write_them() {
        let scrubber = Scrubber::new(&[Secret::new("s3&c<r>'t\"é😀")]);
        for text in [
            r#"s3\u0026c\u003cr\u003E\u0027t\"é😀"#,
            r#"s3&c<r>'t\u0022\u00e9\ud83d\uDE00"#,
            "s3&amp;c&lt;r&gt;&#39;t&quot;é😀",
            "s3&#38;c&#x3C;r&#x3e;&apos;t&#34;&eacute;😀".replace("&eacute;", "&#233;").as_str(),
            "s3%26c%3Cr%3E%27t%22%C3%A9%F0%9F%98%80",
        ] {
            assert_eq!(
                scrubber.scrub(&format!("a&b={text}\\")),
                format!("a&b={REDACTED}\\"),
                "{text}"
            );
        }
        let other = r#"s3\u0026c\u003cr\u003E\u0027t\"é"#;
        assert_eq!(scrubber.scrub(other), other);
    }

    #[test]
    fn what_a_request_was_signed_with_is_known_as_long_as_it_is_under_way() {
        let scrubber = Scrubber::default();
        let kept: Vec<Kept> = (0..200)
            .map(|n| {
                scrubber
                    .clone()
                    .keep(&[Secret::new("scope"), Secret::new(format!("signature-{n}"))])
            })
            .collect();
        assert!(scrubber.is_in("signature-0") && scrubber.is_in("signature-199"));
        drop(kept);
        assert!(!scrubber.is_in("signature-0"), "not for ever");
        assert!(scrubber.is_in("signature-199"), "but a while");
        (0..500).for_each(|_| scrubber.learn(&Secret::new("token-again")));
        assert!(scrubber.is_in("signature-199"), "what comes again takes no place");
    }

    #[test]
    fn what_is_cut_may_end_with_the_beginning_of_a_credential() {
        let scrubber = Scrubber::new(&[Secret::new("hunter2secret")]);
        assert_eq!(scrubber.scrub_cut("http://h/x?key=hunter2s…"), "http://h/x?key=[redacted]…");
        assert_eq!(scrubber.scrub_cut("http://h/x?key=hunter2secret"), "http://h/x?key=[redacted]");
        for whole in ["http://h/x?key=hunt…", "http://h/x?key=hunter2s", "…", ""] {
            assert_eq!(scrubber.scrub_cut(whole), whole);
        }
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
