//! Bytes that become one object when they are all there: nobody sees half of it.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayloadMut, WriteMultipart};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::{Lake, location};

/// Bytes of one part in a bucket. S3 takes 10,000 parts of 5 MiB and more: objects up to 80 GB.
const PART_BYTES: usize = 8 << 20;
/// Bytes of one part on local disk, where a part is a write and nothing asks for large ones.
const LOCAL_PART_BYTES: usize = 1 << 20;
/// Parts under way at once.
const PARTS_AT_ONCE: usize = 2;

/// An object being written. Dropped unfinished, it never was; [`Upload::abort`] also frees a bucket's parts, as a write
/// that fails does by itself.
///
/// Memory: up to three parts, of 8 MiB in a bucket and 1 MiB on local disk. An object under one part is a
/// single put.
pub struct Upload {
    lake: Lake,
    store: Arc<dyn ObjectStore>,
    location: Path,
    pending: PutPayloadMut,
    parts: Option<WriteMultipart>,
    part_bytes: usize,
    bytes: u64,
    given_up: bool,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({}, {} bytes)", self.location, self.bytes)
    }
}

impl Lake {
    /// Begins an object that is written piece by piece and is there once it is finished.
    ///
    /// # Errors
    /// `Store` for a path that is none.
    pub fn upload(&self, path: &str) -> Result<Upload> {
        let location = location(path)?;
        Ok(Upload::new(self.clone(), self.object_store(), location))
    }
}

impl Upload {
    fn new(lake: Lake, store: Arc<dyn ObjectStore>, location: Path) -> Self {
        let pending = PutPayloadMut::new();
        let part_bytes = if lake.is_local() { LOCAL_PART_BYTES } else { PART_BYTES };
        Self { lake, store, location, pending, parts: None, part_bytes, bytes: 0, given_up: false }
    }

    /// Where it will be, relative to the lake.
    pub fn path(&self) -> &str {
        self.location.as_ref()
    }

    /// Bytes given so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds bytes; waits while the parts under way are as many as allowed.
    ///
    /// # Errors
    /// `Store` with the path, also for a part given earlier; the object is given up then.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.check()?;
        self.bytes += bytes.len() as u64;
        if let Some(mut parts) = self.parts.take() {
            parts.put(bytes);
            if let Err(error) = parts.wait_for_capacity(PARTS_AT_ONCE).await {
                self.given_up = true;
                let error = self.failed(error);
                if let Err(second) = parts.abort().await {
                    tracing::debug!(path = self.path(), error = %second, "parts are left in the bucket");
                }
                return Err(error);
            }
            self.parts = Some(parts);
            return Ok(());
        }
        self.pending.push(bytes);
        if self.pending.content_length() < self.part_bytes {
            return Ok(());
        }
        let upload = self.store.put_multipart(&self.location).await.map_err(|e| self.failed(e))?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, self.part_bytes);
        for piece in std::mem::take(&mut self.pending).freeze() {
            parts.put(piece);
        }
        self.parts = Some(parts);
        Ok(())
    }

    /// Makes the object: durable and whole when this returns.
    ///
    /// # Errors
    /// `Store` with the path; nothing is there then.
    pub async fn finish(self) -> Result<()> {
        self.check()?;
        let Self { lake, location, pending, parts, .. } = self;
        match parts {
            None => lake.put_payload(location.as_ref(), pending.freeze()).await,
            Some(parts) => {
                let finished = parts.finish().await;
                finished.map(drop).map_err(|e| lake.failed("could not write", location.as_ref(), e))
            }
        }
    }

    /// Gives the object up.
    ///
    /// # Errors
    /// `Store` where a bucket could not be told to drop the parts.
    pub async fn abort(self) -> Result<()> {
        let Self { lake, location, parts, .. } = self;
        let Some(parts) = parts else { return Ok(()) };
        parts.abort().await.map_err(|e| lake.failed("could not give up", location.as_ref(), e))
    }

    /// An object that lacks a part is never made.
    fn check(&self) -> Result<()> {
        match self.given_up {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Store, "the object was given up when a part failed")
                .with("path", self.lake.url_of(self.path()))),
        }
    }

    fn failed(&self, error: object_store::Error) -> Error {
        self.lake.failed("could not write", self.location.as_ref(), error)
    }
}
