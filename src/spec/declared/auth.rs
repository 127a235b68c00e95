//! How requests are authenticated, as it is written (DESIGN §3).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::spec::declared::ordered::Ordered;

/// How requests are authenticated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Auth {
    /// No credentials.
    None {},
    /// A key in a header or in the query.
    ApiKey {
        /// The name of the header that carries the key; this or `query`.
        header: Option<String>,
        /// The name of the query parameter that carries the key; this or `header`.
        query: Option<String>,
        /// Where the key is found.
        #[schemars(required)]
        value: Option<Secret>,
    },
    /// `Authorization: Bearer`, RFC 6750.
    Bearer {
        /// Where the token is found.
        #[schemars(required)]
        token: Option<Secret>,
    },
    /// `Authorization: Basic`, RFC 7617.
    Basic {
        /// Where the user name is found.
        #[schemars(required)]
        username: Option<Secret>,
        /// Where the password is found; it may be empty.
        #[schemars(required)]
        password: Option<Secret>,
    },
    /// OAuth 2.0 client credentials, RFC 6749 section 4.4.
    #[serde(rename = "oauth2_client_credentials")]
    ClientCredentials {
        /// The token endpoint.
        #[schemars(required)]
        token_url: Option<String>,
        /// Where the client's id is found.
        #[schemars(required)]
        client_id: Option<Secret>,
        /// Where the client's secret is found.
        #[schemars(required)]
        client_secret: Option<Secret>,
        /// What is asked for, parted by spaces.
        scope: Option<String>,
        /// Whether id and secret go into the form or into `Authorization: Basic`. Default body.
        client_auth: Option<ClientAuth>,
        /// Other form fields, such as `audience`.
        extra: Option<Ordered<String>>,
    },
    /// OAuth 2.0 refresh token, RFC 6749 section 6.
    #[serde(rename = "oauth2_refresh_token")]
    RefreshToken {
        /// The token endpoint.
        #[schemars(required)]
        token_url: Option<String>,
        /// Where the client's id is found.
        #[schemars(required)]
        client_id: Option<Secret>,
        /// Where the client's secret is found.
        #[schemars(required)]
        client_secret: Option<Secret>,
        /// What is asked for, parted by spaces.
        scope: Option<String>,
        /// Whether id and secret go into the form or into `Authorization: Basic`. Default body.
        client_auth: Option<ClientAuth>,
        /// Other form fields.
        extra: Option<Ordered<String>>,
        /// Where the first refresh token is found.
        #[schemars(required)]
        refresh_token: Option<Secret>,
        /// The file, relative to this file, that rotated refresh tokens are kept in.
        #[schemars(required)]
        token_store: Option<String>,
    },
    /// A token that is got by a JSON request with user name and password or the like.
    JwtLogin {
        /// Where it is got, by POST.
        #[schemars(required)]
        token_url: Option<String>,
        /// The JSON object that is sent; a value is text, a number, true, false, or where a secret is found.
        #[schemars(required)]
        body: Option<Ordered<LoginValue>>,
        /// The JSON Pointer of the token in the answer. Default `/token`.
        token: Option<String>,
    },
    /// A signed assertion is exchanged for a token, RFC 7523 section 2.1.
    JwtBearer {
        /// Where it is exchanged.
        #[schemars(required)]
        token_url: Option<String>,
        /// Where the key is found: PEM, or the shared secret of HS256.
        #[schemars(required)]
        private_key: Option<Secret>,
        /// What the assertion is signed by.
        #[schemars(required)]
        algorithm: Option<JwtAlgorithm>,
        /// Its claims, such as `iss` and `sub`, beside `iat`, `exp` and `jti`; `aud` is the token URL unless declared.
        claims: Option<Ordered<Value>>,
    },
    /// Every request is signed by a shared secret, RFC 2104.
    Hmac {
        /// Where the secret is found.
        #[schemars(required)]
        secret: Option<Secret>,
        /// The hash. Default sha256.
        algorithm: Option<HmacAlgorithm>,
        /// How the signature is written. Default hex.
        encoding: Option<SignatureEncoding>,
        /// What is signed: a template that knows `timestamp`, `method`, `path` (with the query), `query` and `body`.
        #[schemars(required)]
        string_to_sign: Option<String>,
        /// The headers that carry it: templates that know `signature` and all of the above.
        #[schemars(required)]
        headers: Option<Ordered<String>>,
    },
    /// AWS Signature Version 4, with the credentials of the environment.
    #[serde(rename = "aws_sigv4")]
    AwsSigv4 {
        /// Such as `eu-west-1`.
        #[schemars(required)]
        region: Option<String>,
        /// Such as `execute-api`.
        #[schemars(required)]
        service: Option<String>,
    },
}

/// How an OAuth client says who it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuth {
    /// In the form.
    Body,
    /// In `Authorization: Basic`.
    Basic,
}

/// What an assertion is signed by.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum JwtAlgorithm {
    /// RSA with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

/// The hash of an HMAC.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HmacAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1.
    Sha1,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignatureEncoding {
    /// Lower case hexadecimal.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// A value of a login's body: text, a number, true, false, or where a secret is found.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct LoginValue(pub(crate) Value);

impl JsonSchema for LoginValue {
    fn schema_name() -> Cow<'static, str> {
        "LoginValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Text, a number, true, false, or where a secret is found: { env: NAME } or { file: PATH }.",
            "type": ["string", "number", "boolean", "object"]
        })
    }
}

/// Where a secret is found; never the secret itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-secret" = true))]
pub(crate) enum Secret {
    /// The environment variable that holds it.
    Env(String),
    /// The file that holds it, relative to this file; a trailing newline is trimmed.
    File(String),
}
