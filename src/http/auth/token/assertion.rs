//! The signed assertion of `type: jwt_bearer`: RFC 7523 section 3.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::secret::{place, required};
use crate::redact::Secret;
use crate::spec::auth::{JwtAlgorithm, LoginValue, SecretRef};

/// How long an assertion is good for, in seconds: long enough for clocks that differ, short enough to be worthless soon.
const LIFE: i64 = 300;

/// The key and the claims that every assertion has.
pub(super) struct Assertion {
    key: EncodingKey,
    algorithm: Algorithm,
    claims: Map<String, Value>,
    secret: Secret,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Assertion {
    /// # Errors
    /// `Config` where the key is missing, or is none for the algorithm.
    pub(super) fn resolve(
        token_url: &Url,
        private_key: &SecretRef,
        algorithm: JwtAlgorithm,
        declared: &[(String, LoginValue)],
    ) -> Result<Self> {
        let secret = required(private_key)?;
        let bytes = secret.expose().as_bytes();
        let (algorithm, key, wanted) = match algorithm {
            JwtAlgorithm::Rs256 => {
                (Algorithm::RS256, EncodingKey::from_rsa_pem(bytes), "PEM of an RSA key")
            }
            JwtAlgorithm::Es256 => {
                (Algorithm::ES256, EncodingKey::from_ec_pem(bytes), "PKCS#8 PEM of a P-256 key")
            }
            JwtAlgorithm::Hs256 => {
                (Algorithm::HS256, Ok(EncodingKey::from_secret(bytes)), "a secret")
            }
        };
        // The cause may show what the file holds.
        let key = key.map_err(|_| {
            let is_old_ec = secret.expose().contains("BEGIN EC PRIVATE KEY");
            let hint = match (is_old_ec, algorithm) {
                (true, Algorithm::ES256) => {
                    "it is in the older form of openssl: `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem` writes the other"
                }
                (true, _) => "it is a key for algorithm: ES256",
                (false, _) => {
                    "it holds the key's text, line breaks included: -----BEGIN …; or choose the algorithm that the key is for"
                }
            };
            Error::new(ErrorKind::Config, format!("{} is no {wanted}", place(private_key))).hint(hint)
        })?;
        let mut claims = Map::from_iter([("aud".to_owned(), Value::from(token_url.as_str()))]);
        for (key, value) in declared {
            let value = match value {
                LoginValue::Plain(plain) => plain.clone(),
                LoginValue::Secret(named) => Value::from(required(named)?.expose()),
            };
            claims.insert(key.clone(), value);
        }
        let assertion = Self { key, algorithm, claims, secret };
        // A key of another kind is found here, not at the first request.
        assertion.sign(DateTime::UNIX_EPOCH).map_err(|error| {
            let named = place(private_key);
            if format!("{error:?}").contains("TooSmall") {
                return Error::new(ErrorKind::Config, format!("{named} is too short a key"))
                    .hint("RS256 wants 2,048 bits or more");
            }
            Error::new(ErrorKind::Config, format!("{named} is no {wanted}")).caused_by(error)
        })?;
        Ok(assertion)
    }

    /// A fresh assertion.
    ///
    /// # Errors
    /// `Config` where the key does not sign.
    pub(super) fn sign(&self, now: DateTime<Utc>) -> Result<Secret> {
        let mut claims = self.claims.clone();
        let now = now.timestamp();
        claims.insert("iat".to_owned(), Value::from(now));
        claims.insert("exp".to_owned(), Value::from(now.saturating_add(LIFE)));
        claims.insert("jti".to_owned(), Value::from(uuid::Uuid::new_v4().to_string()));
        let signed = jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.key);
        signed.map(Secret::new).map_err(|error| {
            Error::new(ErrorKind::Config, "the private key signs no assertion").caused_by(error)
        })
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        vec![self.secret.clone()]
    }
}
