//! The HTTP clients of a source: what they trust, what they show, and which way they go. What this crate does itself
//! is switched off in them (see `http/mod.rs`).

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::{Certificate, Client, ClientBuilder, Identity, NoProxy, Proxy};
use url::{Origin, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::source::{self, ClientCert, Http, Source};

/// What HTTP/2 may have on its way: of one page, and of all pages in flight. hyper's own 2 and 5 MiB hold back
/// large pages, and its adaptive window begins at 64 KiB.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;
/// The largest HTTP/2 frame: the default of 16 KiB cuts a large page into a hundred.
const FRAME: u32 = 256 * 1024;

/// The variables that name a proxy, those for plain HTTP first.
const PROXY_VARIABLES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"];
const FOR_PLAIN_HTTP: usize = 4;
const PROXY_SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// One client for each thing that an origin may see.
///
/// To read the system's CA certificates takes longer than a request on loopback, and a bare container has none:
/// a source that is reached by plain HTTP reads them when it is first led to https.
#[derive(Debug)]
pub(super) struct Connector {
    http: Http,
    /// The client certificate, and the origins that it is shown to.
    identity: Option<Identity>,
    own: Vec<Origin>,
    /// The declared proxy, with its credentials.
    proxy: Option<Secret>,
    proxy_secrets: Vec<Secret>,
    plain: Option<Client>,
    /// For https, without and with the client certificate.
    bare: OnceLock<Client>,
    known: OnceLock<Client>,
}

impl Connector {
    /// What `source` is reached by.
    ///
    /// # Errors
    /// `Config` when the CA bundle, the client certificate or the proxy cannot be used, a secret of theirs is
    /// missing, or https is declared and there are no CA certificates at all.
    pub(super) fn new(source: &Source) -> Result<Self> {
        let http = &source.http;
        let base_url = source.base_url()?;
        let proxy = http.proxy.as_ref().map(proxy_url).transpose()?;
        if proxy.is_none() {
            check_environment()?;
        }
        let mut connector = Self {
            http: http.clone(),
            identity: http.client_cert.as_ref().map(identity).transpose()?,
            own: [Some(base_url), source.auth.token_url()]
                .into_iter()
                .flatten()
                .map(Url::origin)
                .collect(),
            proxy_secrets: match &proxy {
                Some(url) => secrets_of(url.expose()),
                None => proxies_of_the_environment().flat_map(|url| secrets_of(&url)).collect(),
            },
            proxy,
            plain: None,
            bare: OnceLock::new(),
            known: OnceLock::new(),
        };
        if base_url.scheme() == "http" && !is_proxied_by_https(http) {
            let plain = connector.builder()?.tls_certs_only([]).build().map_err(unusable)?;
            connector.plain = Some(plain);
        } else {
            connector.of(base_url)?;
        }
        Ok(connector)
    }

    /// The client for `url`: only the API and its token endpoint see the client certificate.
    ///
    /// # Errors
    /// `Config` as [`Connector::new`], for the first https URL of a plain source.
    pub(super) fn of(&self, url: &Url) -> Result<&Client> {
        if let Some(plain) = &self.plain
            && url.scheme() == "http"
        {
            return Ok(plain);
        }
        let identity = self.identity.as_ref().filter(|_| self.own.contains(&url.origin()));
        let client = if identity.is_some() { &self.known } else { &self.bare };
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let mut builder = self.builder()?;
        if let Some(identity) = identity {
            builder = builder.identity(identity.clone());
        }
        let built = builder.build().map_err(unusable)?;
        Ok(client.get_or_init(|| built))
    }

    /// The proxy's credentials, to take them out of what is shown.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.proxy_secrets
    }

    fn builder(&self) -> Result<ClientBuilder> {
        let mut builder = Client::builder()
            .connect_timeout(self.http.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_frame_size(FRAME)
            .tcp_nodelay(true);
        if let Some(path) = &self.http.ca_bundle {
            let unusable = |what: &str| {
                Error::new(ErrorKind::Config, format!("{what} http.ca_bundle"))
                    .with("file", path.display())
            };
            let pem = std::fs::read(path).map_err(|e| unusable("could not read").caused_by(e))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| unusable("no PEM certificates in").caused_by(error))?;
            if certificates.is_empty() {
                return Err(unusable("no PEM certificates in"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(url) = &self.proxy {
            // The cause would show the proxy's URL, which may hold a password.
            let proxy = Proxy::all(url.expose())
                .map_err(|_| Error::new(ErrorKind::Config, "http.proxy cannot be used"))?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_env()));
        }
        Ok(builder)
    }
}

/// The client certificate and its key.
fn identity(declared: &ClientCert) -> Result<Identity> {
    let wrong = |what: &str| {
        Error::new(ErrorKind::Config, format!("http.client_cert: {what}"))
            .with("file", declared.cert.display())
    };
    let mut pem = std::fs::read(&declared.cert)
        .map_err(|error| wrong("could not read the certificate").caused_by(error))?;
    if let Some(key) = &declared.key {
        pem.push(b'\n');
        pem.extend_from_slice(key.resolve()?.expose().as_bytes());
    }
    // The causes would tell nothing else, and might show a part of the key.
    let identity = Identity::from_pem(&pem).map_err(|_| {
        wrong("there is no certificate or no private key in it").hint(
            "both are PEM, the key not encrypted; name the key's place in `key` where it is not in the file of `cert`",
        )
    })?;
    let alone = Client::builder().tls_certs_only([]).identity(identity.clone()).build();
    alone.map_err(|_| wrong("the private key is not that of the certificate"))?;
    Ok(identity)
}

/// The proxy's URL with its credentials.
fn proxy_url(proxy: &source::Proxy) -> Result<Secret> {
    let mut url = proxy.url.clone();
    let Some((username, password)) = &proxy.auth else { return Ok(Secret::new(url.as_str())) };
    let (username, password) = (username.resolve()?, password.resolve()?);
    // The setters escape everything but this.
    let escaped = |secret: &Secret| secret.expose().replace('%', "%25");
    url.set_username(&escaped(&username))
        .and_then(|()| url.set_password(Some(&escaped(&password))))
        .map_err(|()| Error::new(ErrorKind::Config, "http.proxy takes no credentials"))?;
    Ok(Secret::new(url.as_str()))
}

/// The credentials in a proxy's URL, as they are declared and as they are sent. A user beside a password is no secret, and
/// to take it out would spoil messages; one alone is a token.
fn secrets_of(url: &str) -> Vec<Secret> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (plain(url.username()), plain(url.password().unwrap_or_default()));
    let secret = if password.is_empty() { &user } else { &password };
    if secret.is_empty() {
        return Vec::new();
    }
    let sent = STANDARD.encode(format!("{user}:{password}"));
    vec![Secret::new(sent), Secret::new(secret)]
}

fn proxies_of_the_environment() -> impl Iterator<Item = String> {
    PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok())
}

