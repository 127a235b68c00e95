//! Which windows of which streams: the units of work, in the order that decides the exit code.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::source::{Source, Stream};
use crate::window::Window;

/// One window of one stream: the unit of work, of commit and of fan-out.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The stream.
    pub stream: Arc<Stream>,
    /// The window.
    pub window: Window,
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
        windows.iter().map(move |&window| Unit { stream: Arc::clone(&stream), window })
    };
    Ok(streams.iter().flat_map(of_stream).collect())
}
