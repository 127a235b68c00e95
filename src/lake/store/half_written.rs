//! What killed writes left: on local disk `name#1` beside where `name` was to be, in a bucket an upload that nobody ends.
//! Readers and listings skip them.

use std::fs::{DirEntry, Metadata};
use std::io::ErrorKind as IoKind;
use std::path::Path as FsPath;

use super::disk::{blocking, is_half_written};
use super::open_uploads::OpenUpload;
use super::{Lake, Listed, Place, location};
use crate::error::Result;

/// An object that a write was to become; the write may also be under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfWritten {
    /// Where it stands: a local file `name#1`, or where the object of an upload was to be; its bytes so far, and when it was
    /// last written or begun.
    pub object: Listed,
    /// What the bucket calls the upload.
    upload: Option<String>,
}

impl HalfWritten {
    /// Where the object would be.
    pub fn becomes(&self) -> &str {
        let path = self.object.path.as_str();
        if self.is_upload() { path } else { path.rsplit_once('#').map_or(path, |(whole, _)| whole) }
    }

    /// Whether it is an upload of a bucket, whose parts stand nowhere.
    pub fn is_upload(&self) -> bool {
        self.upload.is_some()
    }
}

impl Lake {
    /// What is half written under the folder `prefix`, at any depth, by path.
    ///
    /// # Errors
    /// `Store` with the prefix.
    pub async fn half_written(&self, prefix: &str) -> Result<Vec<HalfWritten>> {
        let folder = location(prefix)?;
        let mut found = match &*self.place {
            Place::Local { root, .. } => {
                let (target, prefix_of) = (root.join(prefix), prefix.to_owned());
                let walked = blocking(move || {
                    let mut found = Vec::new();
                    walk(&target, &prefix_of, &mut found)?;
                    Ok(found)
                });
                let walked =
                    walked.await.map_err(|e| self.io_failed("could not list", prefix, e))?;
                walked.into_iter().map(|object| HalfWritten { object, upload: None }).collect()
            }
            Place::Bucket { uploads: Some(uploads), .. } => {
                let listed = uploads.list(&folder).await;
                let listed = listed
                    .map_err(|e| self.failed("could not list the open uploads", prefix, e))?;
                listed.into_iter().map(HalfWritten::from).collect()
            }
            Place::Bucket { uploads: None, .. } | Place::Memory => Vec::new(),
        };
        found.sort_unstable_by(|a: &HalfWritten, b| a.object.path.cmp(&b.object.path));
        Ok(found)
    }

    /// Deletes it; that it is already gone is fine.
    ///
    /// # Errors
    /// `Store` with the path.
    pub async fn delete_half_written(&self, left: &HalfWritten) -> Result<()> {
        let path = left.object.path.as_str();
        match (&*self.place, &left.upload) {
            (Place::Local { root, .. }, None) => {
                location(left.becomes())?;
                let target = root.join(path);
                let removed = blocking(move || match std::fs::remove_file(target) {
                    Err(e) if e.kind() == IoKind::NotFound => Ok(()),
                    other => other,
                });
                removed.await.map_err(|e| self.io_failed("could not delete", path, e))
            }
            (Place::Bucket { uploads: Some(uploads), .. }, Some(id)) => {
                let aborted = uploads.abort(&location(path)?, id).await;
                aborted.map_err(|e| self.failed("could not end an upload", path, e))
            }
            // Of another place than this lake.
            _ => Ok(()),
        }
    }
}

impl From<OpenUpload> for HalfWritten {
    fn from(upload: OpenUpload) -> Self {
        let OpenUpload { path, id, bytes, begun } = upload;
        Self { object: Listed { path, size: bytes, modified: begun }, upload: Some(id) }
    }
}

fn walk(dir: &FsPath, path: &str, found: &mut Vec<Listed>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == IoKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(meta) = metadata(&entry)? else { continue };
        let path = format!("{path}/{name}");
        if meta.is_dir() {
            walk(&entry.path(), &path, found)?;
        } else if meta.is_file() && is_half_written(name) {
            found.push(Listed { path, size: meta.len(), modified: meta.modified()?.into() });
        }
    }
    Ok(())
}

/// Of the entry itself, not of what a link leads to; `None` where it is gone by now.
fn metadata(entry: &DirEntry) -> std::io::Result<Option<Metadata>> {
    match entry.metadata() {
        Err(e) if e.kind() == IoKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
