//! `lakeward man`: the manual pages, one a command, as packages carry them.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::args::Cli;
use crate::error::{Error, ErrorKind, Result};

/// Writes `lakeward.1`, `lakeward-extract.1` and so on into the folder, which is made where there is none.
pub(crate) fn run(dir: &Path) -> Result<u8> {
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir).map(drop));
    written.map_err(|error| {
        Error::new(ErrorKind::Usage, "could not write the manual pages")
            .with("folder", dir.display())
            .caused_by(error)
            .hint("name a folder that this user may write to, such as ~/.local/share/man/man1")
    })?;
    Ok(0)
}
