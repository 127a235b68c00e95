//! Object stores that crash, lie, dawdle or change while they are read.

use std::cmp::Ordering;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;

/// What befalls one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// An error, and nothing was done.
    Before,
    /// It was done, and an error is the answer.
    After,
    /// It was done, and the answer is that someone else had been first.
    ExistsAfter,
    /// It was not done, and the answer is that someone else had been first (409).
    ExistsBefore,
}

type Decide = dyn Fn(usize) -> Fault + Send + Sync;

/// A store on which each operation asks what befalls it.
#[derive(Clone)]
pub(super) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    operations: Arc<AtomicUsize>,
    struck: Arc<AtomicBool>,
    decide: Arc<Decide>,
    dawdle: Option<Arc<Mutex<StdRng>>>,
    careless: bool,
    /// The operation that waits for a gate to open.
    stop: Option<(usize, Arc<Semaphore>)>,
}

impl Faulty {
    pub(super) fn new(
        inner: Arc<dyn ObjectStore>,
        decide: impl Fn(usize) -> Fault + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner,
            operations: Arc::default(),
            struck: Arc::default(),
            decide: Arc::new(decide),
            dawdle: None,
            careless: false,
            stop: None,
        }
    }

    /// Creates over what is there, as stores do that do not know If-None-Match.
    pub(super) fn careless(inner: Arc<dyn ObjectStore>) -> Self {
        Self { careless: true, ..Self::new(inner, |_| Fault::None) }
    }

    /// Dead from operation `n` on, which itself meets `fault`: a power cut as the program sees it.
    pub(super) fn crash(inner: Arc<dyn ObjectStore>, n: usize, fault: Fault) -> Self {
        Self::new(inner, move |at| match at.cmp(&n) {
            Ordering::Less => Fault::None,
            Ordering::Equal => fault,
            Ordering::Greater => Fault::Before,
        })
    }

    /// Operation `n` alone meets `fault`.
    pub(super) fn once(inner: Arc<dyn ObjectStore>, n: usize, fault: Fault) -> Self {
        Self::new(inner, move |at| if at == n { fault } else { Fault::None })
    }

    /// Lets other tasks run for a random while before every operation.
    pub(super) fn dawdling(inner: Arc<dyn ObjectStore>, seed: u64) -> Self {
        Self::new(inner, |_| Fault::None).slowed(seed)
    }

    /// The same, which lets other tasks run for a random while before every operation.
    pub(super) fn slowed(self, seed: u64) -> Self {
        let random = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { dawdle: Some(random), ..self }
    }

    /// The same, whose operation `n` is sent when `gate` opens.
    pub(super) fn stopped_at(self, n: usize, gate: Arc<Semaphore>) -> Self {
        Self { stop: Some((n, gate)), ..self }
    }

    /// Whether any operation met a fault.
    pub(super) fn struck(&self) -> bool {
        self.struck.load(SeqCst)
    }

    fn fault(&self) -> Fault {
        let fault = (self.decide)(self.operations.fetch_add(1, SeqCst));
        if fault != Fault::None {
            self.struck.store(true, SeqCst);
        }
        fault
    }

    async fn around<T>(&self, at: &Path, work: impl Future<Output = Result<T>>) -> Result<T> {
        let turns = self
            .dawdle
            .as_ref()
            .map_or(0, |random| random.lock().expect("random").random_range(0..12));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        if let Some((n, gate)) = &self.stop
            && *n == self.operations.load(SeqCst)
        {
            gate.acquire().await.expect("open").forget();
        }
        let broken = || Error::Generic { store: "faulty", source: "connection reset".into() };
        let taken = || Error::AlreadyExists { path: at.to_string(), source: "faulty".into() };
        match self.fault() {
            Fault::None => work.await,
            Fault::Before => Err(broken()),
            Fault::ExistsBefore => Err(taken()),
            Fault::After => work.await.and_then(|_| Err(broken())),
            Fault::ExistsAfter => work.await.and_then(|_| Err(taken())),
        }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

// Moves are left to the trait's copy and delete, as on S3: two operations, two places to crash.
#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        let how = if self.careless { PutOptions { mode: PutMode::Overwrite, ..how } } else { how };
        self.around(at, self.inner.put_opts(at, body, how)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.around(at, self.inner.put_multipart_opts(at, how)).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.around(at, self.inner.get_opts(at, options)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let at = location?;
                store.around(&at, store.inner.delete(&at)).await?;
                Ok(at)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let found = store.inner.list(prefix.as_ref()).try_collect::<Vec<_>>();
            let found = store.around(&Path::default(), found).await?;
            Ok::<_, Error>(futures::stream::iter(found.into_iter().map(Ok)))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.around(&Path::default(), self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.around(to, self.inner.copy_opts(from, to, options)).await
    }
}

/// A store that is one state for the first `turn` operations and a later one from then on: what a
/// reader meets whose reads straddle a commit.
#[derive(Debug)]
pub(super) struct Turning {
    pub(super) before: Arc<dyn ObjectStore>,
    pub(super) after: Arc<dyn ObjectStore>,
    pub(super) turn: usize,
    pub(super) operations: AtomicUsize,
}

impl Turning {
    fn store(&self) -> &Arc<dyn ObjectStore> {
        let at = self.operations.fetch_add(1, SeqCst);
        if at < self.turn { &self.before } else { &self.after }
    }
}

impl fmt::Display for Turning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turning")
    }
}

fn read_only() -> Error {
    Error::NotImplemented { operation: "write".into(), implementer: "a reader".into() }
}

#[async_trait]
impl ObjectStore for Turning {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only())
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.store().get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        futures::stream::once(async { Err(read_only()) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store().list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store().list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only())
    }
}
