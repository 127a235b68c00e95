//! The local files that killed writes left: `name#1` beside where `name` was to be. Readers and listings skip them.

use std::fs::{DirEntry, Metadata};
use std::io::ErrorKind as IoKind;
use std::path::Path as FsPath;

use super::disk::{blocking, is_half_written};
use super::{Lake, Listed, Place, location};
use crate::error::{Error, ErrorKind, Result};

impl Lake {
    /// The half-written files under the folder `prefix`, at any depth, by path. A bucket has none that can be listed.
    ///
    /// # Errors
    /// `Store` with the prefix.
    pub async fn half_written(&self, prefix: &str) -> Result<Vec<Listed>> {
        location(prefix)?;
        let Place::Local { root, .. } = &*self.place else { return Ok(Vec::new()) };
        let (target, prefix_of) = (root.join(prefix), prefix.to_owned());
        let walked = blocking(move || {
            let mut found = Vec::new();
            walk(&target, &prefix_of, &mut found)?;
            found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            Ok(found)
        });
        walked.await.map_err(|e| self.io_failed("could not list", prefix, e))
    }

    /// Deletes a half-written file; that it is already gone is fine.
    ///
    /// # Errors
    /// `Store` with the path; also for a path of any other kind.
    pub async fn delete_half_written(&self, path: &str) -> Result<()> {
        let (whole, _) = path.rsplit_once('#').unwrap_or((path, ""));
        location(whole)?;
        let Place::Local { root, .. } = &*self.place else { return Ok(()) };
        if !is_half_written(path) {
            return Err(Error::new(ErrorKind::Store, "that is no half-written file")
                .with("path", self.url_of(path)));
        }
        let target = root.join(path);
        let removed = blocking(move || match std::fs::remove_file(target) {
            Err(e) if e.kind() == IoKind::NotFound => Ok(()),
            other => other,
        });
        removed.await.map_err(|e| self.io_failed("could not delete", path, e))
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
