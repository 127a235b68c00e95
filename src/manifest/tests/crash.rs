//! A crash before or after every single store operation, then a rerun.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::stores::{Fault, Faulty};
use super::world::*;
use crate::error::{Error, ErrorKind};
use crate::lake::store::Lake;
use crate::manifest::version::Failure;

/// What stands in the lake before the job, and which rows a reader may see while it runs.
struct Scenario {
    before: Vec<Job>,
    /// A refresh that was stopped behind its first page.
    stopped: Option<Job>,
    job: Job,
    old: Vec<String>,
    new: Vec<String>,
}

fn first_publish() -> Scenario {
    Scenario {
        before: vec![Job::new(DAY_2, "other")],
        stopped: None,
        job: Job::new(DAY_1, "new"),
        old: rows_of(&["other"]),
        new: rows_of(&["new", "other"]),
    }
}

fn refresh() -> Scenario {
    Scenario {
        before: vec![Job::new(DAY_1, "old"), Job::new(DAY_2, "other")],
        stopped: None,
        job: Job::new(DAY_1, "new").refresh(),
        old: rows_of(&["old", "other"]),
        new: rows_of(&["new", "other"]),
    }
}

/// What the stopped refresh had staged goes with the window that is covered.
fn covering_a_stopped_refresh() -> Scenario {
    let stopped = Some(Job::new(DAY_1, "half").refresh());
    Scenario { stopped, ..covering_refresh() }
}

fn covering_refresh() -> Scenario {
    Scenario {
        before: vec![Job::new(DAY_1, "old"), Job::new(DAY_2, "other")],
        stopped: None,
        job: Job::new(BOTH, "new").refresh(),
        old: rows_of(&["old", "other"]),
        new: rows_of(&["new"]),
    }
}

async fn prepare(scenario: &Scenario) -> Arc<InMemory> {
    let store = memory();
    let lake = lake_on(store.clone());
    for job in &scenario.before {
        job.run(&lake).await.expect("prepare");
    }
    if let Some(job) = &scenario.stopped {
        let run = job.hold(&lake).await;
        job.fetch(&lake, &run, 1).await.expect("page 1");
        let stopped = Error::new(ErrorKind::Terminated, "a signal");
        run.release(Failure::from(&stopped)).await.expect("release");
    }
    assert_eq!(rows(&lake).await, scenario.old);
    store
}

impl Scenario {
    /// Asserts that readers see the old rows or the new.
    async fn assert_whole(&self, lake: &Lake, place: &str) {
        let seen = rows(lake).await;
        assert!(seen == self.old || seen == self.new, "{place}: {seen:?}");
    }

    /// Runs the job again after the lease, then as a plain run, and asserts the exact end.
    async fn assert_heals(&self, lake: &Lake, place: &str) {
        let again = self.job.clone().minute(15).run(lake).await;
        again.unwrap_or_else(|error| panic!("rerun, {place}: {error}"));
        assert_eq!(rows(lake).await, self.new, "{place}");
        let plain = Job { refresh: false, ..self.job.clone() }.minute(20);
        plain.run(lake).await.unwrap_or_else(|error| panic!("plain rerun, {place}: {error}"));
        assert_eq!(rows(lake).await, self.new, "{place}");
        assert_tidy(lake).await;
    }

    /// A plain rerun may finish what was begun, but never makes a mixture.
    async fn assert_plain_rerun(&self, lake: &Lake, place: &str) {
        let plain = Job { refresh: false, ..self.job.clone() }.minute(5);
        match plain.run(lake).await {
            Ok(_) => self.assert_whole(lake, place).await,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Usage, "plain rerun, {place}: {error}");
                assert_eq!(rows(lake).await, self.old, "{place}");
            }
        }
    }
}

/// Crashes the scenario's job at every operation; how many there were.
async fn crash_everywhere(scenario: Scenario, fault: Fault) -> usize {
    let base = prepare(&scenario).await;
    for n in 0.. {
        let place = format!("{fault:?} at {n}");
        let store = fork(&base);
        let faulty = Faulty::crash(store.clone(), n, fault);
        let result = scenario.job.run(&lake_on(Arc::new(faulty.clone()))).await;
        let lake = lake_on(store.clone());
        scenario.assert_whole(&lake, &place).await;
        if !faulty.struck() {
            result.expect("no fault");
            assert_eq!(rows(&lake).await, scenario.new);
            assert_tidy(&lake).await;
            return n;
        }
        if let Err(error) = &result {
            assert_eq!(error.kind(), ErrorKind::Store, "{place}: {error}");
        }
        scenario.assert_plain_rerun(&lake_on(fork(&store)), &place).await;
        scenario.assert_heals(&lake, &place).await;
    }
    unreachable!("the loop ends with a run that met no fault")
}

