//! A request as it goes out: its headers, and its credentials, which go home alone.

use std::sync::Arc;

use reqwest::Request;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT,
};

use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::signing::Signing;
use crate::http::auth::token::Alone;
use crate::http::exchange::{Exchange, Hop};
use crate::http::inflate::ACCEPTED;
use crate::http::redirect::is_credential;
use crate::http::witness::Asked;
use crate::redact::Secret;
use crate::spec::source::Format;

/// Tokens that one request is given after its first was refused, where others are let through meanwhile.
const MOST_RENEWALS: u32 = 6;

/// The header by which a request is found again in the logs of both sides.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Exchange<'_> {
    /// A request as it may be shown.
    pub(super) fn asked(&self, request: &Request) -> Asked {
        let known = self.origin.credentials().ok();
        let hides = |name: &str| {
            is_credential(name) || known.is_some_and(|known| known.authenticator.carries(name))
        };
        let scrubber = known.map(|known| known.scrubber.clone()).unwrap_or_default();
        let url = self.origin.shown(request.url());
        Asked::new(request.method().as_str(), url, request.headers(), hides, &scrubber)
    }

    /// The request as it goes out. Credentials, declared or known by a header's name, only go home.
    pub(super) fn outgoing(&self, hop: &Hop) -> Result<Request> {
        let origin = self.origin;
        let authenticator = &origin.credentials()?.authenticator;
        let at_home = origin.routes.is_home(&hop.url);
        let mut request = Request::new(hop.method.clone(), hop.url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(accepted(self.plan.format())));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
        headers.insert(USER_AGENT, header_value("User-Agent", &origin.http.user_agent)?);
        if hop.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &hop.request.headers {
            if at_home || !(is_credential(name) || authenticator.carries(name)) {
                headers.insert(header_name(name)?, header_value(name, value)?);
            }
        }
        headers.insert(REQUEST_ID, header_value("X-Request-Id", &hop.request_id)?);
        *request.body_mut() = hop.body.clone().map(reqwest::Body::from);
        Ok(request)
    }

    /// Puts the credentials on a request that goes home, once there is a token where it needs one; that is kept from others
    /// for as long where it must be the first to use it.
    pub(super) async fn authenticate(
        &self,
        request: &mut Request,
        hop: &mut Hop,
        refusals: u32,
    ) -> Result<Option<Alone>> {
        let origin = self.origin;
        let credentials = origin.credentials()?;
        hop.token = None;
        if !origin.routes.is_home(&hop.url) {
            return Ok(None);
        }
        if let Some(tokens) = credentials.authenticator.tokens() {
            let (now, caller) = (origin.clock.now(), || origin.caller(credentials, self.meter));
            let (held, alone) = match refusals {
                0 => (tokens.current(now, caller).await?, None),
                1 => tokens.other(now, caller).await?,
                _ => tokens.fresh(caller()).await.map(|(held, alone)| (held, Some(alone)))?,
            };
            request.headers_mut().insert(AUTHORIZATION, held.header);
            hop.token = Some(held.serial);
            return Ok(alone);
        }
        let signing =
            Signing { body: hop.body.as_deref().unwrap_or_default(), now: origin.clock.now() };
        credentials.authenticator.apply(request, &signing)?;
        if credentials.authenticator.signs() {
            hop.signature = Some(Arc::new(credentials.scrubber.keep(&signature(request))));
        }
        Ok(None)
    }

    /// The API refused the token that `hop` was sent with, after so many others: it is sent no more. Whether another may
    /// help: of one that others use too, they may have used up what it was good for.
    pub(super) async fn may_renew(&self, hop: &Hop, refusals: u32) -> Result<bool> {
        let credentials = self.origin.credentials()?;
        let (Some(tokens), Some(serial)) = (credentials.authenticator.tokens(), hop.token) else {
            return Ok(false);
        };
        tokens.refuse(serial).await;
        let renews = refusals < MOST_RENEWALS && !hop.refused_for_good && !tokens.is_hopeless();
        if renews {
            tracing::debug!(request_id = %hop.request_id, "the API refused the token: getting another");
        }
        Ok(renews)
    }

    /// The API let a request through.
    pub(super) fn accepted(&self, hop: &Hop) -> Result<()> {
        if let (Some(tokens), Some(_)) =
            (self.origin.credentials()?.authenticator.tokens(), hop.token)
        {
            tokens.accept();
        }
        Ok(())
    }
}

/// An API that refuses a signature may echo it. Whatever is long enough to be one, in the headers that are set apart as
/// secret, is taken for it.
fn signature(request: &Request) -> Vec<Secret> {
    let values = request.headers().values().filter(|value| value.is_sensitive());
    let parts = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([' ', ',', '=', ':', ';']));
    parts.filter(|part| part.len() >= SIGNATURE_BYTES).map(Secret::new).collect()
}

/// As long is 128 bits in base64, the shortest signature that is worth one.
const SIGNATURE_BYTES: usize = 22;

/// What is asked for; a source may declare its own Accept.
fn accepted(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Ndjson => "application/x-ndjson, application/jsonl, application/json;q=0.5",
        Format::Csv => "text/csv",
    }
}

fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::try_from(name)
        .map_err(|_| Error::new(ErrorKind::Config, format!("`{name}` is not a header name")))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(value).map_err(|_| {
        let message = format!("the header {name} would hold a character that no header may hold");
        Error::new(ErrorKind::Config, message)
    })
}
