//! The webhooks of a source: `webhooks`.

use std::sync::Arc;
use std::time::Duration;

use crate::spec::declared::ordered::Ordered;
use crate::spec::declared::webhook as declared;
use crate::spec::document::{Document, Place};
use crate::spec::pointer::Pointer;
use crate::spec::resolve::signature::signature;
use crate::spec::resolve::values::{NAME_HINT, header_name, is_name, pointer, timeout};
use crate::spec::source::Stream;
use crate::spec::webhook::{OnOther, Route, Signature, ValueFrom, Webhook};

/// Paths that `lakeward serve` answers itself.
const OWN_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// How long ids are known where nothing is declared.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Resolves `webhooks`; `streams` is none where something is wrong with those.
pub(super) fn webhooks(
    document: &mut Document,
    place: &Place,
    written: Option<&Ordered<declared::Webhook>>,
    streams: Option<&[Arc<Stream>]>,
) -> Option<Vec<Arc<Webhook>>> {
    let Some(written) = written else { return Some(Vec::new()) };
    if written.0.is_empty() {
        document.error(place, "there are no webhooks");
    }
    let mut webhooks: Vec<Option<Arc<Webhook>>> = Vec::new();
    for (key, one) in &written.0 {
        let resolved = webhook(document, place, key, one, streams);
        let other = resolved.as_ref().and_then(|new| {
            webhooks.iter().flatten().find(|other| other.path == new.path).map(Arc::clone)
        });
        if let Some(other) = other {
            let message =
                format!("`{}` is the path of the webhook `{}` too", other.path, other.name);
            document.error(&place.key(key).key("path"), message);
        }
        webhooks.push(resolved.map(Arc::new));
    }
    webhooks.into_iter().collect()
}

fn webhook(
    document: &mut Document,
    webhooks: &Place,
    key: &str,
    written: &declared::Webhook,
    streams: Option<&[Arc<Stream>]>,
) -> Option<Webhook> {
    let place = &webhooks.key(key);
    let name = is_name(key);
    if !name {
        let message = format!("`{key}` is no name for a webhook");
        document.key_error(webhooks, key, message).hint(NAME_HINT);
    }
    let path = written.path.as_deref().and_then(|text| path(document, &place.key("path"), text));
    let at = place.key("signature");
    let signature = written.signature.as_ref().and_then(|of| signature(document, &at, of));
    let usual = signature.as_ref().map(usual);
    let (usual_id, usual_type) = usual.map_or((None, None), |(id, kind)| (Some(id), Some(kind)));
    let event_id = from(document, place, "event_id", written.event_id.as_ref(), usual_id);
    let event_type = from(document, place, "event_type", written.event_type.as_ref(), usual_type);
    let routes = routes(document, &place.key("events"), written.events.as_ref(), streams);
    let dedupe_for = written.dedupe_for.as_deref();
    let dedupe_for = timeout(document, &place.key("dedupe_for"), dedupe_for, WEEK);
    Some(Webhook {
        name: name.then(|| key.to_owned())?,
        path: path?,
        signature: signature?,
        event_id: event_id?,
        event_type: event_type?,
        routes: routes?,
        on_other: match written.on_other {
            None | Some(declared::OnOther::Keep) => OnOther::Keep,
            Some(declared::OnOther::Ignore) => OnOther::Ignore,
        },
        dedupe_for: dedupe_for?,
    })
}

/// The path of an endpoint, compared byte for byte with what is asked for.
fn path(document: &mut Document, place: &Place, text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte);
    if !text.starts_with('/') {
        document.error(place, "`path` must start with `/`").meant(format!("/{text}"));
        return None;
    }
    if !text.bytes().all(legal) {
        document
            .error(place, format!("`{text}` is no path of a URL"))
            .hint("use letters, digits, `/`, `-`, `_` and `.`; there is no query and no template");
        return None;
    }
    if OWN_PATHS.contains(&text) {
        document.error(place, format!("`{text}` is answered by lakeward itself"));
        return None;
    }
    Some(text.to_owned())
}

