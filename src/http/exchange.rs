//! One attempt: a request, its redirects, and what the answer means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::token::Alone;
use crate::http::body::charset::Media;
use crate::http::budget::Allowance;
use crate::http::envelope::{Envelope, Plan};
use crate::http::excerpt::Kept;
use crate::http::lane::Lane;
use crate::http::origin::Origin;
use crate::http::pace::{self, Permit};
use crate::http::redirect::MAX_REDIRECTS;
use crate::http::refusal::{LATER, NAME_CLIENT_CERT, NAME_PROXY_AUTH, wants_certificate};
use crate::http::status::{Class, classify};
use crate::http::transport::{Lost, Reply};
use crate::http::witness::Witness;
use crate::page::room::{Held, Outgrown};
use crate::page::{Meter, PageRequest};
use crate::spec::source::{Format, OnStatus};

/// Makes a page's request.
pub(super) type Ask<'a> = dyn Fn() -> Result<PageRequest> + Send + Sync + 'a;

/// A request and what its answer is read with.
pub(super) struct Exchange<'a> {
    pub(super) origin: &'a Origin,
    /// What may be sent.
    pub(super) allowance: &'a Allowance,
    /// On what way.
    pub(super) lane: &'a Lane,
    /// The request as it is at the instant at which it is sent: `{{ timestamp }}` may stand anywhere in it.
    pub(super) ask: &'a Ask<'a>,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) on_status: &'a BTreeMap<u16, OnStatus>,
    pub(super) meter: &'a Arc<Meter>,
    /// The room that was taken for the page.
    pub(super) held: &'a Held,
    /// Who looks on.
    pub(super) witness: Option<&'a Witness>,
}

/// A page's response.
#[derive(Debug)]
pub(super) struct Fetched {
    /// As it was sent the last time.
    pub(super) request: Arc<PageRequest>,
    pub(super) status: StatusCode,
    /// The URL that answered, after redirects, without credentials.
    pub(super) url: Url,
    pub(super) request_id: String,
    pub(super) headers: HeaderMap,
    /// Empty where the status says that there are no records.
    pub(super) body: Bytes,
    pub(super) envelope: Envelope,
    pub(super) round_trip: Duration,
    /// Whether the status alone made this a page without records.
    pub(super) by_status: bool,
    /// Where it is larger than all before.
    pub(super) outgrown: Option<Outgrown>,
}

/// What an attempt led to, unless it failed for good.
pub(super) enum Outcome {
    /// A page.
    Page(Box<Fetched>),
    /// Worth another attempt.
    Again(Fault),
}

/// Why an attempt is worth another.
#[derive(Debug)]
pub(super) struct Fault {
    /// In a few words, for the log.
    pub(super) reason: String,
    /// The wait that the API asked for.
    pub(super) asked: Option<Duration>,
    /// Whether the API asked us to slow down.
    pub(super) throttled: bool,
    /// The failed request.
    pub(super) request_id: String,
    /// What to end with when there is no other attempt.
    pub(super) error: Error,
}

/// One request of an attempt: the first, or what a redirect led to.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    /// What it stands for.
    pub(super) request: Arc<PageRequest>,
    /// Whether a redirect led here.
    redirected: bool,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
    pub(super) request_id: String,
    /// The token that it was sent with, by its number.
    pub(super) token: Option<u64>,
    /// Whether that was refused, and another will not help.
    pub(super) refused_for_good: bool,
    /// Keeps what it was signed with out of what is shown of its answer.
    pub(super) signature: Option<Arc<Kept>>,
}

/// A request that may leave at once.
struct Ready {
    hop: Hop,
    request: Request,
    permit: Permit,
    alone: Option<Alone>,
}

impl Hop {
    /// The first of an attempt.
    fn first(request: PageRequest) -> Self {
        let method = match request.method {
            crate::page::Method::Get => Method::GET,
            crate::page::Method::Post => Method::POST,
        };
        Self {
            method,
            url: request.url.clone(),
            body: request.body.clone(),
            request: Arc::new(request),
            redirected: false,
            request_id: String::new(),
            token: None,
            refused_for_good: false,
            signature: None,
        }
    }
}

