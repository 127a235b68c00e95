//! Shopify: <https://shopify.dev/docs/apps/build/webhooks/subscribe/https>.

use super::keys::{Keys, from_base64};
use super::posted::{Posted, Refusal};
use crate::error::Result;
use crate::spec::auth::{HmacAlgorithm, SecretRef};

/// `X-Shopify-Hmac-Sha256`: HMAC-SHA256 of the body in Base64.
#[derive(Debug)]
pub struct Shopify(Keys);

impl Shopify {
    pub(super) fn resolve(secrets: &[SecretRef]) -> Result<Self> {
        Keys::written(secrets).map(Self)
    }

    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        let signature = from_base64(posted.header("x-shopify-hmac-sha256")?)?;
        self.0.prove(HmacAlgorithm::Sha256, &[posted.body], &[signature])
    }
}
