//! The drift of a lake as SARIF 2.1.0 (OASIS), for a CI that shows findings beside the schema file they concern.

use serde_json::{Value, json};

use crate::cli::drift::document::{Document, StreamDrift};
use crate::cli::drift::words::{path, percent, seen, since};
use crate::drift::changes::Change;
use crate::drift::finding::FindingKind;
use crate::spec::table::DriftAction;

/// One run of the tool, with a result for each change that the last window shows.
pub(super) fn log(document: &Document) -> Value {
    let rules: Vec<Value> =
        FindingKind::ALL.iter().map(|kind| json!({ "id": kind.name() })).collect();
    let results: Vec<Value> = document
        .streams
        .iter()
        .flat_map(|stream| {
            let current = stream.changes.iter().filter(|change| change.current);
            current.map(|change| result(stream, change))
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lakeward",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    })
}

fn result(stream: &StreamDrift, change: &Change) -> Value {
    let finding = &change.finding;
    let level = match finding.severity {
        DriftAction::Fail => "error",
        DriftAction::DiscardRow | DriftAction::Warn => "warning",
        DriftAction::Ignore => "none",
    };
    let text = format!(
        "{}: expected {}, saw {} ({} of the records), since {}. To accept: {}",
        path(finding),
        finding.expected,
        seen(finding),
        percent(finding.share),
        since(change),
        finding.suggestion,
    );
    json!({
        "ruleId": finding.kind.name(),
        "level": level,
        "message": { "text": text },
        "locations": [{ "logicalLocations": [{
            "fullyQualifiedName": format!("{}{}", stream.table, finding.path),
            "kind": "member",
        }] }],
        "partialFingerprints": {
            "drift/v1": format!("{}/{}/{}/{}{}", stream.source, stream.stream, stream.table, finding.kind.name(), finding.path),
        },
    })
}
