//! The source file as it is written (DESIGN §3).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::spec::declared::auth::{Auth, Secret};
use crate::spec::declared::header::FromHeader;
use crate::spec::declared::ordered::Ordered;
use crate::spec::declared::pagination::Pagination;
use crate::spec::declared::webhook::Webhook;

/// A source file of lakeward: one API, how to reach it, and the streams of records it offers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lakeward source file")]
pub(crate) struct SourceFile {
    /// The version of this file's format, which is 1.
    #[schemars(required, extend("const" = 1))]
    #[expect(dead_code, reason = "the shape's check holds it to its constant")]
    pub(crate) version: Option<u64>,
    /// The API's name: part of every window's name, made of letters, digits, `_` and `-`.
    #[schemars(required, regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub(crate) source: Option<String>,
    /// The http or https URL that every stream's path is appended to. Needed unless all events come by `webhooks`.
    #[schemars(regex(pattern = "^https?://"))]
    pub(crate) base_url: Option<String>,
    /// How requests are authenticated. Default none.
    pub(crate) auth: Option<Auth>,
    /// Headers of every request; values may hold templates such as `{{ window.date }}`.
    pub(crate) headers: Option<Ordered<String>>,
    /// Connection settings.
    pub(crate) http: Option<Http>,
    /// The most that is asked of the API by all streams and windows together. No limit unless declared.
    pub(crate) rate_limit: Option<RateLimit>,
    /// How often and how long a failed request is tried again.
    pub(crate) retry: Option<Retry>,
    /// The longest time between two checkpoints, such as `30s`. Default 30s.
    #[schemars(extend("examples" = ["30s"]))]
    pub(crate) checkpoint_every: Option<String>,
    /// The streams by name; a name is made of letters, digits, `_` and `-`.
    #[schemars(required)]
    pub(crate) streams: Option<Ordered<Stream>>,
    /// Endpoints that the API posts its events to, by name; a name is made of letters, digits, `_` and `-`.
    pub(crate) webhooks: Option<Ordered<Webhook>>,
}

/// Connection settings.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    /// The longest that one request may take, its body included. Default 30s.
    #[schemars(extend("examples" = ["30s"]))]
    pub(crate) timeout: Option<String>,
    /// The longest that connecting may take. Default 10s.
    #[schemars(extend("examples" = ["10s"]))]
    pub(crate) connect_timeout: Option<String>,
    /// A PEM file of certificates to trust beside the system's, relative to this file.
    pub(crate) ca_bundle: Option<String>,
    /// The certificate that is shown to the API and to its token endpoint, and to nobody else.
    pub(crate) client_cert: Option<ClientCert>,
    /// The URL of an http, https, socks5 or socks5h (the proxy resolves names) proxy, without credentials. Default: what
    /// HTTPS_PROXY, HTTP_PROXY and ALL_PROXY say. Hosts in NO_PROXY are reached without it.
    #[schemars(extend("examples" = ["http://proxy.example.com:3128"]))]
    pub(crate) proxy: Option<String>,
    /// What `proxy` asks for.
    pub(crate) proxy_auth: Option<ProxyAuth>,
    /// The largest page after decompression, such as `64MiB`. Default 64MiB.
    pub(crate) max_page_bytes: Option<Size>,
    /// Other hosts that a redirect or a next URL may lead to; credentials are never sent there.
    pub(crate) allow_hosts: Option<Vec<String>>,
    /// The User-Agent header. Default `lakeward/<version>`.
    pub(crate) user_agent: Option<String>,
}

/// A TLS client certificate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCert {
    /// A PEM file of the certificate and those that it was issued by, relative to this file.
    #[schemars(required)]
    pub(crate) cert: Option<String>,
    /// Where its private key is found, in PEM, not encrypted. Default: in the file of `cert`.
    pub(crate) key: Option<Secret>,
}

/// What a proxy asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyAuth {
    /// Where the user name is found.
    #[schemars(required)]
    pub(crate) username: Option<Secret>,
    /// Where the password is found.
    #[schemars(required)]
    pub(crate) password: Option<Secret>,
}

/// The most that is asked of the API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimit {
    /// Requests a second; may have a fraction.
    pub(crate) per_second: Option<f64>,
    /// Requests a minute; may have a fraction.
    pub(crate) per_minute: Option<f64>,
    /// The share of a quota that is left to others, from 0 to below 1. Default 0.1.
    pub(crate) reserve: Option<f64>,
    /// The part of the limits that belongs to this run, `1/N`, where N runs share them. Default 1/1.
    #[schemars(regex(pattern = "^1/[1-9][0-9]*$"), extend("examples" = ["1/2"]))]
    pub(crate) share: Option<String>,
    /// The longest wait for a quota; beyond it the run saves a checkpoint and ends. Default 15m.
    #[schemars(extend("examples" = ["60s"]))]
    pub(crate) max_wait: Option<String>,
    /// Keeps the limits for several runs at once, on whatever machine they are: then all of them together keep to
    /// `per_second` and `per_minute`, and a wait that the API asks of one is kept by all. While it is away each run keeps
    /// to its `share`.
    pub(crate) shared: Option<SharedPace>,
}

