//! The uploads of a bucket that were begun and not ended: a process that was killed leaves its own, and their parts are
//! paid for. `object_store` ends an upload but lists none, so the two lists are asked for here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpRequestBody,
    ReqwestConnector,
};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{Error as StoreError, Result as StoreResult};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Tries after the first, for one request to a bucket.
pub(super) const MAX_RETRIES: usize = 5;
/// From a request's first try to its last.
pub(super) const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// For a signed URL of which only the place is used.
const SIGNED_FOR: Duration = Duration::from_secs(1);
/// The wait before the second try; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Refusals that have nothing to do with what was asked for.
const OF_THE_CALLER: [&str; 5] = [
    "ExpiredToken",
    "InvalidToken",
    "InvalidAccessKeyId",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// One upload that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenUpload {
    /// Of the object that it was to become, relative to the lake.
    pub(super) path: String,
    /// What the bucket calls it.
    pub(super) id: String,
    /// Bytes of its parts so far.
    pub(super) bytes: u64,
    pub(super) begun: DateTime<Utc>,
}

/// A bucket, asked for its open uploads.
#[derive(Debug)]
pub(super) struct OpenUploads {
    bucket: AmazonS3,
    /// The lake's place in the bucket.
    prefix: Path,
    region: String,
    client: HttpClient,
}

impl OpenUploads {
    /// Of the lake at `prefix`; `client` is the one that the bucket itself is asked with.
    pub(super) fn new(bucket: AmazonS3, prefix: Path, region: String, client: HttpClient) -> Self {
        Self { bucket, prefix, region, client }
    }

    /// Those of objects under the lake's folder `folder`. A bucket that does not tell has none, and a warning says so.
    pub(super) async fn list(&self, folder: &Path) -> StoreResult<Vec<OpenUpload>> {
        let below = format!("{}/", self.key(folder));
        let mut query = vec![("uploads", String::new()), ("prefix", below)];
        let mut found = Vec::new();
        loop {
            let page: UploadsPage = match self.ask(&Path::default(), &query).await? {
                Answer::Page(page) => page,
                Answer::Refused { status, code } => {
                    tracing::warn!(
                        status,
                        code,
                        "the bucket does not list its open uploads, so those of killed runs are not among what is named: \
                         allow s3:ListBucketMultipartUploads, or have a lifecycle rule end them"
                    );
                    break;
                }
            };
            for upload in page.uploads {
                found.extend(self.sized(upload).await?);
            }
            let next = [("key-marker", page.next_key), ("upload-id-marker", page.next_id)];
            let next = next.map(|(name, marker)| (name, marker.unwrap_or_default()));
            // A marker that does not move would be asked for without end.
            if !page.is_truncated || query.ends_with(&next) || next[0].1.is_empty() {
                break;
            }
            query.truncate(2);
            query.extend(next);
        }
        Ok(found)
    }

