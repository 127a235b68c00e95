//! Run events of OpenLineage 2-0-2 (its published specification): the run is the work on one window, the job the stream,
//! the input what the API has at the stream's path, the output the table's folder.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use crate::cli::lineage::facets::{DriftOutputDatasetFacet, PRODUCER, WindowRunFacet, standard};
use crate::cli::lineage::target::environment;
use crate::error::ErrorKind;
use crate::lake::store::Lake;
use crate::run::notice::{Happened, Notice};
use crate::run::report::{Outcome, WindowReport};
use crate::spec::table::Table;

const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// Makes the events of a run.
pub(super) struct Events {
    namespace: String,
    /// The run that called this one.
    parent: Option<Value>,
    /// The ids of the windows that have begun, by table, stream and window.
    begun: HashMap<[String; 3], Uuid>,
}

impl Events {
    /// The jobs' namespace and the parent as the environment names them.
    pub(super) fn from_environment() -> Self {
        let parent = environment("OPENLINEAGE_PARENT_ID");
        let root = environment("OPENLINEAGE_ROOT_PARENT_ID");
        Self {
            namespace: environment("OPENLINEAGE_NAMESPACE")
                .unwrap_or_else(|| "lakeward".to_owned()),
            parent: parent.and_then(|parent| parent_facet(&parent, root.as_deref())),
            begun: HashMap::new(),
        }
    }

    /// The event for what befell a window; none where nothing came of it: committed before, or held by another run.
    pub(super) fn event(&mut self, notice: &Notice) -> Option<Value> {
        // With `history: true` a stream's batch is in two tables.
        let stream = &notice.unit.stream;
        let key =
            [&stream.table.name, &stream.name, &notice.unit.id().to_string()].map(String::clone);
        let (kind, id, report) = match &notice.happened {
            Happened::Begun => ("START", *self.begun.entry(key).or_insert_with(Uuid::now_v7), None),
            Happened::Ended(report) => {
                let begun = self.begun.remove(&key);
                let kind = kind(report, begun.is_some())?;
                (kind, begun.unwrap_or_else(Uuid::now_v7), Some(&**report))
            }
        };
        Some(json!({
            "eventType": kind,
            "eventTime": time(notice.at),
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": { "runId": id.to_string(), "facets": self.run_facets(notice, report) },
            "job": {
                "namespace": self.namespace,
                "name": format!("{}.{}", notice.source.name, notice.unit.stream.name),
                "facets": { "jobType": standard(
                    "2-0-4/JobTypeJobFacet.json",
                    "JobTypeJobFacet",
                    json!({ "processingType": "BATCH", "integration": "LAKEWARD", "jobType": "JOB" }),
                ) },
            },
            "inputs": inputs(notice, report),
            "outputs": [output(notice, report)],
        }))
    }

    fn run_facets(&self, notice: &Notice, report: Option<&WindowReport>) -> Value {
        let window = notice.unit.window;
        let mut facets = Map::new();
        let mut add = |name: &str, facet| facets.insert(name.to_owned(), facet);
        add(
            "nominalTime",
            standard(
                "1-0-1/NominalTimeRunFacet.json",
                "NominalTimeRunFacet",
                json!({ "nominalStartTime": time(window.start), "nominalEndTime": time(window.end) }),
            ),
        );
        let version = env!("CARGO_PKG_VERSION");
        add(
            "processing_engine",
            standard(
                "1-1-1/ProcessingEngineRunFacet.json",
                "ProcessingEngineRunFacet",
                json!({ "name": "lakeward", "version": version, "openlineageAdapterVersion": version }),
            ),
        );
        if let Some(parent) = &self.parent {
            add("parent", parent.clone());
        }
        let of_window = match report {
            Some(report) => {
                let rejects = report.rejects.as_deref().map(|path| notice.lake.url_of(path));
                WindowRunFacet::of(&notice.run_id, report, rejects)
            }
            None => WindowRunFacet {
                run_id: notice.run_id.clone(),
                window: notice.unit.id().to_string(),
                attempt: None,
                counts: None,
                rejects: None,
                exit: None,
            },
        };
        add("lakeward_window", of_window.facet());
        if let Some(failure) = report.and_then(|report| report.error.as_ref()) {
            let content = json!({ "message": failure.message, "programmingLanguage": "Rust" });
            let facet =
                standard("1-0-1/ErrorMessageRunFacet.json", "ErrorMessageRunFacet", content);
            add("errorMessage", facet);
        }
        Value::Object(facets)
    }
}

