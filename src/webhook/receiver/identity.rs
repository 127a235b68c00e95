//! What an event says of itself: its id, its type, and whether it can become a row.

use std::sync::Arc;

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::json::outline::Outline;
use crate::json::scanner::texts_at;
use crate::spec::webhook::{OnOther, ValueFrom, Webhook};
use crate::webhook::inbox::event::State;

/// Bytes of an id or a type as it came at most; a longer one is known by its hash.
const LONGEST: usize = 255;

/// What an event says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// What tells it from others.
    pub(super) id: String,
    /// Its type; empty where it has none.
    pub(super) event_type: String,
    /// What becomes of it; nothing where its type is ignored.
    pub(super) state: Option<State>,
}

/// Where an endpoint's events say what they are.
#[derive(Debug)]
pub(super) struct Identifier {
    webhook: Arc<Webhook>,
    /// What is read of a body.
    outline: Outline,
    event_id: Place,
    event_type: Place,
}

/// A header's names, or a slot of the outline.
#[derive(Debug)]
enum Place {
    Header(Vec<String>),
    Body(usize),
}

impl Identifier {
    pub(super) fn new(webhook: Arc<Webhook>) -> Self {
        let mut outline = Outline::default();
        let mut place = |from: &ValueFrom| match from {
            ValueFrom::Header(names) => Place::Header(names.clone()),
            ValueFrom::Body(pointer) => Place::Body(outline.note(pointer.tokens())),
        };
        let (event_id, event_type) = (place(&webhook.event_id), place(&webhook.event_type));
        Self { webhook, outline, event_id, event_type }
    }

    /// Reads the id and the type of an event whose signature is proved.
    ///
    /// A body that is no JSON, or has no id, is known by its hash and refused a row: it is kept for the dead letters.
    pub(super) fn identify(&self, headers: &HeaderMap, body: &[u8]) -> Identity {
        let texts = texts_at(&self.outline, body);
        let value = |place: &Place| match place {
            Place::Body(slot) => {
                let text = texts.as_ref()?.get(*slot).copied().flatten();
                text.and_then(scalar).map(shown)
            }
            Place::Header(names) => names.iter().find_map(|name| header(headers, name)),
        };
        let event_type = value(&self.event_type).unwrap_or_default();
        let has_route = self.webhook.route(&event_type).is_some();
        // A type that cannot be read, as of a body that is cut, is none that is ignored.
        let is_read = texts.is_some() || matches!(self.event_type, Place::Header(_));
        if !has_route && is_read && self.webhook.on_other == OnOther::Ignore {
            return Identity { id: String::new(), event_type, state: None };
        }
        let id = value(&self.event_id).filter(|_| texts.is_some());
        let state = if has_route && id.is_some() { State::Waiting } else { State::Refused };
        Identity { id: id.unwrap_or_else(|| hash(body)), event_type, state: Some(state) }
    }
}

/// A string that is not empty, or a number as it is written.
fn scalar(raw: &str) -> Option<String> {
    let text: String = match raw.as_bytes().first()? {
        // A string that is no Unicode is known by how it is written.
        b'"' => serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()),
        b'-' | b'0'..=b'9' => raw.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The one value of a header, if it has one.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|value| !value.is_empty())?;
    if values.next().is_some() {
        return None;
    }
    Some(match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => shown(text.to_owned()),
        Err(_) => hash(value.as_bytes()),
    })
}

/// A text as it is kept: one that no table would show, or that is very long, is known by its hash.
fn shown(text: String) -> String {
    let plain = text.len() <= LONGEST && !text.chars().any(char::is_control);
    if plain { text } else { hash(text.as_bytes()) }
}

