//! What is answered where.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::Semaphore;

use super::body;
use super::health::Health;
use super::identity::Identifier;
use crate::clock::Clock;
use crate::spec::webhook::Webhook;
use crate::webhook::inbox::event::{Arrival, Kept};
use crate::webhook::inbox::writer::Writer;
use crate::webhook::metrics::Metrics;
use crate::webhook::metrics::reason::Reason;
use crate::webhook::signature::Verifier;
use crate::webhook::signature::posted::Posted;

/// Seconds after which an event that could not be kept should be sent again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

/// A webhook that is served.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) webhook: Arc<Webhook>,
    identifier: Identifier,
    verifier: Verifier,
    /// Whether the log was told of a signature that is refused, since one was accepted.
    told: AtomicBool,
    /// Whether it was told that the inbox is full, since an event was kept.
    told_full: AtomicBool,
}

impl Endpoint {
    pub(super) fn new(webhook: Arc<Webhook>, verifier: Verifier) -> Self {
        let identifier = Identifier::new(Arc::clone(&webhook));
        Self { webhook, identifier, verifier, told: false.into(), told_full: false.into() }
    }
}

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) source: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) writer: Writer,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) patience: Duration,
    pub(super) room: Arc<Semaphore>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What an event that is answered 200 came to.
#[derive(Clone, Copy, Debug)]
enum Accepted {
    New,
    Duplicate,
    Ignored,
}

/// All that is answered.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(receive)
        .with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match shared.health.trouble().await {
        None => "ready\n".into_response(),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.metrics.text(shared.health.gauges().await);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path();
    let Some(endpoint) = shared.endpoints.iter().find(|one| one.webhook.path == path) else {
        shared.metrics.elsewhere.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let counters = shared.metrics.of(&endpoint.webhook.name);
    if let Some(counters) = counters {
        counters.receive();
    }
    match accept(&shared, endpoint, request).await {
        Ok(accepted) => {
            if let Some(counters) = counters {
                match accepted {
                    Accepted::New => counters.accept(),
                    Accepted::Duplicate => counters.duplicate(),
                    Accepted::Ignored => counters.ignore(),
                }
            }
            "ok\n".into_response()
        }
        Err(reason) => {
            if let Some(counters) = counters {
                counters.refuse(reason);
            }
            refused(endpoint, reason)
        }
    }
}

fn refused(endpoint: &Endpoint, reason: Reason) -> Response {
    let (webhook, why) = (endpoint.webhook.name.as_str(), reason.name());
    let (status, told) = reason.answer();
    tracing::debug!(webhook, reason = why, "refused a request");
    // A wrong secret should be seen, and whoever tries signatures should not fill the log.
    if status == StatusCode::UNAUTHORIZED && !endpoint.told.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            webhook,
            reason = why,
            "refused a signature; more are counted in /metrics until one is accepted"
        );
    }
    if reason == Reason::Full && !endpoint.told_full.swap(true, Ordering::Relaxed) {
        tracing::error!(
            webhook,
            "the inbox is full: events are answered 503 until `lakeward land` makes room, or --inbox-max or the disk is larger"
        );
    }
    let header: Option<(HeaderName, HeaderValue)> = match status {
        StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, HeaderValue::from_static("POST"))),
        StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER)),
        // What is left of the body is not read.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            Some((header::CONNECTION, HeaderValue::from_static("close")))
        }
        _ => None,
    };
    let mut response = (status, format!("{told}\n")).into_response();
    response.headers_mut().extend(header);
    response
}

/// Proves and keeps an event.
async fn accept(
    shared: &Shared,
    endpoint: &Endpoint,
    request: Request,
) -> Result<Accepted, Reason> {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return Err(Reason::Method);
    }
    if !body::can_be_json(&head.headers) {
        return Err(Reason::ContentType);
    }
    let body = body::read(&head.headers, body, shared.patience, &shared.room).await?;
    let now = shared.clock.now();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    endpoint.verifier.verify(&Posted {
        headers: &head.headers,
        method: head.method.as_str(),
        target,
        body: &body.bytes,
        now,
    })?;
    if endpoint.told.load(Ordering::Relaxed) {
        endpoint.told.store(false, Ordering::Relaxed);
    }
    let webhook = &endpoint.webhook;
    let identity = endpoint.identifier.identify(&head.headers, &body.bytes);
    let Some(state) = identity.state else { return Ok(Accepted::Ignored) };
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let kept = shared.writer.keep(Arrival {
        source: shared.source.clone(),
        endpoint: webhook.name.clone(),
        event_id: identity.id,
        event_type: identity.event_type,
        received_at: now,
        content_type: content_type.and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: body.bytes.clone(),
        state,
        dedupe_for: webhook.dedupe_for,
    });
    let kept = kept.await;
    match kept {
        Kept::New => {
            shared.health.kept();
            // Not written by every request: they would wait for each other.
            if endpoint.told_full.load(Ordering::Relaxed) {
                endpoint.told_full.store(false, Ordering::Relaxed);
            }
        }
        Kept::Full | Kept::Failed => shared.health.failed(),
        Kept::Duplicate => {}
    }
    match kept {
        Kept::New => Ok(Accepted::New),
        Kept::Duplicate => Ok(Accepted::Duplicate),
        Kept::Full => Err(Reason::Full),
        Kept::Failed => Err(Reason::Failed),
    }
}
