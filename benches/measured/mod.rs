//! CPU time as criterion's measure, and its medians as rows of a markdown table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use nix::time::{ClockId, clock_gettime};

/// CPU time of the process, all threads together, user and system: what else runs on the machine does not count.
pub(crate) struct CpuTime;

/// CPU time used so far.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the process's clock").into()
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu_time()
    }

    fn end(&self, start: Duration) -> Duration {
        cpu_time().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of less than a day")]
    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Criterion over CPU time, with its results beside the other made things of cargo.
pub(crate) fn criterion() -> Criterion<CpuTime> {
    forget_last_run();
    Criterion::default()
        .with_measurement(CpuTime)
        .output_directory(&results())
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .sample_size(20)
        .configure_from_args()
}

fn results() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion")
}

/// Takes away the last run's estimates, so that a table mixes no two runs; the baselines to compare with stay.
fn forget_last_run() {
    let folders = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten();
    for bench in folders(results()).flat_map(|group| folders(group.path())) {
        // Most have none, and a run that leaves one behind only prints more.
        let _ = std::fs::remove_dir_all(bench.path().join("new"));
    }
}

/// MB a CPU second of a bench that read `bytes` an iteration; `None` where it did not run.
pub(crate) fn rate(group: &str, bench: &str, bytes: usize) -> Option<f64> {
    let file = results().join(group).join(bench).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let nanos = estimates.pointer("/median/point_estimate")?.as_f64()?;
    #[expect(clippy::cast_precision_loss, reason = "bytes of some pages")]
    Some(bytes as f64 * 1e3 / nanos)
}
