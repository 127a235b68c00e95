//! What is declared: the source file, the schema file, templates and secrets, loaded with line numbers and checked.

pub mod auth;
pub mod pagination;
pub mod pointer;
pub mod source;
pub mod table;
pub mod template;
