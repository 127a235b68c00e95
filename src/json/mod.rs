//! JSON text read along pointers: one validating pass over a page notes where the wanted values stand.
//!
//! A [`scanner::Scanner`] is told two things: the [`outline::Outline`], where the records and the envelope's values
//! stand in a body, and the [`keys::Keys`], where the declared fields stand in a record. It gives back their places
//! in the text and reads none of them, so that whoever needs the cursor has it before the first amount is parsed.
//!
//! There are two readers. `fast` is one pass over the bytes that expects every object to look like the last one at
//! its place and compares where it would otherwise search; `find` is its vector step. `reference` is serde_json's
//! visitor: plain, and the rule of what the text means. What `fast` does not expect it leaves to `reference`, a record
//! or a page at a time, and where both read they give the same [`tape::Tape`], which tests and a fuzz target hold.
//!
//! Sixteen bytes are loaded through a checked array, and `wide` has the vector instructions: the one `unsafe` is that a
//! text which passed [`utf8::Utf8::check`] is not checked again.

pub mod escape;
mod fast;
mod find;
pub mod grid;
pub mod keys;
pub mod outline;
mod reference;
pub mod scanner;
pub mod span;
pub mod tape;
mod text;
pub mod utf8;

#[cfg(test)]
mod tests;
