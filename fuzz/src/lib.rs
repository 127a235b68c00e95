//! Every entrance for bytes from outside, a module each: `run` holds it to what it promises, whatever the bytes are.
//!
//! libFuzzer calls them (`fuzz_targets/`), and a test of the main crate does over the seeds in `seeds/`.

pub mod decimal;
pub mod files;
pub mod link;
pub mod manifest;
pub mod names;
pub mod page;
pub mod signature;
pub mod support;
pub mod timestamp;
pub mod waits;
