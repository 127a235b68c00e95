//! The parameters of an operation: what is put into the path and the query.

use serde_json::Value;

use crate::cli::init::draft::Param;
use crate::cli::init::openapi::document::Document;
use crate::cli::init::openapi::operation::Operation;
use crate::cli::init::openapi::schema::{Whole, whole};
use crate::cli::init::windows::{self, Takes};
use crate::cli::sample::names::is_one;
use crate::cli::sample::paging::SIZES;
use crate::error::{Error, ErrorKind, Result};
use crate::redact::is_secret_key;

/// A parameter as it is documented.
struct Documented {
    name: String,
    place: String,
    required: bool,
    takes: Takes,
    /// The value from the command line.
    told: Option<String>,
    /// Its default, example, or first value of an enumeration.
    usual: Option<String>,
    /// Its greatest number.
    most: Option<u64>,
}

/// The parameters of an operation.
pub(super) struct Parameters(Vec<Documented>);

/// Reads `--param NAME=VALUE`.
///
/// # Errors
/// `Usage` for another form, and for a credential.
pub(super) fn values(written: &[String]) -> Result<Vec<(String, String)>> {
    let one = |text: &String| {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or_else(|| {
            Error::new(ErrorKind::Usage, "--param has another form").hint("--param NAME=VALUE")
        })?;
        if is_secret_key(name) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the parameter `{name}` is a credential"),
            )
            .hint(format!("name its variable: --auth query:{name}:GATEWAY_KEY")));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    written.iter().map(one).collect()
}

impl Parameters {
    /// Those of the path and of the operation, which come first.
    ///
    /// # Errors
    /// `Usage` for a reference that leads nowhere, and for a value of no parameter.
    pub(super) fn of(
        document: &Document,
        operation: &Operation<'_>,
        values: &[(String, String)],
    ) -> Result<Self> {
        let mut all: Vec<Documented> = Vec::new();
        for node in [operation.node, operation.item] {
            for parameter in node.get("parameters").and_then(Value::as_array).into_iter().flatten()
            {
                let parameter = document.resolve(parameter)?;
                let text =
                    |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
                let (name, place) = (text("name").to_owned(), text("in").to_owned());
                if all.iter().any(|known| known.name == name && known.place == place) {
                    continue;
                }
                let told =
                    values.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
                all.push(documented(document, parameter, name, place, told));
            }
        }
        let known = |name: &str| all.iter().any(|parameter| parameter.name == name);
        if let Some((name, _)) = values.iter().find(|(name, _)| !known(name)) {
            let names: Vec<&str> = all.iter().map(|parameter| parameter.name.as_str()).collect();
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the operation has no parameter `{name}`"),
            )
            .hint(format!("it has {}", names.join(", "))));
        }
        Ok(Self(all))
    }

    /// The path with its parameters filled in, as far as their values are known.
    pub(super) fn path(&self, path: &str, warnings: &mut Vec<String>) -> String {
        let mut filled = path.to_owned();
        for parameter in self.0.iter().filter(|parameter| parameter.place == "path") {
            let Documented { name, told, usual, .. } = parameter;
            let braces = format!("{{{name}}}");
            match told.as_ref().or(usual.as_ref()) {
                Some(value) => {
                    let value: String =
                        url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                    filled = filled.replace(&braces, &value.replace('+', "%20"));
                    if told.is_none() {
                        warnings.push(format!(
                            "`{braces}` in the path is the document's example: --param {name}=VALUE"
                        ));
                    }
                }
                None => warnings.push(format!(
                    "put a value in place of `{braces}` in the path: --param {name}=VALUE"
                )),
            }
        }
        filled
    }

    /// The query: what was told, what follows the window, and what is required.
    pub(super) fn query(&self, warnings: &mut Vec<String>) -> Vec<Param> {
        let mut query = Vec::new();
        for parameter in &self.0 {
            let Documented { name, required, takes, told, usual, .. } = parameter;
            if parameter.place == "header" && *required && !is_usual_header(name) {
                warnings.push(format!("the header {name} is required: declare it under `headers`"));
            }
            if parameter.place != "query" || is_secret_key(name) {
                continue;
            }
            if let Some(value) = told {
                query.push(Param::literal(name, std::slice::from_ref(value)));
            } else if let Some(param) = windows::declared(name, *takes) {
                query.push(param);
            } else if *required {
                let mut param = Param::literal(name, &[usual.clone().unwrap_or_default()]);
                param.note = Some("required".to_owned());
                if usual.is_none() {
                    warnings.push(format!(
                        "the parameter `{name}` is required: put its value in `params`"
                    ));
                }
                query.push(param);
            }
        }
        let others = windows::keep_one_family(&mut query);
        if !others.is_empty() {
            warnings.push(format!(
                "the API also filters by {}: choose which of them the window is",
                others.join(", ")
            ));
        }
        query
    }

    /// The parameter of a page's size, at its greatest: for ways to page that do not declare one.
    pub(super) fn page_size(&self) -> Option<Param> {
        let found = self.0.iter().find(|parameter| {
            parameter.place == "query"
                && parameter.told.is_none()
                && is_one(&parameter.name, &SIZES)
        })?;
        let usual = found.usual.as_ref().and_then(|usual| usual.parse::<u64>().ok());
        let size = found.most.or(usual).filter(|size| *size > 0)?;
        let mut param = Param::literal(&found.name, &[size.to_string()]);
        param.note = Some("records a page".to_owned());
        Some(param)
    }

    /// The query's parameters with a number that is usual for them: the greatest of a page's size.
    pub(super) fn known(&self) -> Vec<(String, Option<String>)> {
        let query = self.0.iter().filter(|parameter| parameter.place == "query");
        query
            .map(|parameter| {
                let most = parameter.most.map(|most| most.to_string());
                let usual = parameter.told.clone().or(most).or_else(|| parameter.usual.clone());
                (parameter.name.clone(), usual)
            })
            .collect()
    }
}

fn documented(
    document: &Document,
    parameter: &Value,
    name: String,
    place: String,
    told: Option<String>,
) -> Documented {
    let empty = Value::Null;
    let schema = parameter.get("schema").unwrap_or(&empty);
    let resolved = document.resolve(schema).unwrap_or(&empty);
    let of = whole(document, schema);
    let first = || of.known.first();
    let usual = resolved
        .get("default")
        .or_else(|| parameter.get("example"))
        .or_else(|| resolved.get("example"));
    let usual = usual.or_else(first).and_then(|value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    });
    Documented {
        required: place == "path"
            || parameter.get("required").and_then(Value::as_bool).unwrap_or_default(),
        takes: takes(&of),
        usual,
        most: resolved.get("maximum").and_then(Value::as_u64).filter(|most| *most <= 10_000),
        name,
        place,
        told,
    }
}

fn takes(of: &Whole) -> Takes {
    match of.format.as_str() {
        "date-time" => Takes::Instant,
        "date" => Takes::Date,
        _ if of.is("integer") || of.is("number") => Takes::Integer,
        _ => Takes::Other,
    }
}

/// Headers that are sent anyway.
fn is_usual_header(name: &str) -> bool {
    ["accept", "content-type", "authorization", "user-agent", "x-request-id"]
        .contains(&name.to_ascii_lowercase().as_str())
}
