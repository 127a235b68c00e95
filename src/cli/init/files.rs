//! The two files: written where none is, and checked.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::init::draft::Draft;
use crate::cli::init::render;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::check::check;

/// What was written.
pub(super) struct Written {
    /// The source file.
    pub(super) source: PathBuf,
    /// The schema file.
    pub(super) schema: PathBuf,
}

/// Refuses names in `dir` that are taken.
///
/// # Errors
/// `Usage` that names the file.
pub(super) fn refuse_existing(dir: &Path, names: &[&str]) -> Result<()> {
    let taken = names.iter().map(|name| at(dir, name)).find(|path| path.symlink_metadata().is_ok());
    taken.map_or(Ok(()), |path| Err(exists(&path)))
}

/// As people write it: without the `./` of this folder.
fn at(dir: &Path, name: &str) -> PathBuf {
    if dir == Path::new(".") { PathBuf::from(name) } else { dir.join(name) }
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Usage, format!("{} exists, and nothing is written over", path.display()))
        .hint("choose another NAME, --stream or --dir, or move the file away")
}

/// Writes both files, or neither.
///
/// # Errors
/// `Usage` where one exists or cannot be written; `Unexpected` where `check` would find something wrong with them.
pub(super) fn write(dir: &Path, draft: &Draft) -> Result<Written> {
    let (source, schema) = draft.files();
    refuse_existing(dir, &[&source, &schema])?;
    let written = Written { source: at(dir, &source), schema: at(dir, &schema) };
    if let Some(folder) = written.schema.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    }
    create(&written.schema, &render::schema(draft))?;
    let done = create(&written.source, &render::source(draft)).and_then(|()| {
        let found = check(&written.source);
        let Some(first) = found.first() else { return Ok(()) };
        let _ = std::fs::remove_file(&written.source);
        Err(Error::new(ErrorKind::Unexpected, format!("the draft does not pass `check`: {first}")))
    });
    if done.is_err() {
        let _ = std::fs::remove_file(&written.schema);
    }
    done.map(|()| written)
}

fn create(path: &Path, text: &str) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => unwritten(path, error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| unwritten(path, error))
}

fn unwritten(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Usage, format!("could not write {}", path.display()))
        .caused_by(error)
        .hint("name a folder that you may write to with --dir")
}
