//! The protocol under random schedules: rounds of rivals on two windows, each with a fate of its own, some fifteen minutes
//! apart. Whatever happens, every published page is there once and whole, and the next run finishes the window.
//!
//! `LAKEWARD_SCHEDULES` says how many schedules are tried; a failing one is printed, cut down to its cause, and the seed of all.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use object_store::memory::InMemory;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokio::sync::Semaphore;

use super::stores::{Fault, Faulty};
use super::strays::vacuum;
use super::world::*;
use crate::error::{Error, ErrorKind};
use crate::lake::store::Lake;

const WINDOWS: [&str; 2] = [DAY_1, DAY_2];
const ROUNDS: usize = 4;
const RIVALS: usize = 3;
/// More operations than a run has.
const OPERATIONS: usize = 60;
/// Longer than any schedule takes, by a clock that runs on when nobody has anything to do: a run that waits for ever is a
/// failure.
const STUCK: Duration = Duration::from_secs(3600);

/// What befalls a run.
#[derive(Clone, Debug)]
enum Fate {
    /// Nothing.
    Fine,
    /// The process dies at an operation.
    Crash(usize, Fault),
    /// One operation in so many fails, told or untold.
    Faults(u64, usize),
    /// An operation never comes back, and the process is killed when the others have ended.
    Hang(usize),
    /// The process stops at an operation until the others have ended, and then goes on as if nothing had been.
    Pause(usize),
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Extract,
    Refresh,
    Compact,
}

#[derive(Clone, Debug)]
struct Actor {
    window: usize,
    work: Work,
    /// Its clock is so much ahead: enough to take others for dead, or not.
    ahead: i64,
    fate: Fate,
    /// Of the order in which rivals get their turns.
    seed: u64,
}

fn fates() -> impl Strategy<Value = Fate> {
    let fault = prop::sample::select(vec![
        Fault::Before,
        Fault::After,
        Fault::ExistsAfter,
        Fault::ExistsBefore,
    ]);
    prop_oneof![
        2 => Just(Fate::Fine),
        3 => (0..OPERATIONS, fault).prop_map(|(at, fault)| Fate::Crash(at, fault)),
        3 => (any::<u64>(), 2..30_usize).prop_map(|(seed, one_in)| Fate::Faults(seed, one_in)),
        1 => (0..OPERATIONS).prop_map(Fate::Hang),
        2 => (0..OPERATIONS).prop_map(Fate::Pause),
    ]
}

fn actors() -> impl Strategy<Value = Actor> {
    let window = prop_oneof![4 => Just(0), 1 => Just(1)];
    let ahead = prop_oneof![Just(0), Just(5), Just(10)];
    let work = prop_oneof![Just(Work::Extract), Just(Work::Refresh), Just(Work::Compact)];
    (window, work, ahead, fates(), any::<u64>())
        .prop_map(|(window, work, ahead, fate, seed)| Actor { window, work, ahead, fate, seed })
}

fn schedules() -> impl Strategy<Value = Vec<Vec<Actor>>> {
    prop::collection::vec(prop::collection::vec(actors(), 1..=RIVALS), 1..=ROUNDS)
}

/// What the run `rival` of a round writes: `<window>.<round>.<rival>-<page>`.
fn rows_name(window: usize, round: usize, rival: usize) -> &'static str {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let all = (0..WINDOWS.len() * (ROUNDS + 1) * RIVALS).map(|n| {
            let (window, rest) = (n / ((ROUNDS + 1) * RIVALS), n % ((ROUNDS + 1) * RIVALS));
            format!("{window}.{}.{}", rest / RIVALS, rest % RIVALS)
        });
        all.collect()
    });
    &NAMES[(window * (ROUNDS + 1) + round) * RIVALS + rival]
}

/// When a round begins: every lease of the one before has ended.
fn minute_of(round: usize) -> i64 {
    i64::try_from(round).expect("few rounds") * 20
}

