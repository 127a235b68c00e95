//! A draft from one page of an API.

use crate::cli::init::draft::{Basis, Draft};
use crate::cli::init::wanted::Wanted;
use crate::cli::sample::columns;
use crate::cli::sample::envelope::{self, leaves};
use crate::cli::sample::guess::{Answer, Guess};
use crate::cli::sample::read::Sample;
use crate::cli::sample::tree::Tree;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::pointer::Pointer;
use crate::spec::source::Format;

/// Keys that an error lists.
const LISTED: usize = 20;

/// What is known beside the body.
pub(super) struct Beside<'a> {
    /// The response's headers.
    pub(super) headers: &'a [(String, String)],
    /// The parameters that were sent.
    pub(super) params: &'a [(String, Option<String>)],
}

/// Fills in what `sample` says: where the records are, how it pages, and the table.
///
/// # Errors
/// `Usage` where there is no list of records, or none in it.
pub(super) fn fill(
    draft: &mut Draft,
    sample: &Sample,
    beside: &Beside<'_>,
    wanted: &Wanted<'_>,
) -> Result<()> {
    let told = wanted.args.records.as_deref().map(|text| {
        Pointer::parse(text).map_err(|why| {
            Error::new(ErrorKind::Usage, format!("--records `{text}` is no JSON Pointer: {why}"))
        })
    });
    let told = told.transpose()?;
    let guess = Guess::of(&Answer {
        body: &sample.tree,
        format: sample.format,
        headers: beside.headers,
        params: beside.params,
        stream: &draft.stream,
        records: told.as_ref().map(Pointer::tokens),
    });
    let Some(at) = &guess.records else { return Err(no_list(&sample.tree)) };
    let Some(Tree::List(records)) = sample.tree.at(&at.tokens) else {
        let message = format!("there is no array at `{}`", envelope::pointer(&at.tokens));
        return Err(Error::new(ErrorKind::Usage, message).hint(keys(&sample.tree)));
    };
    if !records.iter().any(Tree::is_map) {
        let message = format!("the list at `{}` has no records", envelope::pointer(&at.tokens));
        return Err(Error::new(ErrorKind::Usage, message).hint(
            "take a page that has some, another window for example; or name another list with --records",
        ));
    }
    draft.columns = columns::tell(records, sample.format == Format::Csv, &draft.stream);
    draft.basis = Basis::Sample(records.len());
    draft.format = sample.format;
    draft.guess = guess;
    Ok(())
}

fn no_list(body: &Tree) -> Error {
    Error::new(ErrorKind::Usage, "the sample has no list of records")
        .hint(format!("{}; a list is an array of objects, and --records names it", keys(body)))
}

fn keys(body: &Tree) -> String {
    if !body.is_map() {
        return format!("the body is of kind {}", body.kind());
    }
    let all = leaves(body);
    let shown: Vec<String> = all
        .iter()
        .take(LISTED)
        .map(|leaf| format!("{} ({})", leaf.pointer(), leaf.value.kind()))
        .collect();
    let more = if all.len() > LISTED { ", …" } else { "" };
    format!("the body has {}{more}", shown.join(", "))
}
