//! GitHub: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.

use super::keys::{Keys, from_hex};
use super::posted::{Posted, Refusal};
use crate::error::Result;
use crate::spec::auth::{HmacAlgorithm, SecretRef};

/// `X-Hub-Signature-256`: HMAC-SHA256 of the body in hex behind `sha256=`. The older one by SHA-1 is not looked at.
#[derive(Debug)]
pub struct Github(Keys);

impl Github {
    pub(super) fn resolve(secrets: &[SecretRef]) -> Result<Self> {
        Keys::written(secrets).map(Self)
    }

    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        let value = posted.header("x-hub-signature-256")?;
        let signature = from_hex(value.strip_prefix("sha256=").ok_or(Refusal::Malformed)?)?;
        self.0.prove(HmacAlgorithm::Sha256, &[posted.body], &[signature])
    }
}
