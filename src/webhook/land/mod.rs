//! The inbox into the lake, exactly once.
//!
//! ```text
//! assign   the batch and its events, durable in the inbox
//! commit   the chain of the batch's name in the lake, by the protocol of every window
//! landed   the batch and its events leave the inbox
//! ```
//!
//! A crash between any two is healed by the next run: it lands unfinished batches first, under their names and with
//! their events, and a batch whose chain is committed only leaves the inbox. Of two runs at once, one commits a batch.
//!
//! With `history: true` the same batch goes into the table of events first; it leaves the inbox once the lake has both.
//!
//! Events that hold no record (no JSON, nothing at the route's pointer, a type that no route has) land as dead letters of
//! the stream that their type leads to, or of that of their endpoint's first route.

mod history;
mod left;
mod route;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::run::events::Events;
use crate::run::land::{LandOptions, Lander};
use crate::run::plan::Unit;
use crate::run::report::{RunReport, Traffic, WindowReport};
use crate::run::stop::Stop;
use crate::spec::source::{Source, Stream};
use crate::webhook::inbox::event::{Batch, Event};
use crate::webhook::land::history::{kept, stream_of_events};
use crate::webhook::land::left::Left;
use crate::webhook::land::route::{record, stream_of};
use crate::webhook::land::store::{Loose, Store};
use crate::window::Window;
use crate::window::batch;

/// What to land, and from where.
#[derive(Debug)]
pub struct Inlet {
    /// The inbox's folder.
    pub inbox: PathBuf,
    /// The streams, by name; all that events lead to where there are none.
    pub streams: Vec<String>,
    /// Batches that are left alone this time, by name.
    pub resting: BTreeSet<String>,
}

/// A run that lands.
struct Landings {
    source: Arc<Source>,
    streams: Vec<Arc<Stream>>,
    store: Store,
    lander: Lander,
    stop: Stop,
    windows: Vec<WindowReport>,
    /// What waits for the source file to have a place for it.
    left: Left,
}

/// Lands what is in the inbox; a failure stops only its own batch.
///
/// # Errors
/// What concerns no batch: `Usage` for streams that no event leads to, or an inbox that is not there, `Store` where the
/// inbox or the lake fails.
pub async fn land(inlet: &Inlet, options: LandOptions) -> Result<RunReport> {
    let streams = streams(&options.source, &inlet.streams)?;
    let (source, stop) = (Arc::clone(&options.source), options.stop.clone());
    let run_id = options.run_id.clone();
    let store = Store::open(&inlet.inbox).await?;
    let lander = Lander::open(options, streams.iter().map(|stream| &*stream.table)).await?;
    let (windows, left) = (Vec::new(), Left::default());
    let mut landings = Landings { source, streams, store, lander, stop, windows, left };
    // Those that come meanwhile are the next run's: under load there would be no end.
    let newest = landings.store.newest().await?;
    landings.unfinished(inlet).await?;
    landings.sweep(Loose::Waiting, newest).await?;
    landings.sweep(Loose::Refused, newest).await?;
    let left = landings.left.told();
    Ok(RunReport::new(run_id, landings.windows, Traffic::default()).leaving(&left))
}

/// The streams that events lead to, the named ones or all.
///
/// # Errors
/// `Usage` for a name that is no stream's, for a stream that no event leads to, and for a source without webhooks.
pub fn streams(source: &Source, names: &[String]) -> Result<Vec<Arc<Stream>>> {
    let routes = source.webhooks.iter().flat_map(|webhook| &webhook.routes);
    let led_to: BTreeSet<&str> = routes.map(|route| route.stream.as_str()).collect();
    if led_to.is_empty() {
        let message = format!("the source `{}` has no webhooks", source.name);
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("declare them under `webhooks:` in the source file"));
    }
    let mut streams: Vec<Arc<Stream>> = Vec::new();
    for name in names {
        let stream = source.find_stream(name)?;
        if !led_to.contains(name.as_str()) {
            let all = led_to.iter().copied().collect::<Vec<_>>().join(", ");
            let message = format!("no webhook brings events of the stream `{name}`");
            return Err(Error::new(ErrorKind::Usage, message).hint(format!("they bring: {all}")));
        }
        if !streams.iter().any(|known| known.name == stream.name) {
            streams.push(Arc::clone(stream));
        }
    }
    if names.is_empty() {
        let all = source.streams.iter().filter(|stream| led_to.contains(stream.name.as_str()));
        streams = all.cloned().collect();
    }
    Ok(streams)
}

impl Landings {
    /// Lands the batches that earlier runs have made and not let go.
    async fn unfinished(&mut self, inlet: &Inlet) -> Result<()> {
        for batch in self.store.batches(&self.source.name).await? {
            if self.stop.cause().is_some() {
                return Ok(());
            }
            if inlet.resting.contains(&batch.name) {
                continue;
            }
            let Some(stream) = self.wanted(&batch.stream) else {
                // Another stream may not have been asked for; but where all were, this one has lost its events.
                if inlet.streams.is_empty() {
                    self.left.batch(batch);
                }
                continue;
            };
            let events = self.store.events(&batch).await?;
            // Another run has let it go meanwhile.
            if !events.is_empty() {
                self.land(&batch, &stream, &events).await?;
            }
        }
        Ok(())
    }

