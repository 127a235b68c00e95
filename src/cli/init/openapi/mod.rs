//! A draft from an operation of an OpenAPI 3 document.

use url::Url;

use crate::cli::init::Wanted;
use crate::cli::init::draft::Draft;
use crate::error::{Error, ErrorKind, Result};

/// Reads `text` if it is an OpenAPI document.
pub(super) fn read(_text: &str) -> Result<Option<serde_json::Value>> {
    Ok(None)
}

/// Draws.
pub(super) fn draw(
    _document: &serde_json::Value,
    _origin: &str,
    _url: Option<&Url>,
    _wanted: &Wanted<'_>,
) -> Result<Draft> {
    Err(Error::new(ErrorKind::Usage, "openapi"))
}
