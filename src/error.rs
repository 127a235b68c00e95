//! The one error type: a kind, a message, where it happened, what to do, and its cause.
//!
//! One type rather than one a module: an error crosses every layer on its way to the exit code, and
//! the only questions asked of it are "which exit code?" and "does it pass by itself?". Both are full
//! matches on [`ErrorKind`], so a new kind cannot be forgotten.

use std::fmt;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is; decides the exit code (DESIGN §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A defect of lakeward itself, or something nobody foresaw.
    Unexpected,
    /// The command line is wrong.
    Usage,
    /// A source or schema file, or a secret it names, is wrong.
    Config,
    /// The API refused the credentials or the permission.
    Credentials,
    /// The API refused the request or broke its contract.
    Api,
    /// A fault that is expected to pass outlasted the retries.
    Transient,
    /// A declared deadline or request budget was used up.
    Budget,
    /// The lake could not be read or written.
    Store,
    /// The drift policy or the reject limit was exceeded.
    Contract,
    /// The API's total and the rows disagree.
    Count,
    /// Another live run holds the window, or took it over.
    Held,
    /// SIGINT ended the run.
    Interrupted,
    /// SIGTERM ended the run.
    Terminated,
}

impl ErrorKind {
    /// The process exit code of this kind (DESIGN §6).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Usage | Self::Config => 2,
            Self::Credentials => 3,
            Self::Api => 4,
            Self::Transient | Self::Budget => 5,
            Self::Store => 6,
            Self::Contract => 7,
            Self::Count => 8,
            Self::Held => 9,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Whether the same command is expected to succeed later without a change.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Transient
            | Self::Budget
            | Self::Store
            | Self::Held
            | Self::Interrupted
            | Self::Terminated => true,
            Self::Unexpected
            | Self::Usage
            | Self::Config
            | Self::Credentials
            | Self::Api
            | Self::Contract
            | Self::Count => false,
        }
    }

    /// What to do about an error of this kind that gives no hint of its own.
    fn usual_hint(self) -> Option<&'static str> {
        match self {
            Self::Unexpected => {
                Some("this may be a defect of lakeward: please report it with the log")
            }
            Self::Usage => Some("`lakeward help` and `lakeward help COMMAND` show the form"),
            Self::Credentials => Some("check the secrets that the source's auth names"),
            Self::Api => Some(
                "compare the request and the answer with the API's documentation, then mend the source file; \
                 the API's owner can find the request by its id",
            ),
            Self::Transient | Self::Budget => Some("run the same command again later"),
            Self::Store => Some(
                "check that this user may read and write the lake and that there is space (on S3: the AWS_* variables), then run again",
            ),
            Self::Config
            | Self::Contract
            | Self::Count
            | Self::Held
            | Self::Interrupted
            | Self::Terminated => None,
        }
    }

    /// The kind's name in JSON reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Credentials => "credentials",
            Self::Api => "api",
            Self::Transient => "transient",
            Self::Budget => "budget",
            Self::Store => "store",
            Self::Contract => "contract",
            Self::Count => "count",
            Self::Held => "held",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }
}

/// What led to an error.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What happened, where, and what to do about it. Never holds a secret.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Cause>,
}

impl Error {
    /// An error of `kind`; the message is lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            source: None,
        }))
    }

    /// Adds where it happened: `.with("page", 12)`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Adds what the reader should do; shown after `hint:`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error with `change` made to each of its texts. A cause that it changes is a text from then on.
    #[must_use]
    pub fn rewritten(mut self, change: impl Fn(&str) -> String) -> Self {
        let inner = &mut *self.0;
        inner.message = change(&inner.message);
        inner.hint = inner.hint.as_deref().map(&change);
        for (_, value) in &mut inner.context {
            *value = change(value);
        }
        let mut texts = Vec::new();
        let mut cause = inner.source.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(error) = cause {
            texts.push(error.to_string());
            cause = error.source();
        }
        let said = texts.join(": ");
        let changed = change(&said);
        if changed != said {
            inner.source = Some(changed.into());
        }
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without context or cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the reader should do, if anything is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The error's own hint, or what usually helps with its kind.
    pub fn advice(&self) -> Option<&str> {
        self.hint_text().or_else(|| self.kind().usual_hint())
    }

    /// Where it happened, as key and value.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(k, v)| (*k, v.as_str()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut cause = self.0.source.as_deref().map(|c| c as &dyn std::error::Error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !self.0.message.contains(&text) {
                write!(f, ": {text}")?;
            }
            cause = error.source();
        }
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            let open = if index == 0 { " (" } else { ", " };
            write!(f, "{open}{key}: {value}")?;
        }
        if self.0.context.is_empty() {
            return Ok(());
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|c| c as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_message_cause_and_place_in_one_line() {
        let cause = std::io::Error::other("disk full");
        let error = Error::new(ErrorKind::Store, "could not write the manifest")
            .with("window", "w")
            .with("version", 3)
            .caused_by(cause);
        assert_eq!(
            error.to_string(),
            "could not write the manifest: disk full (window: w, version: 3)"
        );
        let error = error.hint("free the disk").rewritten(|text| text.replace("disk", "[..]"));
        assert_eq!(
            error.to_string(),
            "could not write the manifest: [..] full (window: w, version: 3)"
        );
        assert_eq!(error.hint_text(), Some("free the [..]"));
    }
}