#[tokio::test]
async fn first_publish_survives_a_crash_anywhere() {
    assert!(crash_everywhere(first_publish(), Fault::Before).await > 20);
    crash_everywhere(first_publish(), Fault::After).await;
}

#[tokio::test]
async fn refresh_survives_a_crash_anywhere() {
    assert!(crash_everywhere(refresh(), Fault::Before).await > 20);
    crash_everywhere(refresh(), Fault::After).await;
}

#[tokio::test]
async fn covering_refresh_survives_a_crash_anywhere() {
    assert!(crash_everywhere(covering_refresh(), Fault::Before).await > 30);
    crash_everywhere(covering_refresh(), Fault::After).await;
    crash_everywhere(covering_a_stopped_refresh(), Fault::Before).await;
    crash_everywhere(covering_a_stopped_refresh(), Fault::After).await;
}

/// A crash of the job at every seventh operation, and for each a crash of its rerun at every one.
#[tokio::test]
async fn a_crash_of_the_rerun_is_survived_too() {
    for scenario in [first_publish(), refresh(), covering_refresh()] {
        let base = prepare(&scenario).await;
        for n in (0..).step_by(7) {
            let store = fork(&base);
            let faulty = Faulty::crash(store.clone(), n, Fault::After);
            let _ = scenario.job.run(&lake_on(Arc::new(faulty.clone()))).await;
            if !faulty.struck() {
                break;
            }
            for m in 0.. {
                let place = format!("{n}, then {m}");
                let second = fork(&store);
                let faulty = Faulty::crash(second.clone(), m, Fault::Before);
                let job = scenario.job.clone().minute(5);
                let _ = job.run(&lake_on(Arc::new(faulty.clone()))).await;
                let lake = lake_on(second);
                scenario.assert_whole(&lake, &place).await;
                scenario.assert_heals(&lake, &place).await;
                if !faulty.struck() {
                    break;
                }
            }
        }
    }
}

/// One operation fails and the store then works: the run may end with an error, never wrongly.
#[tokio::test]
async fn a_single_fault_is_ridden_out_or_reported() {
    let faults = [Fault::Before, Fault::After, Fault::ExistsAfter, Fault::ExistsBefore];
    for scenario in [first_publish(), refresh(), covering_refresh(), covering_a_stopped_refresh()] {
        let base = prepare(&scenario).await;
        for fault in faults {
            for n in 0.. {
                let place = format!("{fault:?} at {n} alone");
                let store = fork(&base);
                let faulty = Faulty::once(store.clone(), n, fault);
                let result = scenario.job.run(&lake_on(Arc::new(faulty.clone()))).await;
                let lake = lake_on(store);
                match result {
                    Ok(_) => assert_eq!(rows(&lake).await, scenario.new, "{place}"),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Store, "{place}: {error}");
                        scenario.assert_whole(&lake, &place).await;
                    }
                }
                scenario.assert_heals(&lake, &place).await;
                if !faulty.struck() {
                    break;
                }
            }
        }
    }
}

/// The same protocol on a real folder, where a move is a rename and staging leaves folders.
#[tokio::test]
async fn a_local_folder_ends_tidy() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    Job::new(DAY_1, "old").run(&lake).await.expect("first");
    Job::new(DAY_2, "other").run(&lake).await.expect("second");
    Job::new(DAY_1, "mid").refresh().run(&lake).await.expect("refresh");
    assert_eq!(rows(&lake).await, rows_of(&["mid", "other"]));
    Job::new(BOTH, "new").refresh().run(&lake).await.expect("covering");
    assert_eq!(rows(&lake).await, rows_of(&["new"]));
    assert_tidy(&lake).await;
    let staging = folder.path().join("payments/_lakeward/staging");
    assert_eq!(std::fs::read_dir(staging).expect("staging").count(), 0);
}
