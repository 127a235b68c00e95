//! How requests are authenticated, as declared; `http/auth/` does it.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;

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
