//! JSON bytes to columns: rows, dead letters and the shape of what was seen. No HTTP, no files.
//!
//! A page comes with a tape that says where every declared value stands. It is read a field at a time over a few dozen
//! records (`block`): runs of usual values go straight into the Arrow builder of the field's type (`decimal`,
//! `timestamp`, `date`, `text`, `number`, `boolean`, `list`, `json`), all others by the field's whole rule (`plan`).
//!
//! Why is nothing read through `serde_json::Value`? It sorts keys, loses the exact text and turns numbers into floats.

mod block;
mod boolean;
mod cells;
mod clip;
mod column;
mod columns;
mod currency;
mod date;
mod decimal;
mod decoder;
mod digits;
mod exact;
pub mod extent;
mod iso;
mod json;
mod list;
mod number;
mod plan;
pub mod record;
pub mod shape;
pub mod sighting;
mod strays;
mod strings;
mod text;
mod timestamp;
mod types;
pub mod units;
mod valid;
mod values;

pub use decoder::{DecodeOptions, Decoded, Decoder};
pub use record::DeadLetter;

#[cfg(test)]
mod tests;
