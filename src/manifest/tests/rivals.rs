//! Several runs on one chain, each sure that the others are dead.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::stores::Faulty;
use super::world::*;
use crate::error::{Error, ErrorKind};

/// Runs the jobs at once, interleaved by `seed`; the errors they end with.
async fn race(store: &Arc<InMemory>, jobs: &[Job], seed: u64) -> Vec<Error> {
    let runs = jobs.iter().zip(0_u64..).map(|(job, i)| {
        let lake = lake_on(Arc::new(Faulty::dawdling(store.clone(), seed * 31 + i)));
        async move { job.run(&lake).await }
    });
    futures::future::join_all(runs).await.into_iter().filter_map(Result::err).collect()
}

#[tokio::test]
async fn of_rivals_on_a_new_window_one_commits() {
    for seed in 0..600 {
        let store = memory();
        // Clocks five minutes apart: each takes the others for dead.
        let [a, b, c] = ["a", "b", "c"].map(|rows| Job::new(DAY_1, rows));
        for error in race(&store, &[a, b.minute(5), c.minute(10)], seed).await {
            // One that was overtaken may find its staged files gone before it finds the window lost.
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Held | ErrorKind::Store), "{seed}: {error}");
        }
        let lake = lake_on(store);
        Job::new(DAY_1, "d").minute(20).run(&lake).await.unwrap_or_else(|e| panic!("{seed}: {e}"));
        // A resumed window may hold pages of two runs, but each page once.
        let seen = rows(&lake).await;
        let mut pages: Vec<&str> = seen.iter().filter_map(|row| row.rsplit('-').next()).collect();
        pages.sort_unstable();
        assert_eq!(pages, ["1", "2"], "seed {seed}: {seen:?}");
    }
}

#[tokio::test]
async fn rivals_that_refresh_leave_every_page_once() {
    let base = memory();
    Job::new(DAY_1, "old").run(&lake_on(base.clone())).await.expect("first");
    for seed in 0..600 {
        let store = fork(&base);
        let [a, b] = ["a", "b"].map(|rows| Job::new(DAY_1, rows).refresh());
        race(&store, &[a, b.minute(5)], seed).await;
        let lake = lake_on(store);
        assert_eq!(rows(&lake).await.len(), 2, "seed {seed}");
        let again = Job::new(DAY_1, "new").refresh().minute(20);
        again.run(&lake).await.unwrap_or_else(|e| panic!("{seed}: {e}"));
        assert_eq!(rows(&lake).await.len(), 2, "seed {seed}");
    }
}

#[tokio::test]
async fn live_rivals_of_overlapping_windows_do_not_both_commit() {
    for seed in 0..600 {
        let store = memory();
        let jobs = [Job::new(DAY_1, "day"), Job::new(BOTH, "both")];
        for error in race(&store, &jobs, seed).await {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Held | ErrorKind::Usage), "{seed}: {error}");
        }
        let seen = rows(&lake_on(store)).await;
        assert!(seen.is_empty() || seen.len() == 2, "seed {seed}: {seen:?}");
    }
}

#[tokio::test]
async fn a_store_that_lets_two_create_one_object_is_refused() {
    let lake = lake_on(Arc::new(Faulty::careless(memory())));
    let error = lake.probe().await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("two writers"), "{error}");
    assert!(lake.list("").await.expect("list").is_empty());
}

#[tokio::test]
async fn probes_side_by_side_do_not_mistake_each_other_for_a_careless_store() {
    for seed in 0..600 {
        let store = memory();
        let probes = (0..4).map(|n| {
            let lake = lake_on(Arc::new(Faulty::dawdling(store.clone(), seed * 4 + n)));
            async move { lake.probe().await }
        });
        for probe in futures::future::join_all(probes).await {
            probe.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        assert!(lake_on(store).list("").await.expect("list").is_empty(), "seed {seed}");
    }
}
