//! `lakeward drift`: what the API changed, since when, how often, and the lines that would accept it.

use std::collections::BTreeMap;

use crate::cli::args::lake::{DriftArgs, DriftFormat};
use crate::cli::drift::document::{Document, StreamDrift, WindowDrift};
use crate::cli::render::{json, out};
use crate::cli::selection::Bounds;
use crate::cli::tables::chosen;
use crate::drift::changes::changes;
use crate::drift::report::DriftReport;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::TableDir;
use crate::lake::store::Lake;
use crate::manifest::snapshot::{WindowState, snapshot};
use crate::manifest::version::{Drift, State};

mod document;
mod html;
mod markdown;
mod patch;
mod sarif;
mod timeline;
mod words;

/// Prints the reports of the windows that were asked for, as the format says.
pub(crate) async fn run(args: DriftArgs) -> Result<u8> {
    let lake = Lake::open_existing(&args.lake)?;
    let within = Bounds::of(&args.within)?;
    let mut streams = Vec::new();
    for dir in chosen(&lake, args.table.as_deref()).await? {
        streams.extend(of_table(&lake, &dir, within).await?);
    }
    if let Some(schema) = args.schema.filter(|_| args.patch) {
        return patch::run(&schema, &streams);
    }
    let document = Document { lake: lake.describe().to_owned(), streams };
    match args.format {
        DriftFormat::Table => out(&words::table(&document))?,
        DriftFormat::Json => json(&document)?,
        DriftFormat::Markdown => out(&markdown::page(&document))?,
        DriftFormat::Html => out(&html::page(&document))?,
        DriftFormat::Sarif => json(&sarif::log(&document))?,
    }
    Ok(0)
}

async fn of_table(lake: &Lake, dir: &TableDir, within: Bounds) -> Result<Vec<StreamDrift>> {
    let mut streams: BTreeMap<(String, String, bool), Vec<WindowDrift>> = BTreeMap::new();
    for window in snapshot(lake, dir).await?.windows {
        if !within.touch(&window.manifest.window) {
            continue;
        }
        if let Some(drift) = of_window(lake, &window).await? {
            let manifest = &window.manifest;
            let by_webhook = window.name.id().is_batch();
            let key = (manifest.source.clone(), manifest.stream.clone(), by_webhook);
            streams.entry(key).or_default().push(drift);
        }
    }
    let told = streams.into_iter().map(|((source, stream, by_webhook), mut windows)| {
        windows.sort_by_key(|window| window.report.window.start);
        let reports: Vec<&DriftReport> = windows.iter().map(|window| &window.report).collect();
        let changes = changes(&reports);
        StreamDrift { table: dir.table().to_owned(), source, stream, by_webhook, changes, windows }
    });
    Ok(told.collect())
}

/// The report of the attempt that failed last, or of the one that readers have.
async fn of_window(lake: &Lake, window: &WindowState) -> Result<Option<WindowDrift>> {
    let manifest = &window.manifest;
    let failed = manifest.state == State::Failed && manifest.drift.is_some();
    let (state, attempt) = match (failed, manifest.as_committed()) {
        (true, _) => (State::Failed, manifest.clone()),
        (false, Some(commit)) => (State::Committed, commit),
        (false, None) => return Ok(None),
    };
    let Some(Drift { path, .. }) = attempt.drift else { return Ok(None) };
    let report = read(lake, &path).await?;
    Ok(Some(WindowDrift { state: state.name(), path, report, profile: attempt.profile }))
}

async fn read(lake: &Lake, path: &str) -> Result<DriftReport> {
    let broken = |what: &str| {
        Error::new(ErrorKind::Store, format!("the drift report {what}"))
            .with("object", lake.url_of(path))
            .hint("the rows are not concerned: `lakeward verify` reads them; a refresh writes the report anew")
    };
    let text = lake.read(path).await?.ok_or_else(|| broken("is gone"))?;
    DriftReport::decode(&text).map_err(|error| broken("cannot be read").caused_by(error))
}
