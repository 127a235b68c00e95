//! A source with one stream, before it is text.

use crate::cli::init::auth::Auth;
use crate::cli::sample::columns::{Column, Columns};
use crate::cli::sample::envelope::RecordsAt;
use crate::cli::sample::guess::Guess;
use crate::spec::scalar::quoted;
use crate::spec::source::Format;

/// What it was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Nothing: every value is to be filled in.
    Nothing,
    /// This many records.
    Sample(usize),
    /// The schema of an OpenAPI operation.
    OpenApi,
}

/// A source with one stream.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The source's name.
    pub(crate) source: String,
    /// What it was drawn from.
    pub(crate) basis: Basis,
    /// The same in words, without a secret.
    pub(crate) origin: String,
    /// The base URL.
    pub(crate) base_url: String,
    /// Whether the base URL is known and not a stand-in.
    pub(crate) reachable: bool,
    /// How requests are authenticated.
    pub(crate) auth: Auth,
    /// The stream's and table's name.
    pub(crate) stream: String,
    /// The path.
    pub(crate) path: String,
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// A body for `POST`, as JSON.
    pub(crate) body: Option<String>,
    /// Query parameters.
    pub(crate) params: Vec<Param>,
    /// How pages are written.
    pub(crate) format: Format,
    /// Where things are in them.
    pub(crate) guess: Guess,
    /// The table.
    pub(crate) columns: Columns,
    /// What must be looked at before the files are used.
    pub(crate) warnings: Vec<String>,
}

/// A query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    /// Its name.
    pub(crate) name: String,
    /// Its value, as YAML.
    pub(crate) value: String,
    /// Whether it follows the window.
    pub(crate) windowed: bool,
    /// What it was before.
    pub(crate) note: Option<String>,
}

impl Param {
    /// A parameter with these values as they are.
    pub(crate) fn literal(name: &str, values: &[String]) -> Self {
        let value = match values {
            [only] => literal(only),
            all => {
                format!("[{}]", all.iter().map(|one| literal(one)).collect::<Vec<_>>().join(", "))
            }
        };
        Self { name: name.to_owned(), value, windowed: false, note: None }
    }

    /// A parameter that follows the window.
    pub(crate) fn windowed(name: &str, template: &str, note: String) -> Self {
        let value = quoted(template);
        Self { name: name.to_owned(), value, windowed: true, note: Some(note) }
    }
}

/// A text as YAML that stands for itself: what looks like a template is none.
pub(crate) fn literal(text: &str) -> String {
    if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
        return quoted(&format!("{{% raw %}}{text}{{% endraw %}}"));
    }
    let is_number = text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    if is_number { text.to_owned() } else { crate::spec::scalar::yaml(text) }
}

impl Draft {
    /// A draft of nothing, to be filled in by hand: it is valid, and reads no API that exists.
    pub(crate) fn blank(source: &str, stream: &str, auth: Auth) -> Self {
        let column = |name: &str, kind: &str, required: bool| Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            from: format!("/{name}"),
            required,
            known: Vec::new(),
            note: None,
        };
        let tokens = vec!["items".to_owned()];
        let records = Some(RecordsAt { tokens, others: Vec::new() });
        let guess = Guess { records, ..Guess::default() };
        Self {
            source: source.to_owned(),
            basis: Basis::Nothing,
            origin: "nothing: fill it in".to_owned(),
            base_url: PLACEHOLDER.to_owned(),
            reachable: false,
            auth,
            stream: stream.to_owned(),
            path: format!("/{stream}"),
            method: "GET",
            body: None,
            params: vec![
                Param {
                    name: "from".to_owned(),
                    value: quoted("{{ window.start | iso8601 }}"),
                    windowed: true,
                    note: Some("also: unix, unix_ms, date, strftime(fmt)".to_owned()),
                },
                Param {
                    name: "to".to_owned(),
                    value: quoted("{{ window.end | iso8601 }}"),
                    windowed: true,
                    note: None,
                },
            ],
            format: Format::Json,
            guess,
            columns: Columns {
                columns: vec![
                    column("id", "string", true),
                    column("created_at", "timestamp", true),
                    column("status", "string", false),
                ],
                primary_key: Some("id".to_owned()),
                partition_by: Some("created_at".to_owned()),
                version_by: None,
                left_out: 0,
            },
            warnings: vec![
                "nothing is known of the API: base_url, path, records, pagination and fields are to be filled in".to_owned(),
            ],
        }
    }

    /// Whether any parameter follows the window.
    pub(crate) fn is_windowed(&self) -> bool {
        self.params.iter().any(|param| param.windowed)
            || self.path.contains("{{ window")
            || self.body.as_ref().is_some_and(|body| body.contains("{{ window"))
    }

    /// The source file's name and the schema file's, in the folder of the draft.
    pub(crate) fn files(&self) -> (String, String) {
        (format!("{}.yaml", self.source), format!("schemas/{}.yaml", self.stream))
    }
}

/// The base URL where none is known.
pub(crate) const PLACEHOLDER: &str = "https://api.example.com/v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_stands_for_itself() {
        assert_eq!(literal("100"), "100");
        assert_eq!(literal("007"), "\"007\"");
        assert_eq!(literal("a b"), "\"a b\"");
        assert_eq!(literal("true"), "\"true\"");
        assert_eq!(literal("{{ x }}"), "\"{% raw %}{{ x }}{% endraw %}\"");
    }
}
