//! The client against a scripted server: correct HTTP and broken, one reply a request.

mod ahead;
mod encodings;
mod ends;
mod faults;
mod formats;
mod http2;
mod logs;
mod origins;
mod proxies;
mod scripted;
mod signatures;
mod statuses;
mod tls;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;

use self::scripted::Server;
use crate::clock::FixedClock;
use crate::error::{Error, Result};
use crate::http::Stop;
use crate::http::client::Client;
use crate::http::pages::{Resume, pages};
use crate::page::{Cursor, Meter, Method, Page, Position};
use crate::spec::auth::{Auth, SecretRef};
use crate::spec::pagination::{ByCursor, ByOffset, ByPage, CursorFrom, CursorPlace, Pagination};
use crate::spec::pointer::Pointer;
use crate::spec::source::{Format, Http, OnCountMismatch, RateLimit, Retry, Source, Stream};
use crate::spec::table::{Compression, DriftPolicy, ParquetOptions, Table};
use crate::spec::template::{Template, TemplateValue};
use crate::window::Window;

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).expect(text)
}

fn by_cursor() -> ByCursor {
    ByCursor {
        cursor: CursorFrom::Body(vec![pointer("/cursor"), pointer("/next_cursor")]),
        param: "cursor".into(),
        place: CursorPlace::Query,
        has_more: Some(pointer("/has_more")),
    }
}

fn by_page() -> ByPage {
    ByPage {
        param: "page".into(),
        first: 1,
        size_param: Some("size".into()),
        size: Some(3),
        has_more: Some(pointer("/has_more")),
        short_page_ends: false,
    }
}

fn by_offset() -> ByOffset {
    ByOffset {
        param: "offset".into(),
        limit_param: "limit".into(),
        limit: Some(3),
        has_more: Some(pointer("/has_more")),
        short_page_ends: false,
    }
}

/// A secret in a file that lasts as long as the test run.
fn secret(text: &str) -> SecretRef {
    let (_, path) = tempfile::NamedTempFile::new().expect("file").keep().expect("kept");
    std::fs::write(&path, text).expect("write");
    SecretRef::File(path)
}

/// A clock on which ten seconds pass from one look to the next.
#[derive(Debug, Default)]
struct Hurried(std::sync::atomic::AtomicI64);

impl crate::clock::Clock for Hurried {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        let looks = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        chrono::DateTime::from_timestamp(1_773_000_000 + 10 * looks, 0).expect("instant")
    }
}

/// A run over a scripted server: what is declared, where it begins, what it cost.
struct Run {
    source: Source,
    stream: Stream,
    from: Resume,
    meter: Arc<Meter>,
    stop: Stop,
}

impl Run {
    fn new(server: &Server, pagination: Pagination) -> Self {
        let http = Http {
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            ca_bundle: None,
            client_cert: None,
            proxy: None,
            max_page_bytes: 64 * 1024 * 1024,
            allow_hosts: Vec::new(),
            user_agent: "lakeward/test".into(),
        };
        let source = Source {
            file: "source.yaml".into(),
            name: "gateway".into(),
            base_url: Some(format!("{}/v1", server.url()).parse().expect("url")),
            auth: Auth::None,
            headers: Vec::new(),
            http,
            rate_limit: RateLimit {
                per_second: None,
                per_minute: None,
                reserve: 0.1,
                share: (1, 1),
                max_wait: Duration::from_secs(900),
                shared: None,
            },
            retry: Retry { max_attempts: 3, max_wait: Duration::from_millis(20) },
            checkpoint_every: Duration::from_secs(30),
            streams: Vec::new(),
            webhooks: Vec::new(),
        };
        Self {
            source,
            stream: stream(pagination),
            from: Resume::start(),
            meter: Arc::default(),
            stop: Stop::new(),
        }
    }

    async fn results(&self) -> Vec<Result<Page>> {
        let now = "2026-03-19T00:00:00Z".parse().expect("instant");
        let client = Client::new(&self.source, Arc::new(FixedClock(now))).expect("client");
        self.with(client).await
    }

    async fn with(&self, client: Client) -> Vec<Result<Page>> {
        let window: Window = "20260317T000000Z_20260318T000000Z".parse().expect("window");
        let stream = Arc::new(self.stream.clone());
        let (from, meter) = (self.from.clone(), Arc::clone(&self.meter));
        pages(client, stream, window, from, meter, self.stop.clone()).collect().await
    }

    /// All pages of a run that succeeds.
    async fn pages(&self) -> Vec<Page> {
        self.results().await.into_iter().map(|page| page.expect("page")).collect()
    }

    /// The pages' records' texts and the error that ends a run.
    async fn failed(&self) -> (Vec<Page>, Error) {
        let mut results = self.results().await;
        let error = results.pop().expect("an item").expect_err("the last item is an error");
        (results.into_iter().map(|page| page.expect("page")).collect(), error)
    }
}

fn stream(pagination: Pagination) -> Stream {
    let template = |text: &str| TemplateValue::Text(Template::parse(text).expect(text));
    Stream {
        name: "items".into(),
        table: Arc::new(table()),
        path: Template::parse("/items").expect("path"),
        method: Method::Get,
        params: vec![("from".into(), template("{{ window.start | unix }}"))],
        body: None,
        format: Format::Json,
        records: pointer("/items"),
        total: None,
        on_count_mismatch: OnCountMismatch::Fail,
        clip: None,
        on_status: BTreeMap::new(),
        error: None,
        pagination,
        concurrency: 1,
        conditional: false,
        history: false,
    }
}

/// A table that no test here looks at.
fn table() -> Table {
    Table {
        file: "items.yaml".into(),
        name: "items".into(),
        primary_key: Vec::new(),
        version_by: None,
        partition_by: None,
        partition_column: "date".into(),
        raw_column: None,
        reject_limit: 0.05,
        drift: DriftPolicy::default(),
        fields: Vec::new(),
        parquet: ParquetOptions {
            compression: Compression::Uncompressed,
            row_group: Some(1),
            open_partitions: 32,
            target_file_bytes: 1,
        },
    }
}

fn texts(page: &Page) -> Vec<&str> {
    let body = std::str::from_utf8(&page.body).expect("text");
    page.records.iter().map(|span| &body[span.clone()]).collect()
}

fn all_texts(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(texts).collect()
}

fn token(text: &str) -> Option<Cursor> {
    Some(Cursor::Token { token: text.into() })
}
