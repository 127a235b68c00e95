//! The webhooks of a source file, as they are written (DESIGN §8).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::spec::declared::auth::{HmacAlgorithm, Secret, SignatureEncoding};
use crate::spec::declared::header::FromHeader;
use crate::spec::declared::ordered::Ordered;

/// One endpoint that an API posts its events to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    /// The path that `lakeward serve` takes them at, such as `/webhooks/razorpay`.
    #[schemars(required)]
    pub(crate) path: Option<String>,
    /// What proves who sent them.
    #[schemars(required)]
    pub(crate) signature: Option<Signature>,
    /// What tells an event from others: a JSON Pointer into the body, or a header. Default the vendor's; needed for `hmac`.
    pub(crate) event_id: Option<ValueFrom>,
    /// What kind of event it is: a JSON Pointer into the body, or a header. Default the vendor's; needed for `hmac`.
    pub(crate) event_type: Option<ValueFrom>,
    /// Which events go to which stream, by patterns of their types in which `*` stands for any text; the most specific wins.
    #[schemars(required)]
    pub(crate) events: Option<Ordered<EventRoute>>,
    /// What becomes of other events. Default keep.
    pub(crate) on_other: Option<OnOther>,
    /// How long an event's id is known, so that it is not taken twice. Default 7d.
    #[schemars(extend("examples" = ["7d"]))]
    pub(crate) dedupe_for: Option<String>,
}

/// Where events of a type go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventRoute {
    /// The stream, one of `streams`, whose table they land in.
    #[schemars(required)]
    pub(crate) stream: Option<String>,
    /// The JSON Pointer of the record in the body. Default the whole body.
    pub(crate) record: Option<String>,
}

/// What becomes of events that no pattern has.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnOther {
    /// They are kept as dead letters.
    Keep,
    /// They are answered and dropped.
    Ignore,
}

/// Where a value of an event stands.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ValueFrom {
    /// A JSON Pointer into the body.
    Body(String),
    /// A request header.
    Header(FromHeader),
}

/// What proves who sent an event. Of several secrets any may match, so that they can be rotated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Signature {
    /// `X-Razorpay-Signature`: HMAC-SHA256 of the body in hex.
    Razorpay {
        /// Where the secrets are found.
        #[schemars(required, length(min = 1))]
        secrets: Option<Vec<Secret>>,
    },
    /// `Stripe-Signature`: a time, and HMAC-SHA256 of time and body in hex.
    Stripe {
        /// Where the secrets are found (`whsec_…`).
        #[schemars(required, length(min = 1))]
        secrets: Option<Vec<Secret>>,
        /// How far the time may be from now, either way. Default 300s.
        #[schemars(extend("examples" = ["300s"]))]
        tolerance: Option<String>,
    },
    /// `X-Shopify-Hmac-Sha256`: HMAC-SHA256 of the body in Base64.
    Shopify {
        /// Where the secrets are found.
        #[schemars(required, length(min = 1))]
        secrets: Option<Vec<Secret>>,
    },
    /// `X-Hub-Signature-256`: HMAC-SHA256 of the body in hex behind `sha256=`.
    Github {
        /// Where the secrets are found.
        #[schemars(required, length(min = 1))]
        secrets: Option<Vec<Secret>>,
    },
    /// `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks, or `svix-…` of Svix.
    StandardWebhooks {
        /// Where the secrets are found (`whsec_…` and Base64).
        #[schemars(required, length(min = 1))]
        secrets: Option<Vec<Secret>>,
        /// How far the time may be from now, either way. Default 300s.
        #[schemars(extend("examples" = ["300s"]))]
        tolerance: Option<String>,
    },
    /// Any other signature by a shared secret, RFC 2104.
    Hmac {
        /// Where the secrets are found.
        #[schemars(required, length(min = 1))]
        secrets: Option<Vec<Secret>>,
        /// The header that carries the signature.
        #[schemars(required)]
        header: Option<String>,
        /// The hash. Default sha256.
        algorithm: Option<HmacAlgorithm>,
        /// How the signature is written. Default hex.
        encoding: Option<SignatureEncoding>,
        /// What stands before it in the header, such as `v0=`.
        prefix: Option<String>,
        /// What is signed: a template that knows `body`, `method`, `path` (with the query), `query`, and `timestamp` where that is declared. Default the body.
        string_to_sign: Option<String>,
        /// The header of the time that is signed, in seconds or milliseconds since the epoch.
        timestamp: Option<FromHeader>,
        /// How far that time may be from now, either way. Default 300s.
        #[schemars(extend("examples" = ["300s"]))]
        tolerance: Option<String>,
    },
}
