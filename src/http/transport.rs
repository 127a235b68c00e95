//! One request on the wire: a total deadline from connecting to the body's last byte, and a cap on the body.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use reqwest::{Request, Response, StatusCode, Version};
use tokio::time::Instant;

use crate::error::Result;
use crate::http::connector::Connector;
use crate::http::inflate::Codings;
use crate::http::refusal::refusal;
use crate::page::room::{Held, Outgrown};
use crate::redact::Secret;
use crate::spec::source::{Http, Source};

/// Bytes of a body that is read only to be shown.
const SHOWN_BYTES: usize = 64 * 1024;

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
    /// Where the page is larger than all before.
    pub(super) outgrown: Option<Outgrown>,
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

/// What sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    connector: Connector,
    http: Http,
}

impl Transport {
    /// What `source` is reached by.
    ///
    /// # Errors
    /// As [`Connector::new`].
    pub(super) fn new(source: &Source) -> Result<Self> {
        Ok(Self { connector: Connector::new(source)?, http: source.http.clone() })
    }

    /// The proxy's credentials, to take them out of what is shown.
    pub(super) fn secrets(&self) -> &[Secret] {
        self.connector.secrets()
    }

    /// Sends `request` and reads its response, counting it as what is `held` for it.
    ///
    /// # Errors
    /// As [`Connector::of`]; and what the connection was refused for, where another attempt would change nothing.
    pub(super) async fn send(&self, request: Request, held: &Held) -> Result<Result<Reply, Lost>> {
        let client = self.connector.of(request.url())?;
        match send(client, request, &self.http, held).await {
            Err(Lost::Network(error)) => refusal(&error).map_or(Ok(Err(Lost::Network(error))), Err),
            sent => Ok(sent),
        }
    }
}

async fn send(
    client: &reqwest::Client,
    request: Request,
    http: &Http,
    held: &Held,
) -> Result<Reply, Lost> {
    let began = Instant::now();
    let deadline = began.checked_add(http.timeout);
    let network = |error: reqwest::Error| Lost::Network(error.without_url());
    let mut response = within(deadline, client.execute(request)).await?.map_err(network)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let open_ended = response.version() <= Version::HTTP_11
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING);
    let (mut body, mut outgrown) = (BytesMut::new(), None);
    if status.is_success() {
        let most = usize::try_from(http.max_page_bytes).unwrap_or(usize::MAX);
        // Memory that no byte arrives in costs nothing, so that the length is believed up to the cap.
        let announced = response.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > most {
            return Err(Lost::TooLarge);
        }
        // The wait for others is not the server's.
        let waits = Instant::now();
        outgrown = held.outgrow(announced).await;
        let deadline = deadline.and_then(|deadline| deadline.checked_add(waits.elapsed()));
        body.reserve(announced);
        let all = read(&mut response, &mut body, most);
        within(deadline, all).await??;
        if announced == 0 {
            outgrown = held.outgrow(body.len()).await;
        }
    } else {
        // The status says what matters: a body that is cut, slow or long is shown as far as it came.
        let _ = within(deadline, read(&mut response, &mut body, SHOWN_BYTES)).await;
        if let Ok(codings) = Codings::of(&headers)
            && !codings.is_none()
        {
            body = codings.inflate_head(&body, SHOWN_BYTES).as_slice().into();
        }
    }
    let (body, took) = (body.freeze(), began.elapsed());
    Ok(Reply { status, headers, body, open_ended, took, outgrown })
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
