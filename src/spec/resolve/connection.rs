//! How the API is reached and how fast: `http`, `rate_limit` and `retry`.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::spec::declared::source as declared;
use crate::spec::document::{Document, Place};
use crate::spec::resolve::secret::secret;
use crate::spec::resolve::values::{duration, is_header_value, path, size, timeout};
use crate::spec::source::{ClientCert, Http, Proxy, RateLimit, Retry, SharedPace};

/// Resolves `http`.
pub(super) fn http(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Http>,
) -> Option<Http> {
    let written = written.cloned().unwrap_or_default();
    let seconds = Duration::from_secs;
    let total = timeout(document, &place.key("timeout"), written.timeout.as_deref(), seconds(30));
    let at = place.key("connect_timeout");
    let connect = timeout(document, &at, written.connect_timeout.as_deref(), seconds(10));
    let at = place.key("ca_bundle");
    let ca = written
        .ca_bundle
        .as_deref()
        .map_or(Some(None), |text| readable(document, &at, text).map(Some));
    let at = place.key("client_cert");
    let client_cert = written
        .client_cert
        .as_ref()
        .map_or(Some(None), |written| client_cert(document, &at, written).map(Some));
    let proxy = proxy(document, place, &written);
    let at = place.key("max_page_bytes");
    let most = size(document, &at, written.max_page_bytes.as_ref(), 64 << 20);
    let hosts: Vec<_> = written
        .allow_hosts
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, text)| host(document, &place.key("allow_hosts").item(index), text))
        .collect();
    let agent = written
        .user_agent
        .unwrap_or_else(|| concat!("lakeward/", env!("CARGO_PKG_VERSION")).to_owned());
    if agent.is_empty() || !is_header_value(&agent) {
        document.error(
            &place.key("user_agent"),
            "no value for a header: it is empty, or not ASCII in one line",
        );
    }
    Some(Http {
        timeout: total?,
        connect_timeout: connect?,
        ca_bundle: ca?,
        client_cert: client_cert?,
        proxy: proxy?,
        max_page_bytes: most?,
        allow_hosts: hosts.into_iter().collect::<Option<_>>()?,
        user_agent: agent,
    })
}

/// A file that is there.
fn readable(document: &mut Document, place: &Place, text: &str) -> Option<PathBuf> {
    let path = path(document, place, text)?;
    if let Err(error) = std::fs::File::open(&path) {
        document.error(place, format!("could not read {}: {error}", path.display()));
        return None;
    }
    Some(path)
}

fn client_cert(
    document: &mut Document,
    place: &Place,
    written: &declared::ClientCert,
) -> Option<ClientCert> {
    let at = place.key("cert");
    let cert = written.cert.as_deref().and_then(|text| readable(document, &at, text));
    let key = match &written.key {
        None => Some(None),
        key => secret(document, &place.key("key"), key.as_ref()).map(Some),
    };
    Some(ClientCert { cert: cert?, key: key? })
}

/// `proxy` and `proxy_auth`.
fn proxy(
    document: &mut Document,
    place: &Place,
    written: &declared::Http,
) -> Option<Option<Proxy>> {
    let at = place.key("proxy_auth");
    let auth = match &written.proxy_auth {
        None => Some(None),
        Some(auth) => {
            let username = secret(document, &at.key("username"), auth.username.as_ref());
            let password = secret(document, &at.key("password"), auth.password.as_ref());
            username.zip(password).map(Some)
        }
    };
    let Some(text) = written.proxy.as_deref() else {
        if written.proxy_auth.is_some() {
            document
                .error(&at, "`proxy_auth` has no `proxy` beside it")
                .hint("a proxy that HTTPS_PROXY names has its credentials there");
        }
        return Some(None);
    };
    let url = proxy_url(document, &place.key("proxy"), text);
    Some(Some(Proxy { url: url?, auth: auth? }))
}

fn proxy_url(document: &mut Document, place: &Place, text: &str) -> Option<Url> {
    let known = ["http", "https", "socks5", "socks5h"];
    let url = Url::parse(text).ok().filter(|url| known.contains(&url.scheme()) && url.has_host());
    let Some(url) = url else {
        document
            .error(place, "`proxy` is no URL of http, https, socks5 or socks5h")
            .hint("write it with its scheme: http://proxy.example.com:3128");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        document
            .error(place, "`proxy` has credentials in it, which a source file must not hold")
            .hint("name them in http.proxy_auth: { username: { env: PROXY_USER }, password: { env: PROXY_PASSWORD } }");
        return None;
    }
    Some(url)
}

/// A host, or a host with a port.
fn host(document: &mut Document, place: &Place, text: &str) -> Option<String> {
    let url = Url::parse(&format!("https://{text}/")).ok();
    let fits = url
        .is_some_and(|url| url.path() == "/" && url.username().is_empty() && url.query().is_none());
    if !fits || text.contains(['/', '*', '@', ' ']) {
        document
            .error(place, format!("`{text}` is no host"))
            .hint("write the bare host, such as files.example.com");
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// Resolves `rate_limit`.
pub(super) fn rate_limit(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::RateLimit>,
) -> Option<RateLimit> {
    let written = written.cloned().unwrap_or_default();
    let before = document.found();
    for (key, rate) in [("per_second", written.per_second), ("per_minute", written.per_minute)] {
        if rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1e6)) {
            document
                .error(&place.key(key), format!("`{key}` must be over 0 and at most 1,000,000"));
        }
    }
    let reserve = written.reserve.unwrap_or(0.1);
    if !(0.0..1.0).contains(&reserve) {
        document.error(&place.key("reserve"), "`reserve` must be at least 0 and below 1");
    }
    let share = written.share.as_deref().unwrap_or("1/1");
    let parts = share.strip_prefix("1/").and_then(|parts| parts.parse::<u32>().ok());
    let parts = parts.filter(|parts| (1..=10_000).contains(parts));
    if parts.is_none() {
        document
            .error(&place.key("share"), format!("`{share}` is no share"))
            .hint("write 1/N, where N runs share the limits: 1/2");
    }
    let at = place.key("max_wait");
    let max_wait = duration(document, &at, written.max_wait.as_deref(), Duration::from_secs(900));
    let shared = match &written.shared {
        None => Some(None),
        Some(written) => shared(document, &place.key("shared"), written).map(Some),
    };
    (document.found() == before).then_some(RateLimit {
        per_second: written.per_second,
        per_minute: written.per_minute,
        reserve,
        share: (1, parts?),
        max_wait: max_wait?,
        shared: shared?,
    })
}

fn shared(
    document: &mut Document,
    place: &Place,
    written: &declared::SharedPace,
) -> Option<SharedPace> {
    let redis = secret(document, &place.key("redis"), written.redis.as_ref());
    let key = written.key.as_deref().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(1..=100).contains(&key.len()) || !key.chars().all(fits) {
        document
            .error(&place.key("key"), "`key` must be a name of letters, digits, `.`, `_` and `-`")
            .hint("runs of the same key share the limits: key: gateway");
        return None;
    }
    Some(SharedPace { redis: redis?, key: key.to_owned() })
}

/// Resolves `retry`.
pub(super) fn retry(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Retry>,
) -> Option<Retry> {
    let written = written.cloned().unwrap_or_default();
    let at = place.key("max_wait");
    let max_wait = duration(document, &at, written.max_wait.as_deref(), Duration::from_secs(60));
    Some(Retry { max_attempts: written.max_attempts.unwrap_or(5), max_wait: max_wait? })
}
