//! The source file, and the schema files that it refers to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::redact::is_secret_key;
use crate::spec::auth::Auth;
use crate::spec::declared::source as declared;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::document::{Document, Place};
use crate::spec::resolve::auth::auth_of;
use crate::spec::resolve::connection::{http, rate_limit, retry};
use crate::spec::resolve::stream::stream;
use crate::spec::resolve::table::{read, table};
use crate::spec::resolve::values::{duration, is_header_value, is_token, name, path, template};
use crate::spec::resolve::webhook::webhooks;
use crate::spec::source::{Http, Source, Stream};
use crate::spec::table::Table;
use crate::spec::template::Template;
use crate::spec::{schema_json, shape};

/// Headers that the connection sets itself.
const OWN_HEADERS: [&str; 8] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "accept-encoding",
    "x-request-id",
];

/// Checks `document` as a source file: the source, unless something is wrong with it or a schema file of it.
/// What is wrong with the schema files goes to `others`.
pub(crate) fn source(document: &mut Document, others: &mut Vec<Diagnostic>) -> Option<Source> {
    let value = shape::check(document, &schema_json::source_schema())?;
    let written = read::<declared::SourceFile>(document, value)?;
    let resolved = resolve(document, &written, others);
    if resolved.is_none() && document.is_clean() && others.is_empty() {
        document.error(&Place::root(), "the file is wrong in a way that has no message yet");
    }
    resolved.filter(|_| document.is_clean() && others.is_empty())
}

fn resolve(
    document: &mut Document,
    written: &declared::SourceFile,
    others: &mut Vec<Diagnostic>,
) -> Option<Source> {
    let root = Place::root();
    let source_name = written.source.as_deref();
    let source_name = source_name.and_then(|text| name(document, &root.key("source"), text));
    let base_url = written.base_url.as_deref();
    let base_url = base_url.and_then(|text| base_url_of(document, &root.key("base_url"), text));
    let polled = written.base_url.is_some() || document.at(&root.key("webhooks")).is_none();
    if polled {
        document.missing(&root, "base_url");
    }
    let auth = written.auth.as_ref();
    let auth = auth.map_or(Some(Auth::None), |auth| auth_of(document, &root.key("auth"), auth));
    stays_encrypted(document, &root.key("auth").key("token_url"), base_url.as_ref(), auth.as_ref());
    let headers = headers(document, &root.key("headers"), written);
    let http = http(document, &root.key("http"), written.http.as_ref());
    shows_its_certificate(
        document,
        &root.key("http"),
        base_url.as_ref(),
        auth.as_ref(),
        http.as_ref(),
    );
    let rate_limit = rate_limit(document, &root.key("rate_limit"), written.rate_limit.as_ref());
    let retry = retry(document, &root.key("retry"), written.retry.as_ref());
    let every = written.checkpoint_every.as_deref();
    let every = duration(document, &root.key("checkpoint_every"), every, Duration::from_secs(30));
    let streams = streams(document, &root.key("streams"), written, polled, others);
    let events = written.webhooks.as_ref();
    let webhooks = webhooks(document, &root.key("webhooks"), events, streams.as_deref());
    Some(Source {
        file: document.file().to_owned(),
        name: source_name?,
        base_url: if polled { Some(base_url?) } else { None },
        auth: auth?,
        headers: headers?,
        http: http?,
        rate_limit: rate_limit?,
        retry: retry?,
        checkpoint_every: every?,
        streams: streams?,
        webhooks: webhooks?,
    })
}

/// From https nothing leads to http, and so not to a token endpoint either.
fn stays_encrypted(
    document: &mut Document,
    place: &Place,
    base_url: Option<&Url>,
    auth: Option<&Auth>,
) {
    let token_url = auth.and_then(Auth::token_url);
    let is = |url: Option<&Url>, scheme: &str| url.is_some_and(|url| url.scheme() == scheme);
    if is(base_url, "https") && is(token_url, "http") {
        document
            .error(place, "`token_url` is http, though `base_url` is https")
            .hint("what it is sent could be read on the way: write it with https");
    }
}

/// A client certificate is shown to the API and to its token endpoint, over TLS.
fn shows_its_certificate(
    document: &mut Document,
    place: &Place,
    base_url: Option<&Url>,
    auth: Option<&Auth>,
    http: Option<&Http>,
) {
    let declared = http.is_some_and(|http| http.client_cert.is_some());
    let urls = [base_url, auth.and_then(Auth::token_url)];
    if declared && base_url.is_some() && urls.iter().flatten().all(|url| url.scheme() == "http") {
        document
            .error(
                &place.key("client_cert"),
                "`client_cert` is shown to nobody: `base_url` is http",
            )
            .hint("write base_url with https");
    }
}

