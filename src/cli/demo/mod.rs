//! `lakeward demo`: an embedded payments API, two days of it in the lake, and what to query.

pub mod api;
pub mod data;
pub mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{DemoArgs, LogFormat};
use crate::cli::render::{out, thousands};
use crate::cli::{extract as extract_command, failures};
use crate::clock::SystemClock;
use crate::error::Result;
use crate::lake::store::Lake;
use crate::run::extract::{Extraction, Limits, new_run_id};
use crate::run::plan::units;
use crate::run::progress::Progress;
use crate::run::report::{Outcome, RunReport};
use crate::run::stop::Stop;
use crate::spec::source::Source;
use crate::window::{Window, parse_instant};

/// Runs the demo and tells its story on stdout.
pub async fn run(args: DemoArgs, log: LogFormat) -> Result<u8> {
    let lake = Lake::open(&args.lake)?;
    let api = api::start().await?;
    let folder = declared_in(&args.lake, &lake);
    let file = files::write_files(&folder, &api.base_url)?;
    out(&format!(
        "A payments API listens on {}: cursor pages, a rate limit, an outage, some dirty records.\n\
         Its source file is {}, its table is declared in {}.\n\n",
        api.base_url,
        file.display(),
        folder.join("schema.yaml").display(),
    ))?;
    let source = Source::load(&file)?;
    let days = Window::new(parse_instant("2026-03-16")?, parse_instant("2026-03-18")?)?
        .split(std::time::Duration::from_secs(86_400))?;
    let units = units(&source, &[], &days)?;
    let extraction = Extraction {
        run_id: new_run_id(),
        source: Arc::new(source),
        lake: lake.clone(),
        progress: Arc::new(Progress::new(units.len())),
        units,
        refresh: false,
        accept_drift: false,
        jobs: Some(1),
        memory: None,
        limits: Limits::default(),
        clock: Arc::new(SystemClock),
        stop: Stop::default(),
    };
    let report = extract_command::watched(extraction).await?;
    out(&extract_command::table(&report))?;
    if report.exit == 0 {
        out(&story(&report, args.lake.trim_end_matches('/')))?;
    }
    failures::print_failures(log, &report);
    Ok(report.exit)
}

/// Where the demo's source file goes: beside the tables of a local lake, under a name that readers skip;
/// for a bucket, into a folder here.
fn declared_in(argument: &str, lake: &Lake) -> PathBuf {
    if lake.is_local() {
        Path::new(argument.strip_prefix("file://").unwrap_or(argument)).join("_demo")
    } else {
        PathBuf::from("lakeward-demo")
    }
}

/// What happened, in the order in which a newcomer would ask.
fn story(report: &RunReport, lake: &str) -> String {
    let sum = |of: fn(&crate::manifest::version::Counts) -> u64| {
        report.windows.iter().filter_map(|w| w.counts.as_ref()).map(of).sum::<u64>()
    };
    let before = report.windows.iter().all(|window| window.outcome == Outcome::Unchanged);
    let when = if before { " by the demo that ran before; this one fetched nothing" } else { "" };
    let mut text = format!(
        "\nWhat happened\n\
         \x20 {} records were fetched{when}: {} written, {} rejected, {} duplicates. Nothing else is possible.\n\
         \x20 {} requests, {} of them again after the API said 429 or 503.\n",
        thousands(sum(|c| c.fetched)),
        thousands(sum(|c| c.written)),
        thousands(sum(|c| c.rejected)),
        thousands(sum(|c| c.duplicates)),
        thousands(sum(|c| c.requests)),
        thousands(sum(|c| c.retries)),
    );
    for window in &report.windows {
        if let Some(rejects) = &window.rejects {
            text.push_str(&format!(
                "  Rejected records, each with its reason and raw JSON: {lake}/{rejects}\n"
            ));
        }
        if let Some(drift) = window.drift.as_ref().filter(|drift| drift.findings > 0) {
            text.push_str(&format!(
                "  What the vendor changed, with the lines that accept it: {lake}/{}\n",
                drift.path
            ));
        }
    }
    text.push_str(&format!(
        "\nQuery it\n\
         \x20 duckdb -c \"SELECT date, count(*) AS payments, sum(amount) AS total \
         FROM read_parquet('{lake}/payments/date=*/*.parquet', hive_partitioning=true) \
         GROUP BY date ORDER BY date\"\n\
         \nThen\n\
         \x20 lakeward demo --lake {lake}            again: nothing is fetched twice\n\
         \x20 lakeward status --lake {lake}          what the lake holds\n\
         \x20 lakeward verify --lake {lake}          every file against its manifest\n\
         \x20 lakeward sql --lake {lake}             views for DuckDB and Spark\n",
    ));
    text
}
