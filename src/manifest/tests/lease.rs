//! Who may take a window, and from where it goes on.

use std::sync::Arc;

use super::stores::{Fault, Faulty};
use super::world::*;
use crate::clock::FixedClock;
use crate::error::{Error, ErrorKind};
use crate::manifest::chain::Head;
use crate::manifest::lease::{Take, Taken};
use crate::manifest::place::Held;
use crate::manifest::snapshot::snapshot;
use crate::manifest::version::{Failure, State};

fn failure(kind: ErrorKind) -> Failure {
    Failure::from(&Error::new(kind, "it ended"))
}

#[tokio::test]
async fn a_live_owner_is_left_alone_until_its_lease_ends() {
    let lake = lake_on(memory());
    let _run = Job::new(DAY_1, "x").hold(&lake).await;
    let error = Job::new(DAY_1, "y").begin(&lake).await.expect_err("held");
    assert_eq!(error.kind(), ErrorKind::Held);
    let told: Vec<&str> = error.context().map(|(key, _)| key).collect();
    for key in ["window", "run", "host", "pid", "since", "heartbeat"] {
        assert!(told.contains(&key), "{key} in {error}");
    }
    Job::new(DAY_1, "y").minute(1).begin(&lake).await.expect("after the lease");
}

#[tokio::test]
async fn an_orderly_end_is_resumed_at_once_behind_its_checkpoint() {
    let lake = lake_on(memory());
    let job = Job::new(DAY_1, "x");
    let run = job.hold(&lake).await;
    job.fetch(&lake, &run, 1).await.expect("page 1");
    lake.put(&format!("{}/stray", table().staging_dir(run.name(), 1)), "x".into())
        .await
        .expect("put");
    let left = run.release(failure(ErrorKind::Transient)).await.expect("release");
    assert_eq!((left.state, left.owner.is_none()), (State::Running, true));
    assert_eq!(left.failure.expect("failure").exit, 5);

    let again = Job::new(DAY_1, "y");
    let run = again.hold(&lake).await;
    let resumed = run.resumed().expect("resumed");
    assert_eq!((run.attempt(), resumed.attempt, resumed.checkpoint.pages), (2, 1, 1));
    let staged = lake.list(&table().staging_root(run.name())).await.expect("list");
    assert!(staged.iter().all(|object| !object.path.ends_with("stray")), "{staged:?}");
    let progress = again.fetch(&lake, &run, PAGES).await.expect("page 2");
    again.publish(&lake, run, progress).await.expect("publish");
    assert_eq!(rows(&lake).await, ["x-1", "y-2"]);
    assert_tidy(&lake).await;
}

#[tokio::test]
async fn a_changed_fingerprint_starts_from_the_beginning() {
    let lake = lake_on(memory());
    let job = Job::new(DAY_1, "x");
    let run = job.hold(&lake).await;
    job.fetch(&lake, &run, 1).await.expect("page 1");
    run.release(failure(ErrorKind::Interrupted)).await.expect("release");
    let changed = Take { schema_fingerprint: "other".into(), ..job.take() };
    let Taken::Run(run) = job.begin_with(&lake, changed).await.expect("take") else {
        panic!("committed")
    };
    assert!(run.resumed().is_none());
    assert!(lake.list(&table().staging_root(run.name())).await.expect("list").is_empty());
}

#[tokio::test]
async fn a_failed_window_starts_anew_or_its_rows_are_accepted() {
    for accept_drift in [false, true] {
        let lake = lake_on(memory());
        let job = Job::new(DAY_1, "x");
        let run = job.hold(&lake).await;
        let progress = job.fetch(&lake, &run, PAGES).await.expect("pages");
        let end = outcome(&lake, &run, progress).await.expect("outcome");
        let failed = run.fail(failure(ErrorKind::Contract), end).await.expect("fail");
        assert_eq!((failed.state, failed.files.len()), (State::Failed, 2));
        assert!(rows(&lake).await.is_empty());
        assert!(lake.read(&failed.rejects.expect("rejects")).await.expect("read").is_some());

        let again = Job::new(DAY_1, "y");
        let how = Take { accept_drift, ..again.take() };
        let Taken::Run(run) = again.begin_with(&lake, how).await.expect("take") else {
            panic!("committed")
        };
        let progress = again.fetch(&lake, &run, PAGES).await.expect("pages");
        again.publish(&lake, *run, progress).await.expect("publish");
        assert_eq!(rows(&lake).await, rows_of(&[if accept_drift { "x" } else { "y" }]));
        assert_tidy(&lake).await;
    }
}

#[tokio::test]
async fn a_committed_window_is_skipped_and_a_failed_refresh_leaves_it() {
    let lake = lake_on(memory());
    Job::new(DAY_1, "old").run(&lake).await.expect("first");
    let numbers = chain(&lake, DAY_1).numbers().await.expect("numbers");
    Job::new(DAY_1, "x").run(&lake).await.expect("skip");
    assert_eq!(chain(&lake, DAY_1).numbers().await.expect("numbers"), numbers, "nothing written");

    let job = Job::new(DAY_1, "new").refresh();
    let run = job.hold(&lake).await;
    let progress = job.fetch(&lake, &run, PAGES).await.expect("pages");
    let end = outcome(&lake, &run, progress).await.expect("outcome");
    run.fail(failure(ErrorKind::Count), end).await.expect("fail");
    assert_eq!(rows(&lake).await, rows_of(&["old"]));
    let Taken::Committed(commit) = Job::new(DAY_1, "x").begin(&lake).await.expect("plain") else {
        panic!("taken")
    };
    assert_eq!((commit.state, commit.attempt, &*commit.run_id), (State::Committed, 1, "run-old"));
    assert_eq!(commit.files, commit.published);
    assert!(lake.read(&commit.rejects.expect("rejects")).await.expect("read").is_some());
}

