//! A draft from a URL, which is fetched once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::cli::init::auth::Auth;
use crate::cli::init::draft::{Draft, Param};
use crate::cli::init::from_sample::{self, Beside};
use crate::cli::init::wanted::{Drawn, Wanted};
use crate::cli::init::{files, openapi, render, windows};
use crate::cli::sample::names::path_name;
use crate::cli::sample::read;
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::http::body::charset::Media;
use crate::http::witness::Sight;
use crate::redact::{SafeUrl, is_secret_key};
use crate::run::peek::Peek;
use crate::run::stop::Stop;
use crate::spec::source::{Format, Source};
use crate::window::Window;

const DAY: Duration = Duration::from_secs(86_400);

/// What is asked for where the format is not known yet.
const ACCEPT: &str = "headers: { Accept: \"application/json, application/x-ndjson;q=0.9, text/csv;q=0.8, */*;q=0.1\" }\n";

/// Draws from the answer to a GET of `from`.
///
/// # Errors
/// `Usage` for a URL that is none or holds a credential, and for an answer without records; else what the request
/// ended with.
pub(super) async fn draw(from: &str, wanted: &Wanted<'_>) -> Result<Drawn> {
    let url = checked(from)?;
    let mut draft = split(&url, wanted);
    files::refuse_existing(&wanted.args.dir, &[&draft.files().1])?;
    let (sight, error) = fetch(&draft, wanted.name).await?;
    let Some(sight) = sight.filter(|sight| (200..300).contains(&sight.status)) else {
        return Err(error.unwrap_or_else(|| Error::new(ErrorKind::Api, "the API sent no answer")));
    };
    let text = String::from_utf8_lossy(&sight.body);
    if let Some(document) = openapi::read(&text)? {
        let draft = openapi::draw(&document, &draft.origin, Some(&url), wanted)?;
        return Ok(Drawn { draft, sample: None });
    }
    if wanted.args.operation.is_some() {
        return Err(Error::new(ErrorKind::Usage, "the URL leads to no OpenAPI document")
            .hint("what came has no key `openapi`; leave --operation out for an API"));
    }
    let named = format(&sight);
    let sample = read::sample(&text, named).map_err(|wrong| match error {
        // An answer that cannot be read is the API's, with what it said.
        Some(error) if error.kind() != ErrorKind::Config => error,
        _ => wrong,
    })?;
    let pairs = pairs(&url);
    let params: Vec<(String, Option<String>)> =
        pairs.iter().map(|(name, values)| (name.clone(), values.first().cloned())).collect();
    from_sample::fill(
        &mut draft,
        &sample,
        &Beside { headers: &sight.headers, params: &params },
        wanted,
    )?;
    draft.params = windows::follow(&pairs);
    // A credential may stand in the query of the one and not of the other.
    let bare = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    if bare(&sight.asked.url) != bare(draft.origin.trim_start_matches("GET ")) {
        draft.warnings.push(format!(
            "the API redirects to {}: it may be the better base_url",
            sight.asked.url
        ));
    }
    Ok(Drawn { draft, sample: Some(sample.json) })
}

/// The URL without what must not be in one.
fn checked(from: &str) -> Result<Url> {
    let mut url = Url::parse(from)
        .map_err(|error| Error::new(ErrorKind::Usage, "--from is no URL").caused_by(error))?;
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::new(ErrorKind::Usage, "the URL holds a user name or password").hint(
            "leave them out, and name their variables: --auth basic:GATEWAY_USER:GATEWAY_PASSWORD",
        ));
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| is_secret_key(name)) {
        let message = format!("the URL holds a credential in `{name}`");
        return Err(Error::new(ErrorKind::Usage, message).hint(format!(
            "leave it out, export it, and name its variable: --auth query:{name}:GATEWAY_KEY"
        )));
    }
    Ok(url)
}

/// The query's parameters in order, those of one name together.
fn pairs(url: &Url) -> Vec<(String, Vec<String>)> {
    let mut pairs: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in url.query_pairs() {
        match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value.into_owned()),
            None => pairs.push((name.into_owned(), vec![value.into_owned()])),
        }
    }
    pairs
}

/// A draft of what the URL itself says: its last part is the stream.
fn split(url: &Url, wanted: &Wanted<'_>) -> Draft {
    let path = url.path();
    let bare = path.trim_end_matches('/');
    let cut = bare.rfind('/').unwrap_or(0);
    let (before, last) = path.split_at_checked(cut).unwrap_or(("", path));
    let stem = last.trim_matches('/').split('.').next().and_then(path_name);
    let stream = wanted.stream.map(str::to_owned).or(stem).unwrap_or_else(|| "records".to_owned());
    let auth = wanted.auth.clone().unwrap_or_else(Auth::none);
    let mut draft = Draft::blank(wanted.name, &stream, auth);
    draft.origin = format!("GET {}", SafeUrl::new(url));
    draft.base_url = format!("{}{before}", url.origin().ascii_serialization());
    draft.reachable = true;
    draft.path = if last == "/" { String::new() } else { last.to_owned() };
    draft.params = pairs(url).iter().map(|(name, values)| Param::literal(name, values)).collect();
    draft.warnings.clear();
    draft
}

/// Fetches what the draft asks for: the last response, and what ended the attempt where it did not end well.
async fn fetch(draft: &Draft, name: &str) -> Result<(Option<Sight>, Option<Error>)> {
    let folder = Folder::new()?;
    let mut asked = draft.clone();
    // The body itself, whatever it is: where the records are is not known yet.
    asked.guess.records = None;
    let text = render::source(&asked);
    let text = text.replacen("streams:\n", &format!("{ACCEPT}streams:\n"), 1);
    folder.write("source.yaml", &text)?;
    folder.write(&asked.files().1, &render::schema(&asked))?;
    let source = Source::load(&folder.0.join("source.yaml")).map_err(|error| {
        Error::new(ErrorKind::Usage, "no source can be made of the URL").caused_by(error)
    })?;
    let stream = source.find_stream(&asked.stream)?;
    let window = Window::lookback(SystemClock.now(), DAY, DAY)?.pop();
    let window = window.ok_or_else(|| Error::new(ErrorKind::Usage, "there was no day yet"))?;
    tracing::info!(source = name, "fetching {} once", draft.origin);
    let stop = Stop::default();
    let peek = Peek::at(&source, stream, window, Arc::new(SystemClock), &stop).await?;
    Ok((peek.sights.last().cloned(), peek.page.err()))
}

/// What the content type says of the format.
fn format(sight: &Sight) -> Option<Format> {
    let header = sight.headers.iter().find(|(name, _)| name == "content-type")?;
    let essence = Media::read(&header.1).ok()?.essence;
    match essence.as_str() {
        "text/csv" | "application/csv" => Some(Format::Csv),
        kind if kind.contains("ndjson")
            || kind.contains("jsonl")
            || kind.contains("json-lines") =>
        {
            Some(Format::Ndjson)
        }
        _ => None,
    }
}

/// A folder for as long as the value lives.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let name = format!("lakeward-init-{}", uuid::Uuid::new_v4());
        let folder = Self(std::env::temp_dir().join(name));
        make(&folder.0.join("schemas"))?;
        Ok(folder)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        std::fs::write(self.0.join(name), text).map_err(|error| unwritten(&self.0, error))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn make(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| unwritten(path, error))
}

fn unwritten(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Usage, "could not write to the folder for temporary files")
        .with("path", path.display())
        .caused_by(error)
        .hint("set TMPDIR to a folder that you may write to")
}
