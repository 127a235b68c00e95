//! One request on the wire: a total deadline from connecting to the body's last byte, and a cap on the body.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use reqwest::{Certificate, Proxy, Request, Response, StatusCode, Version};
use tokio::time::Instant;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::http::inflate::Codings;
use crate::spec::source::Http;

/// Bytes of a body that is read only to be shown.
const SHOWN_BYTES: usize = 64 * 1024;

/// What HTTP/2 may have on its way: of one page, and of all pages in flight. hyper's own 2 and 5 MiB hold back
/// large pages, and its adaptive window begins at 64 KiB.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;
/// The largest HTTP/2 frame: the default of 16 KiB cuts a large page into a hundred.
const FRAME: u32 = 256 * 1024;

/// The variables that name a proxy for plain HTTP.
const PROXY_VARIABLES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// A response, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body as it came, maybe compressed; of a status other than 2xx the inflated first part, as far as it came.
    pub(super) body: Bytes,
    /// Whether the end of the connection is the end of the body (RFC 9112 §6.3): one that is cut looks whole.
    pub(super) open_ended: bool,
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
    /// The body is larger than allowed, as it came or inflated.
    TooLarge,
    /// The compressed body is cut, or was never what its header says.
    Corrupt(std::io::Error),
}

/// The HTTP clients with what this crate does itself switched off (see `http/mod.rs`).
///
/// To read the system's CA certificates takes longer than a request on loopback, and a bare container has none:
/// a source that is reached by plain HTTP reads them when it is first led to https.
#[derive(Debug)]
pub(super) struct Transport {
    http: Http,
    plain: Option<reqwest::Client>,
    secure: OnceLock<reqwest::Client>,
}

impl Transport {
    /// What the source at `base_url` is reached by.
    ///
    /// # Errors
    /// `Config` when the CA bundle or the proxy cannot be used, or https is declared and there are no CA
    /// certificates at all.
    pub(super) fn new(http: &Http, base_url: &Url) -> Result<Self> {
        let plain = base_url.scheme() == "http" && !is_proxied_by_https(http);
        let plain = plain
            .then(|| builder(http)?.tls_certs_only([]).build().map_err(unusable))
            .transpose()?;
        let transport = Self { http: http.clone(), plain, secure: OnceLock::new() };
        if transport.plain.is_none() {
            transport.secure()?;
        }
        Ok(transport)
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client> {
        match &self.plain {
            Some(plain) if url.scheme() == "http" => Ok(plain),
            _ => self.secure(),
        }
    }

    fn secure(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let client = builder(&self.http)?.build().map_err(unusable)?;
        Ok(self.secure.get_or_init(|| client))
    }

    /// Sends `request` and reads its response.
    ///
    /// # Errors
    /// `Config` as [`Transport::new`], for the first https URL of a plain source.
    pub(super) async fn send(&self, request: Request) -> Result<Result<Reply, Lost>> {
        let client = self.client(request.url())?;
        Ok(send(client, request, &self.http).await)
    }
}

/// Whether plain HTTP goes through a proxy that is itself reached by https.
fn is_proxied_by_https(http: &Http) -> bool {
    match &http.proxy {
        Some(url) => url.scheme() == "https",
        None => PROXY_VARIABLES.iter().any(|name| {
            std::env::var(name)
                .is_ok_and(|url| url.trim_start().to_ascii_lowercase().starts_with("https:"))
        }),
    }
}

fn unusable(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Config, "could not set up the HTTP client")
        .caused_by(error.without_url())
        .hint("install the system's CA certificates, or name a file of them in http.ca_bundle")
}

fn builder(http: &Http) -> Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(http.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_frame_size(FRAME)
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

async fn send(client: &reqwest::Client, request: Request, http: &Http) -> Result<Reply, Lost> {
    let began = Instant::now();
    let deadline = began.checked_add(http.timeout);
    let network = |error: reqwest::Error| Lost::Network(error.without_url());
    let mut response = within(deadline, client.execute(request)).await?.map_err(network)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let open_ended = response.version() <= Version::HTTP_11
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING);
    let mut body = BytesMut::new();
    if status.is_success() {
        let most = usize::try_from(http.max_page_bytes).unwrap_or(usize::MAX);
        // Memory that no byte arrives in costs nothing, so that the length is believed up to the cap.
        let announced = response.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > most {
            return Err(Lost::TooLarge);
        }
        body.reserve(announced);
        within(deadline, read(&mut response, &mut body, most)).await??;
    } else {
        // The status says what matters: a body that is cut, slow or long is shown as far as it came.
        let _ = within(deadline, read(&mut response, &mut body, SHOWN_BYTES)).await;
        if let Ok(codings) = Codings::of(&headers)
            && !codings.is_none()
        {
            body = codings.inflate_head(&body, SHOWN_BYTES).as_slice().into();
        }
    }
    Ok(Reply { status, headers, body: body.freeze(), open_ended, took: began.elapsed() })
}

async fn within<F: Future>(deadline: Option<Instant>, future: F) -> Result<F::Output, Lost> {
    match deadline {
        Some(deadline) => {
            tokio::time::timeout_at(deadline, future).await.map_err(|_| Lost::Deadline)
        }
        None => Ok(future.await),
    }
}

/// Reads the body into one buffer.
async fn read(response: &mut Response, body: &mut BytesMut, most: usize) -> Result<(), Lost> {
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
