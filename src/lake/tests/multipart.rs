//! Objects that are written in parts: whatever fails, no upload is left open in the bucket.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::{Row, batch, schema, table};
use crate::lake::budget::Budget;
use crate::lake::dedupe::KeyIndex;
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::partitions::{PartitionWriter, WriteOptions};
use crate::lake::store::Lake;
use crate::spec::table::Compression;
use crate::window::batch::WindowId;

/// A bucket that counts its unfinished uploads, and whose part of this number, counted over all of them, fails.
#[derive(Clone, Debug)]
struct Bucket {
    inner: Arc<InMemory>,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    parts: Arc<AtomicUsize>,
    fails: usize,
}

impl Bucket {
    fn whose_part_fails(fails: usize) -> Self {
        let zero = Arc::<AtomicUsize>::default;
        Self { inner: Arc::default(), begun: zero(), ended: zero(), parts: zero(), fails }
    }

    fn lake(&self) -> Lake {
        Lake::on(Arc::new(self.clone()), "s3://bucket")
    }

    #[track_caller]
    fn is_clean(&self) {
        let (begun, ended) = (self.begun.load(SeqCst), self.ended.load(SeqCst));
        assert!(begun > 0, "no upload was begun");
        assert_eq!(begun, ended, "uploads are left open");
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

/// One upload of a [`Bucket`].
#[derive(Debug)]
struct Counted {
    inner: Box<dyn MultipartUpload>,
    bucket: Bucket,
}

#[async_trait]
impl MultipartUpload for Counted {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        if self.bucket.parts.fetch_add(1, SeqCst) + 1 == self.bucket.fails {
            let source = "503 slow down".into();
            return Box::pin(async { Err(Error::Generic { store: "bucket", source }) });
        }
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.inner.complete().await?;
        self.bucket.ended.fetch_add(1, SeqCst);
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.bucket.ended.fetch_add(1, SeqCst);
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.begun.fetch_add(1, SeqCst);
        let inner = self.inner.put_multipart_opts(at, how).await?;
        Ok(Box::new(Counted { inner, bucket: self.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn writer(lake: &Lake) -> PartitionWriter {
    let mut table = table(vec![0], None, None);
    table.parquet.compression = Compression::Uncompressed;
    table.parquet.row_group = Some(1 << 20);
    let window: WindowId = "20260317T000000Z_20260320T000000Z".parse().expect("window");
    let options = WriteOptions {
        dir: TableDir::new("t").expect("dir"),
        schema: schema(),
        window_name: WindowName::new("gateway", "payments", window).expect("name"),
        attempt: 1,
        footer: Vec::new(),
        first_file: 1,
        keys: KeyIndex::new(&table),
        // So little that rows are encoded and sent as they come.
        memory: Arc::new(Budget::of(110 << 20, 1, true, [&table]).expect("budget")).window(&table),
        table: Arc::new(table),
    };
    PartitionWriter::new(lake.clone(), options).expect("writer")
}

/// Rows of about 12 MiB.
fn rows(first: i64) -> Vec<Row> {
    let row = |part: i64| Row {
        id: Some(format!("{part:08}").repeat(1_000)),
        part,
        version: None,
        created_at: None,
    };
    (first..first + 1_500).map(row).collect()
}

#[tokio::test]
async fn an_upload_is_given_up_when_a_part_fails() {
    for fails in 1..=3 {
        let bucket = Bucket::whose_part_fails(fails);
        let mut upload = bucket.lake().upload("t/a").expect("upload");
        let mut failed = false;
        for _ in 0..40 {
            failed |= upload.write(vec![7; 1 << 20].into()).await.is_err();
        }
        assert!(failed, "part {fails}");
        assert!(upload.finish().await.is_err(), "an object that lacks a part");
        bucket.is_clean();
    }
}

#[tokio::test]
async fn a_data_file_is_given_up_when_a_part_fails() {
    for fails in 1..=3 {
        let bucket = Bucket::whose_part_fails(fails);
        let mut writer = writer(&bucket.lake());
        let mut failed = false;
        for first in [0, 10_000, 20_000] {
            failed |= writer.write(&batch(&rows(first))).await.is_err();
        }
        failed |= writer.barrier().await.is_err();
        assert!(failed, "part {fails}");
        writer.abandon().await.expect("abandon");
        bucket.is_clean();
    }
}

#[tokio::test]
async fn a_merge_that_fails_leaves_no_parts() {
    let bucket = Bucket::whose_part_fails(0);
    let lake = bucket.lake();
    let mut writer = writer(&lake);
    let mut files = Vec::new();
    for first in [0, 10_000, 20_000, 30_000] {
        writer.write(&batch(&rows(first))).await.expect("write");
        files.extend(writer.barrier().await.expect("barrier"));
    }
    bucket.is_clean();
    let before = bucket.begun.load(SeqCst);
    let last = files.last().expect("a file").path.clone();
    lake.put(&last, vec![0; 100].into()).await.expect("damage");
    writer.settle(files).await.expect_err("a file that is not what it was");
    assert!(bucket.begun.load(SeqCst) > before, "the merge had begun");
    bucket.is_clean();
}