impl Exchange<'_> {
    /// Sends the request and follows its redirects, each paced and counted.
    ///
    /// # Errors
    /// What no other attempt would change.
    pub(super) async fn attempt(&self) -> Result<Outcome> {
        let (mut next, mut redirects, mut refusals) = (None, 0, 0);
        loop {
            let (hop, sent) = self.send(next, refusals).await?;
            let reply = match sent {
                Ok(reply) => reply,
                Err(lost) => return self.lost(lost, &hop),
            };
            let class = classify(reply.status.as_u16(), self.on_status);
            if class != Class::Credentials {
                self.accepted(&hop)?;
            } else if self.may_renew(&hop, refusals).await? {
                refusals += 1;
                next = hop.redirected.then_some(hop);
                continue;
            }
            match class {
                Class::Permission if pace::is_refusal(reply.status, &reply.headers) => {
                    return Ok(Outcome::Again(self.passing(&reply, &hop)));
                }
                Class::Follow if redirects == MAX_REDIRECTS => {
                    let what = format!("more than {MAX_REDIRECTS} redirects");
                    return Err(self.place(Error::new(ErrorKind::Api, what), &hop));
                }
                Class::Follow => {
                    redirects += 1;
                    let led = self.redirected(&hop, &reply).map_err(|e| self.place(e, &hop))?;
                    next = Some(led);
                }
                class => return self.judge(class, reply, hop).await,
            }
        }
    }

    /// Sends `next`, or the first request of an attempt, of which so many tokens were refused.
    async fn send(&self, next: Option<Hop>, refusals: u32) -> Result<(Hop, Result<Reply, Lost>)> {
        let origin = self.origin;
        self.allowance.take()?;
        let Ready { mut hop, request, permit, alone } = self.ready(next, refusals).await?;
        Meter::count(&self.meter.requests);
        let asked = self.witness.is_some().then(|| self.asked(&request));
        let sent =
            origin.transport.send(request, self.held).await.map_err(|e| self.place(e, &hop))?;
        let refused = matches!(&sent, Ok(reply) if reply.status == StatusCode::UNAUTHORIZED);
        hop.refused_for_good = refused && alone.is_some_and(Alone::refused);
        if let Ok(reply) = &sent {
            permit.answered(reply.status, &reply.headers);
            tracing::debug!(
                request_id = %hop.request_id,
                method = %hop.method,
                url = %self.origin.shown(&hop.url),
                status = reply.status.as_u16(),
                ms = u64::try_from(reply.took.as_millis()).unwrap_or(u64::MAX),
                bytes = reply.body.len(),
                "request"
            );
            if let (Some(witness), Some(asked)) = (self.witness, asked) {
                witness.saw(asked, reply, &origin.credentials()?.scrubber);
            }
        }
        Ok((hop, sent))
    }

    /// The request as it leaves, and leave to send it.
    async fn ready(&self, next: Option<Hop>, refusals: u32) -> Result<Ready> {
        let turn = self.lane.turn().await;
        let mut permit = self.origin.pace().await?;
        drop(turn);
        // Now, as a wait may have been longer than a token lives or a signature counts.
        let mut hop = match next {
            Some(hop) => hop,
            None => Hop::first((self.ask)()?),
        };
        hop.request_id = new_request_id();
        let mut request = self.outgoing(&hop)?;
        let alone = self.authenticate(&mut request, &mut hop, refusals).await?;
        permit.leaves();
        Ok(Ready { hop, request, permit, alone })
    }

    /// The request that a redirect leads to: RFC 9110 §15.4, where a POST becomes a GET as browsers do it.
    fn redirected(&self, hop: &Hop, reply: &Reply) -> Result<Hop> {
        let location = reply.headers.get(LOCATION).ok_or_else(|| {
            Error::new(ErrorKind::Api, format!("{} without a Location", said(reply.status)))
        })?;
        let location = std::str::from_utf8(location.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::Api, "a redirect's Location is not text").caused_by(error)
        })?;
        let url = self.origin.follow(&hop.url, location)?;
        if reply.status == StatusCode::MOVED_PERMANENTLY
            && !self.origin.warned_moved.swap(true, Ordering::Relaxed)
        {
            let (from, to) = (self.origin.shown(&hop.url), self.origin.shown(&url));
            tracing::warn!(%from, %to, "moved permanently: update base_url or path");
        }
        let becomes_get = match reply.status {
            StatusCode::SEE_OTHER => true,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => hop.method == Method::POST,
            _ => false,
        };
        let (method, body) =
            if becomes_get { (Method::GET, None) } else { (hop.method.clone(), hop.body.clone()) };
        // A new one when it is sent; until then an error speaks of the answer that led here.
        Ok(Hop { method, url, body, token: None, redirected: true, ..hop.clone() })
    }

    async fn judge(&self, class: Class, reply: Reply, hop: Hop) -> Result<Outcome> {
        match class {
            Class::Page => self.page(reply, hop).await,
            Class::Empty => Ok(fetched(Envelope::empty(), reply, hop, true)),
            Class::Passing => Ok(Outcome::Again(self.passing(&reply, &hop))),
            Class::Credentials => {
                let error = self.answer(ErrorKind::Credentials, "refused the credentials", &reply);
                Err(self.place(error.hint("check the secrets that the source's auth names"), &hop))
            }
            Class::Permission => {
                let error = self.answer(ErrorKind::Credentials, "refused permission", &reply);
                let hint = "the credentials are known but may not read this: check their scope";
                Err(self.place(error.hint(hint), &hop))
            }
            Class::Refused | Class::Follow => {
                let error = self.answer(ErrorKind::Api, "refused the request", &reply);
                let error = match reply.status {
                    StatusCode::NOT_FOUND => error.hint(
                        "check base_url and path; where it means no records, declare `on_status: { 404: empty }`",
                    ),
                    StatusCode::BAD_REQUEST if wants_certificate(&reply.body) => {
                        error.hint(NAME_CLIENT_CERT)
                    }
                    StatusCode::PROXY_AUTHENTICATION_REQUIRED => error.hint(NAME_PROXY_AUTH),
                    _ => error,
                };
                Err(self.place(error, &hop))
            }
        }
    }

    /// A status that is expected to pass.
    fn passing(&self, reply: &Reply, hop: &Hop) -> Fault {
        let asked = pace::asked(&reply.headers, self.origin.clock.now());
        let throttled = pace::is_refusal(reply.status, &reply.headers);
        if throttled {
            Meter::count(&self.meter.throttled);
        }
        let error = self.answer(ErrorKind::Transient, "could not answer", reply).hint(LATER);
        Fault {
            reason: format!("status {}", reply.status.as_u16()),
            asked,
            throttled,
            request_id: hop.request_id.clone(),
            error: self.place(error, hop),
        }
    }

    /// What the API did, with its status, content type and the beginning of the body.
    pub(super) fn answer(&self, kind: ErrorKind, what: &str, reply: &Reply) -> Error {
        let mut error = Error::new(kind, format!("the API {what} ({})", said(reply.status)));
        let Ok(credentials) = self.origin.credentials() else { return error };
        if let Some(kind) = reply.headers.get(CONTENT_TYPE) {
            let text = String::from_utf8_lossy(kind.as_bytes());
            error = error.with("content_type", credentials.scrubber.excerpt(text.as_bytes()));
        }
        // In UTF-16, say, a credential that is echoed looks like none.
        let text = Media::of(&reply.headers).ok();
        let text = text.and_then(|media| media.utf8(reply.body.clone(), Format::Json).ok());
        let body = credentials.scrubber.excerpt(text.as_ref().unwrap_or(&reply.body));
        if body.is_empty() { error } else { error.with("body", body) }
    }

    /// Adds the request line and id.
    pub(super) fn place(&self, error: Error, hop: &Hop) -> Error {
        placed(error, hop.method.as_str(), &self.origin.shown(&hop.url), &hop.request_id)
    }
}

/// A random UUID, from the thread's generator: the system is asked for chance once, not for every request.
fn new_request_id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// Adds the request line and id to an error.
pub(super) fn placed(error: Error, method: &str, url: &str, request_id: &str) -> Error {
    error.with("request", format!("{method} {url}")).with("request_id", request_id)
}

pub(super) fn fetched(envelope: Envelope, reply: Reply, hop: Hop, by_status: bool) -> Outcome {
    Outcome::Page(Box::new(Fetched {
        request: hop.request,
        status: reply.status,
        url: hop.url,
        request_id: hop.request_id,
        headers: reply.headers,
        body: if by_status { Bytes::new() } else { reply.body },
        envelope,
        round_trip: reply.took,
        by_status,
        outgrown: reply.outgrown,
    }))
}

fn said(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}