/// As a well mixed number: the same for the same seed and operation.
fn mixed(seed: u64, at: usize) -> u64 {
    let mut z = seed.wrapping_add((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Actor {
    fn store(&self, inner: &Arc<InMemory>, gate: &Arc<Semaphore>) -> Faulty {
        let inner: Arc<InMemory> = Arc::clone(inner);
        let store = match self.fate {
            Fate::Fine => Faulty::new(inner, |_| Fault::None),
            Fate::Crash(at, fault) => Faulty::crash(inner, at, fault),
            Fate::Faults(seed, one_in) => Faulty::new(inner, move |at| {
                let drawn = mixed(seed, at);
                match drawn % one_in as u64 {
                    0 => [Fault::Before, Fault::After, Fault::ExistsAfter, Fault::ExistsBefore]
                        [(drawn >> 32) as usize % 4],
                    _ => Fault::None,
                }
            }),
            Fate::Hang(at) | Fate::Pause(at) => {
                Faulty::new(inner, |_| Fault::None).stopped_at(at, Arc::clone(gate))
            }
        };
        store.slowed(self.seed)
    }
}

/// Runs the actors of a round at once; the errors they end with. Where one ran alone and well, it must end well.
async fn play(store: &Arc<InMemory>, round: usize, actors: &[Actor]) -> Vec<Error> {
    let gate = Arc::new(Semaphore::new(0));
    let (mut free, mut paused, mut hung) = (Vec::new(), Vec::new(), Vec::new());
    for (rival, actor) in actors.iter().enumerate() {
        let lake = lake_on(Arc::new(actor.store(store, &gate)));
        let minute = minute_of(round) + actor.ahead;
        let rows = rows_name(actor.window, round, rival);
        let refresh = actor.work == Work::Refresh;
        let job = Job { refresh, ..Job::new(WINDOWS[actor.window], rows).minute(minute) };
        let work = actor.work;
        let run = tokio::spawn(async move {
            match work {
                Work::Extract | Work::Refresh => job.run(&lake).await.map(drop),
                Work::Compact => job.compact(&lake).await,
            }
        });
        match actor.fate {
            Fate::Pause(_) => paused.push(run),
            Fate::Hang(_) => hung.push(run),
            Fate::Fine | Fate::Crash(..) | Fate::Faults(..) => free.push(run),
        }
    }
    let mut ended = futures::future::join_all(free).await;
    // Killed where it hangs; or stopped for so long, and woken.
    hung.iter().for_each(|run| run.abort());
    futures::future::join_all(hung).await;
    // Several operations of a run may have come to it side by side.
    gate.add_permits(RIVALS * OPERATIONS);
    ended.extend(futures::future::join_all(paused).await);
    ended.into_iter().filter_map(|run| run.expect("no panic").err()).collect()
}

/// The pages of each window that a reader of the manifests sees.
async fn pages(lake: &Lake) -> BTreeMap<char, Vec<char>> {
    let mut pages: BTreeMap<char, Vec<char>> = BTreeMap::new();
    for row in rows(lake).await {
        let (window, page) = (row.chars().next(), row.chars().last());
        pages.entry(window.expect("window")).or_default().push(page.expect("page"));
    }
    pages.values_mut().for_each(|pages| pages.sort_unstable());
    pages
}

async fn check(schedule: &[Vec<Actor>]) {
    let store = memory();
    let lake = lake_on(store.clone());
    let mut committed: BTreeMap<char, Vec<char>> = BTreeMap::new();
    for (round, actors) in schedule.iter().enumerate() {
        for error in play(&store, round, actors).await {
            let kind = error.kind();
            // Held by others, or the store failed; one that was overtaken may miss what it had staged.
            assert!(matches!(kind, ErrorKind::Held | ErrorKind::Store), "round {round}: {error:?}");
        }
        let seen = pages(&lake).await;
        for (window, pages) in &seen {
            assert_eq!(pages, &['1', '2'], "round {round}, window {window}");
        }
        for window in committed.keys() {
            assert!(seen.contains_key(window), "round {round}: window {window} was there");
        }
        committed = seen;
    }
    let minute = minute_of(schedule.len());
    let before = rows(&lake).await;
    vacuum(&lake, minute).await;
    assert_eq!(rows(&lake).await, before, "a vacuum takes no row");
    for (index, window) in WINDOWS.into_iter().enumerate() {
        let rows = rows_name(index, schedule.len(), 0);
        let job = Job::new(window, rows).refresh().minute(minute + 5);
        job.run(&lake).await.unwrap_or_else(|error| panic!("the last run: {error:?}"));
    }
    assert_eq!(pages(&lake).await.into_values().collect::<Vec<_>>(), [['1', '2'], ['1', '2']]);
    vacuum(&lake, minute + 20).await;
    assert_tidy(&lake).await;
}

fn schedule_count() -> u32 {
    let given = std::env::var("LAKEWARD_SCHEDULES").ok();
    given.map_or(10_000, |count| count.parse().expect("a number of schedules"))
}

/// Printed with a failure; `LAKEWARD_SEED` repeats it.
fn seed() -> u64 {
    let given = std::env::var("LAKEWARD_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed"));
    println!("LAKEWARD_SEED={seed}");
    seed
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: schedule_count(),
        rng_seed: RngSeed::Fixed(seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_schedule_loses_or_doubles_a_page(schedule in schedules()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("runtime");
        let stuck = runtime.block_on(async { tokio::time::timeout(STUCK, check(&schedule)).await });
        prop_assert!(stuck.is_ok(), "a run waits for ever");
    }
}
