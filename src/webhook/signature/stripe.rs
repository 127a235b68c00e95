//! Stripe: <https://docs.stripe.com/webhooks/signature>.

use std::time::Duration;

use super::keys::{Keys, from_hex};
use super::posted::{Posted, Refusal};
use crate::error::Result;
use crate::spec::auth::{HmacAlgorithm, SecretRef};

/// `Stripe-Signature: t=TIME,v1=CODE`: HMAC-SHA256 of the time, a point and the body in hex, a `v1` for each secret that
/// is active at Stripe. Other schemes, such as the `v0` of test events, are not looked at.
#[derive(Debug)]
pub struct Stripe {
    keys: Keys,
    tolerance: Duration,
}

impl Stripe {
    pub(super) fn resolve(secrets: &[SecretRef], tolerance: Duration) -> Result<Self> {
        Ok(Self { keys: Keys::written(secrets)?, tolerance })
    }

    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        let value = posted.header("stripe-signature")?;
        let (mut time, mut signatures) = (None, Vec::new());
        for part in value.split(',') {
            match part.trim().split_once('=').ok_or(Refusal::Malformed)? {
                ("t", _) if time.is_some() => return Err(Refusal::Twice),
                ("t", text) => time = Some(text),
                ("v1", text) => signatures.extend(from_hex(text)),
                _ => {}
            }
        }
        let time = time.ok_or(Refusal::Malformed)?;
        if signatures.is_empty() {
            return Err(Refusal::Malformed);
        }
        posted.timely(time, self.tolerance)?;
        let signed = [time.as_bytes(), b".", posted.body];
        self.keys.prove(HmacAlgorithm::Sha256, &signed, &signatures)
    }
}
