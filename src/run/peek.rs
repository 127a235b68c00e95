//! One page of a window, fetched and decoded but written nowhere.

use std::sync::Arc;

use futures::StreamExt as _;

use crate::clock::Clock;
use crate::decode::shape::Shape;
use crate::decode::{DecodeOptions, Decoded, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::http::client::Client;
use crate::http::pages::{Resume, pages};
use crate::http::witness::{Sight, Witness};
use crate::page::{Meter, Page};
use crate::run::stop::Stop;
use crate::spec::source::{Source, Stream};
use crate::window::Window;

/// What one request brought.
pub struct Peek {
    /// What went over the wire, in order; nothing where no request could be sent.
    pub sights: Vec<Sight>,
    /// The page, or what an extract would end with.
    pub page: Result<Peeked>,
    /// Takes the source's credentials out of what is shown.
    client: Client,
}

/// A page as an extract would take it.
pub struct Peeked {
    /// The page.
    pub page: Page,
    /// Its rows, and what did not fit.
    pub decoded: Decoded,
    /// What its records looked like.
    pub shape: Shape,
}

impl Peek {
    /// Fetches the first page of `window`: one attempt, redirects and a renewal of the credentials aside.
    ///
    /// # Errors
    /// `Config` when the client cannot be set up. What the API does is in [`Peek::page`].
    pub async fn at(
        source: &Source,
        stream: &Stream,
        window: Window,
        clock: Arc<dyn Clock>,
        stop: &Stop,
    ) -> Result<Self> {
        let mut once = source.clone();
        once.retry.max_attempts = 1;
        // The page alone: nothing is sent ahead of what nobody asks for.
        let stream = Arc::new(Stream { concurrency: 1, ..stream.clone() });
        let witness = Arc::new(Witness::default());
        let extracted_at = clock.now();
        let client = Client::new(&once, clock)?.watched_by(Arc::clone(&witness));
        let pages = pages(
            client.clone(),
            Arc::clone(&stream),
            window,
            Resume::start(),
            Arc::new(Meter::default()),
            stop.child(),
        );
        let first = Box::pin(pages).next().await;
        if let Some(cause) = stop.cause() {
            // A refresh token that is being rotated is kept first.
            client.settle().await;
            return Err(cause.error().hint("run the same command again"));
        }
        let page = first.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Unexpected, "a window without a first page"))
        });
        let page = page.and_then(|page| {
            let clip = stream.clip.clone().map(|field| (field, window));
            let options = DecodeOptions { extracted_at, clip };
            let mut decoder = Decoder::new(Arc::clone(&stream.table), options)?;
            let decoded = decoder.decode(&page)?;
            Ok(Peeked { page, decoded, shape: decoder.shape().clone() })
        });
        Ok(Self { sights: witness.sights(), page, client })
    }

    /// Text of the API as it may be shown: without credentials, which it may echo. Where they cannot be resolved
    /// nothing was sent, and there is nothing to hide.
    pub fn scrub(&self, text: &str) -> String {
        self.client.scrub(text).unwrap_or_else(|_| text.to_owned())
    }
}
