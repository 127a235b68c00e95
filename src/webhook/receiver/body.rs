//! A request's body: whole, in time, and no larger than is taken.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::webhook::metrics::reason::Reason;

/// Bytes of a body at most (DESIGN §8).
pub(super) const MOST: usize = 1 << 20;

/// Bytes that are read of a larger one before it is refused: a client that is still sending when the connection is
/// closed may never see the answer.
const DRAINED: u64 = 16 << 20;

/// Bytes of all bodies at once.
const ROOM: usize = 256 << 20;

/// The room that all bodies share.
pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(ROOM))
}

/// A body, and the room that it takes until it is dropped.
pub(super) struct Held {
    /// Byte for byte as it came.
    pub(super) bytes: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Reads a body.
///
/// # Errors
/// `TooLarge`, `Slow` where it did not come whole within `patience`, `Busy` where there is no room.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    patience: Duration,
    room: &Arc<Semaphore>,
) -> Result<Held, Reason> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: Option<u64> = announced.and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > DRAINED) {
        return Err(Reason::TooLarge);
    }
    let until = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
    tokio::time::timeout_at(until, read_all(body, room)).await.unwrap_or(Err(Reason::Slow))
}

async fn read_all(body: Body, room: &Arc<Semaphore>) -> Result<Held, Reason> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut permit): (BytesMut, Option<OwnedSemaphorePermit>) = Default::default();
    let mut length = 0_u64;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Reason::Slow)?;
        length = length.saturating_add(chunk.len() as u64);
        if length > MOST as u64 {
            // Read on without keeping it.
            (bytes, permit) = Default::default();
            if length > DRAINED {
                break;
            }
            continue;
        }
        let needed = u32::try_from(chunk.len()).map_err(|_| Reason::TooLarge)?;
        let more = Arc::clone(room).try_acquire_many_owned(needed).map_err(|_| Reason::Busy)?;
        match &mut permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    if length > MOST as u64 {
        return Err(Reason::TooLarge);
    }
    Ok(Held { bytes: bytes.freeze(), _permit: permit })
}

/// Whether the headers speak of a body that can be an event: JSON or nothing said, and not compressed.
pub(super) fn can_be_json(headers: &HeaderMap) -> bool {
    let coded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return !coded };
    let Ok(text) = value.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // Some senders call JSON text, or bytes.
    let fits = matches!(
        essence.as_str(),
        "" | "application/json" | "text/json" | "text/plain" | "application/octet-stream"
    ) || essence.ends_with("+json");
    fits && !coded
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_can_be_json_is_taken() {
        let of = |name: header::HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            can_be_json(&HeaderMap::from_iter([(name, value)]))
        };
        assert!(can_be_json(&HeaderMap::new()));
        for fits in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/cloudevents+json",
            "text/plain; charset=UTF-8",
        ] {
            assert!(of(header::CONTENT_TYPE, fits), "{fits}");
        }
        for other in [
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "text/html",
            "image/png",
        ] {
            assert!(!of(header::CONTENT_TYPE, other), "{other}");
        }
        assert!(!of(header::CONTENT_ENCODING, "gzip"));
        assert!(of(header::CONTENT_ENCODING, "identity"));
    }
}
