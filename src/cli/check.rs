//! `lakeward check`: all that is wrong with a source file and its schemas, at once.

use crate::cli::args::CheckArgs;
use crate::cli::render::out;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::check::check;
use crate::spec::source::Source;
use crate::spec::table::Table;

/// Prints every diagnostic; exit 2 when there is one.
pub(crate) fn run(args: &CheckArgs) -> Result<u8> {
    let diagnostics = check(&args.source);
    if !diagnostics.is_empty() {
        let many = if diagnostics.len() == 1 { "problem" } else { "problems" };
        let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let message = format!("{} {many} found\n\n{}", diagnostics.len(), shown.join("\n\n"));
        return Err(Error::new(ErrorKind::Config, message));
    }
    let source = Source::load(&args.source)?;
    let mut text = format!("{}: no problems found\n", args.source.display());
    for stream in &source.streams {
        text.push_str(&format!("  {} -> {}\n", stream.name, summary(&stream.table)));
    }
    for webhook in &source.webhooks {
        let mut streams: Vec<&str> = webhook.routes.iter().map(|r| r.stream.as_str()).collect();
        streams.dedup();
        let (name, path) = (&webhook.name, &webhook.path);
        text.push_str(&format!("  webhook {name}: POST {path} -> {}\n", streams.join(", ")));
    }
    out(&text)?;
    Ok(0)
}

/// What a stream's table will look like, in one line.
fn summary(table: &Table) -> String {
    let name = |index: &usize| table.fields.get(*index).map_or("", |field| field.name.as_str());
    let key: Vec<&str> = table.primary_key.iter().map(name).collect();
    let key = match key.as_slice() {
        [] => "no primary key (nothing is deduplicated)".to_owned(),
        key => format!("key {}", key.join(", ")),
    };
    let partition = table.partition_by.as_ref().map_or_else(
        || "not partitioned".to_owned(),
        |index| format!("partitioned by the UTC date of {}", name(index)),
    );
    format!("table {}: {} fields, {key}, {partition}", table.name, table.fields.len())
}
