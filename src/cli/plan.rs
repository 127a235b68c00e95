//! `lakeward plan`: the windows of a backfill as JSON, one object a unit of work.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use serde::Serialize;

use crate::cli::args::PlanArgs;
use crate::cli::render::json;
use crate::cli::selection;
use crate::clock::{Clock as _, SystemClock};
use crate::error::Result;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::manifest::snapshot::survey;
use crate::manifest::version::State;
use crate::run::estimate::{Cost, Estimate};
use crate::run::plan::{Unit, units};
use crate::spec::source::Source;
use crate::window::show;

/// Committed windows of a stream that others are judged by.
const JUDGED_BY: usize = 28;

#[derive(Serialize)]
struct Plan {
    source: String,
    /// What is to be fetched, judged by what the lake has; absent without `--lake`.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<Estimate>,
    windows: Vec<Planned>,
}

#[derive(Serialize)]
struct Planned {
    stream: String,
    table: String,
    window: String,
    from: String,
    to: String,
    /// What the lake says of it; absent without `--lake`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// The arguments that extract it.
    args: Vec<String>,
}

/// Prints the plan.
pub(crate) async fn run(args: PlanArgs) -> Result<u8> {
    let source = Source::load(&args.source)?;
    let windows = selection::windows(&args.windows, None, SystemClock.now())?;
    let lake = args.lake.as_deref().map(existing).transpose()?;
    let units = units(&source, &args.streams, &windows)?;
    let mut plan = Plan { source: source.name.clone(), estimate: None, windows: Vec::new() };
    for unit in &units {
        let state = match &lake {
            None => None,
            Some(None) => Some("missing".to_owned()),
            Some(Some(lake)) => Some(state(lake, &source, unit).await?),
        };
        plan.windows.push(planned(&args, unit, state));
    }
    if let Some(lake) = &lake {
        plan.estimate = Some(estimate(lake.as_ref(), &source, &units, &plan.windows).await?);
    }
    json(&plan)?;
    Ok(0)
}

/// The lake, or none where there is none yet: a plan makes nothing.
fn existing(lake: &str) -> Result<Option<Lake>> {
    let local = lake.strip_prefix("file://").unwrap_or(lake);
    if !local.is_empty() && !local.contains("://") && !Path::new(local).exists() {
        return Ok(None);
    }
    Lake::open_existing(lake).map(Some)
}

fn planned(args: &PlanArgs, unit: &Unit, state: Option<String>) -> Planned {
    let (from, to) = (show(unit.window.start), show(unit.window.end));
    let length = (unit.window.end - unit.window.start).num_seconds();
    let mut words = vec![
        "extract".to_owned(),
        args.source.display().to_string(),
        unit.stream.name.clone(),
        "--from".to_owned(),
        from.clone(),
        "--to".to_owned(),
        to.clone(),
        "--every".to_owned(),
        format!("{length}s"),
    ];
    if let Some(lake) = &args.lake {
        words.extend(["--lake".to_owned(), lake.clone()]);
    }
    Planned {
        stream: unit.stream.name.clone(),
        table: unit.stream.table.name.clone(),
        window: unit.window.to_string(),
        from,
        to,
        state,
        args: words,
    }
}

/// Of the windows that the lake has not, stream by stream.
async fn estimate(
    lake: Option<&Lake>,
    source: &Source,
    units: &[Unit],
    planned: &[Planned],
) -> Result<Estimate> {
    let mut streams: BTreeMap<&str, (Vec<TimeDelta>, Vec<Cost>)> = BTreeMap::new();
    for (unit, planned) in units.iter().zip(planned) {
        let name = unit.stream.name.as_str();
        if !streams.contains_key(name) {
            streams.insert(name, (Vec::new(), costs(lake, source, unit).await?));
        }
        if planned.state.as_deref() != Some(State::Committed.name())
            && let Some((lengths, _)) = streams.get_mut(name)
        {
            lengths.push(unit.window.end - unit.window.start);
        }
    }
    let streams: Vec<_> = streams.into_values().collect();
    Ok(Estimate::of(&streams, &source.rate_limit))
}

/// What the last committed windows of the unit's stream took.
async fn costs(lake: Option<&Lake>, source: &Source, unit: &Unit) -> Result<Vec<Cost>> {
    let Some(lake) = lake else { return Ok(Vec::new()) };
    let snapshot = survey(lake, &TableDir::new(&unit.stream.table.name)?).await?;
    let mut windows = snapshot.windows;
    windows.retain(|window| {
        let name = &window.name;
        let same = name.source() == source.name && name.stream() == unit.stream.name;
        same && !name.id().is_batch() && window.manifest.is_committed()
    });
    windows.sort_unstable_by_key(|window| std::cmp::Reverse(window.manifest.window.start));
    Ok(windows.iter().filter_map(|window| Cost::of(&window.manifest)).take(JUDGED_BY).collect())
}

async fn state(lake: &Lake, source: &Source, unit: &Unit) -> Result<String> {
    let name = WindowName::new(&source.name, &unit.stream.name, unit.id())?;
    let chain = Chain::new(lake.clone(), TableDir::new(&unit.stream.table.name)?, name);
    let newest = chain.newest().await?;
    Ok(newest.map_or("missing", |(_, manifest)| manifest.phase()).to_owned())
}
