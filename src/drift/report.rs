//! The drift report of a window: findings from its shape, the schema, and what earlier windows looked like.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decode::shape::Shape;
use crate::drift::compare::Comparison;
use crate::drift::finding::{Finding, FindingKind};
use crate::drift::history::{History, Past};
use crate::drift::profile::Profile;
use crate::drift::renamed::renamings;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::schema_json::written_schema;
use crate::spec::table::{DriftAction, Table};
use crate::window::Window;

/// The report's format.
const VERSION: u32 = 1;

/// What a window's records showed against what was declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "lakeward drift report")]
pub struct DriftReport {
    /// The format, 1.
    pub version: u32,
    /// The table.
    pub table: String,
    /// The window.
    #[schemars(with = "Bounds")]
    pub window: Window,
    /// The fingerprint of the schema that it was decoded with.
    pub schema_fingerprint: String,
    /// Records received.
    pub records: u64,
    /// The findings: the gravest first, then by path.
    pub findings: Vec<Finding>,
}

/// A window as it is written.
#[derive(JsonSchema)]
#[schemars(rename = "Window")]
#[expect(dead_code, reason = "its form is what counts")]
struct Bounds {
    /// First instant inside.
    #[schemars(extend("format" = "date-time"))]
    start: String,
    /// First instant after.
    #[schemars(extend("format" = "date-time"))]
    end: String,
}

/// The JSON Schema (draft 2020-12) of a drift report.
pub fn report_schema() -> Value {
    written_schema::<DriftReport>()
}

impl DriftReport {
    /// The gravest severity; `None` without findings.
    pub fn worst(&self) -> Option<DriftAction> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// The same report without what it says of the number of records: how many webhook events one batch holds says when
    /// it was landed, and nothing of the API.
    #[must_use]
    pub fn without_row_count(mut self) -> Self {
        self.findings.retain(|finding| finding.kind != FindingKind::RowCount);
        self
    }

    /// The same report with `change` made to every text of a record: samples, values of keys, and names.
    #[must_use]
    pub fn rewritten(mut self, change: impl Fn(&str) -> String) -> Self {
        for finding in &mut self.findings {
            let seen = finding.first_seen.as_mut().and_then(|place| place.key.as_mut());
            let named = [&mut finding.path, &mut finding.suggestion];
            for text in finding.samples.iter_mut().chain(seen).chain(named) {
                *text = change(text);
            }
            let mut observed = BTreeMap::new();
            for (what, count) in std::mem::take(&mut finding.observed) {
                *observed.entry(change(&what)).or_default() += count;
            }
            finding.observed = observed;
        }
        self
    }

    /// The same report with `change` made to samples and values of keys alone. Values that it would change are not proposed.
    #[must_use]
    pub fn with_samples(mut self, change: impl Fn(&str) -> String) -> Self {
        for finding in &mut self.findings {
            let seen = finding.first_seen.as_mut().and_then(|place| place.key.as_mut());
            for text in finding.samples.iter_mut().chain(seen) {
                *text = change(text);
            }
            let values = finding.kind == FindingKind::NewValue;
            if values && finding.observed.keys().any(|value| change(value) != *value) {
                let observed = std::mem::take(&mut finding.observed);
                for (value, count) in observed {
                    *finding.observed.entry(change(&value)).or_default() += count;
                }
                "# add the values to `known`: they are cut here, see the rows"
                    .clone_into(&mut finding.suggestion);
            }
        }
        self
    }

    /// Reads a report that was written.
    ///
    /// # Errors
    /// `Store` for another format, a cut file, or one that is no report.
    pub fn decode(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            version: u32,
        }
        let broken = |cause: serde_json::Error| {
            Error::new(ErrorKind::Store, "it is cut or no drift report").caused_by(cause)
        };
        let Format { version } = serde_json::from_slice(text).map_err(broken)?;
        if version != VERSION {
            let message = format!("it has format {version}, this lakeward reads {VERSION}");
            return Err(Error::new(ErrorKind::Store, message)
                .hint("use the lakeward that wrote it, or a later one"));
        }
        serde_json::from_slice(text).map_err(broken)
    }

    /// The profile of the window that this report is of, for the comparison of later ones.
    pub fn profile(&self, table: &Table, shape: &Shape) -> Profile {
        let renamed = self.findings.iter().filter(|f| f.kind == FindingKind::Renamed);
        let renamed = renamed.filter_map(|finding| {
            Some((finding.path.clone(), finding.observed.keys().next()?.clone()))
        });
        Profile { renamed: renamed.collect(), ..Profile::of(table, shape) }
    }

    /// The report as it is written.
    ///
    /// # Errors
    /// `Unexpected` where it has no JSON form.
    pub fn encode(&self) -> Result<Bytes> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "the drift report has no JSON form").caused_by(error)
        })?;
        Ok(text.into())
    }

    /// One line a finding, for logs.
    pub fn lines(&self) -> Vec<String> {
        let line = |finding: &Finding| finding.to_string().replace(char::is_control, " ");
        self.findings.iter().map(line).collect()
    }
}

/// Compares a window's shape with the schema, and with earlier windows where there are some.
///
/// Without `earlier`, a fallback pointer that answers is no drift, and a field is missing where it is required, or
/// absent from every record. Findings whose policy is `ignore` are left out.
pub fn report(
    table: &Table,
    shape: &Shape,
    window: Window,
    schema_fingerprint: &str,
    earlier: &[Past],
) -> DriftReport {
    let history = History::of(earlier);
    let mut compared = Comparison::new(table, shape, &history);
    let renamed = renamings(table, shape, &history);
    for (field, seen) in table.fields.iter().zip(&shape.fields) {
        let renaming = renamed.iter().find(|renaming| renaming.field == field.name);
        compared.field(field, seen, renaming);
    }
    for path in &shape.undeclared {
        compared.undeclared(path, renamed.iter().any(|renaming| renaming.to == path.path));
    }
    compared.untold();
    compared.over_time(&window);
    let mut findings = compared.findings;
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.path.cmp(&b.path)).then(a.kind.cmp(&b.kind))
    });
    DriftReport {
        version: VERSION,
        table: table.name.clone(),
        window,
        schema_fingerprint: schema_fingerprint.to_owned(),
        records: shape.records,
        findings,
    }
}

#[cfg(test)]
mod tests;
