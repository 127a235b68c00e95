//! All that a page seems to say of its list.

use crate::cli::sample::envelope::{self, RecordsAt, TotalAt};
use crate::cli::sample::paging::{Paging, Signs};
use crate::cli::sample::tree::Tree;
use crate::spec::source::Format;

/// What was asked and answered.
pub(crate) struct Answer<'a> {
    /// The body.
    pub(crate) body: &'a Tree,
    /// How it was written.
    pub(crate) format: Format,
    /// The response's headers, names in lower case.
    pub(crate) headers: &'a [(String, String)],
    /// The parameters that were sent, with their values; or that the API takes, without.
    pub(crate) params: &'a [(String, Option<String>)],
    /// A name that the records may go by.
    pub(crate) stream: &'a str,
    /// Where the records stand, for who knows.
    pub(crate) records: Option<&'a [String]>,
}

/// Where things seem to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guess {
    /// The records; `None` where no array could be them.
    pub(crate) records: Option<RecordsAt>,
    /// The number of records.
    pub(crate) total: Option<TotalAt>,
    /// How the next page is asked for.
    pub(crate) paging: Paging,
}

impl Guess {
    /// Tells what it can.
    pub(crate) fn of(answer: &Answer<'_>) -> Self {
        let leaves = match answer.format {
            Format::Json => envelope::leaves(answer.body),
            // Lines have nothing beside them.
            Format::Ndjson | Format::Csv => Vec::new(),
        };
        let told =
            answer.records.map(|tokens| RecordsAt { tokens: tokens.to_vec(), others: Vec::new() });
        let records = told.or_else(|| envelope::records(answer.body, &leaves, answer.stream));
        let items =
            records.as_ref().and_then(|at| answer.body.at(&at.tokens)).map_or(&[][..], Tree::items);
        let has_id = items.last().is_some_and(|record| record.get("id").is_some());
        let beside: Vec<_> = leaves
            .iter()
            .filter(|leaf| records.as_ref().is_none_or(|at| at.tokens != leaf.tokens))
            .cloned()
            .collect();
        let signs =
            Signs { leaves: &beside, headers: answer.headers, params: answer.params, has_id };
        let total = envelope::total(&beside, answer.headers, items.len());
        Self { paging: Paging::guess(&signs), total, records }
    }
}
