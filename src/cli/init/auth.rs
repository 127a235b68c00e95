//! `--auth`, and how credentials are declared.

use crate::error::{Error, ErrorKind, Result};
use crate::spec::scalar::yaml;

/// The value of `auth`, and what must be in the environment for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Auth {
    /// The value, as YAML.
    pub(crate) declared: String,
    /// The variables that hold the secrets.
    pub(crate) variables: Vec<String>,
}

impl Auth {
    /// No credentials.
    pub(crate) fn none() -> Self {
        Self { declared: "{ type: none }".to_owned(), variables: Vec::new() }
    }

    /// `Authorization: Bearer`.
    pub(crate) fn bearer(variable: &str) -> Self {
        Self::with("bearer", &[("token", variable)], None)
    }

    /// `Authorization: Basic`.
    pub(crate) fn basic(username: &str, password: &str) -> Self {
        Self::with("basic", &[("username", username), ("password", password)], None)
    }

    /// A key in the `place` `header` or `query`.
    pub(crate) fn api_key(place: &str, name: &str, variable: &str) -> Self {
        Self::with("api_key", &[("value", variable)], Some((place, name)))
    }

    /// An OAuth 2 client that gets its tokens at `token_url`.
    pub(crate) fn client(token_url: &str, id: &str, secret: &str) -> Self {
        Self::with(
            "oauth2_client_credentials",
            &[("client_id", id), ("client_secret", secret)],
            Some(("token_url", token_url)),
        )
    }

    fn with(kind: &str, secrets: &[(&str, &str)], place: Option<(&str, &str)>) -> Self {
        let mut keys = vec![format!("type: {kind}")];
        keys.extend(place.map(|(place, name)| format!("{place}: {}", yaml(name))));
        keys.extend(secrets.iter().map(|(key, name)| format!("{key}: {{ env: {} }}", yaml(name))));
        let variables = secrets.iter().map(|(_, name)| (*name).to_owned()).collect();
        Self { declared: format!("{{ {} }}", keys.join(", ")), variables }
    }

    /// Reads `--auth`. What it holds is not repeated: it may be a secret by mistake.
    ///
    /// # Errors
    /// `Usage` that shows the forms.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let auth = match parts.as_slice() {
            ["none"] => return Ok(Self::none()),
            ["bearer", token] => Self::bearer(token),
            ["basic", username, password] => Self::basic(username, password),
            [place @ ("header" | "query"), name, variable] if is_name(name) => {
                Self::api_key(place, name, variable)
            }
            _ => return Err(wrong("--auth has another form")),
        };
        if auth.variables.iter().all(|name| is_variable(name)) {
            return Ok(auth);
        }
        Err(wrong("--auth wants the names of environment variables, never a secret itself"))
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Usage, what).hint(
        "bearer:GATEWAY_TOKEN, basic:GATEWAY_USER:GATEWAY_PASSWORD, header:X-Api-Key:GATEWAY_KEY or query:api_key:GATEWAY_KEY",
    )
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The name of a variable for a secret of `source`: `GATEWAY_TOKEN`.
pub(crate) fn variable(source: &str, what: &str) -> String {
    let name: String = source
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let name =
        if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name };
    format!("{name}_{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_declared() {
        let declared = |text: &str| Auth::read(text).expect(text).declared;
        assert_eq!(declared("none"), "{ type: none }");
        assert_eq!(declared("bearer:T"), "{ type: bearer, token: { env: T } }");
        assert_eq!(
            declared("basic:U_1:P"),
            "{ type: basic, username: { env: U_1 }, password: { env: P } }"
        );
        assert_eq!(
            declared("header:X-Api-Key:K"),
            "{ type: api_key, header: X-Api-Key, value: { env: K } }"
        );
        assert_eq!(
            Auth::client("https://a.example/token", "I", "S").declared,
            r#"{ type: oauth2_client_credentials, token_url: "https://a.example/token", client_id: { env: I }, client_secret: { env: S } }"#
        );
        assert_eq!(variable("my-api", "TOKEN"), "MY_API_TOKEN");
        assert_eq!(variable("3pl", "KEY"), "_3PL_KEY");
    }

    #[test]
    fn a_secret_in_its_place_is_refused_and_not_repeated() {
        for text in
            ["bearer:hunter2", "bearer", "basic:hunter2", "query::K", "hunter2", "header:a b:K"]
        {
            let error = Auth::read(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(!format!("{error} {:?}", error.hint_text()).contains("hunter2"), "{error}");
        }
    }
}
