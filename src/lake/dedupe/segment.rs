//! The key index on disk: a segment a checkpoint, each with what has changed since the one before.
//!
//! A segment is `LWKEYS` 0 1, the length of its header (u32), the header (JSON), the keys of the files that
//! it adds (24 or 40 bytes each), the rows superseded since the last segment (8 bytes each) and the XXH3-64 of
//! all that. Numbers are little-endian. Read in order, segments give the index as it was.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::dedupe::table::{Entry, KeyTable};
use crate::lake::dedupe::{KeyIndex, Keys, RowPlace};
use crate::lake::store::Lake;
use crate::lake::upload::Upload;
use crate::spec::table::Table;

const MAGIC: &[u8; 8] = b"LWKEYS\x00\x01";
const CHECKSUM_BYTES: usize = 8;
/// Bytes that are handed to the upload at once.
const CHUNK_BYTES: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// The ordinal of the first of `files`.
    first_file: usize,
    /// The files that this segment adds.
    files: Vec<String>,
    /// Words of a version: 0, or 2 with `version_by`.
    version_words: usize,
    entries: u64,
    superseded: u64,
}

impl KeyIndex {
    /// Writes what has changed since the last segment to `path`. Only while no file is open: the segment
    /// stands for whole files. Writes nothing without a primary key; whether it did.
    ///
    /// # Errors
    /// `Store` with the path; the index is as it was then.
    pub async fn save(&mut self, lake: &Lake, path: &str) -> Result<bool> {
        let mut out = SegmentWriter::new(lake.upload(path)?);
        match &self.keys {
            Keys::None => return Ok(false),
            Keys::Plain(keys) => self.write(&mut out, keys).await?,
            Keys::Versioned(keys) => self.write(&mut out, keys).await?,
        }
        for place in &self.fresh {
            out.buffer.put_u32_le(place.file);
            out.buffer.put_u32_le(place.row);
            out.pass_on(CHUNK_BYTES).await?;
        }
        out.finish().await?;
        self.saved_files = self.files.len();
        self.fresh.clear();
        Ok(true)
    }

    async fn write<const V: usize>(
        &self,
        out: &mut SegmentWriter,
        keys: &KeyTable<V>,
    ) -> Result<()> {
        let new = |entry: &&Entry<V>| entry.place.file as usize >= self.saved_files;
        let header = Header {
            first_file: self.saved_files,
            files: self.files.get(self.saved_files..).unwrap_or_default().to_vec(),
            version_words: V,
            entries: keys.iter().filter(new).count() as u64,
            superseded: self.fresh.len() as u64,
        };
        let header = serde_json::to_vec(&header).map_err(unexpected)?;
        out.buffer.put_slice(MAGIC);
        out.buffer.put_u32_le(u32::try_from(header.len()).map_err(unexpected)?);
        out.buffer.put_slice(&header);
        for entry in keys.iter().filter(new) {
            for word in entry.key.iter().chain(&entry.version) {
                out.buffer.put_u64_le(*word);
            }
            out.buffer.put_u32_le(entry.place.file);
            out.buffer.put_u32_le(entry.place.row);
            out.pass_on(CHUNK_BYTES).await?;
        }
        Ok(())
    }

    /// Reads segments, in the order they were written, into the index that wrote the last of them; `None`
    /// where one is missing, cut, changed, of another table or out of order, which the log names.
    ///
    /// # Errors
    /// `Store` with the path of a segment that the lake does not give.
    pub async fn load(lake: &Lake, table: &Table, paths: &[String]) -> Result<Option<Self>> {
        let mut index = Self::new(table);
        for path in paths {
            match index.replay(lake, path).await {
                Ok(()) => {}
                Err(Fault::Damaged(what)) => {
                    let path = lake.url_of(path);
                    tracing::warn!(path, "the key index cannot be used: {what}");
                    return Ok(None);
                }
                Err(Fault::Lake(error)) => return Err(error),
            }
        }
        Ok(Some(index))
    }

    /// Reads a segment piece by piece: it may be as large as the index itself.
    async fn replay(&mut self, lake: &Lake, path: &str) -> Result<(), Fault> {
        let Some(object) = lake.stat(path).await? else {
            return Err(Fault::Damaged("it is missing"));
        };
        let mut segment = SegmentReader::open(lake, path).await?;
        let header = segment.header().await?;
        if header.first_file != self.files.len() {
            return Err(Fault::Damaged("its files do not follow those of the segment before"));
        }
        let words = match &self.keys {
            Keys::None => return Err(Fault::Damaged("the table has no primary key")),
            Keys::Plain(_) => 0,
            Keys::Versioned(_) => 2,
        };
        if header.version_words != words {
            return Err(Fault::Damaged("its header is not of this table"));
        }
        // Room is made for as many before they are read.
        let most = object.size / size_of::<Entry<0>>() as u64;
        let entries = usize::try_from(header.entries).ok().filter(|_| header.entries <= most);
        let entries = entries.ok_or(Fault::Damaged("it is smaller than its header says"))?;
        self.files.extend(header.files);
        self.saved_files = self.files.len();
        let files = self.files.len();
        match &mut self.keys {
            Keys::None => {}
            Keys::Plain(keys) => read_entries(keys, &mut segment, entries, files).await?,
            Keys::Versioned(keys) => read_entries(keys, &mut segment, entries, files).await?,
        }
        let mut left = header.superseded;
        while left > 0 {
            let mut rows = segment.take_some(&mut left, 8).await?;
            while rows.has_remaining() {
                self.supersede(read_place(&mut rows, files)?);
            }
        }
        segment.end().await
    }
}

