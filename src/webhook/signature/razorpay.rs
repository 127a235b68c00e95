//! Razorpay: <https://razorpay.com/docs/webhooks/validate-test/>.

use super::keys::{Keys, from_hex};
use super::posted::{Posted, Refusal};
use crate::error::Result;
use crate::spec::auth::{HmacAlgorithm, SecretRef};

/// `X-Razorpay-Signature`: HMAC-SHA256 of the body in hex.
#[derive(Debug)]
pub struct Razorpay(Keys);

impl Razorpay {
    pub(super) fn resolve(secrets: &[SecretRef]) -> Result<Self> {
        Keys::written(secrets).map(Self)
    }

    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        let signature = from_hex(posted.header("x-razorpay-signature")?)?;
        self.0.prove(HmacAlgorithm::Sha256, &[posted.body], &[signature])
    }
}
