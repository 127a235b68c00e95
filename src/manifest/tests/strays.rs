//! What no manifest names is found and deleted, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;

use super::stores::{Fault, Faulty};
use super::world::*;
use crate::clock::{Clock, FixedClock};
use crate::error::ErrorKind;
use crate::lake::store::Lake;
use crate::manifest::strays::Stray;
use crate::manifest::vacuum::{delete, outdated};

/// A lake in memory is written by the real clock, so every age is young enough.
const ANY_AGE: TimeDelta = TimeDelta::days(-100_000);

fn clock(minute: i64) -> Arc<dyn Clock> {
    Arc::new(FixedClock(at(minute)))
}

async fn found(lake: &Lake, minute: i64) -> Vec<Stray> {
    outdated(lake, &table(), ANY_AGE, &*clock(minute)).await.expect("strays").strays
}

/// Deletes every stray; what was deleted, by kind.
pub(super) async fn vacuum(lake: &Lake, minute: i64) -> Vec<(&'static str, String)> {
    let strays = found(lake, minute).await;
    let gone = delete(lake, &table(), strays, &clock(minute)).await.expect("vacuum");
    gone.into_iter().map(|stray| (stray.kind, stray.path)).collect()
}

#[tokio::test]
async fn strays_of_every_kind_go_and_what_is_named_or_foreign_stays() {
    let lake = lake_on(memory());
    Job::new(DAY_1, "old").run(&lake).await.expect("commit");
    Job::new(DAY_1, "new").refresh().run(&lake).await.expect("refresh");
    Job::new(DAY_2, "other").run(&lake).await.expect("commit");
    let (dir, window) = (table(), name(DAY_1));
    let planted = [
        ("version", dir.version_path(&window, 1)),
        ("staged", dir.staged_path(&window, 9, 1)),
        ("staged", format!("{}/keys-1", dir.staging_dir(&name(BOTH), 1))),
        ("report", dir.rejects_path(&window, 9)),
        ("report", dir.drift_path(&window, 9)),
        ("data", dir.data_path("date=2026-03-16", &window, 9, 1)),
    ];
    for (_, path) in &planted {
        lake.put(path, "{}".into()).await.expect("plant");
    }
    let foreign = ["payments/date=2026-03-16/part-0.parquet", "payments/_lakeward/notes.txt"];
    for path in foreign {
        lake.put(path, "x".into()).await.expect("plant");
    }
    let young = outdated(&lake, &dir, TimeDelta::days(100_000), &*clock(9)).await.expect("strays");
    assert!(young.strays.is_empty(), "{young:?}");
    let gone: BTreeSet<_> = vacuum(&lake, 9).await.into_iter().collect();
    assert_eq!(gone, planted.into_iter().collect());
    assert_eq!(rows(&lake).await, rows_of(&["new", "other"]));
    for path in foreign {
        lake.delete(path).await.expect("its owner may");
    }
    assert_tidy(&lake).await;
}

#[tokio::test]
async fn a_window_that_is_worked_on_has_no_strays() {
    let lake = lake_on(memory());
    let job = Job::new(DAY_1, "x");
    let run = job.hold(&lake).await;
    let staged = table().staged_path(run.name(), 1, 7);
    lake.put(&staged, "rows under way".into()).await.expect("put");
    assert!(found(&lake, 0).await.is_empty());
    let progress = job.fetch(&lake, &run, PAGES).await.expect("fetch");
    job.publish(&lake, run, progress).await.expect("publish");
}

#[tokio::test]
async fn an_owner_that_was_paused_loses_the_window_before_its_files_go() {
    let lake = lake_on(memory());
    let job = Job::new(DAY_1, "x");
    let run = job.hold(&lake).await;
    let progress = job.fetch(&lake, &run, 1).await.expect("page 1");
    let staged = table().staged_path(run.name(), 1, 7);
    lake.put(&staged, "not named yet".into()).await.expect("put");
    assert_eq!(vacuum(&lake, 9).await, [("staged", staged)]);
    let error = run.checkpoint(progress).await.expect_err("lost");
    assert_eq!(error.kind(), ErrorKind::Held, "{error}");
    // What the checkpoint named is still there to go on from.
    let again = Job::new(DAY_1, "y").minute(9);
    let run = again.hold(&lake).await;
    assert_eq!(run.resumed().expect("resumed").checkpoint.pages, 1);
    let progress = again.fetch(&lake, &run, PAGES).await.expect("page 2");
    again.publish(&lake, run, progress).await.expect("publish");
    assert_eq!(rows(&lake).await, ["x-1", "y-2"]);
}

#[tokio::test]
async fn a_window_taken_between_the_look_and_the_delete_is_left_alone() {
    let lake = lake_on(memory());
    let run = Job::new(DAY_1, "x").hold(&lake).await;
    let staged = table().staged_path(run.name(), 1, 7);
    lake.put(&staged, "left by a kill".into()).await.expect("put");
    drop(run);
    let strays = found(&lake, 9).await;
    assert_eq!(strays.len(), 1);
    let _next = Job::new(DAY_1, "y").minute(9).hold(&lake).await;
    lake.put(&staged, "theirs now".into()).await.expect("put");
    let gone = delete(&lake, &table(), strays, &clock(9)).await.expect("vacuum");
    assert!(gone.is_empty(), "{gone:?}");
    assert!(lake.read(&staged).await.expect("read").is_some());
}

/// After a crash at every operation: what a vacuum takes costs no row, before the rerun and after it.
#[tokio::test]
async fn a_vacuum_after_any_crash_costs_nothing() {
    for refresh in [false, true] {
        let base = memory();
        let old = Job::new(DAY_1, "old");
        if refresh {
            old.run(&lake_on(base.clone())).await.expect("commit");
        }
        let job = Job { refresh, ..Job::new(DAY_1, "new") };
        for n in 0.. {
            let store = fork(&base);
            let faulty = Faulty::crash(store.clone(), n, Fault::After);
            let _ = job.run(&lake_on(Arc::new(faulty.clone()))).await;
            let lake = lake_on(store);
            let before = rows(&lake).await;
            vacuum(&lake, 9).await;
            assert_eq!(rows(&lake).await, before, "crash at {n}");
            job.clone().minute(9).run(&lake).await.expect("rerun");
            assert_eq!(rows(&lake).await, rows_of(&["new"]), "crash at {n}");
            vacuum(&lake, 20).await;
            assert_eq!(rows(&lake).await, rows_of(&["new"]), "crash at {n}");
            assert_tidy(&lake).await;
            assert!(found(&lake, 20).await.is_empty());
            if !faulty.struck() {
                break;
            }
        }
    }
}
