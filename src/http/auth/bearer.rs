//! `type: bearer`: a fixed token in `Authorization`, RFC 6750 §2.1.

use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::secret::{header_value, required};
use crate::error::Result;
use crate::redact::Secret;
use crate::spec::auth::SecretRef;

/// A resolved bearer token.
#[derive(Clone, Debug)]
pub struct Bearer {
    token: Secret,
    header: HeaderValue,
}

impl Bearer {
    pub(super) fn resolve(token: &SecretRef) -> Result<Self> {
        let resolved = required(token)?;
        let header = header_value(token, &format!("Bearer {}", resolved.expose()))?;
        Ok(Self { token: resolved, header })
    }

    pub(super) fn apply(&self, request: &mut Request) {
        request.headers_mut().insert(AUTHORIZATION, self.header.clone());
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        vec![self.token.clone()]
    }
}
