//! Any text as a source file and as a schema file: never a panic, and an error that names the file.

use std::path::PathBuf;

use lakeward::spec::source::Source;
use lakeward::spec::table::Table;

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let name = format!("lakeward-fuzz-{}.yaml", std::process::id());
    let file: PathBuf = std::env::temp_dir().join(&name);
    std::fs::write(&file, bytes).expect("a file");
    for error in [Source::load(&file).err(), Table::load(&file).err()].into_iter().flatten() {
        assert!(error.to_string().contains(&name), "{error}");
    }
}
