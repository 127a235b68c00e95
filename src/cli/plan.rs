//! `lakeward plan`: the windows of a backfill as JSON, one object a unit of work.

use std::path::Path;

use serde::Serialize;

use crate::cli::args::PlanArgs;
use crate::cli::render::json;
use crate::cli::selection;
use crate::clock::{Clock as _, SystemClock};
use crate::error::Result;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::run::plan::{Unit, units};
use crate::spec::source::Source;
use crate::window::show;

#[derive(Serialize)]
struct Plan {
    source: String,
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
    let mut plan = Plan { source: source.name.clone(), windows: Vec::new() };
    for unit in units(&source, &args.streams, &windows)? {
        let state = match &lake {
            None => None,
            Some(None) => Some("missing".to_owned()),
            Some(Some(lake)) => Some(state(lake, &source, &unit).await?),
        };
        plan.windows.push(planned(&args, &unit, state));
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

async fn state(lake: &Lake, source: &Source, unit: &Unit) -> Result<String> {
    let name = WindowName::new(&source.name, &unit.stream.name, unit.id())?;
    let chain = Chain::new(lake.clone(), TableDir::new(&unit.stream.table.name)?, name);
    let newest = chain.newest().await?;
    Ok(newest.map_or("missing", |(_, manifest)| manifest.phase()).to_owned())
}
