//! What proves who sent an event: `signature` of a webhook.

use std::time::Duration;

use crate::spec::auth::{HmacAlgorithm, SecretRef, SignatureEncoding};
use crate::spec::declared::auth::{self as written_auth, Secret};
use crate::spec::declared::webhook as declared;
use crate::spec::document::{Document, Place};
use crate::spec::resolve::secret::secret;
use crate::spec::resolve::values::{header_name, is_header_value, template, timeout};
use crate::spec::template::{Scope, Template};
use crate::spec::webhook::{Hmac, Signature};

/// How far the time of a signature may be from now, either way, where nothing is declared: what Stripe's and Standard
/// Webhooks' own libraries allow.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Resolves `signature`.
pub(super) fn signature(
    document: &mut Document,
    place: &Place,
    written: &declared::Signature,
) -> Option<Signature> {
    Some(match written {
        declared::Signature::Razorpay { secrets } => {
            Signature::Razorpay { secrets: all(document, place, secrets.as_deref())? }
        }
        declared::Signature::Shopify { secrets } => {
            Signature::Shopify { secrets: all(document, place, secrets.as_deref())? }
        }
        declared::Signature::Github { secrets } => {
            Signature::Github { secrets: all(document, place, secrets.as_deref())? }
        }
        declared::Signature::Stripe { secrets, tolerance } => {
            let secrets = all(document, place, secrets.as_deref());
            let tolerance = far(document, place, tolerance.as_deref());
            Signature::Stripe { secrets: secrets?, tolerance: tolerance? }
        }
        declared::Signature::StandardWebhooks { secrets, tolerance } => {
            let secrets = all(document, place, secrets.as_deref());
            let tolerance = far(document, place, tolerance.as_deref());
            Signature::StandardWebhooks { secrets: secrets?, tolerance: tolerance? }
        }
        declared::Signature::Hmac { .. } => Signature::Hmac(hmac(document, place, written)?),
    })
}

/// The secrets, of which any may match.
fn all(
    document: &mut Document,
    place: &Place,
    written: Option<&[Secret]>,
) -> Option<Vec<SecretRef>> {
    let at = place.key("secrets");
    let each = written?.iter().enumerate();
    let secrets: Vec<_> =
        each.map(|(index, one)| secret(document, &at.item(index), Some(one))).collect();
    secrets.into_iter().collect()
}

fn far(document: &mut Document, place: &Place, written: Option<&str>) -> Option<Duration> {
    timeout(document, &place.key("tolerance"), written, TOLERANCE)
}

fn hmac(document: &mut Document, place: &Place, written: &declared::Signature) -> Option<Hmac> {
    let declared::Signature::Hmac {
        secrets,
        header,
        algorithm,
        encoding,
        prefix,
        string_to_sign,
        timestamp,
        tolerance,
    } = written
    else {
        return None;
    };
    let secrets = all(document, place, secrets.as_deref());
    let header = header.as_deref();
    let header = header.and_then(|name| header_name(document, &place.key("header"), name));
    let prefix = prefix.clone().unwrap_or_default();
    if !is_header_value(&prefix) {
        document.error(
            &place.key("prefix"),
            "a header cannot begin with this: it is not ASCII in one line",
        );
    }
    let name = timestamp.as_ref().map(|from| {
        let at = place.key("timestamp").key("header");
        header_name(document, &at, from.header.as_deref()?)
    });
    if timestamp.is_none() && tolerance.is_some() {
        document
            .error(&place.key("tolerance"), "`tolerance` has no `timestamp` beside it")
            .hint("name the header of the time that is signed: timestamp: { header: X-Timestamp }");
    }
    let tolerance = far(document, place, tolerance.as_deref());
    let text = string_to_sign.as_deref();
    let text =
        text.map(|text| signing(document, &place.key("string_to_sign"), text, name.is_some()));
    if text.is_none() && name.is_some() {
        document
            .error(&place.key("timestamp"), "the time is not signed: `string_to_sign` is missing")
            .hint("write what the vendor signs, such as \"{{ timestamp }}.{{ body }}\"");
    }
    let timestamp = match name {
        None => None,
        Some(name) => Some((name?, tolerance?)),
    };
    Some(Hmac {
        secrets: secrets?,
        header: header?,
        algorithm: match algorithm {
            None | Some(written_auth::HmacAlgorithm::Sha256) => HmacAlgorithm::Sha256,
            Some(written_auth::HmacAlgorithm::Sha512) => HmacAlgorithm::Sha512,
            Some(written_auth::HmacAlgorithm::Sha1) => HmacAlgorithm::Sha1,
        },
        encoding: match encoding {
            None | Some(written_auth::SignatureEncoding::Hex) => SignatureEncoding::Hex,
            Some(written_auth::SignatureEncoding::Base64) => SignatureEncoding::Base64,
        },
        prefix,
        string_to_sign: match text {
            None => None,
            Some(text) => Some(text?),
        },
        timestamp,
    })
}

/// A string to sign. It holds the body, and the time where there is one: else they are not proved by it.
fn signing(document: &mut Document, place: &Place, text: &str, timed: bool) -> Option<Template> {
    let template = template(document, place, text)?;
    let sample = |timestamp: Option<i64>, body: &str| {
        let mut scope = Scope::signing(0, "POST", "/", "", body);
        scope.timestamp = timestamp;
        template.render(&scope).map_err(drop)
    };
    let now = timed.then_some(1);
    let Ok(signed) = sample(now, "a") else {
        document
            .error(place, "a signature knows `body`, `method`, `path` and `query`, and `timestamp` where that is declared")
            .hint("name the header of the time: timestamp: { header: X-Timestamp }");
        return None;
    };
    let is_signed = |other: Result<String, ()>| other.is_ok_and(|other| other != signed);
    let body = is_signed(sample(now, "b"));
    let time = !timed || is_signed(sample(Some(2), "a"));
    if !body || !time {
        let what = if body { "timestamp" } else { "body" };
        document
            .error(
                place,
                format!("`string_to_sign` does not hold the {what}, which is then not proved"),
            )
            .hint(format!("add {{{{ {what} }}}} where the vendor signs it"));
        return None;
    }
    Some(template)
}
