//! `lakeward rejects`: the records that could not become rows, by reason, with examples.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::args::lake::{ListArgs, RejectsArgs, RejectsCommand};
use crate::cli::args::values::Format;
use crate::cli::redecode;
use crate::cli::render::{Align, TextTable, bounds, json, out, shortened, thousands};
use crate::cli::selection::Bounds;
use crate::cli::tables::chosen;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::TableDir;
use crate::lake::letters::{ReadLetter, read_letters};
use crate::lake::store::Lake;
use crate::manifest::snapshot::snapshot;
use crate::manifest::version::{Manifest, State};
use crate::window::Window;

/// Examples of a reason.
const EXAMPLES: usize = 3;
/// The longest record that an example shows whole, in bytes.
const MAX_EXAMPLE: usize = 4 << 10;
/// Characters of a cell in the terminal.
const CELL: usize = 80;

#[derive(Serialize)]
struct Document {
    lake: String,
    reasons: Vec<ByReason>,
    /// Lines that could not be read.
    unreadable: Vec<String>,
}

/// All records that are refused for one reason.
#[derive(Serialize)]
struct ByReason {
    table: String,
    source: String,
    stream: String,
    code: String,
    field: Option<String>,
    records: u64,
    windows: u64,
    since: Window,
    last: Window,
    #[serde(skip)]
    last_path: String,
    examples: Vec<Example>,
}

/// One of them.
#[derive(Serialize)]
struct Example {
    window: Window,
    page: u64,
    index: u64,
    message: String,
    /// Without it where it is longer than 4 KiB, or has values that are not to be shown.
    record: Option<Box<RawValue>>,
    /// The file of dead letters that it is in, relative to the lake.
    path: String,
}

/// Lists the dead letters, or tries them anew.
pub(crate) async fn run(args: RejectsArgs) -> Result<u8> {
    match args.command {
        Some(RejectsCommand::Replay(args)) => redecode::replay(args).await,
        None => list(args.list).await,
    }
}

/// Prints the reasons; exit 6 where a file has lines that cannot be read.
async fn list(args: ListArgs) -> Result<u8> {
    let lake = Lake::open_existing(&args.lake)?;
    let within = Bounds::of(&args.within)?;
    let mut found = Found { show_values: args.show_values, ..Found::default() };
    for dir in chosen(&lake, args.table.as_deref()).await? {
        found.read_table(&lake, &dir, within).await?;
    }
    let unreadable: Vec<String> = found.broken.iter().map(described).collect();
    let mut reasons: Vec<ByReason> = found.reasons.into_values().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
    let document = Document { lake: lake.describe().to_owned(), reasons, unreadable };
    match args.format {
        Format::Json => json(&document)?,
        Format::Table => out(&text(&document))?,
    }
    found.broken.into_iter().next().map_or(Ok(0), Err)
}

type Key = (String, String, String, String, Option<String>);

#[derive(Default)]
struct Found {
    show_values: bool,
    reasons: BTreeMap<Key, ByReason>,
    broken: Vec<Error>,
}

impl Found {
    async fn read_table(&mut self, lake: &Lake, dir: &TableDir, within: Bounds) -> Result<()> {
        for window in snapshot(lake, dir).await?.windows {
            let manifest = &window.manifest;
            let failed = manifest.state == State::Failed && manifest.rejects.is_some();
            let attempt = if failed { Some(manifest.clone()) } else { manifest.as_committed() };
            let Some(attempt) = attempt.filter(|_| within.touch(&manifest.window)) else {
                continue;
            };
            let Some(path) = attempt.rejects.clone() else { continue };
            read_letters(lake, &path, |letter| match letter {
                Ok(letter) => self.add(&attempt, &path, letter),
                Err(error) => self.broken.push(error),
            })
            .await
            .map_err(|error| missing(error, lake, &path))?;
        }
        Ok(())
    }

