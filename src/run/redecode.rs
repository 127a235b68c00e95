//! The typed columns of a committed window from its raw column, by another schema: no request, one more version of its
//! manifest. Dead letters that the schema accepts become rows, rows that it refuses dead letters.

use std::sync::Arc;

use crate::clock::Clock;
use crate::decode::shape::Shape;
use crate::drift::finding::action_name;
use crate::drift::report::{DriftReport, report};
use crate::error::Result;
use crate::lake::data_file::StagedFile;
use crate::lake::layout::TableDir;
use crate::lake::store::Lake;
use crate::manifest::history::Profiles;
use crate::manifest::hold::{Outcome, WindowRun};
use crate::manifest::snapshot::WindowState;
use crate::manifest::version::{Counts, Drift, Manifest, State};
use crate::run::evolution::goes_with;
use crate::run::judge::{judge, without_events};
use crate::run::redecode::rows::Rows;
use crate::run::rewrite::{let_go, staged, take_committed};
use crate::spec::table::Table;

mod letters;
mod rows;

/// Where, by what, and on whose behalf windows are decoded anew.
#[derive(Debug)]
pub struct Redecode {
    /// The lake.
    pub lake: Lake,
    /// The table's folders.
    pub dir: TableDir,
    /// The schema.
    pub table: Arc<Table>,
    /// The run.
    pub run_id: String,
    /// Whether the result is published whatever the schema's reject limit and drift policy say.
    pub accept_drift: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What earlier windows were like.
    pub history: Profiles,
}

/// What there is to do for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is decoded anew.
    Decode,
    /// Its rows are by this schema already.
    Same,
    /// It is left as it is, and why.
    Leave(&'static str),
}

impl Redecode {
    /// What there is to do for the window. With `rejects` a window is decoded anew if it has dead letters, also where
    /// its rows are by this schema: drift policy and reject limit are no part of what rows are by.
    pub fn planned(&self, window: &WindowState, rejects: bool) -> Plan {
        let manifest = &window.manifest;
        let Some(commit) = manifest.as_committed() else {
            return Plan::Leave("it is not committed: extract it by the schema");
        };
        if manifest.owner.as_ref().is_some_and(|owner| owner.is_live(self.clock.now())) {
            return Plan::Leave("a run is at work on it");
        }
        let refresh = matches!(manifest.state, State::Failed | State::Publishing)
            || (manifest.state == State::Running && manifest.checkpoint.pages > 0);
        if refresh || manifest.is_unfinished() {
            return Plan::Leave("a refresh was stopped: let it end with --refresh first");
        }
        let same = commit.schema_fingerprint == self.table.fingerprint();
        match (rejects, commit.rejects.is_some(), same) {
            (true, true, _) | (false, _, false) => Plan::Decode,
            (true, false, _) | (false, _, true) => Plan::Same,
        }
    }

    /// Holds the schema against the windows that are not decoded anew.
    ///
    /// # Errors
    /// `Config` for a column whose type is read with theirs by no reader.
    pub fn goes_with<'a>(&self, rest: impl Iterator<Item = &'a WindowState>) -> Result<()> {
        for window in rest {
            let commit = window.manifest.as_committed();
            if let Some(profile) = commit.and_then(|commit| commit.profile) {
                goes_with(&self.table, &window.name, &profile)?;
            }
        }
        Ok(())
    }

    /// Decodes the window anew. Gives back its manifest, or `None` where another run has come between. Killed at any
    /// instant, the window stays as it was.
    ///
    /// Memory: a batch of records under way, the row groups and the keys, as in an extraction.
    ///
    /// # Errors
    /// `Usage` for files without a raw column, or another key than by which rows were dropped, `Contract` where the schema's reject limit or drift policy forbids the
    /// result, `Held` where another run holds the window, `Store` where the lake fails.
    pub async fn window(&self, window: &WindowState) -> Result<Option<Manifest>> {
        let fingerprint = self.table.fingerprint();
        let at = (&self.lake, &self.dir);
        let clock = Arc::clone(&self.clock);
        let taken = take_committed(at, window, Some(&fingerprint), &self.run_id, clock).await?;
        let Some((held, commit)) = taken else { return Ok(None) };
        let bounds = commit.window;
        let (commit, outcome) = match self.decoded(&held, commit).await {
            Ok(decoded) => decoded,
            Err(error) => return Err(let_go(held, error).await),
        };
        let (chain, profile) = (held.chain().clone(), outcome.profile.clone());
        let manifest = held.replace_rows(commit, outcome).await?;
        if let Some(profile) = profile {
            self.history.note(&chain, bounds, profile);
        }
        Ok(Some(manifest))
    }

    async fn decoded(&self, held: &WindowRun, commit: Manifest) -> Result<(Manifest, Outcome)> {
        let mut rows = Rows::open(&self.table, &self.run_id, held, &commit)?;
        let landed = async {
            for file in staged(&commit.published) {
                rows.read(&file).await?;
            }
            rows.are_unique()?;
            if let Some(path) = &commit.rejects {
                letters::read(&self.lake, path, &mut rows).await?;
            }
            rows.settle(&commit.counts).await
        };
        let landed = landed.await;
        let (files, counts, shape) = match landed {
            Ok(landed) => landed,
            Err(error) => {
                rows.abandon().await;
                return Err(error);
            }
        };
        let outcome = self.outcome(held, &commit, rows, (files, counts, shape)).await?;
        let commit = Manifest { schema_fingerprint: self.table.fingerprint(), ..commit };
        Ok((commit, outcome))
    }

    /// Judges what the schema makes of the records, and writes the reports.
    async fn outcome(
        &self,
        held: &WindowRun,
        commit: &Manifest,
        rows: Rows,
        (files, counts, shape): (Vec<StagedFile>, Counts, Shape),
    ) -> Result<Outcome> {
        let (table, window) = (&*self.table, commit.window);
        let earlier = self.history.before(held.chain()).await;
        let report = report(table, &shape, window, &table.fingerprint(), &earlier);
        let report = match held.name().id().is_batch() {
            true => report.without_row_count(),
            false => report,
        };
        let report = report.with_samples(without_query);
        for line in report.lines() {
            tracing::warn!("drift: {line}");
        }
        if !self.accept_drift {
            let judged = without_events(counts, rows.kept_events());
            judge(table, &judged, &report, None, None).map_err(|error| {
                let error = match counts.rejected {
                    0 => error,
                    _ => error.with("refused", rows.refused()),
                };
                error.hint("the window stays as it was: mend the schema, or run again with --accept-drift; the log says what was found")
            })?;
        }
        let path = held.chain().dir().drift_path(held.name(), held.attempt());
        self.lake.put(&path, report.encode()?).await?;
        let rejects = rows.publish_letters().await?;
        Ok(Outcome {
            files,
            drift: Some(drift(path, &report)),
            profile: Some(
                report.profile(table, &shape).without_values(|text| without_query(text) != text),
            ),
            rejects,
            counts,
        })
    }
}

fn drift(path: String, report: &DriftReport) -> Drift {
    Drift {
        path,
        findings: u64::try_from(report.findings.len()).unwrap_or(u64::MAX),
        worst: report.worst().map(|action| action_name(action).to_owned()),
    }
}

/// A text without what a URL asks for: records may name URLs as they were asked for, key and all, and the source's
/// secrets are not known here.
fn without_query(text: &str) -> String {
    match text.split_once('?') {
        Some((before, query)) if query.contains('=') => format!("{before}?…"),
        _ => text.to_owned(),
    }
}
