//! What `object_store` does not do on local disk: folders, and the files that killed writes left.

use std::io::ErrorKind as IoKind;
use std::path::Path as FsPath;

/// Runs file system calls where they block no other task.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(std::io::Error::other(e)))
}

/// Whether this user may make and remove files in `dir`; also an error on a file system that is read-only.
pub(super) fn may_write(dir: &FsPath) -> std::io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Whether `object_store` was writing a file of this name: it is moved to its own when it is whole.
pub(super) fn is_half_written(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()))
}

/// The names of the folders in `dir`, sorted; none where there is no such folder. Names that no lake gives are left out.
pub(super) fn names_of_dirs(dir: &FsPath) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == IoKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        // A link may lead to a folder: a lake is mounted in parts.
        let is_dir = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        names.extend(entry.file_name().into_string().ok().filter(|_| is_dir));
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) fn sweep_dir(dir: &FsPath, name_prefix: &str) -> std::io::Result<usize> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == IoKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let left_over = name
            .to_str()
            .is_some_and(|name| name.starts_with(name_prefix) && is_half_written(name));
        if left_over && entry.file_type()?.is_file() {
            match std::fs::remove_file(entry.path()) {
                Err(e) if e.kind() != IoKind::NotFound => return Err(e),
                _ => swept += 1,
            }
        }
    }
    Ok(swept)
}
