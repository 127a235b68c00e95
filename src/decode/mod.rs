//! JSON bytes to columns: rows, dead letters and the shape of what was seen. No HTTP, no files.
//!
//! A page's records are walked once each over a trie of the declared pointers (`trie`, `walk`); every field's text goes
//! to the decoder of its type, which reads it straight into an Arrow builder (`decimal`, `timestamp`, `date`, `text`,
//! `number`, `boolean`, `list`, `json`). This decoder is portable and plain: the reference for any faster one.
//!
//! Why is nothing read through `serde_json::Value`? It sorts keys, loses the exact text and turns numbers into floats.

mod boolean;
mod column;
mod currency;
mod date;
mod decimal;
mod decoder;
mod exact;
mod iso;
mod json;
mod list;
mod number;
mod plan;
pub mod record;
pub mod shape;
mod text;
mod timestamp;
mod trie;
mod types;
mod walk;

pub use decoder::{DecodeOptions, Decoded, Decoder};
pub use record::DeadLetter;

#[cfg(test)]
mod tests;
