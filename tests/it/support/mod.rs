//! Servers that misbehave on request, an API that knows its own truth, a reader of lakes, and the binary under test.

pub(crate) mod cli;
pub(crate) mod inbox;
pub(crate) mod lake;
pub(crate) mod paged_api;
pub(crate) mod raw_server;
pub(crate) mod vendor;
pub(crate) mod webhook;

use std::time::{Duration, Instant};

/// Waits until `condition` holds, looking every 2 ms; false when it does not within `limit`.
pub(crate) fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        pause(Duration::from_millis(2));
    }
    true
}

/// Blocks this thread.
pub(crate) fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "these threads are the test's own, not tokio's")]
    std::thread::sleep(time);
}

/// SplitMix64: seeded numbers that are the same on every machine, so that a printed seed repeats a failure.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Numbers that follow from `seed` alone.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number, below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }
}
