//! `lakeward serve`: the webhook receiver.

use std::sync::Arc;

use crate::cli::args::webhook::ServeArgs;
use crate::cli::render::out;
use crate::cli::signals;
use crate::clock::SystemClock;
use crate::error::Result;
use crate::run::stop::Stop;
use crate::spec::source::Source;
use crate::webhook::receiver::{Receiver, Settings};

/// Serves until a signal; the exit code says which.
pub(crate) async fn run(args: ServeArgs) -> Result<u8> {
    let source = Source::load(&args.source)?;
    let receiver = Receiver::open(Settings {
        source: Arc::new(source),
        listen: args.listen,
        inbox: args.inbox,
        inbox_max: args.inbox_max,
        tls: args.tls_cert.zip(args.tls_key),
        connections: usize::try_from(args.max_connections).unwrap_or(usize::MAX),
        patience: args.client_timeout,
        clock: Arc::new(SystemClock),
    })
    .await?;
    let stop = Stop::default();
    signals::stop_on_signals(stop.clone(), "stopping: answering what was accepted", None)?;
    let address = receiver.address();
    let mut text = format!("listening on {address}\n");
    for (url, webhook) in receiver.endpoints() {
        text.push_str(&format!("  {webhook}: POST {url}\n"));
    }
    out(&text)?;
    tracing::info!(%address, "listening");
    receiver.run(stop.child()).await;
    tracing::info!("stopped: all that was accepted is in the inbox");
    Ok(stop.cause().map_or(0, |cause| cause.kind().exit_code()))
}
