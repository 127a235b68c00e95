//! The demo's source, schema and token files, written where the reader can look at them.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// The source file; `BASE_URL` stands for the API's address.
const SOURCE: &str = include_str!("source.yaml");

/// The schema file.
const SCHEMA: &str = include_str!("schema.yaml");

/// What the embedded API takes for a bearer token. It guards made-up payments on loopback: the demo
/// has one to show where secrets go, not to keep anything in.
pub const TOKEN: &str = "demo-token-of-the-embedded-api";

/// Writes `source.yaml`, `schema.yaml` and `token` into `dir`, over those of an earlier demo, and
/// returns the source file's path. `base_url` is the running API's address.
///
/// # Errors
/// `Usage` when the folder or a file cannot be written.
pub fn write_files(dir: &Path, base_url: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(dir).map_err(|error| not_written(dir, error))?;
    let source = dir.join("source.yaml");
    write(&source, &SOURCE.replace("BASE_URL", base_url))?;
    write(&dir.join("schema.yaml"), SCHEMA)?;
    write(&dir.join("token"), &format!("{TOKEN}\n"))?;
    Ok(source)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| not_written(path, error))
}

fn not_written(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Usage, "could not write the demo's files")
        .with("path", path.display())
        .hint("run the demo in a folder that you may write to")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_source_that_names_the_api_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let source = write_files(&dir.path().join("demo"), "http://127.0.0.1:4000/v1").unwrap();
        let text = std::fs::read_to_string(&source).unwrap();
        assert!(text.contains("base_url: http://127.0.0.1:4000/v1\n"));
        assert!(!text.contains("BASE_URL") && !text.contains(TOKEN));
        assert!(source.with_file_name("schema.yaml").exists());
        assert_eq!(
            std::fs::read_to_string(source.with_file_name("token")).unwrap().trim_end(),
            TOKEN
        );
    }

    #[test]
    fn says_which_path_could_not_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("taken");
        std::fs::write(&file, "").unwrap();
        let error = write_files(&file, "http://127.0.0.1:1").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
    }
}
