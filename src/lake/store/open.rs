//! Opening a lake: which kind of place a path or URL names, and whether it is there.

use std::io::ErrorKind as IoKind;
use std::path::Path as FsPath;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::open_uploads::{KeptClient, MAX_RETRIES, OpenUploads, RETRY_TIMEOUT};
use crate::lake::store::{Lake, Place, store_error};

impl Lake {
    /// Opens a lake to write to: a path, a `file://` URL or `s3://bucket/prefix`.
    ///
    /// A local folder is made if it is missing. S3 takes credentials, region and endpoint from the
    /// `AWS_*` environment. No request is sent; [`Lake::probe`] finds out whether it can be written.
    ///
    /// # Errors
    /// `Usage` for a URL that is not of these forms; `Store` for a path that is a file or cannot be made.
    pub fn open(lake: &str) -> Result<Self> {
        Self::at(lake, true)
    }

    /// Opens a lake to read from: like [`Lake::open`], but a missing local folder is an error.
    ///
    /// # Errors
    /// As [`Lake::open`]; `Store` where nothing is there.
    pub fn open_existing(lake: &str) -> Result<Self> {
        Self::at(lake, false)
    }

    fn at(lake: &str, make: bool) -> Result<Self> {
        // A Windows drive or a name with a colon is no URL: only `scheme://` is.
        if !lake.contains("://") {
            return Self::local(FsPath::new(lake), lake, make);
        }
        let wrong = |what: &str| {
            Error::new(ErrorKind::Usage, format!("the lake's URL {what}"))
                .hint("write a path, file:///path or s3://bucket/prefix")
        };
        let url = Url::parse(lake).map_err(|e| wrong("cannot be read").caused_by(e))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds credentials: set the AWS_* environment variables instead"));
        }
        match url.scheme() {
            "file" => {
                let path = url.to_file_path().map_err(|()| wrong("names no local path"))?;
                Self::local(&path, lake, make)
            }
            "s3" | "s3a" => Self::s3(&url),
            _ => Err(wrong("has a scheme other than file and s3")),
        }
    }

    fn local(path: &FsPath, shown: &str, make: bool) -> Result<Self> {
        let failed = |what: &str, e: std::io::Error| {
            Error::new(ErrorKind::Store, what).with("lake", shown).caused_by(e)
        };
        if path.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Usage, "the lake's path is empty"));
        }
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(Error::new(ErrorKind::Store, "the lake is a file, not a folder")
                    .with("lake", shown)
                    .hint("name a folder, or remove the file"));
            }
            Err(e) if e.kind() == IoKind::NotFound && make => {
                create_dirs(path).map_err(|e| failed("could not make the lake's folder", e))?;
            }
            Err(e) if e.kind() == IoKind::NotFound => {
                return Err(failed("there is no lake at this path", e)
                    .hint("check --lake; `lakeward extract` makes one"));
            }
            Err(e) => return Err(failed("could not look into the lake", e)),
        }
        let root =
            std::fs::canonicalize(path).map_err(|e| failed("could not look into the lake", e))?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(|e| store_error("could not open the lake", shown, e))?
            .with_fsync(true);
        let place = Place::Local { root, shown: shown.to_owned() };
        Ok(Self { store: Arc::new(store), place: Arc::new(place) })
    }

    fn s3(url: &Url) -> Result<Self> {
        let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the lake's URL names no bucket")
                .hint("write s3://bucket/prefix")
        })?;
        let shown = format!("s3://{bucket}{}", url.path().trim_end_matches('/'));
        let kept = KeptClient::default();
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(kept.clone())
            .with_retry(RetryConfig {
                max_retries: MAX_RETRIES,
                retry_timeout: RETRY_TIMEOUT,
                ..RetryConfig::default()
            });
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        builder = builder.with_region(region.clone());
        // A public bucket tells nobody of its uploads, and there are no credentials to ask with.
        let unsigned = builder.get_config_value(&AmazonS3ConfigKey::SkipSignature);
        let unsigned = unsigned.is_some_and(|unsigned| unsigned == "true");
        let store =
            builder.build().map_err(|e| store_error("could not open the lake", &shown, e))?;
        let prefix = Path::from_url_path(url.path()).map_err(|e| {
            Error::new(ErrorKind::Usage, "the lake's prefix cannot be read").caused_by(e)
        })?;
        let uploads = kept
            .take()
            .filter(|_| !unsigned)
            .map(|client| OpenUploads::new(store.clone(), prefix.clone(), region, client));
        let store: Arc<dyn ObjectStore> = if prefix.is_root() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, prefix))
        };
        Ok(Self { store, place: Arc::new(Place::Bucket { url: shown, uploads }) })
    }
}

/// Makes the folder with its parents, and makes them durable.
fn create_dirs(path: &FsPath) -> std::io::Result<()> {
    let path = std::path::absolute(path)?;
    let mut existing = path.as_path();
    while !existing.exists() {
        existing = existing.parent().unwrap_or(FsPath::new("/"));
    }
    std::fs::create_dir_all(&path)?;
    for dir in path.ancestors() {
        std::fs::File::open(dir)?.sync_all()?;
        if dir == existing {
            break;
        }
    }
    Ok(())
}
