//! Why a request was not accepted.

use axum::http::StatusCode;

use crate::webhook::signature::posted::Refusal;

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is no POST.
    Method,
    /// It carries no JSON, by its content type or coding.
    ContentType,
    /// Its body is larger than is taken.
    TooLarge,
    /// Its body did not come in time, or not whole.
    Slow,
    /// A header of its signature is missing.
    SignatureMissing,
    /// A header of its signature stands there twice.
    SignatureTwice,
    /// A header of its signature is not of its form.
    SignatureMalformed,
    /// The time of its signature is too far from now.
    SignatureStale,
    /// No secret gives its signature.
    SignatureMismatch,
    /// Too many bodies are being read.
    Busy,
    /// The inbox has no room inside its budget.
    Full,
    /// The inbox could not make it durable.
    Failed,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Method,
        Self::ContentType,
        Self::TooLarge,
        Self::Slow,
        Self::SignatureMissing,
        Self::SignatureTwice,
        Self::SignatureMalformed,
        Self::SignatureStale,
        Self::SignatureMismatch,
        Self::Busy,
        Self::Full,
        Self::Failed,
    ];

    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::ContentType => "content_type",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureTwice => "signature_twice",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureStale => "signature_stale",
            Self::SignatureMismatch => "signature_mismatch",
            Self::Busy => "busy",
            Self::Full => "inbox_full",
            Self::Failed => "inbox_failed",
        }
    }

    /// The status that it is answered with, and all that the sender is told.
    pub fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "POST only"),
            Self::ContentType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json, not compressed")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body over 1 MiB"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the body did not come"),
            Self::SignatureMissing
            | Self::SignatureTwice
            | Self::SignatureMalformed
            | Self::SignatureStale
            | Self::SignatureMismatch => (StatusCode::UNAUTHORIZED, "signature"),
            Self::Busy | Self::Full | Self::Failed => {
                (StatusCode::SERVICE_UNAVAILABLE, "send it again later")
            }
        }
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::SignatureMissing,
            Refusal::Twice => Self::SignatureTwice,
            Refusal::Malformed => Self::SignatureMalformed,
            Refusal::Stale => Self::SignatureStale,
            Refusal::Mismatch => Self::SignatureMismatch,
        }
    }
}
