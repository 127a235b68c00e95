//! The HTTP receiver: requests in, durable events, then 200.
//!
//! What is asked of a request, in this order: its path (404), its method (405), its content type (415), its size (413),
//! its signature (401, and no word why), and a place in the inbox (503 with `Retry-After`). A sender that is answered
//! anything but 200 sends the event again, so that nothing but 200 is said before the event is on disk.

mod body;
mod connections;
mod health;
mod identity;
mod routes;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::connections::Limits;
use self::health::Health;
use self::routes::{Endpoint, Shared};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::Source;
use crate::webhook::inbox::writer::{Settings as WriterSettings, Writer};
use crate::webhook::metrics::Metrics;
use crate::webhook::signature::Verifier;

/// What a receiver is told.
#[derive(Debug)]
pub struct Settings {
    /// The source, whose webhooks are served.
    pub source: Arc<Source>,
    /// Where it listens: `HOST:PORT`; of port 0 the system chooses one.
    pub listen: String,
    /// The inbox's folder, made where there is none.
    pub inbox: PathBuf,
    /// The bytes that the inbox may take.
    pub inbox_max: u64,
    /// PEM files of a certificate chain and its key; plain HTTP without.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Connections at once; others wait.
    pub connections: usize,
    /// How long a client may take to send a request's head, and again its body.
    pub patience: Duration,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

/// A receiver that listens.
pub struct Receiver {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    limits: Limits,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Resolves the secrets, opens the inbox and listens. Connections wait until [`Receiver::run`].
    ///
    /// # Errors
    /// `Config` for a source without webhooks, a secret that is missing, or a certificate that cannot be used; `Usage`
    /// for an address that cannot be listened on; `Store` when the inbox cannot be opened.
    pub async fn open(settings: Settings) -> Result<Self> {
        let source = &settings.source;
        if source.webhooks.is_empty() {
            let message = format!("the source `{}` has no webhooks", source.name);
            return Err(Error::new(ErrorKind::Config, message)
                .with("file", source.file.display())
                .hint("declare them under `webhooks`: a path, a signature, and the stream of each type of event"));
        }
        let endpoints = source.webhooks.iter().map(|webhook| {
            let verifier = Verifier::resolve(&webhook.signature)
                .map_err(|error| error.with("webhook", &webhook.name))?;
            Ok(Endpoint::new(Arc::clone(webhook), verifier))
        });
        let endpoints = endpoints.collect::<Result<Vec<_>>>()?;
        let tls = settings.tls.as_ref().map(|(cert, key)| tls::acceptor(cert, key)).transpose()?;
        let metrics = Arc::new(Metrics::new(source.webhooks.iter().map(|w| w.name.clone())));
        let writer = writer(&settings, Arc::clone(&metrics))?;
        let listener = listen(&settings.listen).await?;
        let address = listener.local_addr().map_err(|error| unusable(&settings.listen, error))?;
        let clock = Arc::clone(&settings.clock);
        let health = Arc::new(Health::new(settings.inbox, settings.inbox_max, clock));
        let limits = Limits { connections: settings.connections, patience: settings.patience };
        let shared = Shared {
            source: source.name.clone(),
            endpoints,
            writer,
            metrics,
            health,
            patience: settings.patience,
            room: body::room(),
            clock: settings.clock,
        };
        Ok(Self { listener, address, tls, limits, shared: Arc::new(shared) })
    }

    /// The address that it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URLs that events are posted to, with the webhooks' names.
    pub fn endpoints(&self) -> Vec<(String, String)> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = |path: &str| format!("{scheme}://{}{path}", self.address);
        let webhooks = self.shared.endpoints.iter().map(|endpoint| &endpoint.webhook);
        webhooks.map(|webhook| (url(&webhook.path), webhook.name.clone())).collect()
    }

    /// Answers until `stop`, then what it has accepted until then.
    pub async fn run(self, stop: CancellationToken) {
        let metrics = Arc::clone(&self.shared.metrics);
        let app = routes::router(self.shared);
        connections::serve(self.listener, self.tls, app, self.limits, metrics, stop).await;
    }
}

fn writer(settings: &Settings, metrics: Arc<Metrics>) -> Result<Writer> {
    let of_writer = WriterSettings {
        dir: settings.inbox.clone(),
        most: settings.inbox_max,
        clock: Arc::clone(&settings.clock),
    };
    Writer::start(of_writer, move |took| metrics.durable.observe(took))
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| unusable(address, error))
}

fn unusable(address: &str, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there, maybe another `lakeward serve`: stop it, or choose another port"
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for the administrator: listen on a higher one behind a proxy"
        }
        _ => {
            "write HOST:PORT with an address of this machine, such as 127.0.0.1:8080 or 0.0.0.0:8080"
        }
    };
    Error::new(ErrorKind::Usage, format!("could not listen on {address}"))
        .caused_by(error)
        .hint(hint)
}