/// A proxy that cannot be used must not be passed over: the request would leave where none may.
///
/// # Errors
/// `Config` that names the variable, and not what it holds.
fn check_environment() -> Result<()> {
    for name in PROXY_VARIABLES {
        let Some(url) = std::env::var(name).ok().filter(|url| !url.trim().is_empty()) else {
            continue;
        };
        let scheme = url.split_once("://").map_or("http", |(scheme, _)| scheme.trim());
        if !PROXY_SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the environment's {name} names a proxy of a kind that is not known"),
            )
            .hint(format!("one of {}, or unset it", PROXY_SCHEMES.join(", "))));
        }
    }
    Ok(())
}

/// Whether plain HTTP goes through a proxy that is itself reached by https.
fn is_proxied_by_https(http: &Http) -> bool {
    match &http.proxy {
        Some(proxy) => proxy.url.scheme() == "https",
        None => PROXY_VARIABLES.iter().take(FOR_PLAIN_HTTP).any(|name| {
            std::env::var(name)
                .is_ok_and(|url| url.trim_start().to_ascii_lowercase().starts_with("https:"))
        }),
    }
}

fn unusable(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Config, "could not set up the HTTP client")
        .caused_by(error.without_url())
        .hint("install the system's CA certificates, or name a file of them in http.ca_bundle")
}
