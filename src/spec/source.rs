//! The source file: one API, how to reach it, and the streams it offers (DESIGN §3).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::page::Method;
use crate::spec::auth::{Auth, SecretRef};
use crate::spec::diagnostic::nearest;
use crate::spec::pagination::Pagination;
use crate::spec::pointer::Pointer;
use crate::spec::table::Table;
use crate::spec::template::{Template, TemplateValue};
use crate::spec::webhook::Webhook;

/// One API: everything that its source file declares, checked.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file it was read from.
    pub file: PathBuf,
    /// Its name, part of every window's name.
    pub name: String,
    /// The URL that every stream's `path` is appended to; none where all comes by webhooks.
    pub base_url: Option<Url>,
    /// How requests are authenticated.
    pub auth: Auth,
    /// Headers of every request, in file order.
    pub headers: Vec<(String, Template)>,
    /// Connection settings.
    pub http: Http,
    /// Proactive pacing.
    pub rate_limit: RateLimit,
    /// How often and how long a failed request is tried again.
    pub retry: Retry,
    /// The longest time between two checkpoints.
    pub checkpoint_every: Duration,
    /// The streams, in file order.
    pub streams: Vec<Arc<Stream>>,
    /// The endpoints that events are posted to, in file order.
    pub webhooks: Vec<Arc<Webhook>>,
}

impl Source {
    /// The URL that every stream's `path` is appended to.
    ///
    /// # Errors
    /// `Usage` where there is none, and so nothing to fetch.
    pub fn base_url(&self) -> Result<&Url> {
        self.base_url.as_ref().ok_or_else(|| {
            let message = format!("the source `{}` has no base_url to fetch from", self.name);
            Error::new(ErrorKind::Usage, message)
                .hint("its events come by webhooks: `lakeward serve` takes them, `lakeward land` lands them")
        })
    }

    /// The stream called `name`.
    ///
    /// # Errors
    /// `Usage` that names the nearest stream.
    pub fn find_stream(&self, name: &str) -> Result<&Arc<Stream>> {
        if let Some(stream) = self.streams.iter().find(|stream| stream.name == name) {
            return Ok(stream);
        }
        let names: Vec<&str> = self.streams.iter().map(|stream| stream.name.as_str()).collect();
        let meant = nearest(name, names.iter().copied());
        let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        let message = format!("the source `{}` has no stream `{name}`{meant}", self.name);
        Err(Error::new(ErrorKind::Usage, message)
            .hint(format!("its streams are: {}", names.join(", "))))
    }
}

/// Connection settings.
#[derive(Clone, Debug)]
pub struct Http {
    /// The whole request, from connecting to the body's last byte. Default 30 s.
    pub timeout: Duration,
    /// Connecting alone. Default 10 s.
    pub connect_timeout: Duration,
    /// PEM certificates to trust beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// The TLS client certificate.
    pub client_cert: Option<ClientCert>,
    /// An HTTP(S) or SOCKS proxy.
    pub proxy: Option<Proxy>,
    /// The largest inflated body. Default 64 MiB.
    pub max_page_bytes: u64,
    /// Hosts other than the base URL's that a redirect or a next URL may lead to, without credentials.
    pub allow_hosts: Vec<String>,
    /// `User-Agent`. Default `lakeward/<version>`.
    pub user_agent: String,
}

/// A TLS client certificate: PEM, with what it was issued by.
#[derive(Clone, Debug)]
pub struct ClientCert {
    /// The certificates' file.
    pub cert: PathBuf,
    /// The private key; where none is declared it is in the certificates' file.
    pub key: Option<SecretRef>,
}

/// The proxy that hosts outside `NO_PROXY` are reached by.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it is: `http`, `https`, `socks5`, or `socks5h`, which resolves names itself.
    pub url: Url,
    /// User name and password.
    pub auth: Option<(SecretRef, SecretRef)>,
}

/// Proactive pacing, shared by all windows and streams of a process.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Requests a second.
    pub per_second: Option<f64>,
    /// Requests a minute.
    pub per_minute: Option<f64>,
    /// The share of a quota that is left to others. Default 0.1.
    pub reserve: f64,
    /// This process's part of the limits, `1/N` as numerator and denominator. Default 1/1.
    pub share: (u32, u32),
    /// The longest wait for a quota. Default 15 min.
    pub max_wait: Duration,
    /// Where the limits are kept that several processes share.
    pub shared: Option<SharedPace>,
}

/// Limits that processes share, on whatever machine they are.
#[derive(Clone, Debug)]
pub struct SharedPace {
    /// The URL of a Redis, `redis://` or `rediss://`, with its credentials.
    pub redis: SecretRef,
    /// The name under which they share.
    pub key: String,
}

/// How often and how long a failed request is tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Tries in all, the first included. Default 5.
    pub max_attempts: u32,
    /// The longest wait between two tries. Default 60 s.
    pub max_wait: Duration,
}

/// One stream of records: a path, how it pages, and the table it lands in.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its name in the source file.
    pub name: String,
    /// The table's schema.
    pub table: Arc<Table>,
    /// Appended to the base URL.
    pub path: Template,
    /// The method of every request.
    pub method: Method,
    /// Query parameters of every request but a followed next URL, in file order.
    pub params: Vec<(String, TemplateValue)>,
    /// A JSON body, for `POST`.
    pub body: Option<TemplateValue>,
    /// How the body of a page is written.
    pub format: Format,
    /// Where the records stand in a page; empty for a body that is the array.
    pub records: Pointer,
    /// Where the API says how many records there are.
    pub total: Option<TotalFrom>,
    /// What follows when the total and the rows disagree.
    pub on_count_mismatch: OnCountMismatch,
    /// The timestamp or date field by which rows outside the window are dropped.
    pub clip: Option<String>,
    /// Statuses that mean "no records here".
    pub on_status: BTreeMap<u16, OnStatus>,
    /// A pointer that is present only in a body that reports an error.
    pub error: Option<Pointer>,
    /// How the next page is asked for.
    pub pagination: Pagination,
    /// Requests in flight at once, from 1 to 64. Default 1; more only of numbered pages with a total.
    pub concurrency: usize,
    /// Whether a refresh asks first if the pages have changed. Default no.
    pub conditional: bool,
    /// Whether its webhook events are kept in a table of their own beside that of their records. Default no.
    pub history: bool,
}

/// How the body of a page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    #[default]
    Json,
    /// A JSON value a line.
    Ndjson,
    /// Comma-separated values with a header: every record an object of strings.
    Csv,
}

impl Format {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Ndjson => "NDJSON",
            Self::Csv => "CSV",
        }
    }

    /// Its name in a source file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// Where the API says how many records there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TotalFrom {
    /// In the body.
    Body(Pointer),
    /// In a response header.
    Header(String),
}

/// What follows when the API's total and the rows disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCountMismatch {
    /// The window fails with exit 8.
    #[default]
    Fail,
    /// A warning in the log and the report.
    Warn,
}

/// What a status means instead of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStatus {
    /// A page without records.
    Empty,
}
