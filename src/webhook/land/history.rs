//! The events themselves, in a table beside that of their records (`history: true`).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::run::events::{Content, EventRecord};
use crate::spec::source::{Source, Stream};
use crate::webhook::inbox::event::Event;

/// The stream with the table of its events, where it is to have one.
///
/// # Errors
/// `Config` where another stream's table has that name.
pub(super) fn stream_of_events(source: &Source, of: &Stream) -> Result<Option<Arc<Stream>>> {
    if !of.history {
        return Ok(None);
    }
    let table = of.table.of_events()?;
    if source.streams.iter().any(|stream| stream.table.name == table.name) {
        let message = format!("the table `{}` is that of another stream's records", table.name);
        return Err(Error::new(ErrorKind::Config, message).with("stream", &of.name).hint(
            "`history: true` keeps events in <table>_events: give the other table another name",
        ));
    }
    Ok(Some(Arc::new(Stream { table: Arc::new(table), clip: None, ..of.clone() })))
}

/// An event as a record of that table.
#[derive(Serialize)]
struct Kept<'a> {
    event_id: &'a str,
    event_type: &'a str,
    endpoint: &'a str,
    received_at: String,
    content_type: Option<&'a str>,
    body: Option<&'a str>,
    body_base64: Option<String>,
}

/// The event as a record of the table of events.
///
/// # Errors
/// `Unexpected` where it has no JSON form.
pub(super) fn kept(event: &Event) -> Result<EventRecord> {
    let body = std::str::from_utf8(&event.body).ok();
    let kept = Kept {
        event_id: &event.event_id,
        event_type: &event.event_type,
        endpoint: &event.endpoint,
        received_at: event.received_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        content_type: event.content_type.as_deref(),
        body,
        body_base64: body.is_none().then(|| STANDARD.encode(&event.body)),
    };
    let text = serde_json::to_vec(&kept).map_err(|cause| {
        Error::new(ErrorKind::Unexpected, "an event has no JSON form").caused_by(cause)
    })?;
    Ok(EventRecord { received_at: event.received_at, content: Content::Record(text.into()) })
}
