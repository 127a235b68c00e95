//! How a table's data files are written: codec, encodings, statistics and footer.

use arrow::datatypes::{DataType, Field, SchemaRef};
use parquet::basic::{Compression as Codec, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::table::{Compression, ParquetOptions};

/// The footer's key for the window's name.
pub const FOOTER_WINDOW: &str = "lakeward.window";
/// The footer's key for the run that wrote the file.
pub const FOOTER_RUN_ID: &str = "lakeward.run_id";
/// The footer's key for the schema file's fingerprint.
pub const FOOTER_SCHEMA: &str = "lakeward.schema_fingerprint";

/// Where a column's dictionary is given up: what repeats is far smaller, and every open column holds one.
const DICTIONARY_BYTES: usize = 256 << 10;
/// Bytes of a page of JSON text, before compression: as much as zstd compresses within the core's own caches.
const TEXT_PAGE_BYTES: usize = 128 << 10;
/// The most rows of a row group, whatever they weigh: readers split work by row group.
pub(super) const MAX_GROUP_ROWS: usize = 1 << 20;

/// How a table's data files are written: made once, shared by all of them.
#[derive(Clone, Debug)]
pub struct DataFileFormat {
    pub(super) schema: SchemaRef,
    pub(super) properties: WriterProperties,
    pub(super) group_bytes: u64,
    target_bytes: u64,
}

impl DataFileFormat {
    /// The format of rows of `schema`. `raw_column` holds each record's text: it is neither repeated nor
    /// ordered, so that a dictionary or statistics would only cost. `footer` is written as key and value.
    ///
    /// # Errors
    /// `Config` for a zstd level out of range.
    pub fn new(
        schema: SchemaRef,
        options: &ParquetOptions,
        raw_column: Option<&str>,
        footer: &[(String, String)],
    ) -> Result<Self> {
        let codec = match options.compression {
            Compression::Uncompressed => Codec::UNCOMPRESSED,
            Compression::Snappy => Codec::SNAPPY,
            Compression::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level).map_err(|e| {
                Error::new(ErrorKind::Config, "the zstd level is out of range").caused_by(e)
            })?),
        };
        let footer = footer.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let mut builder = WriterProperties::builder()
            .set_compression(codec)
            .set_created_by(concat!("lakeward version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_max_row_group_row_count(Some(MAX_GROUP_ROWS))
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_key_value_metadata(Some(footer.collect()));
        for field in schema.fields() {
            builder = column_properties(builder, field, raw_column);
        }
        Ok(Self {
            properties: builder.build(),
            group_bytes: options.row_group_bytes().max(1),
            target_bytes: options.target_file_bytes.max(1),
            schema,
        })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The properties without a dictionary for `fields`.
    pub(super) fn without_dictionary(&self, fields: &[usize]) -> WriterProperties {
        let mut builder = self.properties.clone().into_builder();
        for field in fields.iter().filter_map(|index| self.schema.fields().get(*index)) {
            let path = ColumnPath::new(vec![field.name().clone()]);
            builder = builder.set_column_dictionary_enabled(path, false);
        }
        builder.build()
    }

    /// Bytes at which a data file is closed.
    pub fn target_bytes(&self) -> u64 {
        self.target_bytes
    }
}

fn column_properties(
    builder: WriterPropertiesBuilder,
    field: &Field,
    raw_column: Option<&str>,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::new(vec![field.name().clone()]);
    // Instants and money rarely repeat but lie close together: differences beat a dictionary.
    let near = match field.data_type() {
        DataType::Timestamp(..) => true,
        DataType::Decimal128(precision, _) => *precision <= 18,
        _ => false,
    };
    if near {
        return builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    let raw = raw_column == Some(field.name().as_str());
    if raw || field.data_type() == &DataType::Utf8View {
        // JSON text has no order that a reader could use; subtrees such as `{}` do repeat.
        return builder
            .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
            .set_column_data_page_size_limit(path.clone(), TEXT_PAGE_BYTES)
            .set_column_dictionary_enabled(path, !raw);
    }
    builder
}

pub(in crate::lake) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
