//! Templates: minijinja expressions in paths, parameters, headers, bodies and strings to sign.
//!
//! Instants are ISO 8601 text, which is what an unfiltered `{{ window.start }}` prints; the filters
//! read that text again. An undefined name is an error when the file is loaded, not "" when it is sent.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind as JinjaKind, UndefinedBehavior};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::diagnostic::nearest;
use crate::window::{Window, show};

/// The names that a template may use.
pub const NAMES: [&str; 9] =
    ["window", "page", "cursor", "timestamp", "method", "path", "query", "body", "signature"];

/// The keys of `window`, with their path.
const WINDOW_NAMES: [&str; 3] = ["window.start", "window.end", "window.date"];

/// The filters that lakeward adds to minijinja's.
const FILTERS: [&str; 5] = ["unix", "unix_ms", "iso8601", "date", "strftime"];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("unix", |text: &str| instant(text).map(|t| t.timestamp()));
    environment.add_filter("unix_ms", |text: &str| instant(text).map(|t| t.timestamp_millis()));
    environment.add_filter("iso8601", |text: &str| instant(text).map(show));
    environment.add_filter("date", |text: &str| strftime(text, "%Y-%m-%d"));
    environment.add_filter("strftime", strftime);
    environment
});

fn instant(text: &str) -> Result<DateTime<Utc>, minijinja::Error> {
    DateTime::parse_from_rfc3339(text).map(|t| t.with_timezone(&Utc)).map_err(|_| {
        minijinja::Error::new(JinjaKind::InvalidOperation, format!("`{text}` is not an instant"))
    })
}

fn strftime(text: &str, format: &str) -> Result<String, minijinja::Error> {
    use std::fmt::Write as _;
    let mut shown = String::new();
    write!(shown, "{}", instant(text)?.format(format)).map_err(|_| {
        minijinja::Error::new(
            JinjaKind::InvalidOperation,
            format!("`{format}` is not a time format"),
        )
    })?;
    Ok(shown)
}

/// What a template may refer to when it is rendered.
#[derive(Clone, Debug, Serialize)]
pub struct Scope {
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WindowScope>,
    /// The page number asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// The cursor asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// When the request is signed, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// The request's method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The request target as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The query string as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The body as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The signature, in header templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct WindowScope {
    start: String,
    end: String,
    date: String,
}

impl Scope {
    /// A scope that knows the window alone.
    pub fn window(window: Window) -> Self {
        Self {
            window: Some(WindowScope {
                start: show(window.start),
                end: show(window.end),
                date: window.start.format("%Y-%m-%d").to_string(),
            }),
            ..Self::empty()
        }
    }

    /// A scope of the request that is being signed, which knows no window.
    pub fn signing(timestamp: i64, method: &str, path: &str, query: &str, body: &str) -> Self {
        let text = |text: &str| Some(text.to_owned());
        Self {
            timestamp: Some(timestamp),
            method: text(method),
            path: text(path),
            query: text(query),
            body: text(body),
            ..Self::empty()
        }
    }

    /// A scope as [`Scope::signing`], to try a template with; with a signature or before there is one.
    pub(crate) fn signing_sample(signed: bool) -> Self {
        let signature = signed.then(|| "1".to_owned());
        Self { signature, ..Self::signing(1, "GET", "/", "", "") }
    }

    fn empty() -> Self {
        Self {
            window: None,
            page: None,
            cursor: None,
            timestamp: None,
            method: None,
            path: None,
            query: None,
            body: None,
            signature: None,
        }
    }
}

impl Scope {
    /// A scope with every name, to try a template with when its file is loaded.
    fn sample() -> Self {
        let text = || Some("1".to_owned());
        let day = Window { start: DateTime::UNIX_EPOCH, end: DateTime::UNIX_EPOCH };
        Self {
            page: Some(1),
            cursor: text(),
            timestamp: Some(1),
            method: text(),
            path: text(),
            query: text(),
            body: text(),
            signature: text(),
            ..Self::window(day)
        }
    }
}

/// A text with expressions in it, known to parse and to use defined names only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// A sentence without a full stop.
    pub(crate) message: String,
    /// The name that it is about.
    pub(crate) name: Option<String>,
    /// The nearest name that exists.
    pub(crate) nearest: Option<&'static str>,
}

impl Wrong {
    fn about(message: String, name: &str, names: &[&'static str]) -> Self {
        let nearest = nearest(name, names.iter().copied());
        let nearest = names.iter().copied().find(|known| nearest == Some(known));
        Self { message, name: Some(name.to_owned()), nearest }
    }

    fn of(error: &minijinja::Error, text: &str) -> Self {
        let message = reason(error);
        if error.kind() == JinjaKind::UnknownFilter {
            let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let filter = words.find(|word| !["filter", "is", "unknown", ""].contains(word));
            let filter = filter.filter(|name| text.contains(name)).unwrap_or_default();
            return Self::about(format!("undefined filter `{filter}`"), filter, &FILTERS);
        }
        Self { message, name: None, nearest: None }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.nearest.map_or(Ok(()), |name| write!(f, ", did you mean `{name}`?"))
    }
}

impl Template {
    /// Checks `text`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::check(text).map_err(|wrong| wrong.to_string())
    }

