//! Killed at any instant, a run leaves a readable lake, and the next run finishes with every row once.
//!
//! Each trial prints its seed, and a failure shows them; `LAKEWARD_SEED=N` repeats one.
#![expect(clippy::print_stdout, reason = "the seeds; shown only when a test fails")]

use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::cli::{SourceYaml, TABLE, Workspace};
use super::support::lake::Row;
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::{Dice, pause};

/// How many instants are tried, over [`AT_ONCE`] threads.
const TRIALS: usize = 20;
const AT_ONCE: usize = 4;

/// A slow run: this many records, pages and pauses before each.
const RECORDS: usize = 800;
const PAGE_SIZE: usize = 20;
const DELAY: Duration = Duration::from_millis(25);

/// Somewhat longer than the slow run takes, so that kills fall into its every part and a few after it.
const SPAN_MS: u64 = 1_300;

#[test]
fn a_killed_run_is_finished_by_the_next() {
    trials(|seed| {
        let slow = Slow::start(seed);
        let kill = slow.kill_after(seed);
        let wanted = slow.wanted_after(&kill);
        slow.workspace.extract_day(&[]).exits(0);
        assert_eq!(slow.api.take_skips(), wanted, "asked after the kill ({kill})");
        slow.workspace.lake().assert_holds(TABLE, &slow.api.truth());
    });
}

#[test]
fn a_run_killed_again_and_again_still_gets_to_the_end() {
    let seed = given_seed().unwrap_or_else(random_seed);
    let slow = Slow::start(seed);
    let mut dice = Dice::new(seed);
    for round in 0..60 {
        let mut run = slow.workspace.extract_day(&[]).start();
        // On a machine with much else to do a run gets nowhere in 300 ms; each round leaves it somewhat more.
        pause(Duration::from_millis(300 + 10 * round + dice.below(400)));
        if run.has_ended() {
            let ended = run.wait();
            assert_eq!(ended.code, Some(0), "seed {seed}: {ended}");
            slow.workspace.lake().assert_holds(TABLE, &slow.api.truth());
            return;
        }
        run.kill9();
    }
    panic!("seed {seed}: sixty runs of 300 ms and more did not get through {RECORDS} records");
}

#[test]
fn a_window_stays_whole_while_its_refresh_is_killed() {
    trials(|seed| {
        let slow = Slow::start(seed);
        slow.api.set(|knobs| knobs.delay = Duration::ZERO);
        slow.workspace.extract_day(&[]).exits(0);
        let lake = slow.workspace.lake();
        let old = lake.rows(TABLE);
        slow.api.take_skips();
        slow.api.set(|knobs| (knobs.raise, knobs.delay) = (500, DELAY));
        let new = rows_of(&slow.api);
        let kill = slow.kill_while_reading(seed, &old, &new);
        let now = lake.published_rows(TABLE).expect("published files are there after a kill");
        assert!(now == old || now == new, "neither the old rows nor the new after {kill}");
        if seed.is_multiple_of(2) {
            slow.workspace.extract_day(&[]).exits(0);
            assert_eq!(slow.api.take_skips(), [0_usize; 0], "a plain rerun fetched");
            let rows = lake.published_rows(TABLE).expect("published files are there");
            // It completes what was being published, and leaves anything else as it was.
            let completed = kill.state == "publishing" && rows == new;
            assert!(rows == now || completed, "a plain rerun changed rows ({kill})");
            let whole = rows == lake.rows(TABLE);
            assert!(whole, "listing and manifests differ after the plain rerun ({kill})");
        } else if kill.state == "running" {
            slow.workspace.extract_day(&["--refresh"]).exits(0);
            let wanted = slow.api.skips(RECORDS, kill.pages);
            assert_eq!(slow.api.take_skips(), wanted, "asked after the kill ({kill})");
            lake.assert_holds(TABLE, &slow.api.truth());
        }
        slow.workspace.extract_day(&["--refresh"]).exits(0);
        lake.assert_holds(TABLE, &slow.api.truth());
    });
}

/// A slow API and the workspace that reads it, with a checkpoint every 100 ms.
struct Slow {
    api: PagedApi,
    workspace: Workspace,
}

