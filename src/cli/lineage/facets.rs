//! The facets that OpenLineage has no word for: what became of a window, and how its records differ from what was declared.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::run::report::WindowReport;

/// Who writes the events (`producer`, `_producer`).
pub(super) const PRODUCER: &str = concat!("urn:lakeward:", env!("CARGO_PKG_VERSION"));
/// The schema of these facets, `schemas/openlineage.schema.json`.
const SCHEMA: &str = "urn:lakeward:schemas:openlineage:1";

/// What the events of lakeward hold beside OpenLineage's own facets.
#[cfg(test)]
#[derive(JsonSchema, Serialize)]
#[schemars(title = "lakeward facets of OpenLineage events")]
pub(super) struct Facets {
    /// Of a run: `lakeward_window`.
    lakeward_window: WindowRunFacet,
    /// Of an output dataset: `lakeward_drift`.
    lakeward_drift: DriftOutputDatasetFacet,
}

/// The window that a run is about, and the counts of its manifest.
#[derive(JsonSchema, Serialize)]
pub(super) struct WindowRunFacet {
    /// The id of the process's run, which may be of many windows; it is in every log line, manifest and data file.
    pub(super) run_id: String,
    /// The window's name.
    pub(super) window: String,
    /// The attempt that the counts are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<u64>,
    /// What `fetched` records became: `fetched = written + rejected + duplicates + outside`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<Counts>,
    /// The dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejects: Option<String>,
    /// The exit code of this window alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit: Option<u8>,
}

/// The counts of a window.
#[derive(JsonSchema, Serialize)]
pub(super) struct Counts {
    /// Pages received.
    pages: u64,
    /// Records received.
    fetched: u64,
    /// Rows in the data files.
    written: u64,
    /// Records in the dead letters.
    rejected: u64,
    /// Records that a later version of the same key replaced.
    duplicates: u64,
    /// Records outside the window.
    outside: u64,
    /// Requests sent, retries included.
    requests: u64,
}

/// How the records differ from the declared schema and from earlier windows.
#[derive(JsonSchema, Serialize)]
pub(super) struct DriftOutputDatasetFacet {
    /// How many findings the report has.
    findings: u64,
    /// The severest policy that a finding met: `ignore`, `warn`, `discard_row` or `fail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst: Option<String>,
    /// The report.
    report: String,
}

impl WindowRunFacet {
    /// Of a window that has ended; `rejects` is where its dead letters are.
    pub(super) fn of(run_id: &str, report: &WindowReport, rejects: Option<String>) -> Self {
        let counts = report.counts.map(|counts| Counts {
            pages: counts.pages,
            fetched: counts.fetched,
            written: counts.written,
            rejected: counts.rejected,
            duplicates: counts.duplicates,
            outside: counts.outside,
            requests: counts.requests,
        });
        Self {
            run_id: run_id.to_owned(),
            window: report.window.id.to_string(),
            attempt: report.attempt,
            counts,
            rejects,
            exit: Some(report.exit),
        }
    }

    pub(super) fn facet(&self) -> Value {
        own("WindowRunFacet", json!(self))
    }
}

impl DriftOutputDatasetFacet {
    /// Of a window that has ended; its report is at `report`.
    pub(super) fn of(findings: u64, worst: Option<&str>, report: String) -> Self {
        Self { findings, worst: worst.map(str::to_owned), report }
    }

    pub(super) fn facet(&self) -> Value {
        own("DriftOutputDatasetFacet", json!(self))
    }
}

/// One of OpenLineage's own facets: `file` is the end of its schema's URL.
pub(super) fn standard(file: &str, name: &str, content: Value) -> Value {
    with_base(format!("https://openlineage.io/spec/facets/{file}#/$defs/{name}"), content)
}

fn own(name: &str, content: Value) -> Value {
    with_base(format!("{SCHEMA}#/$defs/{name}"), content)
}

fn with_base(schema: String, mut content: Value) -> Value {
    if let Some(facet) = content.as_object_mut() {
        facet.insert("_producer".to_owned(), PRODUCER.into());
        facet.insert("_schemaURL".to_owned(), schema.into());
    }
    content
}

/// The JSON Schema of the facets above.
#[cfg(test)]
pub(super) fn facets_schema() -> Value {
    let mut schema = crate::spec::schema_json::written_schema::<Facets>();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$id".to_owned(), SCHEMA.into());
    }
    schema
}