    /// Checks `text`.
    ///
    /// # Errors
    /// What is wrong with it, and what was meant.
    pub(crate) fn check(text: &str) -> Result<Self, Wrong> {
        let template =
            ENVIRONMENT.template_from_str(text).map_err(|error| Wrong::of(&error, text))?;
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort();
        for name in names {
            let (root, key) = name.split_once('.').unwrap_or((&name, ""));
            if !NAMES.contains(&root) {
                return Err(Wrong::about(format!("undefined name `{root}`"), root, &NAMES));
            }
            if root == "window" && !key.is_empty() && !WINDOW_NAMES.contains(&name.as_str()) {
                return Err(Wrong::about(format!("undefined name `{name}`"), &name, &WINDOW_NAMES));
            }
        }
        let template = Self(text.to_owned());
        ENVIRONMENT
            .render_str(text, Serde(&Scope::sample()))
            .map_err(|error| Wrong::of(&error, text))?;
        Ok(template)
    }

    /// The template's text, as declared.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// The text for `scope`.
    ///
    /// # Errors
    /// `Config` when an expression fails, such as a name that this place does not have.
    pub fn render(&self, scope: &Scope) -> Result<String> {
        if self.is_literal() {
            return Ok(self.0.clone());
        }
        ENVIRONMENT.render_str(&self.0, Serde(scope)).map_err(|error| self.failed(&error))
    }

    /// Whether the text stands for itself in every scope. A line break at its end does not: it is trimmed.
    fn is_literal(&self) -> bool {
        !self.0.contains('{') && !self.0.ends_with(['\n', '\r'])
    }

    /// The value for `scope`: an expression that is the whole string keeps its type.
    fn render_value(&self, scope: &Scope) -> Result<serde_json::Value> {
        let Some(expression) = self.whole_expression() else {
            return self.render(scope).map(serde_json::Value::String);
        };
        let value = ENVIRONMENT
            .compile_expression(expression)
            .and_then(|compiled| compiled.eval(Serde(scope)))
            .map_err(|error| self.failed(&error))?;
        if value.is_undefined() {
            return Err(Error::new(ErrorKind::Config, format!("`{}` has no value here", self.0)));
        }
        serde_json::to_value(&value).map_err(|error| {
            Error::new(ErrorKind::Config, "a template has no JSON form").caused_by(error)
        })
    }

    fn whole_expression(&self) -> Option<&str> {
        let inner = self.0.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
    }

    fn failed(&self, error: &minijinja::Error) -> Error {
        Error::new(
            ErrorKind::Config,
            format!("the template `{}` failed: {}", self.0, reason(error)),
        )
    }
}

fn reason(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// A YAML value whose strings are templates.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplateValue {
    /// A string.
    Text(Template),
    /// A number, bool or null.
    Plain(serde_json::Value),
    /// A sequence.
    List(Vec<TemplateValue>),
    /// A mapping, in file order.
    Map(Vec<(String, TemplateValue)>),
}

impl TemplateValue {
    /// The value as declared, templates as their text.
    pub fn source(&self) -> serde_json::Value {
        match self {
            Self::Text(template) => template.source().into(),
            Self::Plain(value) => value.clone(),
            Self::List(items) => items.iter().map(Self::source).collect(),
            Self::Map(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, value)| (key.clone(), value.source())).collect(),
            ),
        }
    }

    /// The value for `scope`.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render(&self, scope: &Scope) -> Result<serde_json::Value> {
        match self {
            Self::Text(template) => template.render_value(scope),
            Self::Plain(value) => Ok(value.clone()),
            Self::List(items) => items.iter().map(|item| item.render(scope)).collect(),
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), value.render(scope)?)))
                .collect::<Result<serde_json::Map<_, _>>>()
                .map(serde_json::Value::Object),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        Scope::window("20260317T000000Z_20260318T000000Z".parse().expect("window"))
    }

    fn value(text: &str) -> serde_json::Value {
        TemplateValue::Text(Template::parse(text).expect(text)).render(&scope()).expect(text)
    }

    #[test]
    fn filters_read_instants() {
        assert_eq!(value("{{ window.start | unix }}"), json!(1_773_705_600));
        assert_eq!(value("{{ window.end | unix_ms }}"), json!(1_773_792_000_000_i64));
        assert_eq!(value("d={{ window.start | date }}"), json!("d=2026-03-17"));
        assert_eq!(value("{{ window.start | strftime('%d/%m/%Y') }}"), json!("17/03/2026"));
        assert_eq!(value("{{ window.end }}"), json!("2026-03-18T00:00:00Z"));
        assert_eq!(value("{{ window.date }}"), json!("2026-03-17"));
    }

    #[test]
    fn a_text_without_expressions_is_what_it_renders_to() {
        for text in
            ["", "/payments", "a } b %}", "{ a }", "#", "a\n", "a\n\n", "a\r\n", "\na", "{# a #}b"]
        {
            let rendered = ENVIRONMENT.render_str(text, Serde(&scope())).expect(text);
            let template = Template::parse(text).expect(text);
            assert_eq!(template.render(&scope()).expect(text), rendered, "{text:?}");
        }
    }

    #[test]
    fn undefined_names_are_errors() {
        assert_eq!(
            Template::parse("{{ windw.start }}").expect_err("error"),
            "undefined name `windw`, did you mean `window`?"
        );
        assert!(Template::parse("{{ window.begin }}").expect_err("error").contains("window.begin"));
        assert_eq!(
            Template::parse("{{ window.start | unixx }}").expect_err("error"),
            "undefined filter `unixx`, did you mean `unix`?"
        );
        assert!(Template::parse("{{ window.start").is_err());
        let cursor = Template::parse("/x/{{ cursor }}").expect("template");
        assert!(cursor.render(&scope()).is_err(), "a name without a value here is an error");
    }
}
