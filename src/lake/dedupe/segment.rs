//! The key index on disk: a segment a checkpoint, each with what has changed since the one before.
//!
//! A segment is `LWKEYS` 0 1, the length of its header (u32), the header (JSON), the keys of the files that
//! it adds (24 or 40 bytes each), the rows superseded since the last segment (8 bytes each) and the XXH3-64 of
//! all that. Numbers are little-endian. Read in order, segments give the index as it was.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

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
            let bytes = lake.read(path).await?;
            if let Err(what) = bytes.ok_or("it is missing").and_then(|bytes| index.replay(bytes)) {
                tracing::warn!(path = lake.url_of(path), "the key index cannot be used: {what}");
                return Ok(None);
            }
        }
        Ok(Some(index))
    }

    fn replay(&mut self, bytes: Bytes) -> Result<(), &'static str> {
        let (header, mut body) = open(bytes)?;
        if header.first_file != self.files.len() {
            return Err("its files do not follow those of the segment before");
        }
        let words = match &self.keys {
            Keys::None => return Err("the table has no primary key"),
            Keys::Plain(_) => 0_u64,
            Keys::Versioned(_) => 2,
        };
        let expected = header
            .entries
            .checked_mul(24 + 8 * words)
            .zip(header.superseded.checked_mul(8))
            .and_then(|(entries, rows)| entries.checked_add(rows));
        if header.version_words as u64 != words || expected != Some(body.len() as u64) {
            return Err("its header does not fit its length");
        }
        self.files.extend(header.files);
        self.saved_files = self.files.len();
        let files = self.files.len();
        let entries = usize::try_from(header.entries).map_err(|_| "it is too long")?;
        match &mut self.keys {
            Keys::None => {}
            Keys::Plain(keys) => read_entries(keys, &mut body, entries, files)?,
            Keys::Versioned(keys) => read_entries(keys, &mut body, entries, files)?,
        }
        while body.has_remaining() {
            let place = read_place(&mut body, files)?;
            self.supersede(place);
        }
        Ok(())
    }
}

/// Checks the frame and takes it off: what remains are entries and superseded rows.
fn open(bytes: Bytes) -> Result<(Header, Bytes), &'static str> {
    let cut = "it is cut short";
    let content_len = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(cut)?;
    let (mut content, mut checksum) = (bytes.slice(..content_len), bytes.slice(content_len..));
    if !content.starts_with(MAGIC) {
        return Err("it is no key index of this version");
    }
    if xxh3_64(&content) != checksum.get_u64_le() {
        return Err("it is cut short or changed");
    }
    content.advance(MAGIC.len());
    let header_len = content.try_get_u32_le().map_err(|_| cut)? as usize;
    if header_len > content.len() {
        return Err(cut);
    }
    let header = serde_json::from_slice(&content.split_to(header_len));
    Ok((header.map_err(|_| "its header is not readable")?, content))
}

fn read_entries<const V: usize>(
    keys: &mut KeyTable<V>,
    body: &mut Bytes,
    entries: usize,
    files: usize,
) -> Result<(), &'static str> {
    for _ in 0..entries {
        let key = [read_word(body)?, read_word(body)?];
        let mut version = [0; V];
        for word in &mut version {
            *word = read_word(body)?;
        }
        keys.replace(Entry { key, version, place: read_place(body, files)? });
    }
    Ok(())
}

fn read_word(body: &mut Bytes) -> Result<u64, &'static str> {
    body.try_get_u64_le().map_err(|_| "it is cut short")
}

fn read_place(body: &mut Bytes, files: usize) -> Result<RowPlace, &'static str> {
    let file = body.try_get_u32_le().map_err(|_| "it is cut short")?;
    let row = body.try_get_u32_le().map_err(|_| "it is cut short")?;
    if file as usize >= files {
        return Err("it names a file that it does not know");
    }
    Ok(RowPlace { file, row })
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
