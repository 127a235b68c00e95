//! One lake, on local disk or on S3, and the few operations that the publish protocol needs.
//!
//! Everything goes through `object_store`, so that both behave alike: a put is whole or absent, a
//! create-only put never replaces, and what was written is durable when the call returns (fsync of file and
//! directory on local disk).

use std::fmt;
use std::io::ErrorKind as IoKind;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use object_store::{PutMode, PutOptions, PutPayload};

use self::echoed::without_credentials;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::disk::{blocking, names_of_dirs, sweep_dir};
use crate::lake::store::open_uploads::OpenUploads;

mod disk;
mod echoed;
pub mod half_written;
mod open;
mod open_uploads;
mod pieces;
mod probe;

/// Deletes under way at once, of a folder in a bucket.
const DELETES_AT_ONCE: usize = 8;

/// A place that holds tables. Cheap to clone.
///
/// Paths are relative to it, with `/` between components of `[A-Za-z0-9._=-]`; anything else is refused, so
/// that no name from data or from a file can lead out of the lake.
#[derive(Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    place: Arc<Place>,
}

enum Place {
    Local {
        root: PathBuf,
        shown: String,
    },
    Bucket {
        url: String,
        /// Of a store that this library opened.
        uploads: Option<OpenUploads>,
    },
    Memory,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path, relative to the lake.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// Why a create-only put did not say that it created.
#[derive(Debug)]
pub enum CreateError {
    /// Something stands there. On S3 it may be our own object: a retried request meets what its first try
    /// wrote.
    Exists,
    /// It may or may not have landed: read it back.
    Unsure(Error),
}

impl Lake {
    /// A lake that lives and dies with the program: for tests, also those of programs that use this library.
    pub fn in_memory() -> Self {
        Self { store: Arc::new(InMemory::new()), place: Arc::new(Place::Memory) }
    }

    /// A lake on any store, shown as `url`: for stores that this library does not open by itself.
    pub fn on(store: Arc<dyn ObjectStore>, url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { store, place: Arc::new(Place::Bucket { url, uploads: None }) }
    }

    /// The lake as the user named it.
    pub fn describe(&self) -> &str {
        match &*self.place {
            Place::Local { shown, .. } => shown,
            Place::Bucket { url, .. } => url,
            Place::Memory => "memory://",
        }
    }

    /// Where `path` is for other programs: an absolute file path, or an `s3://` URL.
    pub fn url_of(&self, path: &str) -> String {
        match &*self.place {
            Place::Local { root, .. } => root.join(path).display().to_string(),
            Place::Bucket { url, .. } => format!("{url}/{path}"),
            Place::Memory => format!("memory://{path}"),
        }
    }

    /// Whether the lake is a folder of this machine's file system.
    pub fn is_local(&self) -> bool {
        matches!(&*self.place, Place::Local { .. })
    }

