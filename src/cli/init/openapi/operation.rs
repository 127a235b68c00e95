//! Which operation is drawn, and what it answers.

use serde_json::Value;

use crate::cli::init::openapi::document::Document;
use crate::cli::init::openapi::{examples, schema};
use crate::cli::sample::envelope::{leaves, records};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::Format;

/// Operations that an error lists.
const LISTED: usize = 20;

/// An operation that reads.
pub(super) struct Operation<'a> {
    /// `GET` or `POST`.
    pub(super) method: &'static str,
    /// Its path, with parameters in braces.
    pub(super) path: String,
    /// Its `operationId`.
    pub(super) id: Option<&'a str>,
    /// The operation object.
    pub(super) node: &'a Value,
    /// The path item around it.
    pub(super) item: &'a Value,
}

/// What an operation answers.
pub(super) struct Response {
    /// How the body is written.
    pub(super) format: Format,
    /// The body's schema.
    pub(super) schema: Option<Value>,
    /// The body's example.
    pub(super) example: Option<Value>,
    /// The headers that speak of pages, as a response might have them.
    pub(super) headers: Vec<(String, String)>,
}

/// Finds the operation called `wanted`, or the only one that lists records.
///
/// # Errors
/// `Usage` that names the operations there are.
pub(super) fn choose<'a>(document: &'a Document, wanted: Option<&str>) -> Result<Operation<'a>> {
    let mut all = operations(document)?;
    let Some(wanted) = wanted else {
        let lists: Vec<usize> = (0..all.len())
            .filter(|at| {
                all.get(*at).is_some_and(|one| one.method == "GET" && one.is_list(document))
            })
            .collect();
        return match lists.as_slice() {
            [only] => Ok(all.swap_remove(*only)),
            [] => Err(Error::new(
                ErrorKind::Usage,
                "no operation of the OpenAPI document lists records",
            )
            .hint(format!("name one with --operation: {}", listed(&all)))),
            many => {
                let named = many.iter().filter_map(|at| all.get(*at));
                let names: Vec<String> = named.take(LISTED).map(Operation::named).collect();
                let count = many.len();
                let message = format!("{count} operations of the OpenAPI document list records");
                Err(Error::new(ErrorKind::Usage, message)
                    .hint(format!("name one with --operation: {}", names.join(", "))))
            }
        };
    };
    let (method, path) =
        wanted.split_once(' ').map_or((None, wanted), |(method, path)| (Some(method), path));
    let found = all.iter().position(|one| one.id == Some(wanted)).or_else(|| {
        all.iter().position(|one| {
            one.path == path.trim()
                && method.is_none_or(|name| name.eq_ignore_ascii_case(one.method))
        })
    });
    match found {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let names = all.iter().flat_map(|one| [one.id.unwrap_or_default(), one.path.as_str()]);
            let nearest =
                crate::spec::diagnostic::nearest(wanted, names.filter(|name| !name.is_empty()));
            let meant = nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            let message = format!("the OpenAPI document has no operation `{wanted}`{meant}");
            Err(Error::new(ErrorKind::Usage, message).hint(format!("it has {}", listed(&all))))
        }
    }
}

fn listed(all: &[Operation<'_>]) -> String {
    let names: Vec<String> = all.iter().take(LISTED).map(Operation::named).collect();
    let more = if all.len() > LISTED { ", …" } else { "" };
    if names.is_empty() {
        "none that reads".to_owned()
    } else {
        format!("{}{more}", names.join(", "))
    }
}

/// The operations that may read, GET before POST, in the document's order.
fn operations(document: &Document) -> Result<Vec<Operation<'_>>> {
    let mut all = Vec::new();
    let paths = document.0.get("paths").and_then(Value::as_object);
    for (key, method) in [("get", "GET"), ("post", "POST")] {
        for (path, item) in paths.into_iter().flatten() {
            let item = document.resolve(item)?;
            if let Some(node) = item.get(key) {
                let id = node.get("operationId").and_then(Value::as_str);
                all.push(Operation { method, path: path.clone(), id, node, item });
            }
        }
    }
    Ok(all)
}

impl Operation<'_> {
    fn named(&self) -> String {
        match self.id {
            Some(id) => format!("{id} ({} {})", self.method, self.path),
            None => format!("\"{} {}\"", self.method, self.path),
        }
    }

    /// Whether its answer has a list of objects.
    fn is_list(&self, document: &Document) -> bool {
        let Ok(response) = self.response(document) else { return false };
        let Some(schema) = response.schema else { return response.example.is_some() };
        let body = examples::example(document, &schema);
        let Some(at) = records(&body, &leaves(&body), "") else { return false };
        schema::item(document, &schema, &at.tokens).is_some()
    }

    /// What it answers when all is well: 200, another 2xx, or the default.
    ///
    /// # Errors
    /// `Usage` for a reference that leads nowhere.
    pub(super) fn response(&self, document: &Document) -> Result<Response> {
        let responses = self.node.get("responses").and_then(Value::as_object);
        let by = |wanted: &dyn Fn(&str) -> bool| {
            responses.into_iter().flatten().find(|(status, _)| wanted(status)).map(|(_, node)| node)
        };
        let found = by(&|status| status == "200")
            .or_else(|| by(&|status| status.starts_with('2') && status != "204"))
            .or_else(|| by(&|status| status == "default"));
        let empty =
            Response { format: Format::Json, schema: None, example: None, headers: Vec::new() };
        let Some(found) = found else { return Ok(empty) };
        let found = document.resolve(found)?;
        let content = found.get("content").and_then(Value::as_object);
        let media = |wanted: &dyn Fn(&str) -> bool| {
            content.into_iter().flatten().find(|(kind, _)| wanted(kind)).map(|(_, node)| node)
        };
        let lines = |kind: &str| kind.contains("ndjson") || kind.contains("jsonl");
        let choices = [
            (Format::Json, media(&|kind| kind.contains("json") && !lines(kind))),
            (Format::Ndjson, media(&lines)),
            (Format::Csv, media(&|kind| kind.starts_with("text/csv"))),
            (Format::Json, media(&|kind| kind == "*/*")),
        ];
        let chosen = choices.into_iter().find_map(|(format, node)| Some((format, node?)));
        let Some((format, media)) = chosen else {
            return Ok(Response { headers: headers(found), ..empty });
        };
        let media = document.resolve(media)?;
        let named = media.get("examples").and_then(Value::as_object);
        let named = named.and_then(|all| all.values().next()).and_then(|one| one.get("value"));
        Ok(Response {
            format,
            schema: media.get("schema").cloned(),
            example: media.get("example").or(named).cloned(),
            headers: headers(found),
        })
    }
}

/// Documented headers that speak of pages, with a value that says so.
fn headers(response: &Value) -> Vec<(String, String)> {
    let all = response.get("headers").and_then(Value::as_object);
    all.into_iter()
        .flatten()
        .map(|(name, _)| {
            let is_link = name.eq_ignore_ascii_case("link");
            let value = if is_link { "</>; rel=\"next\"" } else { "1" };
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect()
}
