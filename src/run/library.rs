//! The library's front door: a stream's window as Arrow batches, or extracted into a lake.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::decode::{DecodeOptions, Decoder};
use crate::error::Result;
use crate::http::client::Client;
use crate::http::pages::{Resume, pages};
use crate::lake::store::Lake;
use crate::page::Meter;
use crate::run::extract::{Extraction, Limits, extract, new_run_id};
use crate::run::plan::Unit;
use crate::run::progress::Progress;
use crate::run::report::RunReport;
use crate::run::stop::Stop;
use crate::spec;
use crate::spec::source::Source;
use crate::window::Window;

impl Source {
    /// The stream `name` of this source, ready to be given a window.
    ///
    /// # Errors
    /// `Usage` with the nearest name where there is no such stream.
    pub fn stream(self, name: &str) -> Result<SourceStream> {
        let stream = Arc::clone(self.find_stream(name)?);
        Ok(SourceStream { source: Arc::new(self), stream })
    }
}

/// A stream of a source.
#[derive(Clone, Debug)]
pub struct SourceStream {
    source: Arc<Source>,
    stream: Arc<spec::source::Stream>,
}

impl SourceStream {
    /// One window of the stream.
    pub fn window(&self, window: Window) -> StreamWindow {
        StreamWindow { of: self.clone(), window }
    }
}

/// One window of a stream: read it as batches, or extract it.
#[derive(Clone, Debug)]
pub struct StreamWindow {
    of: SourceStream,
    window: Window,
}

impl StreamWindow {
    /// The columns of [`StreamWindow::batches`]: the declared ones, `_extracted_at`, then the raw column.
    ///
    /// # Errors
    /// `Config` when the table has no Arrow form.
    pub fn schema(&self) -> Result<SchemaRef> {
        Ok(self.decoder(SystemClock.now())?.schema())
    }

    /// The window's rows, a batch a page, as the API gives them: neither deduplicated nor written.
    /// Records that do not fit the schema are logged and left out.
    ///
    /// An item is an error of the kind that ends an extract; it is the last one.
    pub fn batches(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let opened = self.decoder(clock.now());
        let opened = opened.and_then(|decoder| Ok((decoder, Client::new(&self.of.source, clock)?)));
        let (mut decoder, client) = match opened {
            Ok(opened) => opened,
            Err(error) => return futures::stream::once(std::future::ready(Err(error))).boxed(),
        };
        let pages = pages(
            client,
            Arc::clone(&self.of.stream),
            self.window,
            Resume::start(),
            Arc::new(Meter::default()),
            CancellationToken::new(),
        );
        let batches = pages.map(move |page| {
            let decoded = decoder.decode(&page?)?;
            for reject in &decoded.rejects {
                tracing::warn!(
                    page = reject.page,
                    index = reject.index,
                    "rejected: {}",
                    reject.message
                );
            }
            Ok(decoded.batch)
        });
        batches.boxed()
    }

    /// All rows of [`StreamWindow::batches`] at once.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect(&self) -> Result<Vec<RecordBatch>> {
        self.batches().try_collect().await
    }

    /// Extracts the window into `lake`, whole or not at all; a committed window is left as it is.
    ///
    /// # Errors
    /// What concerns no window; how the window itself ended is in the report.
    pub async fn extract(&self, lake: &Lake) -> Result<RunReport> {
        let stream = Arc::clone(&self.of.stream);
        let units = vec![Unit { stream, window: self.window, batch: None }];
        extract(Extraction {
            run_id: new_run_id(),
            source: Arc::clone(&self.of.source),
            lake: lake.clone(),
            progress: Arc::new(Progress::new(units.len())),
            units,
            refresh: false,
            accept_drift: false,
            jobs: Some(1),
            memory: None,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            stop: Stop::default(),
        })
        .await
    }

    fn decoder(&self, extracted_at: chrono::DateTime<chrono::Utc>) -> Result<Decoder> {
        let clip = self.of.stream.clip.clone().map(|field| (field, self.window));
        Decoder::new(Arc::clone(&self.of.stream.table), DecodeOptions { extracted_at, clip })
    }
}
