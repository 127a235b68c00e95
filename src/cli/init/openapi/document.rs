//! An OpenAPI document, and the references in it.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// References that are followed in a row.
const MOST_REFERENCES: usize = 32;

/// Events of a YAML document at most; those of large vendors have a million.
const MOST_EVENTS: usize = 10_000_000;

/// An OpenAPI 3 document.
#[derive(Debug)]
pub(crate) struct Document(pub(crate) Value);

/// Reads `text` if it is an OpenAPI document, in JSON or YAML.
///
/// # Errors
/// `Usage` for one that cannot be read, or is of another version.
pub(crate) fn read(text: &str) -> Result<Option<Document>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = text.trim_start().starts_with('{');
    let root = if json {
        if !text.contains("\"openapi\"") && !text.contains("\"swagger\"") {
            return Ok(None);
        }
        match serde_json::from_str(text) {
            Ok(root) => root,
            // A saved response may hold the word, and says itself what is wrong with it.
            Err(_) => return Ok(None),
        }
    } else if text.lines().any(is_version_line) {
        yaml(text)?
    } else {
        return Ok(None);
    };
    let version = |key: &str| -> Option<String> {
        match root.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    };
    if let Some(version) = version("swagger") {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("it is OpenAPI {version} (Swagger), not OpenAPI 3"),
        )
        .hint("convert it first: npx swagger2openapi swagger.json -o openapi.json"));
    }
    match version("openapi") {
        Some(version) if version.starts_with("3.") => Ok(Some(Document(root))),
        Some(version) if root.get("paths").is_some() => {
            Err(Error::new(ErrorKind::Usage, format!("OpenAPI {version} is not known"))
                .hint("OpenAPI 3.0, 3.1 and 3.2 are"))
        }
        Some(_) | None => Ok(None),
    }
}

fn is_version_line(line: &str) -> bool {
    let key = line.split(':').next().unwrap_or_default().trim_matches(['"', '\'']);
    line.contains(':') && (key == "openapi" || key == "swagger")
}

fn yaml(text: &str) -> Result<Value> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: MOST_EVENTS, max_nodes: MOST_EVENTS }
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default().to_owned();
        Error::new(ErrorKind::Usage, format!("the OpenAPI document is not YAML: {first}"))
    })
}

impl Document {
    /// What `node` refers to, or itself.
    ///
    /// # Errors
    /// `Usage` for a reference out of the document, to nothing, or in a circle.
    pub(super) fn resolve<'a>(&'a self, node: &'a Value) -> Result<&'a Value> {
        let mut node = node;
        for _ in 0..MOST_REFERENCES {
            let Some(reference) = node.get("$ref").and_then(Value::as_str) else { return Ok(node) };
            node = self.target(reference)?;
        }
        Err(Error::new(ErrorKind::Usage, "a reference of the OpenAPI document leads in a circle"))
    }

    fn target(&self, reference: &str) -> Result<&Value> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Usage, format!("the reference `{reference}` {what}"))
        };
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(wrong("leads out of the OpenAPI document")
                .hint("bundle it first: npx @redocly/cli bundle openapi.yaml -o bundled.yaml"));
        };
        // A fragment may be percent-encoded (RFC 6901 §6).
        let plain = url::form_urlencoded::parse(pointer.replace('+', "%2B").as_bytes())
            .next()
            .map(|(name, _)| name.into_owned());
        let found = self.0.pointer(pointer).or_else(|| self.0.pointer(&plain?));
        found.ok_or_else(|| wrong("leads to nothing"))
    }
}
