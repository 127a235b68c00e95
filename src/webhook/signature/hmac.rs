//! Any other signature by a shared secret, RFC 2104, as the source file declares it.

use super::keys::{Keys, from_base64, from_hex};
use super::posted::{Posted, Refusal};
use crate::error::Result;
use crate::spec::auth::SignatureEncoding;
use crate::spec::template::Scope;
use crate::spec::webhook::Hmac as Declared;

/// Resolved secrets, and what is signed by them.
#[derive(Debug)]
pub struct Hmac {
    keys: Keys,
    declared: Declared,
}

impl Hmac {
    pub(super) fn resolve(declared: &Declared) -> Result<Self> {
        Ok(Self { keys: Keys::written(&declared.secrets)?, declared: declared.clone() })
    }

    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        let Declared { header, algorithm, encoding, prefix, string_to_sign, timestamp, .. } =
            &self.declared;
        let value = posted.header(header)?;
        let written = value.strip_prefix(prefix.as_str()).ok_or(Refusal::Malformed)?;
        let signature = match encoding {
            SignatureEncoding::Hex => from_hex(written)?,
            SignatureEncoding::Base64 => from_base64(written)?,
        };
        let time = match timestamp {
            Some((name, tolerance)) => Some(posted.timely(posted.header(name)?, *tolerance)?),
            None => None,
        };
        let Some(template) = string_to_sign else {
            return self.keys.prove(*algorithm, &[posted.body], &[signature]);
        };
        let body = std::str::from_utf8(posted.body).map_err(|_| Refusal::Malformed)?;
        let query = posted.target.split_once('?').map_or("", |(_, query)| query);
        let mut scope = Scope::signing(0, posted.method, posted.target, query, body);
        scope.timestamp = time;
        let signed = template.render(&scope).map_err(|_| Refusal::Malformed)?;
        self.keys.prove(*algorithm, &[signed.as_bytes()], &[signature])
    }
}
