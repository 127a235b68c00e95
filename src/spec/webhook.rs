//! The webhooks of a source: where events arrive, what proves them, and which stream they go to (DESIGN §8).

use std::time::Duration;

use crate::spec::auth::{HmacAlgorithm, SecretRef, SignatureEncoding};
use crate::spec::pointer::Pointer;
use crate::spec::template::Template;

/// One endpoint that an API posts its events to.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name in the source file.
    pub name: String,
    /// The path that it is served at.
    pub path: String,
    /// What proves who sent an event.
    pub signature: Signature,
    /// What tells an event from others.
    pub event_id: ValueFrom,
    /// What kind of event it is.
    pub event_type: ValueFrom,
    /// Which events go where, in file order.
    pub routes: Vec<Route>,
    /// What becomes of events that no route has.
    pub on_other: OnOther,
    /// How long an event's id is known. Default 7 days.
    pub dedupe_for: Duration,
}

impl Webhook {
    /// Where events of this type go: the pattern with the most characters beside its stars wins, one without a star over
    /// all, and of two equals the first in the file.
    pub fn route(&self, event_type: &str) -> Option<&Route> {
        let fitting = self.routes.iter().filter(|route| fits(&route.pattern, event_type));
        // The first of the greatest: `max_by_key` alone gives the last.
        fitting.rev().max_by_key(|route| specificity(&route.pattern))
    }
}

/// Where events of a type go.
#[derive(Clone, Debug)]
pub struct Route {
    /// A pattern of types, in which `*` stands for any text, also none.
    pub pattern: String,
    /// The name of the stream whose table they land in.
    pub stream: String,
    /// Where the record stands in the body.
    pub record: Pointer,
}

/// What becomes of events that no route has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOther {
    /// They are kept as dead letters.
    #[default]
    Keep,
    /// They are answered and dropped.
    Ignore,
}

/// Where a value of an event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueFrom {
    /// In the body.
    Body(Pointer),
    /// In the first of these headers that is there.
    Header(Vec<String>),
}

/// What proves who sent an event. Any of the secrets may match. One variant a `type`.
#[derive(Clone, Debug)]
pub enum Signature {
    /// `X-Razorpay-Signature`.
    Razorpay {
        /// The secrets.
        secrets: Vec<SecretRef>,
    },
    /// `Stripe-Signature`.
    Stripe {
        /// The secrets.
        secrets: Vec<SecretRef>,
        /// How far its time may be from now, either way.
        tolerance: Duration,
    },
    /// `X-Shopify-Hmac-Sha256`.
    Shopify {
        /// The secrets.
        secrets: Vec<SecretRef>,
    },
    /// `X-Hub-Signature-256`.
    Github {
        /// The secrets.
        secrets: Vec<SecretRef>,
    },
    /// `webhook-signature`, or `svix-signature`.
    StandardWebhooks {
        /// The secrets.
        secrets: Vec<SecretRef>,
        /// How far its time may be from now, either way.
        tolerance: Duration,
    },
    /// Any other.
    Hmac(Hmac),
}

/// A signature by a shared secret, piece by piece.
#[derive(Clone, Debug)]
pub struct Hmac {
    /// The secrets.
    pub secrets: Vec<SecretRef>,
    /// The header that carries the signature.
    pub header: String,
    /// The hash.
    pub algorithm: HmacAlgorithm,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What stands before it.
    pub prefix: String,
    /// What is signed; the body where none is declared.
    pub string_to_sign: Option<Template>,
    /// The header of the time that is signed, and how far that may be from now.
    pub timestamp: Option<(String, Duration)>,
}

/// Whether `text` is one that the pattern stands for.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// Whether a pattern has no star, and how many characters it has beside them.
fn specificity(pattern: &str) -> (bool, usize) {
    (!pattern.contains('*'), pattern.chars().filter(|c| *c != '*').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a.b"),
            ("payment.*", "payment.captured"),
            ("payment.*", "payment."),
            ("payment.*", "payment.dispute.won"),
            ("*.captured", "payment.captured"),
            ("a*b*c", "a-b-b-c"),
            ("a**c", "ac"),
            ("order.paid", "order.paid"),
            ("ä*ü", "äöü"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("payment.*", "payment"),
            ("payment.*", "xpayment.a"),
            ("order.paid", "order.paid2"),
            ("ab*ba", "aba"),
            ("a*b*c", "ac"),
            ("", "a"),
            ("Payment.*", "payment.captured"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn more_is_more_specific_and_no_star_most() {
        let order = ["*", "a.*", "a.*.d", "aa.bb*", "a.b"];
        for two in order.windows(2) {
            assert!(specificity(two[0]) < specificity(two[1]), "{two:?}");
        }
    }
}
