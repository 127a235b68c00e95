//! The secrets of an endpoint, and the codes that they give (RFC 2104), compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use hmac::digest::KeyInit;
use secrecy::{ExposeSecret as _, SecretSlice};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::posted::Refusal;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::auth::{HmacAlgorithm, SecretRef};

/// Signatures that are compared of one request at most: more than any rotation has.
const MOST: usize = 32;

/// The secrets of an endpoint, of which any may match.
#[derive(Debug)]
pub(super) struct Keys(Vec<SecretSlice<u8>>);

impl Keys {
    /// The secrets as they are written.
    ///
    /// # Errors
    /// `Config` that names the one that is missing or empty.
    pub(super) fn written(secrets: &[SecretRef]) -> Result<Self> {
        Self::of(secrets, |text| Some(text.as_bytes().to_vec()))
    }

    /// The bytes that the secrets encode in Base64, `whsec_` before them or not (Standard Webhooks).
    ///
    /// # Errors
    /// `Config` that names the one that is missing, empty or no Base64.
    pub(super) fn encoded(secrets: &[SecretRef]) -> Result<Self> {
        Self::of(secrets, |text| STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok())
    }

    fn of(secrets: &[SecretRef], decode: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Self> {
        let wrong = |secret: &SecretRef, what: &str| {
            let place = match secret {
                SecretRef::Env(name) => format!("the environment variable {name}"),
                SecretRef::File(path) => format!("the secret's file {}", path.display()),
            };
            Error::new(ErrorKind::Config, format!("{place} {what}"))
        };
        let keys = secrets.iter().map(|secret| {
            let resolved = secret.resolve()?;
            let key = decode(resolved.expose()).ok_or_else(|| {
                wrong(secret, "is no secret of Standard Webhooks")
                    .hint("it is `whsec_` and Base64, as the vendor shows it")
            })?;
            if key.is_empty() {
                return Err(
                    wrong(secret, "is empty").hint("anybody could sign with an empty secret")
                );
            }
            Ok(SecretSlice::from(key))
        });
        keys.collect::<Result<_>>().map(Self)
    }

    /// Whether one of `signatures` is the code of the `parts`, one after the other, by one of the secrets.
    ///
    /// # Errors
    /// Where none is.
    pub(super) fn prove(
        &self,
        algorithm: HmacAlgorithm,
        parts: &[&[u8]],
        signatures: &[Vec<u8>],
    ) -> Result<(), Refusal> {
        let proves = |key: &SecretSlice<u8>| {
            let key = key.expose_secret();
            match algorithm {
                HmacAlgorithm::Sha256 => proves::<hmac::Hmac<Sha256>>(key, parts, signatures),
                HmacAlgorithm::Sha512 => proves::<hmac::Hmac<Sha512>>(key, parts, signatures),
                HmacAlgorithm::Sha1 => proves::<hmac::Hmac<Sha1>>(key, parts, signatures),
            }
        };
        // All of them are tried, so that the time does not tell which one matched.
        let proved = self.0.iter().fold(false, |proved, key| proves(key) | proved);
        if proved { Ok(()) } else { Err(Refusal::Mismatch) }
    }
}

fn proves<M: Mac + KeyInit + Clone>(key: &[u8], parts: &[&[u8]], signatures: &[Vec<u8>]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    let is_code = |signature: &Vec<u8>| mac.clone().verify_slice(signature).is_ok();
    signatures.iter().take(MOST).fold(false, |proved, one| is_code(one) | proved)
}

/// The bytes of hexadecimal text, in either case.
///
/// # Errors
/// Where it is none.
pub(super) fn from_hex(text: &str) -> Result<Vec<u8>, Refusal> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.filter(|_| rest.is_empty()).ok_or(Refusal::Malformed)
}

/// The bytes of Base64 text (RFC 4648 section 4).
///
/// # Errors
/// Where it is none.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| Refusal::Malformed)
}
