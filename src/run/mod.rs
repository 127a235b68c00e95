//! The only place where the stages meet: requests become pages, pages rows, rows staged files, and
//! staged files a commit.
//!
//! ```text
//! plan ──> extract ──> window: take ─> fetch ─> decode ─> land (checkpoints) ─> settle ─> publish
//! ```
//!
//! `land` sends batches of webhook events the same way, their pages from memory (`events`).
//! `compact` and `redecode` write a committed window anew from what it holds (`rewrite`).

pub mod compact;
mod conditional;
mod ending;
pub mod estimate;
pub mod events;
mod evolution;
pub mod extract;
pub mod footer;
mod judge;
pub mod land;
mod landing;
pub mod library;
pub mod notice;
pub mod peek;
pub mod plan;
pub mod progress;
pub mod redecode;
pub mod report;
pub mod rewrite;
mod settle;
mod shared;
mod stages;
mod stamps;
pub mod stop;
mod window;
