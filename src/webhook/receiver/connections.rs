//! Connections: so many at once, each with limited patience, and an end that answers what was accepted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::webhook::metrics::Metrics;

/// Bytes of a request's head at most.
const HEAD: usize = 64 << 10;

/// The wait after the system had no connection to give, such as for lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many there are at once.
    pub(super) connections: usize,
    /// How long each step of a request may take.
    pub(super) patience: Duration,
}

/// Takes connections until `stop`, then waits for those that are in the middle of a request.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let open = TaskTracker::new();
    let room = Arc::new(Semaphore::new(limits.connections));
    while let Some((stream, permit)) = next(&listener, &room, &stop).await {
        let (app, tls, metrics, stop) =
            (app.clone(), tls.clone(), Arc::clone(&metrics), stop.clone());
        open.spawn(async move {
            metrics.connections.fetch_add(1, Ordering::Relaxed);
            take(stream, tls, app, limits.patience, stop).await;
            metrics.connections.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
    drop(listener);
    open.close();
    // A head or a body that does not come ends by itself; the rest is for the inbox and the answer.
    let most = limits.patience.saturating_mul(3);
    if tokio::time::timeout(most, open.wait()).await.is_err() {
        tracing::warn!(connections = open.len(), "cut off clients that did not take their answer");
    }
}

/// The next connection, as soon as there is room for one; none after `stop`.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accept = async {
        let permit = Arc::clone(room).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, permit)),
                Err(error) => {
                    tracing::warn!(%error, "could not take a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = accept => accepted,
    }
}

async fn take(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    app: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    // Only costs time where it fails.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return answer(stream, app, patience, stop).await };
    match tokio::time::timeout(patience, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, app, patience, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS connection came about"),
        Err(_) => tracing::debug!("a client took too long for its TLS handshake"),
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEAD);
    // A client that sends requests and takes no answer would hold its connection for ever.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(patience));
    let stream = TokioIo::new(Box::pin(stream));
    let connection = builder.serve_connection(stream, TowerToHyperService::new(app));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
