//! The commit protocol under faults: every crash point, every ambiguous answer, rivals and readers.

mod batches;
mod belonging;
mod chain;
mod crash;
mod format;
mod lease;
mod model;
mod readers;
mod rivals;
mod stores;
mod strays;
mod world;
