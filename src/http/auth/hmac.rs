//! `type: hmac`: a signature over what is sent, RFC 2104.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::secret::required;
use super::signing::{Signing, hex, mac};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::auth::{Hmac as Declared, HmacAlgorithm, SignatureEncoding};
use crate::spec::template::Scope;

/// A resolved secret, and what is signed by it.
#[derive(Clone, Debug)]
pub struct HmacSigner {
    secret: Secret,
    declared: Declared,
}

impl HmacSigner {
    pub(super) fn resolve(declared: &Declared) -> Result<Self> {
        Ok(Self { secret: required(&declared.secret)?, declared: declared.clone() })
    }

    /// Signs the request as it stands: its target, its query and its body byte for byte as they go out.
    ///
    /// # Errors
    /// `Config` when a template fails or gives what no header can hold.
    pub(super) fn apply(&self, request: &mut Request, signing: &Signing<'_>) -> Result<()> {
        let body = std::str::from_utf8(signing.body).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "a body that is signed is no text").caused_by(error)
        })?;
        let query = request.url().query().unwrap_or_default();
        let mut scope = Scope::signing(
            signing.now.timestamp(),
            request.method().as_str(),
            &target(request),
            query,
            body,
        );
        let text = self.declared.string_to_sign.render(&scope)?;
        scope.signature = Some(self.signature(text.as_bytes())?);
        for (name, template) in &self.declared.headers {
            let wrong = |what: &str| {
                Error::new(ErrorKind::Config, format!("the header {name} of auth {what}"))
            };
            let header = HeaderName::try_from(name.as_str()).map_err(|_| wrong("has no name"))?;
            let mut value = HeaderValue::try_from(template.render(&scope)?)
                .map_err(|_| wrong("would hold a character that no header may hold"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header, value);
        }
        Ok(())
    }

    fn signature(&self, text: &[u8]) -> Result<String> {
        let key = self.secret.expose().as_bytes();
        let mac = match self.declared.algorithm {
            HmacAlgorithm::Sha256 => mac::<Hmac<Sha256>>(key, text)?,
            HmacAlgorithm::Sha512 => mac::<Hmac<Sha512>>(key, text)?,
            HmacAlgorithm::Sha1 => mac::<Hmac<Sha1>>(key, text)?,
        };
        Ok(match self.declared.encoding {
            SignatureEncoding::Hex => hex(&mac),
            SignatureEncoding::Base64 => STANDARD.encode(mac),
        })
    }

    pub(super) fn carries(&self, name: &str) -> bool {
        self.declared.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        vec![self.secret.clone()]
    }
}

/// The request target in origin form (RFC 9112 section 3.2.1): the path with its query.
pub(super) fn target(request: &Request) -> String {
    let url = request.url();
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