    /// Ends an upload, whose parts are gone then; that it is already ended is fine.
    pub(super) async fn abort(&self, path: &Path, id: &str) -> StoreResult<()> {
        match self.bucket.abort_multipart(&self.key(path), &id.to_owned()).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    fn key(&self, path: &Path) -> Path {
        self.prefix.parts().chain(path.parts()).collect()
    }

    /// The upload with the bytes of its parts; `None` where it has been ended meanwhile, and for a key that is no path.
    async fn sized(&self, upload: UploadElement) -> StoreResult<Option<OpenUpload>> {
        let Ok(key) = Path::parse(&upload.key) else { return Ok(None) };
        let Some(path) = key.prefix_match(&self.prefix) else { return Ok(None) };
        let path = path.collect::<Path>().to_string();
        let mut query = vec![("uploadId", upload.id.clone())];
        let mut bytes = 0_u64;
        loop {
            let page: PartsPage = match self.ask(&key, &query).await? {
                Answer::Page(page) => page,
                Answer::Refused { status: 404, .. } => return Ok(None),
                Answer::Refused { status, code } => {
                    tracing::warn!(status, code, key = %key, "the bucket does not tell the size of an open upload: allow s3:ListMultipartUploadParts");
                    break;
                }
            };
            bytes = page.parts.iter().fold(bytes, |sum, part| sum.saturating_add(part.bytes));
            let next = ("part-number-marker", page.next.unwrap_or_default());
            if !page.is_truncated || next.1.is_empty() || query.last() == Some(&next) {
                break;
            }
            query.truncate(1);
            query.push(next);
        }
        Ok(Some(OpenUpload { path, id: upload.id, bytes, begun: upload.begun }))
    }

    /// Asks, and again where the fault may pass: the store's own retries are only of its own requests.
    async fn ask<T: DeserializeOwned>(
        &self,
        key: &Path,
        query: &[(&'static str, String)],
    ) -> StoreResult<Answer<T>> {
        let (started, mut wait) = (Instant::now(), FIRST_WAIT);
        for _ in 0..MAX_RETRIES {
            match self.ask_once(key, query).await? {
                Asked::Answered(answer) => return Ok(answer),
                Asked::Passing(error) if started.elapsed() > RETRY_TIMEOUT => return Err(error),
                Asked::Passing(_) => tokio::time::sleep(wait).await,
            }
            wait = wait.saturating_mul(2);
        }
        match self.ask_once(key, query).await? {
            Asked::Answered(answer) => Ok(answer),
            Asked::Passing(error) => Err(error),
        }
    }

    async fn ask_once<T: DeserializeOwned>(
        &self,
        key: &Path,
        query: &[(&'static str, String)],
    ) -> StoreResult<Asked<T>> {
        let request = self.signed(key, query).await?;
        let received = async {
            let response = self.client.execute(request).await?;
            Ok::<_, HttpError>((response.status(), response.into_body().bytes().await?))
        };
        let (status, body) = match received.await {
            Ok(received) => received,
            Err(error) => return Ok(Asked::Passing(failed(error))),
        };
        let text = String::from_utf8_lossy(&body);
        match status.as_u16() {
            _ if status.is_success() => {
                let page = quick_xml::de::from_str(&text).map_err(failed)?;
                Ok(Asked::Answered(Answer::Page(page)))
            }
            status @ (400..=407 | 409..=428 | 430..=499 | 501) => {
                let code = quick_xml::de::from_str(&text).map(|error: ErrorPage| error.code);
                let code = code.unwrap_or_default();
                if OF_THE_CALLER.contains(&code.as_str()) {
                    return Err(failed(format!("the bucket answered {status}: {text}")));
                }
                Ok(Asked::Answered(Answer::Refused { status, code }))
            }
            status => Ok(Asked::Passing(failed(format!("the bucket answered {status}: {text}")))),
        }
    }

    /// Signed in its headers: in the URL, logs and error pages on the way would repeat the session's token.
    async fn signed(
        &self,
        key: &Path,
        query: &[(&'static str, String)],
    ) -> StoreResult<HttpRequest> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        // The store knows its endpoint and how it names its buckets; it tells so only in a URL that it signs.
        let method = request.method().clone();
        let mut url = self.bucket.signed_url(method, key, SIGNED_FOR).await?;
        url.query_pairs_mut().clear().extend_pairs(query);
        *request.uri_mut() = url.as_str().parse().map_err(failed)?;
        let credential = self.bucket.credentials().get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        Ok(request)
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Generic { store: "S3", source: source.into() }
}

enum Asked<T> {
    Answered(Answer<T>),
    /// The same request may be answered later.
    Passing(StoreError),
}

enum Answer<T> {
    Page(T),
    /// The bucket does not tell this, to us or to anybody.
    Refused {
        status: u16,
        code: String,
    },
}

/// The body of an error.
#[derive(Deserialize)]
struct ErrorPage {
    #[serde(rename = "Code")]
    code: String,
}

/// ListMultipartUploads of the Amazon S3 API reference, as far as it is needed.
#[derive(Deserialize)]
struct UploadsPage {
    #[serde(rename = "Upload", default)]
    uploads: Vec<UploadElement>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextKeyMarker")]
    next_key: Option<String>,
    #[serde(rename = "NextUploadIdMarker")]
    next_id: Option<String>,
}

#[derive(Deserialize)]
struct UploadElement {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    #[serde(rename = "Initiated")]
    begun: DateTime<Utc>,
}

/// ListParts, likewise.
#[derive(Deserialize)]
struct PartsPage {
    #[serde(rename = "Part", default)]
    parts: Vec<PartElement>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextPartNumberMarker")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct PartElement {
    #[serde(rename = "Size")]
    bytes: u64,
}

/// Makes the client of a bucket, and keeps it: the environment's timeouts, proxy and certificates are in it.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptClient(Arc<Mutex<Option<HttpClient>>>);

impl KeptClient {
    /// The client that was made last. That of the bucket is made behind those that get credentials.
    pub(super) fn take(&self) -> Option<HttpClient> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpConnector for KeptClient {
    fn connect(&self, options: &ClientOptions) -> StoreResult<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

#[cfg(test)]
mod tests;
