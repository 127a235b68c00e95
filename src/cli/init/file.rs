//! A draft from a file: a saved response, or an OpenAPI document.

use std::path::Path;

use crate::cli::init::auth::Auth;
use crate::cli::init::draft::Draft;
use crate::cli::init::from_sample::{self, Beside};
use crate::cli::init::openapi;
use crate::cli::init::wanted::{Drawn, Wanted};
use crate::cli::sample::names::path_name;
use crate::cli::sample::read;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::Format;

/// Bytes of a file at most.
const MOST: u64 = 256 * 1024 * 1024;

/// Draws from the file at `path`.
///
/// # Errors
/// `Usage` when it cannot be read, or is neither a response nor an OpenAPI document.
pub(super) fn draw(path: &Path, wanted: &Wanted<'_>) -> Result<Drawn> {
    let text = text(path)?;
    let origin = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let origin = origin.unwrap_or_default();
    if let Some(document) = openapi::read(&text)? {
        let draft = openapi::draw(&document, &origin, None, wanted)?;
        return Ok(Drawn { draft, sample: None });
    }
    if wanted.args.operation.is_some() {
        let message = format!("{} is no OpenAPI document", path.display());
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("it has no key `openapi`; leave --operation out for a saved response"));
    }
    let sample =
        read::sample(&text, format(path)).map_err(|error| error.with("file", path.display()))?;
    let stem = path.file_stem().and_then(|stem| path_name(&stem.to_string_lossy()));
    let stream = wanted.stream.map(str::to_owned).or(stem).unwrap_or_else(|| "records".to_owned());
    let auth = wanted.auth.clone().unwrap_or_else(Auth::none);
    let mut draft = Draft::blank(wanted.name, &stream, auth);
    draft.origin = origin;
    draft.params.clear();
    from_sample::fill(&mut draft, &sample, &Beside { headers: &[], params: &[] }, wanted)?;
    draft.warnings = vec![
        "a saved response does not say where it came from: put in base_url, path, auth and params"
            .to_owned(),
    ];
    Ok(Drawn { draft, sample: Some(sample.json) })
}

fn text(path: &Path) -> Result<String> {
    let unread = |what: &str| {
        Error::new(ErrorKind::Usage, format!("could not read the sample: {what}"))
            .with("file", path.display())
    };
    let about = std::fs::metadata(path).map_err(|error| {
        unread("there is none")
            .caused_by(error)
            .hint("--from takes a file, or a URL with http:// or https://")
    })?;
    if !about.is_file() {
        return Err(unread("it is no file"));
    }
    if about.len() > MOST {
        return Err(unread("it is larger than 256 MiB").hint("one page is enough"));
    }
    let bytes =
        std::fs::read(path).map_err(|error| unread("it cannot be opened").caused_by(error))?;
    // As a server's would be: a byte order mark says more than nothing.
    let utf8 = crate::http::body::charset::Media::default().utf8(bytes.into(), Format::Json);
    let utf8 = utf8.map_err(|error| unread("its text is broken").caused_by(error))?;
    String::from_utf8(utf8.to_vec()).map_err(|error| {
        unread("it is not UTF-8").caused_by(error.utf8_error()).hint("save it as UTF-8")
    })
}

/// What the file's name says of its format.
fn format(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}
