//! A data file read again from its first byte to its last row, against what the manifest says of it.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::error::{ErrorKind, Result};
use crate::lake::data_file::StagedFile;
use crate::lake::event::{EventColumn, Span, calendar, instant, widest};
use crate::lake::layout::{DataFileName, partition_name};
use crate::lake::parquet::{FOOTER_WINDOW, hex};
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;

/// What a data file should be, beyond its manifest entry.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The columns, where the schema file is at hand: names, types, order and JSON annotations.
    pub schema: Option<SchemaRef>,
    /// The field whose UTC day is the partition.
    pub partition_by: Option<String>,
}

/// What is wrong with a data file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What, as a word: `missing`, `size`, `sha256`, `unreadable`, `rows`, `schema`, `partition`, `events`
    /// or `footer`.
    pub code: &'static str,
    /// What, for people.
    pub message: String,
    /// The file, relative to the lake.
    pub path: String,
}

/// Reads the file of a manifest entry again: that it is there, its size and SHA-256, that every row can be
/// read, their number by footer and by count, the columns, the partition of each row, the span of
/// `partition_by` and the footer's window. An empty answer means that all is well.
///
/// Memory: a few batches.
///
/// # Errors
/// `Store` when the lake itself cannot be read.
pub async fn verify_file(
    lake: &Lake,
    file: &StagedFile,
    expected: &Expected,
) -> Result<Vec<Problem>> {
    let mut report = Report { file, problems: Vec::new() };
    let Some(found) = lake.stat(&file.path).await? else {
        report.add("missing", "the file is not there".to_owned());
        return Ok(report.problems);
    };
    if found.size != file.bytes {
        report.differs("size", "bytes", file.bytes, found.size);
    }
    let sha256 = digest(lake, &file.path).await?;
    if sha256 != file.sha256 {
        report.differs("sha256", "SHA-256", &file.sha256, sha256);
    }
    let rows = match DataFileReader::open(lake, &file.path, found.size).await {
        Ok(reader) => report.read(reader, expected).await,
        Err(error) => Err(error),
    };
    match rows {
        Err(error) if error.kind() == ErrorKind::Store => {
            report.add("unreadable", error.to_string());
        }
        other => other?,
    }
    Ok(report.problems)
}

async fn digest(lake: &Lake, path: &str) -> Result<String> {
    let mut hash = Sha256::new();
    let mut pieces = lake.read_stream(path).await?;
    while let Some(piece) = pieces.try_next().await? {
        hash.update(&piece);
    }
    Ok(hex(&hash.finalize()))
}

struct Report<'a> {
    file: &'a StagedFile,
    problems: Vec<Problem>,
}

impl Report<'_> {
    fn add(&mut self, code: &'static str, message: String) {
        self.problems.push(Problem { code, message, path: self.file.path.clone() });
    }

    fn differs(
        &mut self,
        code: &'static str,
        what: &str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) {
        self.add(code, format!("{what}: the manifest says {expected}, the file has {found}"));
    }

    async fn read(&mut self, mut reader: DataFileReader, expected: &Expected) -> Result<()> {
        self.check_footer(&reader);
        if let Some(schema) = &expected.schema {
            self.check_schema(schema, reader.schema());
        }
        let event = match &expected.partition_by {
            Some(name) => self.event_column(reader.schema(), name),
            None => None,
        };
        let (mut rows, mut astray, mut span) = (0_u64, 0_u64, None);
        while let Some(batch) = reader.next().await? {
            rows += batch.num_rows() as u64;
            if let Some(event) = event {
                astray += self.rows_astray(&batch, event)?;
                span = widest(span, event.span(&batch)?);
            }
        }
        if rows != self.file.rows {
            self.differs("rows", "rows read", self.file.rows, rows);
        }
        if astray > 0 {
            let partition = &self.file.partition;
            self.add("partition", format!("{astray} rows do not belong into `{partition}`"));
        }
        if event.is_some() {
            self.check_span(span);
        }
        Ok(())
    }

    fn check_footer(&mut self, reader: &DataFileReader) {
        let footer = reader.metadata().file_metadata();
        let rows = u64::try_from(footer.num_rows()).unwrap_or(0);
        if rows != self.file.rows {
            self.differs("rows", "rows by the footer", self.file.rows, rows);
        }
        let window = footer
            .key_value_metadata()
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == FOOTER_WINDOW))
            .and_then(|pair| pair.value.clone());
        match (DataFileName::of_path(&self.file.path), window) {
            (Ok(name), Some(window)) if name.window.to_string() == window => {}
            (Ok(_), Some(window)) => {
                self.add("footer", format!("the footer names the window `{window}`"));
            }
            (Ok(_), None) => self.add("footer", "the footer names no window".to_owned()),
            (Err(error), _) => self.add("footer", error.to_string()),
        }
    }

    fn check_schema(&mut self, expected: &Schema, found: &Schema) {
        let show = |field: &arrow::datatypes::Field| {
            let json = field.extension_type_name().map(|name| format!(" ({name})"));
            format!("{} {}{}", field.name(), field.data_type(), json.unwrap_or_default())
        };
        let columns = |schema: &Schema| -> Vec<String> {
            schema.fields().iter().map(|field| show(field)).collect()
        };
        let (expected, found) = (columns(expected), columns(found));
        if expected.len() != found.len() {
            self.differs("schema", "columns", expected.len(), found.len());
        }
        for (expected, found) in expected.iter().zip(&found).filter(|(e, f)| e != f) {
            self.add("schema", format!("the schema says `{expected}`, the file has `{found}`"));
        }
    }

    fn event_column(&mut self, schema: &Schema, name: &str) -> Option<EventColumn> {
        let column = schema.index_of(name).ok();
        let column = column.and_then(|index| EventColumn::new(schema, index).ok());
        if column.is_none() {
            self.add("schema", format!("the partition field `{name}` is no day of the file"));
        }
        column
    }

    fn rows_astray(&self, batch: &RecordBatch, event: EventColumn) -> Result<u64> {
        let Some((column, _)) = self.file.partition.split_once('=') else {
            return Ok(batch.num_rows() as u64);
        };
        let mut last = None;
        let mut astray = 0;
        for day in event.days(batch)? {
            // Rows of a day stand together: one name a run of them.
            if last.is_none_or(|(known, _)| known != day) {
                let right = partition_name(column, day.and_then(calendar)) == self.file.partition;
                last = Some((day, right));
            }
            astray += u64::from(last.is_some_and(|(_, right)| !right));
        }
        Ok(astray)
    }

    fn check_span(&mut self, span: Span) {
        let found = (span.and_then(|s| instant(s.0)), span.and_then(|s| instant(s.1)));
        if found != (self.file.min_event, self.file.max_event) {
            let show = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map_or_else(|| "none".to_owned(), |at| at.to_rfc3339())
            };
            let expected =
                format!("{} to {}", show(self.file.min_event), show(self.file.max_event));
            let found = format!("{} to {}", show(found.0), show(found.1));
            self.differs("events", "events", expected, found);
        }
    }
}

#[cfg(test)]
mod tests;
