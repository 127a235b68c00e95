//! `lakeward peek`: one page, as a careful engineer would look at it with curl. Nothing is written.

mod envelope;
mod fields;
mod quota;
mod text;
mod view;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cli::args::PeekArgs;
use crate::cli::args::values::Format;
use crate::cli::render::{json, out};
use crate::cli::signals::stop_on_signals;
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::run::peek::Peek;
use crate::run::stop::Stop;
use crate::spec::source::{Source, Stream};
use crate::window::Window;

const DAY: Duration = Duration::from_secs(86_400);

/// Fetches one page and prints what it says; what an extract would end with ends this as well.
pub(crate) async fn run(args: PeekArgs) -> Result<u8> {
    let source = Source::load(&args.source)?;
    let stream = chosen(&source, args.stream.as_deref())?;
    let window = window(args.date, SystemClock.now())?;
    let stop = Stop::default();
    stop_on_signals(stop.clone(), "stopping", None)?;
    let peek = Peek::at(&source, stream, window, Arc::new(SystemClock), &stop).await?;
    let view = view::of(&source, stream, window, &peek);
    match args.format {
        Format::Json => json(&view)?,
        Format::Table => out(&text::of(&view))?,
    }
    peek.page.map(|_| 0)
}

/// The named stream, or the only one.
fn chosen<'a>(source: &'a Source, name: Option<&str>) -> Result<&'a Stream> {
    if let Some(name) = name {
        return source.find_stream(name).map(Arc::as_ref);
    }
    if let [only] = source.streams.as_slice() {
        return Ok(only);
    }
    let names: Vec<&str> = source.streams.iter().map(|stream| stream.name.as_str()).collect();
    let message = format!("the source `{}` has several streams: name one", source.name);
    Err(Error::new(ErrorKind::Usage, message)
        .hint(format!("its streams are: {}", names.join(", "))))
}

/// The named day, or the last full one.
fn window(date: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Window> {
    let last = |mut windows: Vec<Window>| {
        windows.pop().ok_or_else(|| Error::new(ErrorKind::Usage, "there is no such window"))
    };
    match date {
        Some(start) => {
            let end = start.checked_add_signed(chrono::TimeDelta::days(1));
            let end = end.ok_or_else(|| Error::new(ErrorKind::Usage, "the day has no end"))?;
            Window::new(start, end)
        }
        None => last(Window::lookback(now, DAY, DAY)?),
    }
}
