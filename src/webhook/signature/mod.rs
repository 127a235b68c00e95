//! What proves that an event was sent by the one who knows the secret: one file a vendor's way.
//!
//! The raw body is proved before anything reads it. A signature whose header stands there twice, whose time is far from
//! now, or that no secret gives, is refused; why is told to the metrics alone.

mod github;
mod hmac;
mod keys;
pub mod posted;
mod razorpay;
mod shopify;
mod standard_webhooks;
mod stripe;

use self::github::Github;
use self::hmac::Hmac;
use self::posted::{Posted, Refusal};
use self::razorpay::Razorpay;
use self::shopify::Shopify;
use self::standard_webhooks::StandardWebhooks;
use self::stripe::Stripe;
use crate::error::Result;
use crate::spec::webhook::Signature;

/// Resolved secrets and the way that they sign by. One variant a `type`.
#[derive(Debug)]
pub enum Verifier {
    /// `X-Razorpay-Signature`.
    Razorpay(Razorpay),
    /// `Stripe-Signature`.
    Stripe(Stripe),
    /// `X-Shopify-Hmac-Sha256`.
    Shopify(Shopify),
    /// `X-Hub-Signature-256`.
    Github(Github),
    /// `webhook-signature`, or `svix-signature`.
    StandardWebhooks(StandardWebhooks),
    /// Any other.
    Hmac(Hmac),
}

impl Verifier {
    /// Resolves the secrets.
    ///
    /// # Errors
    /// `Config` that names the secret that is missing, empty or not of its form.
    pub fn resolve(signature: &Signature) -> Result<Self> {
        Ok(match signature {
            Signature::Razorpay { secrets } => Self::Razorpay(Razorpay::resolve(secrets)?),
            Signature::Stripe { secrets, tolerance } => {
                Self::Stripe(Stripe::resolve(secrets, *tolerance)?)
            }
            Signature::Shopify { secrets } => Self::Shopify(Shopify::resolve(secrets)?),
            Signature::Github { secrets } => Self::Github(Github::resolve(secrets)?),
            Signature::StandardWebhooks { secrets, tolerance } => {
                Self::StandardWebhooks(StandardWebhooks::resolve(secrets, *tolerance)?)
            }
            Signature::Hmac(declared) => Self::Hmac(Hmac::resolve(declared)?),
        })
    }

    /// Whether one of the secrets signed the request.
    ///
    /// # Errors
    /// Why it is not proved.
    pub fn verify(&self, posted: &Posted<'_>) -> Result<(), Refusal> {
        match self {
            Self::Razorpay(by) => by.verify(posted),
            Self::Stripe(by) => by.verify(posted),
            Self::Shopify(by) => by.verify(posted),
            Self::Github(by) => by.verify(posted),
            Self::StandardWebhooks(by) => by.verify(posted),
            Self::Hmac(by) => by.verify(posted),
        }
    }
}

#[cfg(test)]
mod tests;