/// What a kill left behind.
struct Kill {
    /// The newest manifest's state; `none` before the first.
    state: String,
    /// The pages behind its checkpoint.
    pages: usize,
    /// When it was.
    after: Duration,
}

impl std::fmt::Display for Kill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { state, pages, after } = self;
        write!(f, "killed after {after:?}, state {state}, {pages} pages behind the checkpoint")
    }
}

impl Slow {
    fn start(seed: u64) -> Self {
        let api = PagedApi::start(Options {
            seed,
            records_per_day: vec![RECORDS],
            style: Style::Cursor,
            page_size: PAGE_SIZE,
        });
        api.set(|knobs| knobs.delay = DELAY);
        let mut source = SourceYaml::new(&api.base_url(), Style::Cursor);
        source.checkpoint_every = "100ms".to_owned();
        let workspace = Workspace::new(&source);
        Self { api, workspace }
    }

    /// Runs and kills after a time that follows from the seed.
    fn kill_after(&self, seed: u64) -> Kill {
        let after = Duration::from_millis(Dice::new(seed).below(SPAN_MS));
        let run = self.workspace.extract_day(&[]).start();
        pause(after);
        run.kill9();
        self.left_behind(after)
    }

    /// The same of a refresh; until the kill a reader must see the old rows or the new, whole.
    fn kill_while_reading(&self, seed: u64, old: &[Row], new: &[Row]) -> Kill {
        let after = Duration::from_millis(Dice::new(seed).below(SPAN_MS));
        let run = self.workspace.extract_day(&["--refresh"]).start();
        let begun = Instant::now();
        while begun.elapsed() < after {
            // A reader that meets a missing file lists again (DESIGN §5).
            if let Some(rows) = self.workspace.lake().published_rows(TABLE) {
                assert!(rows == old || rows == new, "a reader saw neither the old nor the new");
            }
            pause(Duration::from_millis(5));
        }
        run.kill9();
        self.left_behind(after)
    }

    /// Reads the manifest after a kill, and forgets what was asked for until then.
    fn left_behind(&self, after: Duration) -> Kill {
        // A request of the killed run may still be on its way to the server.
        pause(Duration::from_millis(50));
        self.api.take_skips();
        let lake = self.workspace.lake();
        let manifest = lake.manifests(TABLE).into_values().next();
        let state = manifest.as_ref().map_or(Value::Null, |m| m["state"].clone());
        Kill {
            state: state.as_str().unwrap_or("none").to_owned(),
            pages: lake.checkpoint_pages(TABLE),
            after,
        }
    }

    /// The pages that the run after a kill must ask for: those after the checkpoint, each once.
    fn wanted_after(&self, kill: &Kill) -> Vec<usize> {
        match kill.state.as_str() {
            "none" | "running" => self.api.skips(RECORDS, kill.pages),
            _ => Vec::new(),
        }
    }
}

fn rows_of(api: &PagedApi) -> Vec<Row> {
    let rows = api.truth().rows.into_iter();
    rows.map(|(id, (paise, day))| Row { id, paise, partition: day.to_string() }).collect()
}

/// The seed that `LAKEWARD_SEED` asks to repeat.
fn given_seed() -> Option<u64> {
    std::env::var("LAKEWARD_SEED").ok().and_then(|seed| seed.parse().ok())
}

fn random_seed() -> u64 {
    rand::random::<u64>() >> 16
}

/// Runs the trials, a few at once: most of each is waiting.
fn trials(trial: impl Fn(u64) + Sync) {
    let seeds = match given_seed() {
        Some(seed) => vec![seed],
        None => (0..TRIALS).map(|_| random_seed()).collect(),
    };
    std::thread::scope(|scope| {
        for seeds in seeds.chunks(seeds.len().div_ceil(AT_ONCE)) {
            let trial = &trial;
            scope.spawn(move || {
                for seed in seeds {
                    println!("LAKEWARD_SEED={seed} begins");
                    trial(*seed);
                    println!("LAKEWARD_SEED={seed} passed");
                }
            });
        }
    });
}
