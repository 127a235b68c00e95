//! An object's bytes piece by piece, for those who need not hold them all.

use std::fs::File;
use std::io::Read as _;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetResultPayload, ObjectStoreExt as _};

use super::disk::blocking;
use super::{Lake, location};
use crate::error::Result;

/// Bytes of a local file that are read at once. `object_store` reads 8 KiB, each a hop to another thread and back.
const PIECE_BYTES: usize = 1 << 20;

impl Lake {
    /// The object's bytes, piece by piece.
    ///
    /// # Errors
    /// `Store` with the path; also where there is no such object.
    pub async fn read_stream(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let got = self.store.get(&location(path)?).await;
        let got = got.map_err(|e| self.failed("could not read", path, e))?;
        let (lake, path) = (self.clone(), path.to_owned());
        Ok(match got.payload {
            GetResultPayload::File(file, _) => {
                local(file).map_err(move |e| lake.io_failed("could not read", &path, e)).boxed()
            }
            GetResultPayload::Stream(pieces) => {
                pieces.map_err(move |e| lake.failed("could not read", &path, e)).boxed()
            }
        })
    }
}

fn local(file: File) -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::try_unfold(file, |mut file| async {
        blocking(move || {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
            Ok((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
        })
        .await
    })
}
