//! What is declared: the source file, the schema file, templates and secrets, loaded with line numbers and checked.

pub mod auth;
pub mod check;
mod declared;
pub mod diagnostic;
mod document;
mod fingerprint;
mod history;
pub mod keys;
mod masking;
pub mod pagination;
pub mod patch;
pub mod pointer;
mod resolve;
pub mod scalar;
pub mod schema_json;
mod shape;
pub mod size;
pub mod source;
pub mod table;
pub mod template;
mod wanted;
pub mod webhook;
mod yaml;
