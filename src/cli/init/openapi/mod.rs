//! A draft from an operation of an OpenAPI 3 document.

mod document;
mod examples;
mod operation;
mod parameters;
mod schema;
mod security;
mod servers;

pub(super) use self::document::{Document, read};

use url::Url;

use crate::cli::init::draft::{Basis, Draft};
use crate::cli::init::from_sample::{self, Beside};
use crate::cli::init::openapi::operation::{Operation, Response};
use crate::cli::init::openapi::parameters::Parameters;
use crate::cli::init::wanted::Wanted;
use crate::cli::sample::guess::{Answer, Guess};
use crate::cli::sample::names::path_name;
use crate::cli::sample::paging::Paging;
use crate::cli::sample::read::Sample;
use crate::cli::sample::tree::Tree;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::pointer::Pointer;
use crate::spec::source::Format;

/// Draws the operation that is wanted. `url` is where the document came from.
///
/// # Errors
/// `Usage` where it is not told which operation is meant, or its answer has no list of records.
pub(super) fn draw(
    document: &Document,
    origin: &str,
    url: Option<&Url>,
    wanted: &Wanted<'_>,
) -> Result<Draft> {
    let operation = operation::choose(document, wanted.args.operation.as_deref())?;
    let values = parameters::values(&wanted.args.params)?;
    let parameters = Parameters::of(document, &operation, &values)?;
    let response = operation.response(document)?;
    let last = operation.path.rsplit('/').find(|part| !part.is_empty() && !part.starts_with('{'));
    let stream = wanted.stream.map(str::to_owned).or_else(|| last.and_then(path_name));
    let stream = stream.unwrap_or_else(|| "records".to_owned());
    let (auth, unclear) = match &wanted.auth {
        Some(auth) => (auth.clone(), None),
        None => security::auth(document, &operation, wanted.name),
    };
    let mut draft = Draft::blank(wanted.name, &stream, auth);
    let base = servers::base_url(document, &operation, url);
    draft.origin = format!("{} of {origin}", operation.shown());
    draft.basis = Basis::OpenApi;
    draft.warnings.clear();
    draft.warnings.extend(base.warning);
    draft.warnings.extend(unclear);
    (draft.base_url, draft.reachable) = (base.url, base.known);
    draft.path = parameters.path(&operation.path, &mut draft.warnings);
    draft.params = parameters.query(&mut draft.warnings);
    draft.method = operation.method;
    if operation.method == "POST" {
        draft.body = Some("{}".to_owned());
        draft.warnings.push("put what the API searches by into `body`".to_owned());
    }
    match &response.schema {
        Some(_) => fill(document, &mut draft, &response, &parameters, wanted)?,
        None => sampled(&mut draft, &response, &parameters, wanted)?,
    }
    // A parameter that pages is sent by the pagination.
    let sized = matches!(draft.guess.paging, Paging::Page { .. } | Paging::Offset { .. });
    if !sized && let Some(size) = parameters.page_size() {
        draft.params.retain(|param| param.name != size.name);
        draft.params.push(size);
    }
    let paging = draft.guess.paging.params();
    let paging: Vec<String> = paging.into_iter().map(str::to_owned).collect();
    draft.params.retain(|param| !paging.contains(&param.name));
    Ok(draft)
}

/// From the schema of the answer.
fn fill(
    document: &Document,
    draft: &mut Draft,
    response: &Response,
    parameters: &Parameters,
    wanted: &Wanted<'_>,
) -> Result<()> {
    let Some(schema) = &response.schema else { return Ok(()) };
    let body = examples::example(document, schema);
    let body = match response.format {
        Format::Json => body,
        // The schema is that of a line, or of all of them.
        Format::Ndjson | Format::Csv if body.is_map() => Tree::List(vec![body]),
        Format::Ndjson | Format::Csv => body,
    };
    let told = records(wanted)?;
    let guess = Guess::of(&Answer {
        body: &body,
        format: response.format,
        headers: &response.headers,
        params: &parameters.known(),
        stream: &draft.stream,
        records: told.as_ref().map(Pointer::tokens),
    });
    let tokens = guess.records.as_ref().map(|at| at.tokens.clone());
    let item = tokens.as_ref().and_then(|tokens| schema::item(document, schema, tokens));
    let Some(item) = item else {
        let message = format!("the answer of {} has no list of objects", draft.origin);
        return Err(Error::new(ErrorKind::Usage, message).hint(
            "name an operation that lists records with --operation, or where they are with --records",
        ));
    };
    draft.format = response.format;
    draft.columns = schema::columns(document, &item, &draft.stream);
    draft.guess = guess;
    if draft.columns.columns.is_empty() {
        let message = format!("the records of {} have no declared properties", draft.origin);
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("save one page of the API, and draw from that: --from page.json"));
    }
    Ok(())
}

/// From the example of the answer, where it has no schema.
fn sampled(
    draft: &mut Draft,
    response: &Response,
    parameters: &Parameters,
    wanted: &Wanted<'_>,
) -> Result<()> {
    let Some(example) = &response.example else {
        let message = format!("the answer of {} has neither a schema nor an example", draft.origin);
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("save one page of the API, and draw from that: --from page.json"));
    };
    let json = example.to_string();
    let unread =
        |error| Error::new(ErrorKind::Usage, "the example cannot be read").caused_by(error);
    let sample = Sample { format: Format::Json, tree: Tree::parse(&json).map_err(unread)?, json };
    let known = parameters.known();
    let beside = Beside { headers: &response.headers, params: &known };
    from_sample::fill(draft, &sample, &beside, wanted)
}

fn records(wanted: &Wanted<'_>) -> Result<Option<Pointer>> {
    let told = wanted.args.records.as_deref().map(Pointer::parse);
    told.transpose()
        .map_err(|why| Error::new(ErrorKind::Usage, format!("--records is no JSON Pointer: {why}")))
}

impl Operation<'_> {
    /// As people name it.
    fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}
