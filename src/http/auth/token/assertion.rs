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

#[cfg(test)]
mod tests {
    use super::*;

    // Made for these tests alone: a P-256 key in both its forms, and an RSA key too short for use.
    const P256: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdrhWjK+dq6I4Op9q\n\
        /MOcyCwSV4IUfWqF8kv6+gNFX0ChRANCAAT/MsqUF+wOvcyBndpTsPw2kdVUMw/I\n\
        cEPeh9er12dGSph2K6FaspAjnCJOul8WpvoxESPPRPfvcGPB+Mpi2kx6\n\
        -----END PRIVATE KEY-----";
    const OLD_P256: &str = "-----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIHa4VoyvnauiODqfavzDnMgsEleCFH1qhfJL+voDRV9AoAoGCCqGSM49\n\
        AwEHoUQDQgAE/zLKlBfsDr3MgZ3aU7D8NpHVVDMPyHBD3ofXq9dnRkqYdiuhWrKQ\n\
        I5wiTrpfFqb6MREjz0T373BjwfjKYtpMeg==\n\
        -----END EC PRIVATE KEY-----";
    const SHORT_RSA: &str = "-----BEGIN RSA PRIVATE KEY-----\n\
        MIICXgIBAAKBgQDCV3PeWFyBSk2V9uxkM2m7v5isq7hUAR27JV6VrRLkiWKXljus\n\
        x6aqLeaxHbes4VNwqEVEyQD7v6cZ0bxsb1BznFOl1rO8LNd69u++ZLY7bzDLCgMu\n\
        OAQPdUuVcsLb3tV25+wV59ITBKCH7kdkjNSuXLzfIXjhA0Va02Nl+NCu4QIDAQAB\n\
        AoGBAJiKrk8bClkNaoLIk1o/JMISrJL0IrYFPkH0Hh7b/9VUpQeZC3QeLgqsBsSF\n\
        L/PJ1YW6/svz/gqcr1vLzdtLMFh+6VNWyCAxrws1IPCsq6yS69TXctdSDbGAbwNd\n\
        SByQ9ozQn6ur43Ps+xvCPWvcXgEBlzSd22UNE7zTP+66jfLVAkEA9RI5ImC1DF+m\n\
        14D/W1Y5XjyFnTjrVyzPQ50AsTjeLC02PcjFwcT+2pLHvKj9g6/nwqL+TUoIM5V4\n\
        bda1U6182wJBAMsCF2uYJw/9TQcfDWZTZW432Wq9xrLFyQJqt25q+5PWM9G215ko\n\
        nXX55obSYd7/ai8aigHXz+LMU3MY1eCb8fMCQBaerPlYVb2jooGnnWovxjHFgkul\n\
        skskjqjd9+9joVYQgj4npuEgrqk7/QWTz3p1JP4ZD0HRAHrKZAg3Vhs4GxsCQQDA\n\
        JEmgd5E5TAi03coj+Hj/OfMZWWeQWy0mkXTuGGnnAg1nx4QGHW/zcsSjBMrHcr3A\n\
        uYC3v9iuE7BENtRv04nLAkEAmgYQrMwq2hHdDNSlknFJPm93QAZONaXHCMI8pauE\n\
        ZWZyXydjPvMsO0vDaGqX7uCRUaPS6C1+M8Zs1zQvd7i7LQ==\n\
        -----END RSA PRIVATE KEY-----";

    fn refusal(key: &str, algorithm: JwtAlgorithm) -> Option<(String, String)> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.pem");
        std::fs::write(&path, key).expect("written");
        let url = Url::parse("https://id.example/token").expect("a URL");
        let error = Assertion::resolve(&url, &SecretRef::File(path), algorithm, &[]).err()?;
        let told = format!("{error:#?} {error}");
        let secret = key.lines().nth(1).unwrap_or("no line");
        assert!(!told.contains(secret), "the key is shown: {told}");
        let hint = error.hint_text().unwrap_or_default().to_owned();
        Some((error.to_string(), hint))
    }

    #[test]
    fn a_key_that_is_none_for_the_algorithm_says_what_is_wanted() {
        assert!(refusal(P256, JwtAlgorithm::Es256).is_none());
        let expect = |key: &str, algorithm, message: &str, hint: &str| {
            let (told, hinted) = refusal(key, algorithm).expect("refused");
            assert!(told.contains(message) && hinted.contains(hint), "{told} / {hinted}");
        };
        expect(OLD_P256, JwtAlgorithm::Es256, "is no PKCS#8 PEM of a P-256 key", "openssl pkcs8");
        expect(OLD_P256, JwtAlgorithm::Rs256, "is no PEM of an RSA key", "algorithm: ES256");
        expect(P256, JwtAlgorithm::Rs256, "is no PEM of an RSA key", "the algorithm that the key");
        expect(SHORT_RSA, JwtAlgorithm::Rs256, "is too short a key", "2,048 bits");
        expect(SHORT_RSA, JwtAlgorithm::Es256, "is no PKCS#8 PEM", "the algorithm that the key");
        for algorithm in [JwtAlgorithm::Es256, JwtAlgorithm::Rs256] {
            assert!(refusal("not a key\nof any kind", algorithm).is_some());
        }
    }
}
