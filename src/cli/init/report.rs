//! What was written and what of it is a guess.

use crate::cli::init::draft::{Basis, Draft};
use crate::cli::init::files::Written;
use crate::cli::init::fit::Fit;
use crate::cli::init::windows::{clip, is_open_ended};
use crate::cli::render::{counted, thousands};
use crate::cli::sample::envelope::pointer;
use crate::cli::sample::paging::Paging;

/// The text on stdout.
pub(super) fn text(draft: &Draft, written: &Written, fit: Option<&Fit>) -> String {
    let (source, schema) = (written.source.display(), written.schema.display());
    let basis = match draft.basis {
        Basis::Nothing => "an example to fill in".to_owned(),
        Basis::Sample(records) => {
            format!("drawn from {} of {}", counted(records as u64, "record"), draft.origin)
        }
        Basis::OpenApi => format!("drawn from {}", draft.origin),
    };
    let mut text = format!("Wrote {source} and {schema}: {basis}.\n");
    if draft.basis != Basis::Nothing {
        text.push_str("\nGuessed, to be compared with the API's documentation\n");
        for (what, guess) in guesses(draft) {
            text.push_str(&format!("  {what:<11}{guess}\n"));
        }
    }
    if let Some(fit) = fit {
        let nulled = match fit.nulled {
            0 => String::new(),
            nulled => format!(", {} made null", counted(nulled, "value")),
        };
        text.push_str(&format!(
            "\n{} of {} of the sample fit the schema{nulled}.\n",
            thousands(fit.rows as u64),
            counted(fit.records as u64, "record")
        ));
        if let Some(why) = &fit.why {
            text.push_str(&format!("  {why}\n"));
        }
    }
    let to_do = to_do(draft);
    if !to_do.is_empty() {
        text.push_str("\nTo do\n");
        to_do.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    text.push_str("\nThen\n");
    if !draft.auth.variables.is_empty() {
        let set: Vec<String> =
            draft.auth.variables.iter().map(|name| format!("{name}=…")).collect();
        text.push_str(&format!("  export {}\n", set.join(" ")));
    }
    text.push_str(&format!("  lakeward check {source}\n"));
    text.push_str(&format!("  lakeward peek {source} {}\n", draft.stream));
    text.push_str(&format!("  lakeward extract {source} {} --date 2026-03-17\n", draft.stream));
    text
}

fn guesses(draft: &Draft) -> Vec<(&'static str, String)> {
    let guess = &draft.guess;
    let tokens = guess.records.as_ref().map(|at| at.tokens.as_slice()).unwrap_or_default();
    let records = match tokens {
        [] => "the body is the list".to_owned(),
        tokens => pointer(tokens),
    };
    let total = guess.total.as_ref();
    let windowed: Vec<&str> = draft
        .params
        .iter()
        .filter(|param| param.windowed)
        .map(|param| param.name.as_str())
        .collect();
    let none =
        |found: Option<&String>, what: &str| found.cloned().unwrap_or_else(|| what.to_owned());
    let columns = &draft.columns;
    vec![
        ("format", draft.format.name().to_owned()),
        ("records", records),
        (
            "total",
            total.map_or_else(
                || "none was found".to_owned(),
                |total| {
                    format!("{} (a difference only warns: see on_count_mismatch)", total.declared())
                },
            ),
        ),
        (
            "paging",
            match &guess.paging {
                Paging::None => "one page: no sign of others was found".to_owned(),
                paging => paging.declared(),
            },
        ),
        (
            "window",
            match windowed.as_slice() {
                [] => "no parameter follows it".to_owned(),
                names => names.join(", "),
            },
        ),
        ("key", none(columns.primary_key.as_ref(), "none was found: nothing is deduplicated")),
        ("partition", none(columns.partition_by.as_ref(), "none: no time that every record has")),
        ("columns", columns.columns.len().to_string()),
    ]
}

fn to_do(draft: &Draft) -> Vec<String> {
    let mut lines = draft.warnings.clone();
    if draft.basis != Basis::Nothing && !draft.is_windowed() {
        lines.push(
            "no parameter follows the window: every window would fetch the same records; the source file says what to add"
                .to_owned(),
        );
    }
    if is_open_ended(draft) && clip(draft).is_none() {
        lines.push(
            "no parameter ends the window: rows behind its end come too, and again with the next window; the source file says what to add"
                .to_owned(),
        );
    }
    if let (Basis::Sample(records), Paging::None, Some(total)) =
        (draft.basis, &draft.guess.paging, &draft.guess.total)
    {
        lines.push(format!(
            "no way to the next page was found beside the total {}: are these {records} records all?",
            total.declared()
        ));
    }
    let others = draft.guess.records.iter().flat_map(|at| &at.others);
    let others: Vec<&str> = others.map(String::as_str).collect();
    if !others.is_empty() {
        lines.push(format!(
            "other lists could be meant: {}; --records names one",
            others.join(", ")
        ));
    }
    for column in &draft.columns.columns {
        if let Some(note) = column.note.as_ref().filter(|note| note.contains("cents")) {
            lines.push(format!("{}: {note}", column.name));
        }
    }
    lines
}