/// Where a value of events stands, as declared or as is usual for the signature.
fn from(
    document: &mut Document,
    webhook: &Place,
    key: &str,
    written: Option<&declared::ValueFrom>,
    usual: Option<Option<ValueFrom>>,
) -> Option<ValueFrom> {
    let at = webhook.key(key);
    match written {
        Some(declared::ValueFrom::Body(text)) => {
            let pointer = pointer(document, &at, text)?;
            if pointer.tokens().is_empty() {
                document.error(&at, format!("`{key}` is empty: the whole body is no value"));
                return None;
            }
            Some(ValueFrom::Body(pointer))
        }
        Some(declared::ValueFrom::Header(from)) => {
            let name = header_name(document, &at.key("header"), from.header.as_deref()?)?;
            Some(ValueFrom::Header(vec![name]))
        }
        None => {
            let usual = usual?;
            if usual.is_none() && document.at(&at).is_none() {
                document
                    .error(webhook, format!("the key `{key}` is missing"))
                    .hint("a signature of type hmac has no usual place for it: name a pointer such as /id, or { header: NAME }");
            }
            usual
        }
    }
}

/// Where a vendor puts an event's id and its type.
fn usual(signature: &Signature) -> (Option<ValueFrom>, Option<ValueFrom>) {
    let body = |key: &str| Some(ValueFrom::Body(Pointer::key(key)));
    let header = |names: &[&str]| {
        Some(ValueFrom::Header(names.iter().map(|name| (*name).to_owned()).collect()))
    };
    match signature {
        // https://razorpay.com/docs/webhooks/validate-test/
        Signature::Razorpay { .. } => (header(&["X-Razorpay-Event-Id"]), body("event")),
        // https://docs.stripe.com/api/events/object
        Signature::Stripe { .. } => (body("id"), body("type")),
        // https://shopify.dev/docs/apps/build/webhooks: an event id may be that of several topics, a webhook id is of one.
        Signature::Shopify { .. } => {
            (header(&["X-Shopify-Webhook-Id", "X-Shopify-Event-Id"]), header(&["X-Shopify-Topic"]))
        }
        // https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
        Signature::Github { .. } => (header(&["X-GitHub-Delivery"]), header(&["X-GitHub-Event"])),
        // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        Signature::StandardWebhooks { .. } => (header(&["webhook-id", "svix-id"]), body("type")),
        Signature::Hmac(_) => (None, None),
    }
}

fn routes(
    document: &mut Document,
    place: &Place,
    written: Option<&Ordered<declared::EventRoute>>,
    streams: Option<&[Arc<Stream>]>,
) -> Option<Vec<Route>> {
    let written = written?;
    if written.0.is_empty() {
        document
            .error(place, "there are no events")
            .hint("name at least one, such as payment.*: { stream: payments, record: /payload }");
        return None;
    }
    let routes: Vec<_> = written
        .0
        .iter()
        .map(|(pattern, route)| {
            let at = place.key(pattern);
            let stream = route.stream.as_deref();
            let stream =
                stream.and_then(|name| stream_of(document, &at.key("stream"), name, streams));
            let record = route.record.as_deref().unwrap_or_default();
            let record = pointer(document, &at.key("record"), record);
            if pattern.is_empty() {
                document.key_error(place, pattern, "an event without a type is no type: use `*`");
            }
            Some(Route { pattern: pattern.clone(), stream: stream?, record: record? })
        })
        .collect();
    routes.into_iter().collect()
}

fn stream_of(
    document: &mut Document,
    place: &Place,
    name: &str,
    streams: Option<&[Arc<Stream>]>,
) -> Option<String> {
    let streams = streams?;
    let found = streams.iter().find(|stream| stream.name == name);
    if found.is_none() {
        let names: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
        document
            .error(place, format!("there is no stream `{name}`"))
            .nearest(name, names.iter().copied())
            .hint(format!("the streams are: {}", names.join(", ")));
    }
    found.map(|stream| stream.name.clone())
}
