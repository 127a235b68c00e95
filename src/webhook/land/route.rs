//! Where an event goes, and what it comes to there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::json::scanner::text_at;
use crate::run::events::{Content, EventRecord, Unlandable};
use crate::spec::source::Source;
use crate::spec::webhook::{Route, Webhook};
use crate::webhook::inbox::event::Event;

/// The stream that lands the event; `None` of an endpoint that the source file does not have, or that has no stream.
///
/// An event whose type no route has goes to the stream of the endpoint's first route, as a dead letter.
pub(super) fn stream_of<'a>(source: &'a Source, event: &Event) -> Option<&'a str> {
    let webhook = endpoint(source, event)?;
    let route = webhook.route(&event.event_type).or_else(|| webhook.routes.first())?;
    Some(&route.stream)
}

fn endpoint<'a>(source: &'a Source, event: &Event) -> Option<&'a Webhook> {
    let found = source.webhooks.iter().find(|webhook| webhook.name == event.endpoint);
    found.map(AsRef::as_ref)
}

/// What the event comes to in the table of `stream`, the one that it was given to when its batch was made.
///
/// # Errors
/// `Unexpected` where it has no JSON form.
pub(super) fn record(source: &Source, stream: &str, event: &Event) -> Result<EventRecord> {
    let route = endpoint(source, event).and_then(|webhook| webhook.route(&event.event_type));
    let content = match route.filter(|route| route.stream == stream) {
        Some(route) => match record_at(route, &event.body) {
            Some(record) => Content::Record(record),
            None => unlandable(why_not(&event.body, Unlandable::NoRecord), Some(route), event)?,
        },
        None => unlandable(why_not(&event.body, Unlandable::NoRoute), None, event)?,
    };
    Ok(EventRecord { received_at: event.received_at, content })
}

/// The text of the record, a slice of the body.
fn record_at(route: &Route, body: &Bytes) -> Option<Bytes> {
    let text = text_at(route.record.tokens(), body)?;
    (text != "null").then(|| body.slice_ref(text.as_bytes()))
}

fn why_not(body: &[u8], otherwise: Unlandable) -> Unlandable {
    if text_at(&[], body).is_none() { Unlandable::NotJson } else { otherwise }
}

/// An event as a dead letter has it: nothing of it is lost.
#[derive(Serialize)]
struct Shown<'a> {
    endpoint: &'a str,
    event_id: &'a str,
    event_type: &'a str,
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(flatten)]
    body: Body<'a>,
}

/// The body: as JSON, else as text, else as bytes.
#[derive(Serialize)]
enum Body<'a> {
    #[serde(rename = "body")]
    Json(&'a RawValue),
    #[serde(rename = "body_text")]
    Text(&'a str),
    #[serde(rename = "body_base64")]
    Bytes(String),
}

fn unlandable(why: Unlandable, route: Option<&Route>, event: &Event) -> Result<Content> {
    let kind = &event.event_type;
    let message = match (why, route) {
        (Unlandable::NotJson, _) => "the event's body is no JSON".to_owned(),
        (Unlandable::NoRecord, Some(route)) => {
            format!("nothing stands at `{}` in the event of type `{kind}`", route.record)
        }
        (Unlandable::NoRecord, None) | (Unlandable::NoRoute, _) => {
            format!("no stream takes events of type `{kind}`")
        }
    };
    let body = match std::str::from_utf8(&event.body) {
        Ok(text) => serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
            .map_or(Body::Text(text), Body::Json),
        Err(_) => Body::Bytes(STANDARD.encode(&event.body)),
    };
    let shown = Shown {
        endpoint: &event.endpoint,
        event_id: &event.event_id,
        event_type: kind,
        received_at: event.received_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        content_type: event.content_type.as_deref(),
        body,
    };
    let event = serde_json::to_vec(&shown).map_err(|cause| {
        Error::new(ErrorKind::Unexpected, "an event has no JSON form").caused_by(cause)
    })?;
    Ok(Content::Unlandable { why, message, event: event.into() })
}
