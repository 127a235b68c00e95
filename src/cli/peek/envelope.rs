//! What stands in a body beside the records: where, what it is declared as, and what it looks like.

use serde::Serialize;

use crate::cli::sample::envelope::{TotalAt, leaves, pointer};
use crate::cli::sample::guess::{Answer, Guess};
use crate::cli::sample::paging::Paging;
use crate::cli::sample::tree::Tree;
use crate::spec::pagination::{CursorFrom, Pagination};
use crate::spec::source::{Stream, TotalFrom};

/// Places that are shown at most.
const MOST: usize = 40;

/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// A place in the body.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    /// Its JSON Pointer; empty for the whole body.
    pub(super) pointer: String,
    /// What stands there, with its size.
    pub(super) kind: String,
    /// The value of a scalar, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// What the source file takes it for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) declared: Option<&'static str>,
    /// What it seems to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) looks_like: Option<&'static str>,
}

/// Outlines a body; `scrub` takes credentials out of its text.
pub(super) fn places(
    body: &Tree,
    stream: &Stream,
    guess: &Guess,
    scrub: impl Fn(&str) -> String,
) -> Vec<Place> {
    let declared = declared(stream);
    let guessed = guessed(guess);
    let role = |of: &[(String, &'static str)], at: &str| {
        of.iter().find(|(pointer, _)| pointer == at).map(|(_, role)| *role)
    };
    let place = |at: String, value: &Tree| Place {
        kind: kind(value),
        value: shown(value, &scrub),
        declared: role(&declared, &at),
        looks_like: role(&guessed, &at),
        pointer: scrub(&at),
    };
    if !body.is_map() {
        return vec![place(String::new(), body)];
    }
    let mut places: Vec<Place> =
        leaves(body).into_iter().map(|leaf| place(leaf.pointer(), leaf.value)).collect();
    // What has a meaning comes first where there is much else.
    if places.len() > MOST {
        places.sort_by_key(|place| place.declared.is_none() && place.looks_like.is_none());
        places.truncate(MOST);
    }
    places
}

fn kind(value: &Tree) -> String {
    let items = value.items();
    match value {
        Tree::List(_) if items.is_empty() => "empty array".to_owned(),
        Tree::List(_) => {
            let first = items.first().map(Tree::kind).unwrap_or_default();
            let same = items.iter().all(|item| item.kind() == first);
            let what = if same { first } else { "value" };
            format!("array of {} {what}{}", items.len(), if items.len() == 1 { "" } else { "s" })
        }
        Tree::Map(entries) => format!("object of {} keys", entries.len()),
        plain => plain.kind().to_owned(),
    }
}

/// A scalar's beginning. Credentials go first: one that straddles the end would show its beginning.
fn shown(value: &Tree, scrub: impl Fn(&str) -> String) -> Option<String> {
    let text = match value {
        Tree::Bool(flag) => flag.to_string(),
        Tree::Number(text) | Tree::Text(text) => scrub(text),
        Tree::Null | Tree::List(_) | Tree::Map(_) => return None,
    };
    let short: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(if short.len() < text.len() { format!("{short}…") } else { short })
}

fn declared(stream: &Stream) -> Vec<(String, &'static str)> {
    let mut roles = vec![(stream.records.to_string(), "records")];
    if let Some(TotalFrom::Body(at)) = &stream.total {
        roles.push((at.to_string(), "total"));
    }
    if let Some(at) = &stream.error {
        roles.push((at.to_string(), "error"));
    }
    let has_more = match &stream.pagination {
        Pagination::None | Pagination::LinkHeader => None,
        Pagination::NextUrl { next } => {
            roles.push((next.to_string(), "next"));
            None
        }
        Pagination::Page(by) => by.has_more.as_ref(),
        Pagination::Offset(by) => by.has_more.as_ref(),
        Pagination::Cursor(by) => {
            if let CursorFrom::Body(pointers) = &by.cursor {
                roles.extend(pointers.iter().map(|at| (at.to_string(), "cursor")));
            }
            by.has_more.as_ref()
        }
    };
    roles.extend(has_more.map(|at| (at.to_string(), "has_more")));
    roles
}

fn guessed(guess: &Guess) -> Vec<(String, &'static str)> {
    let mut roles = Vec::new();
    if let Some(at) = &guess.records {
        roles.push((pointer(&at.tokens), "records"));
    }
    if let Some(TotalAt::Pointer(at)) = &guess.total {
        roles.push((at.clone(), "total"));
    }
    let more = match &guess.paging {
        Paging::None | Paging::LinkHeader => None,
        Paging::NextUrl { next } => {
            roles.push((next.clone(), "next"));
            None
        }
        Paging::Cursor { cursor, has_more, .. } => {
            roles.push((cursor.clone(), "cursor"));
            has_more.as_ref()
        }
        Paging::Page { has_more, .. }
        | Paging::Offset { has_more, .. }
        | Paging::LastRecord { has_more, .. } => has_more.as_ref(),
    };
    roles.extend(more.map(|at| (at.clone(), "has_more")));
    roles
}

/// What the API seems to offer that the source file does not say, or says otherwise.
pub(super) fn differences(stream: &Stream, guess: &Guess, body: &Tree) -> Vec<String> {
    let mut told = Vec::new();
    let declared = stream.records.to_string();
    let here = matches!(body.at(stream.records.tokens()), Some(Tree::List(_) | Tree::Null));
    if let Some(at) = guess.records.as_ref().filter(|_| !here) {
        let seems = pointer(&at.tokens);
        told.push(format!("records: \"{seems}\" seems to be right, not \"{declared}\""));
    }
    if let (None, Some(total)) = (&stream.total, &guess.total) {
        told.push(format!(
            "the API seems to name the number of records: total: {}",
            total.declared()
        ));
    }
    let kind = match &stream.pagination {
        Pagination::None => "none",
        Pagination::Page(_) => "page",
        Pagination::Offset(_) => "offset",
        Pagination::Cursor(_) => "cursor",
        Pagination::NextUrl { .. } => "next_url",
        Pagination::LinkHeader => "link_header",
    };
    if guess.paging != Paging::None && guess.paging.kind() != kind {
        let seems = guess.paging.declared();
        told.push(format!("the API seems to page otherwise than by `{kind}`: pagination: {seems}"));
    }
    told
}

/// What the answer seems to say.
pub(super) fn guess(
    body: &Tree,
    stream: &Stream,
    headers: &[(String, String)],
    params: &[(String, Option<String>)],
) -> Guess {
    let known = matches!(body.at(stream.records.tokens()), Some(Tree::List(_)));
    let records = known.then(|| stream.records.tokens());
    let format = stream.format;
    Guess::of(&Answer { body, format, headers, params, stream: &stream.name, records })
}