    fn add(&mut self, of: &Manifest, path: &str, letter: ReadLetter) {
        let ReadLetter { page, index, error, record, .. } = letter;
        let hidden =
            if self.show_values { Hidden::Nothing } else { hidden(of, error.field.as_deref()) };
        let (table, source, stream) = (of.table.clone(), of.source.clone(), of.stream.clone());
        let key = (table, source, stream, error.code, error.field);
        let reason = self.reasons.entry(key.clone()).or_insert_with(|| {
            let (table, source, stream, code, field) = key;
            let (since, last) = (of.window, of.window);
            let (records, windows, examples) = (0, 0, Vec::new());
            let last_path = String::new();
            ByReason {
                table,
                source,
                stream,
                code,
                field,
                records,
                windows,
                since,
                last,
                last_path,
                examples,
            }
        });
        // A file a window: of batches, several may be of the same instants.
        if reason.last_path != path {
            reason.windows += 1;
        }
        reason.records += 1;
        reason.last = of.window;
        path.clone_into(&mut reason.last_path);
        if reason.examples.len() < EXAMPLES {
            let shown = hidden == Hidden::Nothing && record.get().len() <= MAX_EXAMPLE;
            let message = match hidden {
                Hidden::Value => without_quotes(&error.message),
                Hidden::Nothing | Hidden::Record => error.message,
            };
            reason.examples.push(Example {
                window: of.window,
                page,
                index,
                message,
                record: shown.then_some(record),
                path: path.to_owned(),
            });
        }
    }
}

/// What of a dead letter is not to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Nothing,
    /// The record: some field of the table is personal.
    Record,
    /// The record, and the value that the message quotes.
    Value,
}

fn hidden(of: &Manifest, field: Option<&str>) -> Hidden {
    let fields = of.profile.as_ref().map(|profile| &profile.fields);
    let is_hidden =
        |name: &str| fields.and_then(|fields| fields.get(name)).is_some_and(|field| field.hidden);
    let any = fields.is_some_and(|fields| fields.values().any(|field| field.hidden));
    match (any, field) {
        (false, _) => Hidden::Nothing,
        // Of a record as a whole the message may quote anything.
        (true, None) => Hidden::Value,
        (true, Some(name)) if is_hidden(name) => Hidden::Value,
        (true, Some(_)) => Hidden::Record,
    }
}

/// A message without the values that it quotes: `` `x` is no date``.
fn without_quotes(message: &str) -> String {
    let mut parts = message.split('`');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    while let (Some(_), Some(after)) = (parts.next(), parts.next()) {
        shown.push_str("`…`");
        shown.push_str(after);
    }
    shown
}

fn missing(error: Error, lake: &Lake, path: &str) -> Error {
    if error.kind() != ErrorKind::Store {
        return error;
    }
    Error::new(ErrorKind::Store, "the dead letters that a manifest names cannot be read")
        .with("object", lake.url_of(path))
        .hint("the rows are not concerned; a refresh of the window writes the file anew")
        .caused_by(error)
}

fn described(error: &Error) -> String {
    let context = error.context().map(|(key, value)| format!(", {key} {value}"));
    format!("{}{}", error.message(), context.collect::<String>())
}

fn text(document: &Document) -> String {
    if document.reasons.is_empty() {
        return match document.unreadable.is_empty() {
            true => "no dead letters in these windows\n".to_owned(),
            false => "no dead letter of these windows can be read\n".to_owned(),
        };
    }
    let mut table = TextTable::new(&[
        ("table", Align::Left),
        ("stream", Align::Left),
        ("reason", Align::Left),
        ("field", Align::Left),
        ("records", Align::Right),
        ("windows", Align::Right),
        ("since", Align::Left),
        ("last", Align::Left),
        ("for example", Align::Left),
    ]);
    for reason in &document.reasons {
        let example = reason.examples.first();
        table.row(vec![
            reason.table.clone(),
            reason.stream.clone(),
            reason.code.clone(),
            reason.field.clone().unwrap_or_default(),
            thousands(reason.records),
            thousands(reason.windows),
            bounds(&reason.since),
            bounds(&reason.last),
            example.map(|example| shortened(&example.message, CELL)).unwrap_or_default(),
        ]);
    }
    let mut text = table.text();
    for reason in &document.reasons {
        for example in reason.examples.iter().take(1) {
            let record =
                example.record.as_ref().map_or(
                    "(not shown: longer than 4 KiB, or personal; --show-values)",
                    |record| record.get(),
                );
            let name = reason.field.as_deref().unwrap_or("record");
            text.push_str(&format!(
                "\n{} {name}: {} page {}, record {}\n  {}\n  {}\n",
                reason.code,
                bounds(&example.window),
                example.page,
                example.index,
                shortened(record, 2 * CELL),
                example.path,
            ));
        }
    }
    text
}
