//! Which windows of which streams: the units of work, in the order that decides the exit code; or which batches.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::{Source, Stream};
use crate::window::Window;
use crate::window::batch::{Batch, WindowId};

/// One window of one stream, or one batch of its webhook events: the unit of work, of commit and of fan-out.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The stream.
    pub stream: Arc<Stream>,
    /// The window; of a batch, the instants at which its events were received.
    pub window: Window,
    /// The batch, where it is one.
    pub batch: Option<Batch>,
}

impl Unit {
    /// What the unit's name ends with.
    pub fn id(&self) -> WindowId {
        self.batch.map_or(WindowId::Window(self.window), WindowId::Batch)
    }
}

/// Every window of the named streams, or of all; streams in the order given, windows in time order.
///
/// # Errors
/// `Usage` for a stream that the source does not have, or one named twice, and for a source without a base URL.
pub fn units(source: &Source, names: &[String], windows: &[Window]) -> Result<Vec<Unit>> {
    source.base_url()?;
    let mut streams = Vec::new();
    for name in names {
        let stream = source.find_stream(name)?;
        if streams.iter().any(|known: &Arc<Stream>| known.name == stream.name) {
            return Err(Error::new(ErrorKind::Usage, format!("the stream {name} is named twice")));
        }
        streams.push(Arc::clone(stream));
    }
    if names.is_empty() {
        streams.clone_from(&source.streams);
    }
    let of_stream = |stream: &Arc<Stream>| {
        let stream = Arc::clone(stream);
        let unit = move |&window| Unit { stream: Arc::clone(&stream), window, batch: None };
        windows.iter().map(unit)
    };
    Ok(streams.iter().flat_map(of_stream).collect())
}
