//! The promises, one module each, in one test binary; `support/` holds the servers and fixtures.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic: that is how they fail"
)]

mod ahead;
mod bad_input;
mod canary;
mod compact;
mod crash;
mod drift;
mod entrances;
mod extract;
mod formats;
mod init;
mod land;
mod layers;
mod library;
mod lineage;
mod messages;
mod pacing;
mod peek;
mod reach;
mod reconcile;
mod redecode;
mod resume;
mod status;
mod support;
mod vacuum;
mod webhook;
