//! From the last page to the commit: what was staged is settled, counted, judged, and published or kept.

use crate::decode::shape::Shape;
use crate::drift::finding::action_name;
use crate::drift::report::report;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::hold::{Outcome, WindowRun};
use crate::manifest::version::{Counts, Drift, Failure, Manifest};
use crate::run::ending::let_go;
use crate::run::judge::judge;
use crate::run::landing::Landing;
use crate::run::plan::Unit;
use crate::run::shared::Run;
use crate::spec::source::OnCountMismatch;

/// Settles and judges what has landed; publishes it, or keeps it staged and says why.
pub(crate) async fn settle(
    run: &Run,
    unit: &Unit,
    mut landing: Landing,
    shape: &Shape,
    held: WindowRun,
) -> Result<Manifest> {
    let settled = outcome(run, unit, &mut landing, shape, &held).await;
    let (outcome, verdict) = match settled {
        Ok(settled) => settled,
        Err(error) => {
            landing.abandon().await;
            return Err(let_go(run, held, error, Ok(())).await);
        }
    };
    match verdict {
        Ok(()) => {
            let (chain, profile) = (held.chain().clone(), outcome.profile.clone());
            let manifest = held.publish(outcome).await?;
            if let Some(profile) = profile {
                run.history.note(&chain, unit.window, profile);
            }
            Ok(manifest)
        }
        Err(error) => {
            held.fail(Failure::from(&error), outcome).await?;
            Err(error)
        }
    }
}

async fn outcome(
    run: &Run,
    unit: &Unit,
    landing: &mut Landing,
    shape: &Shape,
    held: &WindowRun,
) -> Result<(Outcome, Result<()>)> {
    let (files, rejects) = landing.settle().await?;
    let counts = landing.counts();
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    if !counts.add_up() || rows != counts.written {
        return Err(Error::new(
            ErrorKind::Unexpected,
            "the counts do not add up: nothing is published",
        )
        .with("counts", format!("{counts:?}"))
        .with("rows in files", rows)
        .hint("this is a defect of lakeward: please report it with the log"));
    }
    let table = &unit.stream.table;
    let earlier = run.history.before(held.chain()).await;
    let report = report(table, shape, unit.window, &table.fingerprint(), &earlier);
    let report = if unit.batch.is_some() { report.without_row_count() } else { report };
    // Records may name URLs as they were asked for, key and all.
    let report = report.rewritten(|text| run.scrub_cut(text));
    let profile = report.profile(table, shape).rewritten(|text| run.scrub_cut(text));
    let path = held.chain().dir().drift_path(held.name(), held.attempt());
    run.lake.put(&path, report.encode()?).await?;
    for line in report.lines() {
        tracing::warn!("drift: {line}");
    }
    mention(shape);
    let unseen = never_seen(shape);
    if !unseen.is_empty() {
        tracing::warn!(fields = unseen.join(", "), "fields that no record has: check `from`");
    }
    let verdict = if held.resumed().is_some_and(|resumed| resumed.accepted) {
        tracing::warn!("publishing what the contract had stopped, as --accept-drift asks");
        Ok(())
    } else {
        judge(table, &landing.judged(), &report, Some(&path), rejects.as_deref())
    };
    let verdict = verdict.and_then(|()| reconcile(unit, &counts));
    let drift = Drift {
        path,
        findings: u64::try_from(report.findings.len()).unwrap_or(u64::MAX),
        worst: report.worst().map(|action| action_name(action).to_owned()),
    };
    let profile = Some(profile);
    Ok((Outcome { files, drift: Some(drift), profile, rejects, counts }, verdict))
}

/// Says what was mended or left uncounted while decoding.
fn mention(shape: &Shape) {
    for (count, what) in [
        (shape.duplicate_keys, "keys stood twice in one object: the last won"),
        (shape.surrogates, "lone surrogates became U+FFFD"),
        (shape.uncounted, "values lie at undeclared paths beyond the 1,000 that are reported"),
    ] {
        if count > 0 {
            tracing::warn!(count, "{count} {what}");
        }
    }
}

/// Declared fields that stood in no record of a window that has some.
fn never_seen(shape: &Shape) -> Vec<&str> {
    let never = shape.fields.iter().filter(|field| {
        shape.observed > 0 && field.present == 0 && field.null == 0 && field.empty == 0
    });
    never.map(|field| field.name.as_str()).collect()
}

/// Holds the API's total against `written + rejected + outside` (DESIGN §3).
fn reconcile(unit: &Unit, counts: &Counts) -> Result<()> {
    let rows = counts.written + counts.rejected + counts.outside;
    let Some(total) = counts.api_total.filter(|&total| total != rows) else {
        return Ok(());
    };
    let message = format!("the API counts {total} records, the window has {rows}");
    match unit.stream.on_count_mismatch {
        OnCountMismatch::Warn => {
            tracing::warn!(total, rows, "{message}");
            Ok(())
        }
        OnCountMismatch::Fail => Err(Error::new(ErrorKind::Count, message)
            .with("written", counts.written)
            .with("rejected", counts.rejected)
            .with("outside", counts.outside)
            .with("duplicates", counts.duplicates)
            .hint("nothing was published; run again when the API has settled, or declare on_count_mismatch: warn")),
    }
}