fn base_url_of(document: &mut Document, place: &Place, text: &str) -> Option<Url> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            document
                .error(place, format!("`base_url` is no URL: {error}"))
                .hint("write it with its scheme: https://api.example.com/v1");
            return None;
        }
    };
    let wrong = if !matches!(url.scheme(), "http" | "https") {
        format!("`base_url` must be http or https, not {}", url.scheme())
    } else if !url.username().is_empty() || url.password().is_some() {
        "`base_url` has credentials in it: declare them under `auth`".to_owned()
    } else if url.query().is_some() {
        "`base_url` has a query: declare it under `params`".to_owned()
    } else if url.fragment().is_some() {
        "`base_url` has a fragment, which is never sent".to_owned()
    } else {
        return Some(url);
    };
    document.error(place, wrong);
    None
}

fn headers(
    document: &mut Document,
    place: &Place,
    written: &declared::SourceFile,
) -> Option<Vec<(String, Template)>> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    let mut whole = true;
    for (key, text) in written.headers.iter().flat_map(|headers| &headers.0) {
        let at = place.key(key);
        let seen = headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(key));
        if header(document, place, key, text, seen) {
            match template(document, &at, text) {
                Some(text) => headers.push((key.clone(), text)),
                None => whole = false,
            }
        } else {
            whole = false;
        }
    }
    whole.then_some(headers)
}

/// Whether the header `key` may be declared with this text.
fn header(document: &mut Document, place: &Place, key: &str, text: &str, seen: bool) -> bool {
    let lower = key.to_ascii_lowercase();
    if !is_token(key) {
        document
            .key_error(place, key, format!("`{key}` is no header name"))
            .hint("use letters, digits and `-`");
    } else if seen {
        document.key_error(place, key, format!("the header `{key}` stands here twice"));
    } else if OWN_HEADERS.contains(&lower.as_str()) {
        document.key_error(place, key, format!("the header `{key}` is set by lakeward"));
    } else if lower == "user-agent" {
        document.key_error(place, key, "the user agent is declared as `http.user_agent`");
    } else if is_secret_key(&lower) && !text.contains("{{") {
        document
            .error(&place.key(key), format!("the secret `{key}` is written into the file"))
            .hint("declare it under `auth`, where it is named as { env: NAME } or { file: PATH }");
    } else if !is_header_value(text) {
        document.error(
            &place.key(key),
            format!("the header `{key}` has a line break or a character outside of ASCII in it"),
        );
    } else {
        return true;
    }
    false
}

fn streams(
    document: &mut Document,
    place: &Place,
    written: &declared::SourceFile,
    polled: bool,
    others: &mut Vec<Diagnostic>,
) -> Option<Vec<Arc<Stream>>> {
    let all = written.streams.as_ref()?;
    if all.0.is_empty() {
        document.error(place, "there are no streams");
    }
    let mut tables = HashMap::new();
    let mut streams = Vec::new();
    for (key, one) in &all.0 {
        let at = place.key(key).key("schema");
        let schema = one.schema.as_deref();
        let table = schema.and_then(|text| load_table(document, &at, text, &mut tables, others));
        if polled {
            document.missing(&place.key(key), "path");
            document.missing(&place.key(key), "records");
        }
        streams.push(stream(document, place, key, one, polled, table).map(Arc::new));
    }
    streams.into_iter().collect()
}

/// Loads the schema file of a stream; each file once.
fn load_table(
    document: &mut Document,
    place: &Place,
    text: &str,
    tables: &mut HashMap<PathBuf, Option<Arc<Table>>>,
    others: &mut Vec<Diagnostic>,
) -> Option<Arc<Table>> {
    let file = path(document, place, text)?;
    if let Some(table) = tables.get(&file) {
        return table.clone();
    }
    let loaded = match Document::read(&file) {
        Ok(mut schema) => {
            let loaded = table(&mut schema).map(Arc::new);
            others.extend(schema.diagnostics());
            loaded
        }
        Err(unread) => {
            document
                .error(place, format!("the schema file {}: {}", file.display(), unread.message));
            None
        }
    };
    if let Some(table) = &loaded {
        same_name(document, place, table, tables, &file);
    }
    tables.insert(file, loaded.clone());
    loaded
}

/// Two files that declare one table would write two schemas into one folder.
fn same_name(
    document: &mut Document,
    place: &Place,
    table: &Table,
    tables: &HashMap<PathBuf, Option<Arc<Table>>>,
    file: &Path,
) {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    let other = tables.iter().find(|(path, other)| {
        other.as_ref().is_some_and(|other| other.name == table.name)
            && canonical(path) != canonical(file)
    });
    if let Some((path, _)) = other {
        let message =
            format!("the table `{}` is declared by {} already", table.name, path.display());
        document.error(place, message).hint("let both streams name one schema file");
    }
}
