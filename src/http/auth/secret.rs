//! Secrets made ready to be sent, and how messages name them.

use reqwest::header::HeaderValue;

use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::auth::SecretRef;

/// Resolves a secret that must not be empty.
pub(super) fn required(secret: &SecretRef) -> Result<Secret> {
    let resolved = secret.resolve()?;
    if resolved.expose().is_empty() {
        return Err(Error::new(ErrorKind::Config, format!("{} is empty", place(secret))));
    }
    Ok(resolved)
}

/// A header value that no debug output shows.
pub(super) fn header_value(secret: &SecretRef, text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            format!("{} holds a character that no header may hold", place(secret)),
        )
        .hint("look for a line break or a space at its end")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a secret is declared to be, as the beginning of a sentence.
pub(super) fn place(secret: &SecretRef) -> String {
    match secret {
        SecretRef::Env(name) => format!("the environment variable {name}"),
        SecretRef::File(path) => format!("the secret's file {}", path.display()),
    }
}
