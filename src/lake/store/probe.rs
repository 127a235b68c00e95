//! Whether a lake can be written, and whether its store keeps the one promise that commits stand on.

use bytes::Bytes;
use uuid::Uuid;

use super::disk::{blocking, may_write};
use super::{CreateError, Lake, Place};
use crate::error::{Error, ErrorKind, Result};

/// Always the same, so that a kill in between leaves one object at most, and only until the next probe.
const NAME: &str = "_lakeward-probe";

impl Lake {
    /// Finds out whether the lake can be written: a folder is asked for leave; in a bucket a small object is created, a
    /// second time as well, which must fail, and deleted again.
    ///
    /// # Errors
    /// `Store` with the reason; also for a store that lets two writers create one object.
    pub async fn probe(&self) -> Result<()> {
        if let Place::Local { root, .. } = &*self.place {
            let root = root.clone();
            let asked = blocking(move || may_write(&root));
            return asked.await.map_err(|e| self.io_failed("could not write", "", e));
        }
        if !self.creates_twice(NAME).await? {
            return Ok(());
        }
        // Another run's probe may have deleted the object in between: a name of our own decides.
        let own = format!("{NAME}-{}", Uuid::new_v4().simple());
        if !self.creates_twice(&own).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Store, "the store lets two writers create the same object")
            .with("lake", self.describe())
            .hint("two runs could commit over each other: use a store that honours If-None-Match on PUT, as S3 does"))
    }

    /// Whether an object is created a second time over itself; it is deleted then.
    async fn creates_twice(&self, name: &str) -> Result<bool> {
        let first = self.creates(name).await?;
        let second = self.creates(name).await?;
        self.delete(name).await?;
        Ok(first && second)
    }

    async fn creates(&self, name: &str) -> Result<bool> {
        match self.create(name, Bytes::from_static(b"lakeward\n")).await {
            Ok(()) => Ok(true),
            Err(CreateError::Exists) => Ok(false),
            Err(CreateError::Unsure(error)) => Err(error),
        }
    }
}