/// How the event of a window that has ended is called; `begun` where its start was told.
fn kind(report: &WindowReport, begun: bool) -> Option<&'static str> {
    let stopped = [ErrorKind::Interrupted, ErrorKind::Terminated].map(ErrorKind::exit_code);
    match report.outcome {
        Outcome::Unchanged | Outcome::NotModified => None,
        Outcome::Committed => Some("COMPLETE"),
        // Another run holds it, or took it over from this one.
        Outcome::Failed if report.exit == ErrorKind::Held.exit_code() => begun.then_some("ABORT"),
        Outcome::Failed if stopped.contains(&report.exit) => Some("ABORT"),
        Outcome::Failed => Some("FAIL"),
    }
}

/// `namespace/name/run id`, as `OPENLINEAGE_PARENT_ID` has it; the namespace may hold slashes of its own.
fn parent_facet(parent: &str, root: Option<&str>) -> Option<Value> {
    let reference = |text: &str| {
        let (rest, id) = text.rsplit_once('/')?;
        let (namespace, name) = rest.rsplit_once('/')?;
        let id: Uuid = id.parse().ok()?;
        Some(
            json!({ "run": { "runId": id.to_string() }, "job": { "namespace": namespace, "name": name } }),
        )
    };
    let Some(Value::Object(mut content)) = reference(parent) else {
        tracing::warn!("OPENLINEAGE_PARENT_ID is not namespace/name/run-id: it is left out");
        return None;
    };
    content.extend(root.and_then(reference).map(|root| ("root".to_owned(), root)));
    Some(standard("1-2-0/ParentRunFacet.json", "ParentRunFacet", Value::Object(content)))
}

/// What the API has; a batch of webhook events comes from the same.
fn inputs(notice: &Notice, report: Option<&WindowReport>) -> Value {
    let Some(base) = &notice.source.base_url else { return json!([]) };
    let path = format!("{}{}", base.path().trim_end_matches('/'), notice.unit.stream.path.source());
    let statistics = report.and_then(|report| report.counts).map(|counts| {
        let file = "1-0-0/InputStatisticsInputDatasetFacet.json";
        let content = json!({ "rowCount": counts.fetched });
        standard(file, "InputStatisticsInputDatasetFacet", content)
    });
    json!([object([
        ("namespace", Some(base.origin().ascii_serialization().into())),
        ("name", Some(path.into())),
        ("inputFacets", Some(object([("inputStatistics", statistics)]))),
    ])])
}

fn output(notice: &Notice, report: Option<&WindowReport>) -> Value {
    let table = &notice.unit.stream.table;
    let (namespace, name) = place(&notice.lake, &table.name);
    let content = json!({ "fields": fields(table) });
    let schema = standard("1-2-0/SchemaDatasetFacet.json", "SchemaDatasetFacet", content);
    let drift = report.and_then(|report| report.drift.as_ref()).map(|drift| {
        let (worst, at) = (drift.worst.as_deref(), notice.lake.url_of(&drift.path));
        DriftOutputDatasetFacet::of(drift.findings, worst, at).facet()
    });
    let committed = report.filter(|report| report.outcome == Outcome::Committed);
    let statistics = committed.map(|report| {
        let content = json!({
            "rowCount": report.files.iter().map(|file| file.rows).sum::<u64>(),
            "size": report.files.iter().map(|file| file.bytes).sum::<u64>(),
            "fileCount": report.files.len(),
        });
        let file = "1-0-2/OutputStatisticsOutputDatasetFacet.json";
        standard(file, "OutputStatisticsOutputDatasetFacet", content)
    });
    object([
        ("namespace", Some(namespace.into())),
        ("name", Some(name.into())),
        ("facets", Some(object([("schema", Some(schema))]))),
        (
            "outputFacets",
            Some(object([("lakeward_drift", drift), ("outputStatistics", statistics)])),
        ),
    ])
}

/// An object of what there is.
fn object<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let there = entries.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

/// The table's folder by OpenLineage's naming: bucket and key, or `file` and the path.
fn place(lake: &Lake, table: &str) -> (String, String) {
    let url = lake.url_of(table);
    match Url::parse(&url).ok().filter(|url| url.has_host()) {
        Some(parsed) => {
            let bucket = format!("{}://{}", parsed.scheme(), parsed.host_str().unwrap_or_default());
            (bucket, parsed.path().trim_start_matches('/').to_owned())
        }
        None => ("file".to_owned(), url),
    }
}

/// The declared columns, and the raw one.
fn fields(table: &Table) -> Vec<Value> {
    let declared = table.fields.iter().map(|field| (field.name.as_str(), field.kind.to_string()));
    let raw = table.raw_column.as_deref().map(|name| (name, "json".to_owned()));
    let field = |(name, kind): (&str, String)| json!({ "name": name, "type": kind });
    declared.chain(raw).map(field).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
