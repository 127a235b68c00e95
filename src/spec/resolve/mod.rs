//! From what is written to what is meant: the checks that a JSON Schema cannot say.
//!
//! Each function reports what is wrong and gives `None`; a caller that got any `None` gives `None` too, after it
//! has looked at everything else.

mod auth;
mod connection;
mod default;
mod drift;
mod field;
mod format;
mod pagination;
mod secret;
mod signature;
pub(crate) mod source;
mod stream;
pub(crate) mod table;
mod token;
mod values;
mod webhook;