    /// Writes `path` unless something stands there.
    ///
    /// # Errors
    /// [`CreateError`]; neither kind says that nothing of ours is there.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<(), CreateError> {
        let location = location(path).map_err(CreateError::Unsure)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&location, PutPayload::from(bytes), options).await {
            Ok(_) => Ok(()),
            Err(StoreError::AlreadyExists { .. }) => Err(CreateError::Exists),
            Err(e) => Err(CreateError::Unsure(self.failed("could not create", path, e))),
        }
    }

    /// Writes `path`, replacing what stands there.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.put_payload(path, PutPayload::from(bytes)).await
    }

    pub(super) async fn put_payload(&self, path: &str, payload: PutPayload) -> Result<()> {
        let options = PutOptions::default();
        let put = self.store.put_opts(&location(path)?, payload, options).await;
        put.map(drop).map_err(|e| self.failed("could not write", path, e))
    }

    /// The store itself, for objects that are written piece by piece.
    pub(super) fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// The whole object, or `None` where there is none.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let got = match self.store.get(&location(path)?).await {
            Ok(got) => got,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(self.failed("could not read", path, e)),
        };
        got.bytes().await.map(Some).map_err(|e| self.failed("could not read", path, e))
    }

    /// The object's bytes from `range.start` to before `range.end`.
    ///
    /// # Errors
    /// `Store` with the path; also where there is no such object.
    pub async fn read_range(&self, path: &str, range: std::ops::Range<u64>) -> Result<Bytes> {
        let read = self.store.get_range(&location(path)?, range).await;
        read.map_err(|e| self.failed("could not read", path, e))
    }

    /// The object's size and age, or `None` where there is none.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn stat(&self, path: &str) -> Result<Option<Listed>> {
        match self.store.head(&location(path)?).await {
            Ok(meta) => Ok(Some(listed(meta))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("could not look at", path, e)),
        }
    }

    /// All objects under the folder `prefix` (`""` is the lake), at any depth, by path.
    ///
    /// Half-written local objects (`name#1`) are not listed.
    ///
    /// # Errors
    /// `Store` with the prefix.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let folder = folder(prefix)?;
        let found: Vec<_> = self
            .store
            .list(folder.as_ref())
            .try_collect()
            .await
            .map_err(|e| self.failed("could not list", prefix, e))?;
        let mut found: Vec<Listed> = found.into_iter().map(listed).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The names of the folders directly under `prefix` (`""` is the lake), sorted.
    ///
    /// # Errors
    /// `Store` with the prefix.
    pub async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = folder(prefix)?;
        if let Place::Local { root, .. } = &*self.place {
            // `object_store` asks for every entry's metadata, which is most of a window's cost in a table of many.
            let dir = root.join(prefix);
            let names = blocking(move || names_of_dirs(&dir)).await;
            return names.map_err(|e| self.io_failed("could not list", prefix, e));
        }
        let found = self.store.list_with_delimiter(folder.as_ref()).await;
        let found = found.map_err(|e| self.failed("could not list", prefix, e))?;
        let mut names: Vec<String> = found
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(ToOwned::to_owned))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes `path`; that it is already gone is fine.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.store.delete(&location(path)?).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("could not delete", path, e)),
        }
    }

    /// Deletes the folder `prefix` and all that is in it, half-written objects too.
    ///
    /// # Errors
    /// `Store` with the prefix; the lake itself is refused.
    pub async fn delete_all(&self, prefix: &str) -> Result<()> {
        location(prefix)?;
        if let Place::Local { root, .. } = &*self.place {
            let target = root.join(prefix);
            let removed = blocking(move || match std::fs::remove_dir_all(target) {
                Err(e) if e.kind() == IoKind::NotFound => Ok(()),
                other => other,
            });
            return removed.await.map_err(|e| self.io_failed("could not delete", prefix, e));
        }
        let objects = futures::stream::iter(self.list(prefix).await?.into_iter().map(Ok));
        objects
            .try_for_each_concurrent(DELETES_AT_ONCE, |object| async move {
                self.delete(&object.path).await
            })
            .await
    }

    /// Deletes the folder `prefix` if nothing is in it; a bucket has no empty folders.
    ///
    /// # Errors
    /// `Store` with the prefix, for anything but a folder that is absent or in use.
    pub async fn delete_empty_dir(&self, prefix: &str) -> Result<()> {
        location(prefix)?;
        let Place::Local { root, .. } = &*self.place else { return Ok(()) };
        let target = root.join(prefix);
        let removed = blocking(move || match std::fs::remove_dir(target) {
            Err(e) if matches!(e.kind(), IoKind::NotFound | IoKind::DirectoryNotEmpty) => Ok(()),
            other => other,
        });
        removed.await.map_err(|e| self.io_failed("could not delete", prefix, e))
    }

    /// Deletes what a killed write of an object of the folder left: local files named `…#1`, of which only
    /// those whose name begins with `name_prefix`. A bucket keeps none.
    ///
    /// Only for a folder, or a prefix, that the caller owns: a write that is under way loses its file.
    ///
    /// # Errors
    /// `Store` with the folder.
    pub async fn sweep(&self, dir: &str, name_prefix: &str) -> Result<usize> {
        location(dir)?;
        let Place::Local { root, .. } = &*self.place else { return Ok(0) };
        let (target, wanted) = (root.join(dir), name_prefix.to_owned());
        let swept = blocking(move || sweep_dir(&target, &wanted));
        swept.await.map_err(|e| self.io_failed("could not sweep", dir, e))
    }

    /// Moves an object: a rename on local disk, copy and delete on S3. May be repeated: with nothing at
    /// `from` and something at `to` it is done.
    ///
    /// # Errors
    /// `Store` with the path; also where neither is there.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        match self.store.rename(&location(from)?, &location(to)?).await {
            Ok(()) => Ok(()),
            Err(e @ StoreError::NotFound { .. }) => match self.stat(to).await? {
                Some(_) => Ok(()),
                None => Err(self.failed("could not move", from, e).with("to", to)),
            },
            Err(e) => Err(self.failed("could not move", from, e).with("to", to)),
        }
    }

    pub(super) fn failed(&self, what: &str, path: &str, error: StoreError) -> Error {
        store_error(what, &self.url_of(path), error)
    }

    fn io_failed(&self, what: &str, path: &str, error: std::io::Error) -> Error {
        Error::new(ErrorKind::Store, format!("{what} in the lake"))
            .with("path", self.url_of(path))
            .caused_by(error)
    }
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lake({})", self.describe())
    }
}

/// The longest text of a store's error that is shown: buckets answer with XML pages.
const MAX_CAUSE_CHARS: usize = 400;

/// A store's error as one of ours. `object_store` repeats each cause in the text of the error above it, so
/// the text of the topmost says all, once, and goes into one line.
fn store_error(what: &str, path: &str, error: StoreError) -> Error {
    let text = error.to_string();
    let hint = match &error {
        _ if text.contains("No space left on device") => {
            Some("free some space and run again: the window goes on from its last checkpoint")
        }
        _ if text.contains("NoSuchBucket") => {
            Some("make the bucket first, or check its name and AWS_ENDPOINT_URL")
        }
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            Some("check who may read and write there")
        }
        _ => None,
    };
    let text = without_credentials(&text);
    let cause = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cause: String = cause.chars().take(MAX_CAUSE_CHARS).collect();
    let error = Error::new(ErrorKind::Store, what.to_owned()).with("path", path).caused_by(cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn listed(meta: object_store::ObjectMeta) -> Listed {
    Listed { path: meta.location.to_string(), size: meta.size, modified: meta.last_modified }
}

fn folder(prefix: &str) -> Result<Option<Path>> {
    if prefix.is_empty() { Ok(None) } else { location(prefix).map(Some) }
}

/// Whether every component of a path is harmless on every store.
pub(in crate::lake) fn is_harmless(path: &str) -> bool {
    path.split('/').all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._=-".contains(&b))
    })
}

/// A path of the lake, refused unless every component is harmless on every store.
pub(super) fn location(path: &str) -> Result<Path> {
    if !is_harmless(path) {
        return Err(Error::new(ErrorKind::Store, "that is no path in a lake")
            .with("path", format!("{path:?}"))
            .hint("names are letters, digits, `.`, `_`, `=` and `-`"));
    }
    Ok(Path::from(path))
}

#[cfg(test)]
mod tests;
