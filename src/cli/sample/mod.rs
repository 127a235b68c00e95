//! A sample of an API's answers, and what it seems to say: shared by `peek` and `init`.
//!
//! Everything here is a guess from names and values, and is called so wherever it is shown.

pub(crate) mod columns;
mod declare;
pub(crate) mod envelope;
pub(crate) mod guess;
pub(crate) mod names;
pub(crate) mod paging;
pub(crate) mod read;
pub(crate) mod tree;
pub(crate) mod values;
