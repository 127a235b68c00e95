//! A header that a value is read from, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

/// A header of a response, or of a posted event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FromHeader {
    /// The header's name.
    #[schemars(required)]
    pub(crate) header: Option<String>,
}
