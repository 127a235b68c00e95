//! One window, from request to commit: the whole pipeline on one screen. A batch of webhook events goes the same way, its
//! pages from memory.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use crate::decode::shape::Shape;
use crate::decode::{DecodeOptions, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::http::pages::{Resume, pages};
use crate::lake::layout::{TableDir, WindowName};
use crate::manifest::chain::Chain;
use crate::manifest::hold::WindowRun;
use crate::manifest::lease::{Take, Taken, take};
use crate::manifest::version::Manifest;
use crate::page::Meter;
use crate::run::conditional::unchanged;
use crate::run::ending::let_go;
use crate::run::events::Events;
use crate::run::landing::Landing;
use crate::run::notice::Happened;
use crate::run::plan::Unit;
use crate::run::report::{Outcome, WindowReport};
use crate::run::settle::settle;
use crate::run::shared::Run;
use crate::run::stages::{Decoding, Waiting, fetch};

/// Where the pages come from.
#[derive(Clone, Debug)]
pub(crate) enum Feed {
    /// From the API.
    Api,
    /// From a batch of webhook events.
    Events(Arc<Events>),
}

/// Extracts a window, or lands a batch, and says what became of it; an error is part of the report.
pub(crate) async fn run(run: &Run, unit: &Unit, feed: &Feed) -> WindowReport {
    if let Some(cause) = run.stop.cause() {
        // Not begun: the end of the run says so, once for all of them.
        return WindowReport::failed(&run.source.name, unit, &cause.error());
    }
    let meter = Arc::new(Meter::default());
    let ended = extract(run, unit, feed, Arc::clone(&meter)).await;
    run.meter.add(&meter);
    let report = told(run, unit, ended).await;
    run.tell(unit, || Happened::Ended(Box::new(report.clone())));
    report
}

/// What became of a window, in the log and as a report.
async fn told(run: &Run, unit: &Unit, ended: Result<(Outcome, Manifest)>) -> WindowReport {
    match ended {
        Ok((outcome, manifest)) => {
            tracing::info!(
                outcome = outcome.name(),
                written = manifest.counts.written,
                files = manifest.published.len(),
                "window {}",
                outcome.name()
            );
            WindowReport::new(&run.source.name, unit, outcome).with_manifest(&manifest)
        }
        Err(error) => {
            log_failure(&error);
            let report = WindowReport::failed(&run.source.name, unit, &error);
            match newest(run, unit).await {
                Ok(Some(manifest)) => report.with_manifest(&manifest),
                Ok(None) | Err(_) => report,
            }
        }
    }
}

/// One line at the instant of the failure; the end of the run says the rest, once.
fn log_failure(error: &Error) {
    let request_id = error.context().find(|(key, _)| *key == "request_id").map(|(_, id)| id);
    let (kind, exit) = (error.kind().name(), error.kind().exit_code());
    tracing::error!(kind, exit, request_id, "window failed: {}", error.message());
}

async fn extract(
    run: &Run,
    unit: &Unit,
    feed: &Feed,
    meter: Arc<Meter>,
) -> Result<(Outcome, Manifest)> {
    let chain = chain(run, unit)?;
    if matches!(feed, Feed::Api) {
        have_credentials(run, &chain).await?;
        if let Some(manifest) = unchanged(run, unit, &chain, &meter).await? {
            return Ok((Outcome::NotModified, manifest));
        }
    }
    let mut held = match take(chain, Arc::clone(&run.clock), intent(run, unit, feed)).await? {
        Taken::Committed(manifest) => {
            is_of(feed, &manifest)?;
            return Ok((Outcome::Unchanged, *manifest));
        }
        Taken::Run(held) => held,
    };
    run.tell(unit, || Happened::Begun);
    let opened = open(run, unit, &mut held, Arc::clone(&meter)).await;
    let (decoder, mut landing) = match opened {
        Ok(opened) => opened,
        Err(error) => return Err(let_go(run, *held, error, Ok(())).await),
    };
    let stop = stop_of(run, &held);
    let from = Resume {
        position: landing.position(),
        seen: landing.seen(),
        undeclared: decoder.undeclared(),
    };
    let pages = match feed_from(run, unit, feed, (from, meter, stop.clone())) {
        Ok(pages) => pages,
        Err(error) => return Err(let_go(run, *held, error, Ok(())).await),
    };
    let mut decoding = Decoding::start(decoder, pages)?;
    let ended = land(run, &mut landing, &mut decoding, &held).await;
    // Whoever still waits for the API, or for the loss of the window, waits for nothing now.
    stop.cancel();
    let shape = decoding.shape().await?;
    finish(run, unit, landing, &shape, *held, ended).await
}

/// Asks the API for the pages, or takes them from the events.
fn feed_from(
    run: &Run,
    unit: &Unit,
    feed: &Feed,
    (from, meter, stop): (Resume, Arc<Meter>, CancellationToken),
) -> Result<Receiver<Waiting>> {
    Ok(match feed {
        Feed::Api => {
            let (stream, window) = (Arc::clone(&unit.stream), unit.window);
            fetch(pages(run.client()?.clone(), stream, window, from, meter, stop))
        }
        Feed::Events(events) => fetch(Arc::clone(events).pages(&unit.stream.table, &from.position)),
    })
}

/// Refuses a committed batch that holds other events under the same name: those at hand would be taken for landed.
fn is_of(feed: &Feed, manifest: &Manifest) -> Result<()> {
    match feed {
        Feed::Events(events) if events.fingerprint != manifest.source_fingerprint => {
            let message = "the lake has a batch of this name with other events, from another inbox";
            Err(Error::new(ErrorKind::Usage, message)
                .hint("nothing left the inbox: name the inbox whose events the lake has, or land this one into another lake"))
        }
        Feed::Events(_) | Feed::Api => Ok(()),
    }
}

/// Resolves the secrets before the window is taken: one that cannot be fetched must not look begun.
async fn have_credentials(run: &Run, chain: &Chain) -> Result<()> {
    let Err(error) = run.client()?.resolve_credentials() else { return Ok(()) };
    let done = chain.newest().await?.is_some_and(|(_, newest)| newest.is_committed());
    if done && !run.refresh { Ok(()) } else { Err(error) }
}

/// Settles what came to its last page; else keeps what a rerun can go on from.
async fn finish(
    run: &Run,
    unit: &Unit,
    mut landing: Landing,
    shape: &Shape,
    mut held: WindowRun,
    ended: Ended,
) -> Result<(Outcome, Manifest)> {
    match ended {
        // A kill while settling then costs no request.
        Ended::Complete => match landing.checkpoint(&held, shape).await {
            Ok(()) => {
                let manifest = settle(run, unit, landing, shape, held).await?;
                Ok((Outcome::Committed, manifest))
            }
            Err(error) => {
                landing.abandon().await;
                Err(let_go(run, held, error, Ok(())).await)
            }
        },
        Ended::Early(error) => {
            let saved = if landing.is_refused(&error) {
                tracing::warn!("the API refuses to go on from the checkpoint: a rerun begins anew");
                held.start_anew().await
            } else {
                landing.checkpoint(&held, shape).await
            };
            landing.abandon().await;
            Err(let_go(run, held, error, saved).await)
        }
        Ended::Broken(error) => {
            landing.abandon().await;
            Err(let_go(run, held, error, Ok(())).await)
        }
    }
}

/// The two stages that remember what an earlier attempt left.
async fn open(
    run: &Run,
    unit: &Unit,
    held: &mut WindowRun,
    meter: Arc<Meter>,
) -> Result<(Decoder, Landing)> {
    let accepted = held.resumed().is_some_and(|resumed| resumed.accepted);
    if unit.batch.is_some() && held.resumed().is_some() && !accepted {
        // Its events are at hand: to land them all again costs less than to know which have landed.
        held.start_anew().await?;
    }
    let mut decoder = Decoder::new(Arc::clone(&unit.stream.table), options(run, unit))?;
    let landing = Landing::open(run, unit, held, &mut decoder, meter).await?;
    Ok((decoder, landing))
}

/// How the pages of a window ended.
enum Ended {
    /// With the last page.
    Complete,
    /// Before it; what has landed may be named by a checkpoint.
    Early(Error),
    /// In the middle of a page: only the last checkpoint is whole.
    Broken(Error),
}

/// Lands page after page, with a checkpoint whenever one is due.
async fn land(
    run: &Run,
    landing: &mut Landing,
    decoding: &mut Decoding,
    held: &WindowRun,
) -> Ended {
    while let Some(page) = decoding.next().await {
        let mut page = match page {
            Ok(page) => page,
            Err(error) => return Ended::Early(error),
        };
        run.progress.page(page.records, page.bytes);
        let shape = page.shape.take();
        if let Err(error) = landing.land(page).await {
            return Ended::Broken(error);
        }
        if let Some(shape) = shape {
            if let Err(error) = landing.checkpoint(held, &shape).await {
                return Ended::Broken(error);
            }
        } else if landing.checkpoint_due() {
            decoding.want_shape();
        }
    }
    Ended::Complete
}

/// One token for both ends: the run's, and the loss of this window.
fn stop_of(run: &Run, held: &WindowRun) -> CancellationToken {
    let stop = run.stop.child();
    let (lost, both) = (held.lost(), stop.clone());
    tokio::spawn(async move {
        if both.run_until_cancelled(lost.cancelled()).await.is_some() {
            both.cancel();
        }
    });
    stop
}

fn chain(run: &Run, unit: &Unit) -> Result<Chain> {
    let name = WindowName::new(&run.source.name, &unit.stream.name, unit.id())?;
    Ok(Chain::new(run.lake.clone(), TableDir::new(&unit.stream.table.name)?, name))
}

async fn newest(run: &Run, unit: &Unit) -> Result<Option<Manifest>> {
    Ok(chain(run, unit)?.newest().await?.map(|(_, manifest)| manifest))
}

fn intent(run: &Run, unit: &Unit, feed: &Feed) -> Take {
    Take {
        run_id: run.run_id.clone(),
        window: unit.window,
        schema_fingerprint: unit.stream.table.fingerprint(),
        source_fingerprint: match feed {
            Feed::Api => run.source.fingerprint(&unit.stream),
            Feed::Events(events) => events.fingerprint.clone(),
        },
        refresh: run.refresh,
        accept_drift: run.accept_drift,
        clip: clip(unit),
    }
}

fn options(run: &Run, unit: &Unit) -> DecodeOptions {
    DecodeOptions {
        extracted_at: run.extracted_at,
        clip: clip(unit).map(|field| (field, unit.window)),
    }
}

/// The field by which rows are held to the window; events are of whatever instant they are.
fn clip(unit: &Unit) -> Option<String> {
    unit.stream.clip.clone().filter(|_| unit.batch.is_none())
}
