//! The two files as they are written: one declaration gives the JSON Schemas, the check of shapes, and the values.
//!
//! Every key is an `Option`, also a required one: a file with one wrong key is still looked at as a whole.

pub(crate) mod auth;
pub(crate) mod header;
pub(crate) mod ordered;
pub(crate) mod pagination;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod webhook;
