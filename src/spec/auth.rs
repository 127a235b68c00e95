//! How requests are authenticated, as declared; `http/auth/` does it.

use std::path::PathBuf;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::pointer::Pointer;
use crate::spec::template::Template;

/// The declared way to authenticate. One variant a `type`.
#[derive(Clone, Debug)]
pub enum Auth {
    /// No credentials.
    None,
    /// A key in a header or in the query.
    ApiKey {
        /// Where it goes.
        place: KeyPlace,
        /// The key.
        value: SecretRef,
    },
    /// `Authorization: Bearer`, RFC 6750.
    Bearer {
        /// The token.
        token: SecretRef,
    },
    /// `Authorization: Basic`, RFC 7617.
    Basic {
        /// The user name.
        username: SecretRef,
        /// The password; may be empty.
        password: SecretRef,
    },
    /// OAuth 2.0 client credentials, RFC 6749 section 4.4.
    ClientCredentials(OauthClient),
    /// OAuth 2.0 refresh token, RFC 6749 section 6.
    RefreshToken {
        /// The client.
        client: OauthClient,
        /// The first refresh token; a later one is in `token_store`.
        refresh_token: SecretRef,
        /// The file that rotated refresh tokens are kept in.
        token_store: PathBuf,
    },
    /// A token that is got by a JSON request with user name and password or the like.
    JwtLogin {
        /// Where it is got.
        token_url: Url,
        /// The JSON object that is sent.
        body: Vec<(String, LoginValue)>,
        /// Where the token stands in the answer.
        token: Pointer,
    },
    /// A signed assertion is exchanged for a token, RFC 7523 section 2.1.
    JwtBearer {
        /// Where it is exchanged.
        token_url: Url,
        /// PEM of an RSA or EC key, or the shared secret of HS256.
        private_key: SecretRef,
        /// What it signs by.
        algorithm: JwtAlgorithm,
        /// The claims beside `iat`, `exp` and `jti`; `aud` is the token URL unless declared.
        claims: Vec<(String, LoginValue)>,
    },
    /// Every request is signed by a shared secret, RFC 2104.
    Hmac(Hmac),
    /// AWS Signature Version 4, with the credentials of the environment.
    AwsSigv4 {
        /// Such as `eu-west-1`.
        region: String,
        /// Such as `execute-api`.
        service: String,
    },
}

impl Auth {
    /// Where tokens are got, if they are.
    pub fn token_url(&self) -> Option<&Url> {
        match self {
            Self::ClientCredentials(client) | Self::RefreshToken { client, .. } => {
                Some(&client.token_url)
            }
            Self::JwtLogin { token_url, .. } | Self::JwtBearer { token_url, .. } => Some(token_url),
            Self::None
            | Self::ApiKey { .. }
            | Self::Bearer { .. }
            | Self::Basic { .. }
            | Self::Hmac(_)
            | Self::AwsSigv4 { .. } => None,
        }
    }
}

/// An OAuth 2.0 client and where it gets its tokens.
#[derive(Clone, Debug)]
pub struct OauthClient {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id.
    pub client_id: SecretRef,
    /// The client's secret.
    pub client_secret: SecretRef,
    /// What is asked for.
    pub scope: Option<String>,
    /// How the client says who it is.
    pub client_auth: ClientAuth,
    /// Other form fields, such as `audience`.
    pub extra: Vec<(String, String)>,
}

/// How an OAuth client says who it is: RFC 6749 section 2.3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the form.
    #[default]
    Body,
    /// In `Authorization: Basic`.
    Basic,
}

/// A value of a login's body.
#[derive(Clone, Debug)]
pub enum LoginValue {
    /// A secret.
    Secret(SecretRef),
    /// What may stand in the file.
    Plain(serde_json::Value),
}

/// What a JWT is signed by: RFC 7518 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

/// How requests are signed by a shared secret.
#[derive(Clone, Debug)]
pub struct Hmac {
    /// The secret.
    pub secret: SecretRef,
    /// The hash.
    pub algorithm: HmacAlgorithm,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What is signed; knows `timestamp`, `method`, `path`, `query` and `body`.
    pub string_to_sign: Template,
    /// The headers that carry it; they know `signature` too.
    pub headers: Vec<(String, Template)>,
}

/// The hash of an HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1, which vendors still ask for.
    Sha1,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Lower case hexadecimal.
    #[default]
    Hex,
    /// Base64 with padding, RFC 4648 section 4.
    Base64,
}

/// Where an API key goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A header of this name.
    Header(String),
    /// A query parameter of this name.
    Query(String),
}

/// Where a secret is found; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file, its trailing newline trimmed.
    File(PathBuf),
}

impl SecretRef {
    /// Reads the secret; called when it is first needed.
    ///
    /// # Errors
    /// `Config` that names the variable or file, never its value.
    pub fn resolve(&self) -> Result<Secret> {
        match self {
            Self::Env(name) => std::env::var(name).map(Secret::new).map_err(|error| {
                let what = match error {
                    std::env::VarError::NotPresent => "is not set",
                    std::env::VarError::NotUnicode(_) => "is not UTF-8",
                };
                Error::new(ErrorKind::Config, format!("the environment variable {name} {what}"))
                    .hint(format!("export {name}=… before the run"))
            }),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::new(ErrorKind::Config, "could not read a secret's file")
                        .with("file", path.display())
                        .caused_by(error)
                })?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
            }
        }
    }
}