async fn read_entries<const V: usize>(
    keys: &mut KeyTable<V>,
    segment: &mut SegmentReader,
    entries: usize,
    files: usize,
) -> Result<(), Fault> {
    keys.reserve(entries);
    let mut left = entries as u64;
    while left > 0 {
        let mut body = segment.take_some(&mut left, size_of::<Entry<V>>()).await?;
        while body.has_remaining() {
            let key = [read_word(&mut body)?, read_word(&mut body)?];
            let mut version = [0; V];
            for word in &mut version {
                *word = read_word(&mut body)?;
            }
            keys.replace(Entry { key, version, place: read_place(&mut body, files)? });
        }
    }
    Ok(())
}

fn read_word(body: &mut Bytes) -> Result<u64, Fault> {
    body.try_get_u64_le().map_err(|_| CUT)
}

fn read_place(body: &mut Bytes, files: usize) -> Result<RowPlace, Fault> {
    let file = body.try_get_u32_le().map_err(|_| CUT)?;
    let row = body.try_get_u32_le().map_err(|_| CUT)?;
    if file as usize >= files {
        return Err(Fault::Damaged("it names a file that it does not know"));
    }
    Ok(RowPlace { file, row })
}

/// Why a segment was not read.
#[derive(Debug)]
enum Fault {
    Damaged(&'static str),
    Lake(Error),
}

const CUT: Fault = Fault::Damaged("it is cut short");

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Lake(error)
    }
}

/// A segment being read, hashed on the way.
struct SegmentReader {
    pieces: BoxStream<'static, Result<Bytes>>,
    buffer: BytesMut,
    hash: Xxh3Default,
}

impl SegmentReader {
    async fn open(lake: &Lake, path: &str) -> Result<Self> {
        let pieces = lake.read_stream(path).await?.boxed();
        Ok(Self { pieces, buffer: BytesMut::new(), hash: Xxh3Default::new() })
    }

    async fn header(&mut self) -> Result<Header, Fault> {
        if !self.take(MAGIC.len()).await?.starts_with(MAGIC) {
            return Err(Fault::Damaged("it is no key index of this version"));
        }
        let length = self.take(4).await?.get_u32_le();
        let header = self.take(length as usize).await?;
        serde_json::from_slice(&header).map_err(|_| Fault::Damaged("its header is not readable"))
    }

    /// The next `length` bytes.
    async fn take(&mut self, length: usize) -> Result<Bytes, Fault> {
        while self.buffer.len() < length {
            let piece = self.pieces.next().await.ok_or(CUT)??;
            self.buffer.extend_from_slice(&piece);
        }
        let taken = self.buffer.split_to(length).freeze();
        self.hash.update(&taken);
        Ok(taken)
    }

    /// The next things of `size` bytes, as many as are at hand and one at least; `left` is what remains of them.
    async fn take_some(&mut self, left: &mut u64, size: usize) -> Result<Bytes, Fault> {
        let at_hand = (self.buffer.len() / size).max(1) as u64;
        let count = at_hand.min(*left);
        *left -= count;
        self.take(usize::try_from(count).map_or(usize::MAX, |count| count * size)).await
    }

    /// Checks that what was read is what was written, and all of it.
    async fn end(mut self) -> Result<(), Fault> {
        let digest = self.hash.digest();
        let checksum = self.take(CHECKSUM_BYTES).await?.get_u64_le();
        let more = !self.buffer.is_empty() || self.pieces.next().await.transpose()?.is_some();
        if checksum != digest || more {
            return Err(Fault::Damaged("it is cut short or changed"));
        }
        Ok(())
    }
}

fn unexpected(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unexpected, "could not encode the key index").caused_by(cause)
}

/// Hashes on the way to the upload.
struct SegmentWriter {
    upload: Upload,
    buffer: BytesMut,
    hash: Xxh3Default,
}

impl SegmentWriter {
    fn new(upload: Upload) -> Self {
        Self { upload, buffer: BytesMut::new(), hash: Xxh3Default::new() }
    }

    /// Hands the buffer on once it holds `least` bytes.
    async fn pass_on(&mut self, least: usize) -> Result<()> {
        if self.buffer.len() < least {
            return Ok(());
        }
        self.hash.update(&self.buffer);
        let piece = std::mem::take(&mut self.buffer).freeze();
        self.upload.write(piece).await
    }

    async fn finish(mut self) -> Result<()> {
        self.pass_on(0).await?;
        self.buffer.put_u64_le(self.hash.digest());
        let piece = std::mem::take(&mut self.buffer).freeze();
        self.upload.write(piece).await?;
        self.upload.finish().await
    }
}