/// Limits that several runs share.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharedPace {
    /// Where the URL of a Redis is found: redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS.
    #[schemars(required)]
    pub(crate) redis: Option<Secret>,
    /// The name under which they share: runs of other names do not meet.
    #[schemars(required, regex(pattern = "^[A-Za-z0-9._-]{1,100}$"), extend("examples" = ["gateway"]))]
    pub(crate) key: Option<String>,
}

/// How often and how long a failed request is tried again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// Tries in all, the first included. Default 5.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_attempts: Option<u32>,
    /// The longest wait between two tries. Default 60s.
    #[schemars(extend("examples" = ["60s"]))]
    pub(crate) max_wait: Option<String>,
}

/// One stream of records: a path, how it pages, and the table it lands in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    /// The schema file of the table, relative to this file.
    #[schemars(required)]
    pub(crate) schema: Option<String>,
    /// What is appended to the base URL; may hold templates. Needed where there is a base URL.
    pub(crate) path: Option<String>,
    /// The method of every request. Default GET.
    pub(crate) method: Option<Method>,
    /// Query parameters; text may hold templates such as `{{ window.start | unix }}`, a list repeats its key. A pagination parameter of the same name wins.
    pub(crate) params: Option<Ordered<Param>>,
    /// A JSON body, for POST; every text in it may hold templates.
    pub(crate) body: Option<Value>,
    /// How the body of a page is written. Default json.
    pub(crate) format: Option<Format>,
    /// The JSON Pointer (RFC 6901) of the records in a page; empty where the body is the list of records. Needed where there is a base URL.
    pub(crate) records: Option<String>,
    /// Where the API says how many records there are: a JSON Pointer or a header.
    pub(crate) total: Option<Total>,
    /// What follows when that number and the rows disagree. Default fail.
    pub(crate) on_count_mismatch: Option<OnCountMismatch>,
    /// The field by which rows outside the window are dropped and counted, for an API whose end is inclusive.
    pub(crate) clip: Option<String>,
    /// Statuses that mean something else than usual, such as `404: empty`.
    pub(crate) on_status: Option<Ordered<OnStatus>>,
    /// The JSON Pointer of what only a body that reports an error has.
    pub(crate) error: Option<String>,
    /// How the next page is asked for. Default none: one page.
    pub(crate) pagination: Option<Pagination>,
    /// Requests in flight at once, of page numbers or offsets with a `total`. Default 1.
    #[schemars(range(min = 1, max = 64))]
    pub(crate) concurrency: Option<u8>,
    /// Whether a refresh asks by ETag and Last-Modified if the pages have changed, and leaves a window alone that has not. GET only. Default false.
    pub(crate) conditional: Option<bool>,
    /// Whether the events that webhooks bring of the stream are kept as they came in a table beside its own, `<table>_events`. Default false.
    pub(crate) history: Option<bool>,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    /// A request without a body.
    Get,
    /// A request with a JSON body.
    Post,
}

/// How the body of a page is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// One JSON document.
    Json,
    /// A JSON value a line; the body is the list of records.
    Ndjson,
    /// Comma-separated values with a header; every record is an object of strings.
    Csv,
}

/// What follows when the API's total and the rows disagree.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnCountMismatch {
    /// The window fails with exit 8.
    Fail,
    /// A warning in the log and in the report.
    Warn,
}

/// What a status means instead.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnStatus {
    /// A page without records.
    Empty,
}

/// Where the API says how many records there are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Total {
    /// A JSON Pointer into the body.
    Body(String),
    /// A response header.
    Header(FromHeader),
}

/// A number of bytes: a whole number, or text with a unit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Size {
    /// Bytes.
    Bytes(u64),
    /// A number and a unit, such as `64MiB`.
    Text(String),
}

/// The value of a query parameter: text with templates, a number, true or false, or a list of those.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Param(pub(crate) Value);

impl JsonSchema for Param {
    fn schema_name() -> Cow<'static, str> {
        "Param".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Text with templates, a number, true or false, or a list of those, which repeats the key.",
            "type": ["string", "number", "boolean", "array"],
            "items": { "type": ["string", "number", "boolean"] }
        })
    }
}