#[tokio::test]
async fn a_killed_refresh_is_resumed_by_refresh_only() {
    let lake = lake_on(memory());
    Job::new(DAY_1, "old").run(&lake).await.expect("first");
    let job = Job::new(DAY_1, "new").refresh();
    let run = job.hold(&lake).await;
    job.fetch(&lake, &run, 1).await.expect("page 1");
    drop(run);
    let plain = Job::new(DAY_1, "x").minute(5).begin(&lake).await.expect("plain");
    assert!(matches!(plain, Taken::Committed(_)));
    let run = job.minute(5).hold(&lake).await;
    assert_eq!(run.resumed().expect("resumed").checkpoint.pages, 1);
}

#[tokio::test]
async fn overlapping_bounds_are_refused_unless_a_refresh_covers_them() {
    let lake = lake_on(memory());
    Job::new(DAY_1, "old").run(&lake).await.expect("first");
    let error = Job::new(BOTH, "x").begin(&lake).await.expect_err("covers, but no refresh");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let noon = "20260316T120000Z_20260317T120000Z";
    let error = Job::new(noon, "x").refresh().begin(&lake).await.expect_err("partly");
    assert_eq!(error.kind(), ErrorKind::Usage);
    Job::new(BOTH, "new").refresh().run(&lake).await.expect("covers");
    let error = Job::new(DAY_1, "x").refresh().begin(&lake).await.expect_err("inside");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let read = snapshot(&lake, &table()).await.expect("snapshot");
    assert_eq!((read.windows.len(), read.replaced.len()), (1, 1));
    assert_eq!(read.windows[0].manifest.covers, [name(DAY_1).to_string()]);
    assert_tidy(&lake).await;
}

#[tokio::test]
async fn an_overtaken_run_commits_nothing_and_says_who_has_the_window() {
    let lake = lake_on(memory());
    let slow = Job::new(DAY_1, "slow");
    let run = slow.hold(&lake).await;
    let progress = slow.fetch(&lake, &run, 1).await.expect("page 1");
    let quick = Job::new(DAY_1, "quick").minute(5);
    let other = quick.hold(&lake).await;
    assert!(!run.lost().is_cancelled());
    let error = run.checkpoint(progress.clone()).await.expect_err("lost");
    assert_eq!(error.kind(), ErrorKind::Held);
    assert!(error.to_string().contains("run-quick"), "{error}");
    assert!(run.lost().is_cancelled());
    let end = outcome(&lake, &run, progress).await.expect("outcome");
    assert_eq!(run.publish(end).await.expect_err("lost").kind(), ErrorKind::Held);
    let progress = quick.fetch(&lake, &other, PAGES).await.expect("pages");
    quick.publish(&lake, other, progress).await.expect("publish");
    assert_eq!(rows(&lake).await, ["quick-2", "slow-1"]);
}

#[tokio::test]
async fn a_publish_that_another_run_completed_is_a_success() {
    // The first run stops answering after `publishing`; the second completes it; the first wakes up.
    let store = memory();
    let lake = lake_on(store.clone());
    let job = Job::new(DAY_1, "x");
    let run = job.hold(&lake).await;
    let progress = job.fetch(&lake, &run, PAGES).await.expect("pages");
    let end = outcome(&lake, &run, progress).await.expect("outcome");
    run.begin_publish(end).await.expect("publishing");
    Job::new(DAY_1, "y").minute(5).run(&lake).await.expect("completes it");
    let commit = run.complete().await.expect("ours is committed");
    assert_eq!((commit.attempt, commit.state), (1, State::Committed));
    assert_eq!(rows(&lake).await, rows_of(&["x"]));
}

#[tokio::test]
async fn the_heartbeat_beats_when_it_is_due_and_rides_out_a_fault() {
    let store = memory();
    let lake = lake_on(store.clone());
    let run = Job::new(DAY_1, "x").hold(&lake).await;
    let (number, manifest) = chain(&lake, DAY_1).newest().await.expect("newest").expect("some");
    drop(run);
    let later = Arc::new(FixedClock(at(0) + chrono::TimeDelta::seconds(20)));
    let faulty = lake_on(Arc::new(Faulty::once(store, 0, Fault::After)));
    let held = Held::new(chain(&faulty, DAY_1), later, Head::new(number, manifest));
    assert!(!held.beat().await.is_zero());
    assert_eq!(held.newest().await.0, number, "not due yet");
    held.make_due().await;
    held.beat().await;
    let (top, beat) = held.newest().await;
    assert_eq!(top, number + 1);
    assert_eq!(beat.owner.expect("owner").heartbeat, at(0) + chrono::TimeDelta::seconds(20));
}
