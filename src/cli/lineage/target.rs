//! Where events go: to a file, a line each, or to an endpoint over HTTP.

use std::os::unix::fs::FileTypeExt as _;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::redact::{SafeUrl, Secret};

/// One event, from its beginning to the endpoint's answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What OpenLineage's own clients append to the endpoint's URL.
const ENDPOINT: &str = "api/v1/lineage";

/// Where events go.
pub(super) enum Target {
    File(File),
    Http { client: Client, url: Url, key: Option<Secret> },
}

impl Target {
    /// Opens a file to append to, or readies what sends to a URL.
    pub(super) fn open(target: &str) -> Result<Self> {
        if !target.contains("://") {
            is_appendable(target)?;
            let file = std::fs::OpenOptions::new().create(true).append(true).open(target);
            let file = file.map_err(|error| {
                Error::new(ErrorKind::Usage, "could not open the file of --openlineage")
                    .with("file", target)
                    .caused_by(error)
            })?;
            return Ok(Self::File(File::from_std(file)));
        }
        let wrong = || {
            Error::new(ErrorKind::Usage, "--openlineage is no http or https URL, and no file")
                .hint("write http://marquez:5000, or the path of a file")
        };
        let base = Url::parse(target).map_err(|error| wrong().caused_by(error))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let endpoint = environment("OPENLINEAGE_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        let mut url = base.clone();
        url.set_path(&format!(
            "{}/{}",
            base.path().trim_end_matches('/'),
            endpoint.trim_start_matches('/')
        ));
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("lakeward/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Config, "could not ready the client of --openlineage")
                    .caused_by(error)
            })?;
        Ok(Self::Http { client, url, key: environment("OPENLINEAGE_API_KEY").map(Secret::new) })
    }

    /// Sends an event: whole on a line of the file, or taken by the endpoint.
    pub(super) async fn send(&mut self, event: &Value) -> Result<()> {
        let failed = |message: &str| Error::new(ErrorKind::Unexpected, message.to_owned());
        match self {
            Self::File(file) => {
                let line = format!("{event}\n");
                let written = async {
                    file.write_all(line.as_bytes()).await?;
                    file.flush().await
                };
                written
                    .await
                    .map_err(|error| failed("could not write to the file").caused_by(error))
            }
            Self::Http { client, url, key } => {
                let mut request = client
                    .post(url.clone())
                    .header("Content-Type", "application/json")
                    .body(event.to_string());
                if let Some(key) = key {
                    request = request.bearer_auth(key.expose());
                }
                let shown = SafeUrl::new(url);
                let sent = request.send().await.map_err(|error| {
                    failed("the endpoint does not answer")
                        .with("url", &shown)
                        .caused_by(error.without_url())
                })?;
                match sent.status() {
                    status if status.is_success() => Ok(()),
                    status => Err(failed("the endpoint refused it")
                        .with("url", &shown)
                        .with("status", status.as_u16())),
                }
            }
        }
    }
}

/// Refuses what is no file to append to, before it is opened: a pipe would wait for its reader.
fn is_appendable(target: &str) -> Result<()> {
    let (_, port) = target.rsplit_once(':').unwrap_or_default();
    let port = port.split('/').next().unwrap_or_default();
    if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Error::new(ErrorKind::Usage, "--openlineage names a host without http://")
            .hint("write http://marquez:5000, or the path of a file"));
    }
    let wrong = std::fs::metadata(target).is_ok_and(|found| {
        let kind = found.file_type();
        kind.is_dir() || kind.is_fifo() || kind.is_socket()
    });
    match wrong {
        true => Err(Error::new(ErrorKind::Usage, "--openlineage names no file to append to")
            .with("file", target)),
        false => Ok(()),
    }
}

/// A variable of the environment that is not empty.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
