//! Batches of webhook events beside windows: chains of their own, which share nothing with either.

use super::world::*;
use crate::manifest::history::Profiles;
use crate::manifest::snapshot::snapshot;

const FIRST: &str = "webhook-0000000000000001_0000000000000009";
const SECOND: &str = "webhook-0000000000000010_0000000000000012";

#[tokio::test]
async fn a_batch_overlaps_nothing_and_is_replaced_by_nothing() {
    let lake = lake_on(memory());
    Job::new(FIRST, "a").run(&lake).await.expect("batch");
    Job::new(DAY_1, "b").run(&lake).await.expect("window");
    Job::new(SECOND, "c").run(&lake).await.expect("batch");
    // A window that covers all instants there are, the batches' too.
    Job::new(BOTH, "d").refresh().run(&lake).await.expect("window");
    assert_eq!(rows(&lake).await, rows_of(&["a", "c", "d"]));
    Job::new(FIRST, "x").run(&lake).await.expect("committed");
    Job::new(SECOND, "e").refresh().run(&lake).await.expect("refresh");
    assert_eq!(rows(&lake).await, rows_of(&["a", "d", "e"]));
    assert_tidy(&lake).await;
    let names: Vec<String> = snapshot(&lake, &table())
        .await
        .expect("snapshot")
        .windows
        .iter()
        .map(|window| window.name.id().to_string())
        .collect();
    assert_eq!(names, [BOTH, FIRST, SECOND]);
}

#[tokio::test]
async fn a_batch_of_a_dead_run_is_resumed_as_a_window_is() {
    let lake = lake_on(memory());
    let job = Job::new(FIRST, "a");
    let run = job.hold(&lake).await;
    job.fetch(&lake, &run, 1).await.expect("page 1");
    drop(run);
    let error = job.clone().minute(0).run(&lake).await.map(drop);
    // The same process lives: its hold stands until the heartbeat is old.
    assert!(error.is_err());
    Job::new(FIRST, "b").minute(5).run(&lake).await.expect("taken over");
    assert_eq!(rows(&lake).await, ["a-1", "b-2"]);
    assert_tidy(&lake).await;
}

#[tokio::test]
async fn batches_are_compared_with_batches_and_windows_with_windows() {
    let lake = lake_on(memory());
    for window in [FIRST, DAY_1, SECOND, DAY_2] {
        Job::new(window, "x").run(&lake).await.expect("commit");
    }
    let before = |window: &'static str| {
        let lake = lake.clone();
        async move { Profiles::default().before(&chain(&lake, window)).await }
    };
    let of_batch = before(SECOND).await;
    assert_eq!(of_batch.len(), 1);
    assert!(of_batch[0].window.contains(at(0)), "by when they were received");
    let of_window = before(DAY_2).await;
    assert_eq!(of_window.len(), 1);
    assert_eq!(of_window[0].window.to_string(), DAY_1);
    assert!(before(FIRST).await.is_empty() && before(DAY_1).await.is_empty());
    assert_eq!(Profiles::default().newest(&lake, &table()).await.len(), 4);
}