    /// Makes batches of the events up to `newest` that are in none, and lands them.
    async fn sweep(&mut self, of: Loose, newest: i64) -> Result<()> {
        let mut after = 0;
        while self.stop.cause().is_none() {
            let events = self.store.loose(of, &self.source.name, (after, newest)).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.seq;
            for (stream, events) in self.by_stream(events) {
                if !self.batch(&stream, &events).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn wanted(&self, name: &str) -> Option<Arc<Stream>> {
        self.streams.iter().find(|stream| stream.name == name).cloned()
    }

    /// The events of the wanted streams, those of each in order.
    fn by_stream(&mut self, events: Vec<Event>) -> Vec<(Arc<Stream>, Vec<Event>)> {
        let mut all: BTreeMap<&str, Vec<Event>> = BTreeMap::new();
        for event in events {
            match stream_of(&self.source, &event) {
                Some(stream) => all.entry(stream).or_default().push(event),
                None => self.left.event(&event.endpoint),
            }
        }
        let mut all = self.streams.iter().map(|stream| {
            let events = all.remove(stream.name.as_str()).unwrap_or_default();
            (Arc::clone(stream), events)
        });
        all.by_ref().filter(|(_, events)| !events.is_empty()).collect()
    }

    /// Makes a batch and lands it; false where another run is at the same events.
    async fn batch(&mut self, stream: &Arc<Stream>, events: &[Event]) -> Result<bool> {
        let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
        let (Some(&first), Some(&last)) = (seqs.first(), seqs.last()) else { return Ok(true) };
        if self.stop.cause().is_some() {
            return Ok(false);
        }
        let unit = unit(stream, (first, last), events)?;
        let batch = Batch {
            name: format!("{}.{}.{}", self.source.name, stream.name, unit.id()),
            source: self.source.name.clone(),
            stream: stream.name.clone(),
            first,
            last,
            made_at: self.lander.now(),
        };
        match self.store.assign(&batch, seqs).await {
            Ok(()) => self.land(&batch, stream, events).await.map(|()| true),
            Err(error) if error.kind() == ErrorKind::Held => {
                self.windows.push(WindowReport::failed(&self.source.name, &unit, &error));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Commits a batch that the inbox has, then lets it go.
    async fn land(&mut self, batch: &Batch, stream: &Arc<Stream>, events: &[Event]) -> Result<()> {
        let unit = unit(stream, (batch.first, batch.last), events)?;
        let fingerprint = fingerprint(events);
        let history = match stream_of_events(&self.source, stream)? {
            Some(stream) => {
                let records = events.iter().map(kept).collect::<Result<Vec<_>>>()?;
                let events = Events { fingerprint: fingerprint.clone(), records };
                self.commit(&Unit { stream, ..unit.clone() }, events).await
            }
            None => true,
        };
        let of = |event: &Event| record(&self.source, &stream.name, event);
        let records = events.iter().map(of).collect::<Result<Vec<_>>>()?;
        let rows = self.commit(&unit, Events { fingerprint, records }).await;
        if history && rows {
            self.store.landed(batch).await?;
        }
        Ok(())
    }

    /// Commits events, and says whether the lake has them.
    async fn commit(&mut self, unit: &Unit, events: Events) -> bool {
        let report = self.lander.land(unit, events).await;
        let committed = report.exit == 0;
        self.windows.push(report);
        committed
    }
}

fn unit(stream: &Arc<Stream>, (first, last): (i64, i64), events: &[Event]) -> Result<Unit> {
    let number = |seq: i64| {
        u64::try_from(seq).map_err(|_| {
            Error::new(ErrorKind::Store, "the inbox has a batch whose number is below zero")
        })
    };
    let received = || events.iter().map(|event| event.received_at);
    let (Some(earliest), Some(latest)) = (received().min(), received().max()) else {
        return Err(Error::new(ErrorKind::Unexpected, "a batch has no events"));
    };
    Ok(Unit {
        stream: Arc::clone(stream),
        window: Window::around(earliest, latest)?,
        batch: Some(batch::Batch::new(number(first)?, number(last)?)?),
    })
}

/// A fingerprint of the events themselves, 32 hex digits: of another inbox, events with these numbers are others.
fn fingerprint(events: &[Event]) -> String {
    let mut all = Sha256::new();
    for event in events {
        all.update(event.seq.to_le_bytes());
        for text in [event.endpoint.as_bytes(), event.event_id.as_bytes(), &event.body] {
            all.update((text.len() as u64).to_le_bytes());
            all.update(text);
        }
    }
    all.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
