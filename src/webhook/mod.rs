//! Webhooks: events received, proved, kept durably, and landed from there.
//!
//! ```text
//! HTTP request -> signature -> inbox (durable, then 200) -> land -> the lake
//! ```
//!
//! [`receiver`] answers HTTP, [`signature`] proves who sent a body, [`inbox`] is the store between the two commands,
//! which are separate processes and may be open at once, and [`metrics`] counts.

pub mod inbox;
pub mod land;
pub mod metrics;
pub mod receiver;
pub mod reconcile;
pub mod signature;