fn hash(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderName, HeaderValue};

    use super::*;
    use crate::json::scanner::text_at;
    use crate::spec::pointer::Pointer;
    use crate::spec::webhook::{Route, Signature};

    fn identifier(on_other: OnOther) -> Identifier {
        Identifier::new(Arc::new(Webhook {
            name: "w".to_owned(),
            path: "/w".to_owned(),
            signature: Signature::Github { secrets: Vec::new() },
            event_id: ValueFrom::Header(vec!["x-id".to_owned(), "x-other-id".to_owned()]),
            event_type: ValueFrom::Body(Pointer::parse("/e/0/type").unwrap()),
            routes: vec![Route {
                pattern: "pay.*".to_owned(),
                stream: "payments".to_owned(),
                record: Pointer::parse("").unwrap(),
            }],
            on_other,
            dedupe_for: Duration::from_secs(1),
        }))
    }

    fn headers(of: &[(&'static str, &[u8])]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &[u8])| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        };
        of.iter().map(pair).collect()
    }

    const BODY: &[u8] = br#"{"e":[{"type":"pay.ok"}],"n":12345678901234567890123}"#;

    #[test]
    fn an_event_is_known_by_what_is_declared() {
        let identifier = identifier(OnOther::Keep);
        let of = |id: &[u8]| identifier.identify(&headers(&[("x-id", id)]), BODY);
        let known = of(b"evt_1");
        assert_eq!((known.id.as_str(), known.event_type.as_str()), ("evt_1", "pay.ok"));
        assert_eq!(known.state, Some(State::Waiting));
        assert_eq!(of("schön".as_bytes()).id, "schön");
        for odd in [&b"\xff\xfe"[..], &[b'x'; 256], b"a\tb"] {
            let odd = of(odd);
            assert!(odd.id.starts_with("sha256:") && odd.id.len() == 71, "{odd:?}");
            assert_eq!(odd.state, Some(State::Waiting));
        }
        let other = identifier.identify(&headers(&[("x-other-id", b"evt_2")]), BODY);
        assert_eq!(other.id, "evt_2");
    }

    #[test]
    fn what_has_no_id_or_no_type_is_kept_for_the_dead_letters() {
        let identifier = identifier(OnOther::Keep);
        let id = headers(&[("x-id", b"evt_1")]);
        let twice = headers(&[("x-id", b"evt_1"), ("x-id", b"evt_2")]);
        for (headers, body) in [
            (&HeaderMap::new(), BODY),
            (&twice, BODY),
            (&id, &b"not json"[..]),
            (&id, b"{\"e\":\xff}"),
            (&id, b""),
        ] {
            let refused = identifier.identify(headers, body);
            assert_eq!(refused.state, Some(State::Refused), "{body:?}");
            assert_eq!(refused.id, hash(body));
        }
        let other = identifier.identify(&id, br#"{"e":[{"type":"refund"}]}"#);
        assert_eq!((other.id.as_str(), other.state), ("evt_1", Some(State::Refused)));
        assert_eq!(other.event_type, "refund");
    }

    #[test]
    fn what_is_ignored_is_not_kept_but_what_cannot_be_read_is() {
        let identifier = identifier(OnOther::Ignore);
        let id = headers(&[("x-id", b"evt_1")]);
        assert_eq!(identifier.identify(&id, br#"{"e":[{"type":"refund"}]}"#).state, None);
        assert_eq!(identifier.identify(&id, b"{}").state, None);
        assert_eq!(identifier.identify(&id, b"{").state, Some(State::Refused));
        assert_eq!(identifier.identify(&HeaderMap::new(), BODY).state, Some(State::Refused));
    }

    #[test]
    fn a_scalar_is_read_without_being_bent() {
        let at = |text: &str, pointer: &str| {
            text_at(Pointer::parse(pointer).unwrap().tokens(), text.as_bytes()).and_then(scalar)
        };
        let text = r#"{"n":12345678901234567890123,"f":1.50,"s":"a\u00e4","t":"","b":true,"o":{},"d":1,"d":2,"x":"\ud800","a/b":"c"}"#;
        assert_eq!(at(text, "/n").as_deref(), Some("12345678901234567890123"));
        assert_eq!(at(text, "/f").as_deref(), Some("1.50"));
        assert_eq!(at(text, "/s").as_deref(), Some("aä"));
        assert_eq!(at(text, "/d").as_deref(), Some("2"), "the last of a name wins");
        assert_eq!(at(text, "/x").as_deref(), Some("\"\\ud800\""));
        assert_eq!(at(text, "/a~1b").as_deref(), Some("c"));
        for nothing in ["/t", "/b", "/o", "/none", "/n/1", "/s/0"] {
            assert_eq!(at(text, nothing), None, "{nothing}");
        }
    }
}
