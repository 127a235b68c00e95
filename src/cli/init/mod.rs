//! `lakeward init`: a source file and a schema file, from a URL, a saved response, an OpenAPI document, or nothing.

mod auth;
mod draft;
mod file;
mod files;
mod fit;
mod from_sample;
mod openapi;
mod render;
mod report;
mod url;
mod wanted;
mod windows;

use std::path::Path;

use crate::cli::args::InitArgs;
use crate::cli::init::auth::Auth;
use crate::cli::init::draft::Draft;
use crate::cli::init::wanted::{Drawn, Wanted};
use crate::cli::render::out;
use crate::cli::sample::names::path_name;
use crate::error::{Error, ErrorKind, Result};

/// Writes both files and says what was guessed.
pub(crate) async fn run(args: InitArgs) -> Result<u8> {
    let name = named(&args.name, "a source")?;
    let stream = args.stream.as_deref().map(|stream| named(stream, "a stream")).transpose()?;
    // Before anything is asked of an API.
    files::refuse_existing(&args.dir, &[&format!("{name}.yaml")])?;
    let auth = args.auth.as_deref().map(Auth::read).transpose()?;
    let drawn = match args.from.as_deref() {
        None => {
            let stream = stream.as_deref().unwrap_or("records");
            let auth = auth.unwrap_or_else(Auth::none);
            Drawn { draft: Draft::blank(&name, stream, auth), sample: None }
        }
        Some(from) => {
            let wanted = Wanted { args: &args, name: &name, stream: stream.as_deref(), auth };
            if is_url(from) {
                url::draw(from, &wanted).await?
            } else {
                file::draw(Path::new(from), &wanted)?
            }
        }
    };
    let written = files::write(&args.dir, &drawn.draft)?;
    let fit = match &drawn.sample {
        Some(sample) => Some(fit::fit(&written.source, sample)?),
        None => None,
    };
    out(&report::text(&drawn.draft, &written, fit.as_ref()))?;
    Ok(0)
}

fn is_url(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with("http://") || text.starts_with("https://")
}

/// A name for files and keys.
fn named(text: &str, what: &str) -> Result<String> {
    if path_name(text).as_deref() == Some(text) {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` is no name for {what}");
    Err(Error::new(ErrorKind::Usage, message)
        .hint("use letters, digits, `_` and `-`, a letter first; the folder is named with --dir"))
}
