//! One request on the wire: a total deadline from connecting to the body's last byte, and a cap on the body.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Proxy, Request, Response, StatusCode};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::Http;

/// Bytes of a body that is read only to be shown.
const SHOWN_BYTES: u64 = 64 * 1024;

/// The most that is set aside for a body before it arrives.
const FIRST_CAPACITY: u64 = 1024 * 1024;

/// A response, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The inflated body; of a status other than 2xx the first part, as far as it came.
    pub(super) body: Bytes,
    /// From the request's first byte to the body's last.
    pub(super) took: Duration,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Lost {
    /// Connecting, sending or reading failed.
    Network(reqwest::Error),
    /// The deadline passed.
    Deadline,
    /// The inflated body is larger than allowed.
    TooLarge,
}

/// The HTTP client with what this crate does itself switched off (see `http/mod.rs`).
///
/// A bare container has no CA certificates, which fails even a client that only speaks plain HTTP; one
/// whose base URL is `plain` is then set up to trust none.
///
/// # Errors
/// `Config` when the CA bundle or the proxy cannot be used, or there are no CA certificates at all.
pub(super) fn client(http: &Http, plain: bool) -> Result<reqwest::Client> {
    match builder(http)?.build() {
        Err(_) if plain => builder(http)?.tls_certs_only([]).build(),
        built => built,
    }
    .map_err(|error| {
        Error::new(ErrorKind::Config, "could not set up the HTTP client")
            .caused_by(error.without_url())
            .hint("install the system's CA certificates, or name a file of them in http.ca_bundle")
    })
}

fn builder(http: &Http) -> Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(http.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .tcp_nodelay(true);
    if let Some(path) = &http.ca_bundle {
        let unusable = |what: &str| {
            Error::new(ErrorKind::Config, format!("{what} http.ca_bundle"))
                .with("file", path.display())
        };
        let pem = std::fs::read(path).map_err(|e| unusable("could not read").caused_by(e))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|error| unusable("no PEM certificates in").caused_by(error))?;
        if certificates.is_empty() {
            return Err(unusable("no PEM certificates in"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(url) = &http.proxy {
        // The cause would show the proxy's URL, which may hold a password.
        let proxy = Proxy::all(url.clone())
            .map_err(|_| Error::new(ErrorKind::Config, "http.proxy cannot be used"))?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}

/// Sends `request` and reads its response.
pub(super) async fn send(
    client: &reqwest::Client,
    request: Request,
    http: &Http,
) -> Result<Reply, Lost> {
    let began = Instant::now();
    let deadline = began.checked_add(http.timeout);
    let network = |error: reqwest::Error| Lost::Network(error.without_url());
    let mut response = within(deadline, client.execute(request)).await?.map_err(network)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = BytesMut::new();
    if status.is_success() {
        let announced = response.content_length().unwrap_or_default();
        let capacity = announced.min(FIRST_CAPACITY).min(http.max_page_bytes);
        body.reserve(usize::try_from(capacity).unwrap_or_default());
        within(deadline, read(&mut response, &mut body, http.max_page_bytes)).await??;
    } else {
        // The status says what matters: a body that is cut, slow or long is shown as far as it came.
        let _ = within(deadline, read(&mut response, &mut body, SHOWN_BYTES)).await;
    }
    Ok(Reply { status, headers, body: body.freeze(), took: began.elapsed() })
}

async fn within<F: Future>(deadline: Option<Instant>, future: F) -> Result<F::Output, Lost> {
    match deadline {
        Some(deadline) => {
            tokio::time::timeout_at(deadline, future).await.map_err(|_| Lost::Deadline)
        }
        None => Ok(future.await),
    }
}

/// Reads the inflated body; a compressed one is inflated bit by bit, so a bomb stops at the cap.
async fn read(response: &mut Response, body: &mut BytesMut, most: u64) -> Result<(), Lost> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    loop {
        let chunk = response.chunk().await.map_err(|error| Lost::Network(error.without_url()))?;
        let Some(chunk) = chunk else { return Ok(()) };
        let room = most.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            return Err(Lost::TooLarge);
        }
    }
}
