//! What signatures have in common.

use chrono::{DateTime, Utc};
use hmac::Mac;
use hmac::digest::KeyInit;

use crate::error::{Error, ErrorKind, Result};

/// What a signature is made of beside the request's head.
pub(in crate::http) struct Signing<'a> {
    /// The body as it is sent.
    pub(in crate::http) body: &'a [u8],
    /// The instant of this attempt.
    pub(in crate::http) now: DateTime<Utc>,
}

/// A message authentication code.
///
/// # Errors
/// `Unexpected`, which does not happen: a key of any length will do.
pub(super) fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Result<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "a key that no HMAC takes").caused_by(error)
    })?;
    mac.update(text);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Lower case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
