//! What a position asks for: URL, headers and body, with templates rendered and no credentials yet.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::http::paginate::{self, Ask};
use crate::page::{Cursor, PageRequest};
use crate::spec::source::Stream;
use crate::spec::template::{Scope, Template};
use crate::window::Window;

/// What a request is made from, beside the position.
pub(super) struct Recipe<'a> {
    /// The source's base URL.
    pub(super) base_url: &'a Url,
    /// The source's headers.
    pub(super) headers: &'a [(String, Template)],
    /// The stream.
    pub(super) stream: &'a Stream,
    /// The window.
    pub(super) window: Window,
    /// The present instant.
    pub(super) now: DateTime<Utc>,
}

impl Recipe<'_> {
    /// The request for page number `number`, at `cursor`.
    ///
    /// # Errors
    /// `Config` when a template fails or gives what no URL, header or body can hold.
    pub(super) fn request(&self, number: u64, cursor: &Cursor) -> Result<PageRequest> {
        let ask = paginate::ask(&self.stream.pagination, cursor);
        let mut scope = Scope::window(self.window);
        scope.page = Some(ask.page.unwrap_or(number));
        scope.cursor = ask.cursor.clone();
        scope.timestamp = Some(self.now.timestamp());
        scope.method = Some(self.stream.method.as_str().to_owned());
        let url = match &ask.url {
            Some(url) => Url::parse(url).map_err(|error| {
                Error::new(ErrorKind::Api, "the next URL is not a URL").caused_by(error)
            })?,
            None => self.url(&ask, &scope)?,
        };
        scope.path = Some(match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        });
        scope.query = Some(url.query().unwrap_or_default().to_owned());
        let body = self.body(&ask, &scope)?;
        let text = body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        scope.body = Some(text.into_owned());
        let headers = self.headers(ask, &scope)?;
        Ok(PageRequest { page: number, method: self.stream.method, url, headers, body })
    }

    fn url(&self, ask: &Ask, scope: &Scope) -> Result<Url> {
        let path = self.stream.path.render(scope)?;
        let mut url = concatenated(self.base_url, &path)?;
        let mut pairs = Vec::new();
        for (name, value) in &self.stream.params {
            if !ask.query.iter().any(|(key, _)| key == name) {
                pair(&mut pairs, name, &value.render(scope)?)?;
            }
        }
        pairs.extend(ask.query.iter().cloned());
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(url)
    }

    fn body(&self, ask: &Ask, scope: &Scope) -> Result<Option<Bytes>> {
        let mut body = self.stream.body.as_ref().map(|body| body.render(scope)).transpose()?;
        if let Some((key, token)) = &ask.body {
            let object = body.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
            let Some(object) = object.as_object_mut() else {
                return Err(Error::new(
                    ErrorKind::Config,
                    "the cursor goes into the body, but the body is not a mapping",
                ));
            };
            object.insert(key.clone(), Value::from(token.as_str()));
        }
        Ok(body.map(|body| Bytes::from(body.to_string())))
    }

    fn headers(&self, ask: Ask, scope: &Scope) -> Result<Vec<(String, String)>> {
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        for (name, template) in self.headers {
            headers.push((name.clone(), template.render(scope)?));
        }
        headers.extend(ask.header);
        Ok(headers)
    }
}

/// `base_url` and `path`, concatenated; one slash where both have one.
fn concatenated(base_url: &Url, path: &str) -> Result<Url> {
    let base = base_url.as_str();
    let (base, path) = match (base.strip_suffix('/'), path) {
        (Some(shorter), path) if path.starts_with('/') || path.is_empty() => (shorter, path),
        _ => (base, path),
    };
    let url = Url::parse(&format!("{base}{path}")).map_err(|error| {
        Error::new(ErrorKind::Config, format!("base_url and path `{path}` make no URL"))
            .caused_by(error)
    })?;
    if url.origin() != base_url.origin() {
        return Err(Error::new(
            ErrorKind::Config,
            format!("path `{path}` leads away from the base_url's origin"),
        )
        .hint("start the path with `/`"));
    }
    Ok(url)
}

/// A parameter's pairs: null gives none, a list one for each item.
fn pair(pairs: &mut Vec<(String, String)>, name: &str, value: &Value) -> Result<()> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => return items.iter().try_for_each(|item| pair(pairs, name, item)),
        Value::Object(_) => {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the parameter `{name}` is a mapping, which no query can hold"),
            ));
        }
    };
    pairs.push((name.to_owned(), text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_path_are_concatenated() {
        for (base, path, url) in [
            ("https://h/v1", "/items", "https://h/v1/items"),
            ("https://h/v1/", "items", "https://h/v1/items"),
            ("https://h/v1/", "/items", "https://h/v1/items"),
            ("https://h", "/items?x=1", "https://h/items?x=1"),
            ("https://h", "", "https://h/"),
            ("https://h/v1/", "", "https://h/v1"),
            ("https://h:8443/a", "/b c", "https://h:8443/a/b%20c"),
        ] {
            let base = base.parse().expect("base");
            assert_eq!(concatenated(&base, path).expect(path).as_str(), url);
        }
    }

    #[test]
    fn parameters_have_a_query_form() {
        let mut pairs = Vec::new();
        for value in [
            serde_json::json!(1_773_705_600),
            serde_json::json!(true),
            serde_json::json!(null),
            serde_json::json!(["a", 2]),
        ] {
            pair(&mut pairs, "p", &value).expect("pair");
        }
        let values: Vec<&str> = pairs.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["1773705600", "true", "a", "2"]);
        assert!(pair(&mut pairs, "p", &serde_json::json!({})).is_err());
    }
}
