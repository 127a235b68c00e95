//! `type: basic`: user name and password in `Authorization`, RFC 7617.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::secret::{header_value, place, required};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::auth::SecretRef;

/// A resolved user name and password.
#[derive(Clone, Debug)]
pub struct Basic {
    username: Secret,
    password: Secret,
    encoded: Secret,
    header: HeaderValue,
}

impl Basic {
    /// The password may be empty (Stripe takes a key as the user name); the user name may not.
    pub(super) fn resolve(username: &SecretRef, password: &SecretRef) -> Result<Self> {
        let name = required(username)?;
        if name.expose().contains(':') {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} holds a colon, which no user name may (RFC 7617)", place(username)),
            ));
        }
        let word = password.resolve()?;
        let encoded = Secret::new(STANDARD.encode(format!("{}:{}", name.expose(), word.expose())));
        let header = header_value(username, &format!("Basic {}", encoded.expose()))?;
        Ok(Self { username: name, password: word, encoded, header })
    }

    pub(super) fn apply(&self, request: &mut Request) {
        request.headers_mut().insert(AUTHORIZATION, self.header.clone());
    }

    /// The user name is one where it stands alone, as a key.
    pub(super) fn telling_secrets(&self) -> Vec<Secret> {
        let word = &self.password;
        let word = if word.expose().is_empty() { &self.username } else { word };
        vec![self.encoded.clone(), word.clone()]
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        vec![self.encoded.clone(), self.password.clone(), self.username.clone()]
    }
}
