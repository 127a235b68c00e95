//! Readers whose reads straddle a commit.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use object_store::memory::InMemory;

use super::stores::{Fault, Faulty, Turning};
use super::world::*;

/// The store after each operation of `job`, whose window holds nothing that `before` did not write.
async fn states(before: &[Job], job: &Job) -> Vec<Arc<InMemory>> {
    let base = memory();
    for earlier in before {
        earlier.run(&lake_on(base.clone())).await.expect("prepare");
    }
    let mut states = Vec::new();
    for n in 0.. {
        let store = fork(&base);
        // The same steps each time: what differs is only where it ends.
        let faulty = Faulty::crash(store.clone(), n, Fault::Before);
        let _ = job.run(&lake_on(Arc::new(faulty.clone()))).await;
        states.push(store);
        if !faulty.struck() {
            break;
        }
    }
    states
}

/// Every pair of states, the second met from every operation of the reader on.
async fn read_across(states: &[Arc<InMemory>], old: &[&str], new: &[&str]) {
    let (old, new) = (hashes_of(old), hashes_of(new));
    for (i, before) in states.iter().enumerate() {
        for (j, after) in states.iter().enumerate().skip(i + 1) {
            for turn in 1..8 {
                let store = Turning {
                    before: before.clone(),
                    after: after.clone(),
                    turn,
                    operations: AtomicUsize::new(0),
                };
                let seen = row_hashes(&lake_on(Arc::new(store))).await;
                assert!(seen == old || seen == new, "from {i} to {j} at {turn}: {}", seen.len());
            }
        }
    }
}

#[tokio::test]
async fn a_reader_across_a_refresh_sees_old_or_new() {
    let before = [Job::new(DAY_1, "old"), Job::new(DAY_2, "other")];
    let states = states(&before, &Job::new(DAY_1, "new").refresh()).await;
    read_across(&states, &["old", "other"], &["new", "other"]).await;
}

#[tokio::test]
async fn a_reader_across_a_covering_refresh_sees_old_or_new() {
    let before = [Job::new(DAY_1, "old"), Job::new(DAY_2, "other")];
    let states = states(&before, &Job::new(BOTH, "new").refresh()).await;
    read_across(&states, &["old", "other"], &["new"]).await;
}
