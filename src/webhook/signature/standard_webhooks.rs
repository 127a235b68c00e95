//! Standard Webhooks, and Svix, where they come from:
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::time::Duration;

use super::keys::{Keys, from_base64};
use super::posted::{Posted, Refusal};
use crate::error::Result;
use crate::spec::auth::{HmacAlgorithm, SecretRef};

/// The three headers, in the two spellings: id, time, signature.
const STANDARD: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
const SVIX: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];

/// `webhook-signature: v1,CODE v1,CODE`: HMAC-SHA256 of id, time and body with points between, in Base64. Other schemes,
/// such as the `v1a` of public keys, are not looked at.
#[derive(Debug)]
pub struct StandardWebhooks {
    keys: Keys,
    tolerance: Duration,
}

impl StandardWebhooks {
    pub(super) fn resolve(secrets: &[SecretRef], tolerance: Duration) -> Result<Self> {
        Ok(Self { keys: Keys::encoded(secrets)?, tolerance })
    }

    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        // Of one spelling or of the other: the id that is proved is then the one that the event is known by.
        let is_standard = STANDARD.iter().any(|name| posted.has(name));
        let [id, time, signature] = if is_standard { STANDARD } else { SVIX };
        let (id, time) = (posted.header(id)?, posted.header(time)?);
        let signatures: Vec<Vec<u8>> = posted
            .header(signature)?
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"))
            .filter_map(|one| from_base64(one).ok())
            .collect();
        if signatures.is_empty() {
            return Err(Refusal::Malformed);
        }
        posted.timely(time, self.tolerance)?;
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", posted.body];
        self.keys.prove(HmacAlgorithm::Sha256, &signed, &signatures)
    }
}
