//! `lakeward verify`: every published file read again and held against its manifest.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use serde::Serialize;

use crate::cli::args::lake::VerifyArgs;
use crate::cli::args::values::Format;
use crate::cli::render::{counted, json, out, with_advice};
use crate::cli::tables::chosen;
use crate::clock::{Clock as _, SystemClock};
use crate::drift::report::DriftReport;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::TableDir;
use crate::lake::letters::read_letters;
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;
use crate::lake::verify::{Expected, Problem, verify_file};
use crate::manifest::snapshot::{WindowState, survey};
use crate::manifest::strays::{Inventory, Stray};
use crate::manifest::version::{DataFile, State};
use crate::run::footer::Footer;

#[derive(Default, Serialize)]
struct Findings {
    windows: u64,
    files: u64,
    rows: u64,
    bytes: u64,
    problems: Vec<Problem>,
    /// What no manifest names. Data files are problems too: readers that list folders see their rows.
    strays: Vec<Stray>,
}

/// Prints what was read and what is wrong; exit 6 when anything is.
pub(crate) async fn run(args: VerifyArgs) -> Result<u8> {
    let lake = Lake::open_existing(&args.lake)?;
    let mut findings = Findings::default();
    for dir in chosen(&lake, args.table.as_deref()).await? {
        verify_table(&lake, &dir, &mut findings).await?;
    }
    match args.format {
        Format::Json => json(&findings)?,
        Format::Table => out(&text(&findings))?,
    }
    if findings.problems.is_empty() {
        return Ok(0);
    }
    Err(Error::new(ErrorKind::Store, "the lake is not what its manifests say")
        .with("problems", findings.problems.len())
        .hint(advice(&findings.problems)))
}

/// What mends the lake, by what is wrong with it.
fn advice(problems: &[Problem]) -> String {
    let any = |code: &[&str]| problems.iter().any(|problem| code.contains(&problem.code));
    let mut advice = Vec::new();
    if any(&["manifest"]) {
        advice.push("a manifest is mended as its line says, before anything else");
    }
    if problems.iter().any(|problem| !["manifest", "orphan", "copy"].contains(&problem.code)) {
        advice.push("extract the windows concerned again with --refresh");
    }
    if any(&["orphan"]) {
        advice.push("`lakeward vacuum` deletes orphans");
    }
    if any(&["copy"]) {
        advice.push("move files that are not lakeward's out of the table's folder");
    }
    advice.join("; ")
}

fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for problem in &findings.problems {
        text.push_str(&format!("{}: {}: {}\n", problem.path, problem.code, problem.message));
    }
    for stray in findings.strays.iter().filter(|stray| !stray.is_read()) {
        text.push_str(&format!("{}: {}, no manifest names it\n", stray.path, stray.kind));
    }
    text.push_str(&format!(
        "{}, {}, {}, {} read again: {}\n",
        counted(findings.windows, "window"),
        counted(findings.files, "file"),
        counted(findings.rows, "row"),
        counted(findings.bytes, "byte"),
        match findings.problems.len() {
            0 => "all as their manifests say".to_owned(),
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        }
    ));
    text
}

async fn verify_table(lake: &Lake, dir: &TableDir, findings: &mut Findings) -> Result<()> {
    let inventory = Inventory::take(lake, dir).await?;
    let snapshot = survey(lake, dir).await?;
    verify_strays(inventory.strays(lake, dir, &snapshot, SystemClock.now()).await?, findings);
    for (name, error) in &snapshot.broken {
        findings.problems.push(Problem {
            code: "manifest",
            message: with_advice(error),
            path: dir.windows_dir(name),
        });
    }
    let mut schemas = HashMap::new();
    for window in &snapshot.windows {
        findings.windows += 1;
        verify_counts(window, findings);
        for file in &window.manifest.published {
            findings.files += 1;
            findings.rows += file.rows;
            findings.bytes += file.bytes;
            verify_one(lake, window, file, &mut schemas, findings).await?;
        }
        verify_reports(lake, window, findings).await?;
    }
    Ok(())
}

/// Drift report and dead letters: there, and of a committed window as many letters as it counts.
async fn verify_reports(lake: &Lake, window: &WindowState, findings: &mut Findings) -> Result<()> {
    let manifest = &window.manifest;
    let mut add = |path: &str, code, message: String| {
        findings.problems.push(Problem { code, message, path: path.to_owned() });
    };
    for report in manifest.reports() {
        if lake.stat(report).await?.is_none() {
            add(report, "missing", "the manifest names it, and it is not there".to_owned());
        } else if manifest.drift.as_ref().is_some_and(|drift| drift.path == report) {
            let text = lake.read(report).await?.unwrap_or_default();
            if let Err(error) = DriftReport::decode(&text) {
                add(report, "report", with_advice(&error));
            }
        } else if manifest.rejects.as_deref() == Some(report) && manifest.state == State::Committed
        {
            let (mut whole, mut broken) = (0_u64, 0_u64);
            read_letters(lake, report, |letter| match letter {
                Ok(_) => whole += 1,
                Err(_) => broken += 1,
            })
            .await?;
            if broken > 0 || whole != manifest.counts.rejected {
                let counted = manifest.counts.rejected;
                let message = format!(
                    "the manifest counts {counted} dead letters, {whole} can be read and {broken} cannot"
                );
                add(report, "letters", message);
            }
        }
    }
    Ok(())
}

fn verify_strays(strays: Vec<Stray>, findings: &mut Findings) {
    for stray in strays.iter().filter(|stray| stray.is_read()) {
        findings.problems.push(Problem {
            code: if stray.window().is_some() { "orphan" } else { "copy" },
            message: "no manifest names it: whoever lists the folder reads its rows as well"
                .to_owned(),
            path: stray.path.clone(),
        });
    }
    findings.strays.extend(strays);
}

/// The manifest against itself: counts that add up, and as many rows in its files.
fn verify_counts(window: &WindowState, findings: &mut Findings) {
    let manifest = &window.manifest;
    if manifest.state != State::Committed {
        return;
    }
    let rows: u64 = manifest.published.iter().map(|file| file.rows).sum();
    if !manifest.counts.add_up() || rows != manifest.counts.written {
        findings.problems.push(Problem {
            code: "counts",
            message: format!(
                "the counts do not add up: {rows} rows in files, {:?}",
                manifest.counts
            ),
            path: window.name.to_string(),
        });
    }
}

async fn verify_one(
    lake: &Lake,
    window: &WindowState,
    file: &DataFile,
    schemas: &mut HashMap<String, SchemaRef>,
    findings: &mut Findings,
) -> Result<()> {
    let mut expected = Expected::default();
    // What cannot be opened is reported by verify_file.
    if let Ok(reader) = DataFileReader::open(lake, &file.path, file.bytes).await {
        let footer = Footer::read(&reader)?;
        expected.partition_by = footer.partition_by;
        let written = footer.schema_fingerprint.unwrap_or_default();
        if window.manifest.state == State::Committed
            && written != window.manifest.schema_fingerprint
        {
            findings.problems.push(Problem {
                code: "schema",
                message: format!(
                    "the manifest's schema is {}, the file's is {written}",
                    window.manifest.schema_fingerprint
                ),
                path: file.path.clone(),
            });
        }
        // Files of one schema have the columns of the first one seen.
        let schema = schemas.entry(written).or_insert_with(|| reader.schema().clone());
        expected.schema = Some(SchemaRef::clone(schema));
    }
    findings.problems.extend(verify_file(lake, &file.clone().into(), &expected).await?);
    Ok(())
}
