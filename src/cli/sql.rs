//! `lakeward sql`: views for DuckDB and Spark over the exact files, and over the latest row of each key.

use crate::cli::args::lake::{Dialect, SqlArgs};
use crate::cli::render::out;
use crate::cli::tables::chosen;
use crate::error::Result;
use crate::lake::layout::TableDir;
use crate::lake::read_back::DataFileReader;
use crate::lake::store::Lake;
use crate::manifest::snapshot::snapshot;
use crate::run::footer::Footer;

/// Prints the statements.
pub(crate) async fn run(args: SqlArgs) -> Result<u8> {
    let lake = Lake::open_existing(&args.lake)?;
    for dir in chosen(&lake, args.table.as_deref()).await? {
        let snapshot = snapshot(&lake, &dir).await?;
        let files: Vec<&str> = snapshot.files().map(|file| file.path.as_str()).collect();
        let Some(newest) = snapshot.files().last() else {
            out(&format!("-- {} has no rows yet\n", dir.table()))?;
            continue;
        };
        let footer = Footer::read(&DataFileReader::open(&lake, &newest.path, newest.bytes).await?)?;
        out(&match args.dialect {
            Dialect::Duckdb => duckdb(&lake, &dir, &files, &footer),
            Dialect::Spark => spark(&lake, &dir, &files, &footer),
        })?;
    }
    Ok(0)
}

fn duckdb(lake: &Lake, dir: &TableDir, files: &[&str], footer: &Footer) -> String {
    let table = dir.table();
    let paths: Vec<String> =
        files.iter().map(|path| format!("  {}", literal(&lake.url_of(path)))).collect();
    let mut text = format!(
        "-- {table}: the {} files that are published now; print this again after the next run\n\
         CREATE OR REPLACE VIEW {} AS SELECT * FROM read_parquet([\n{}\n], \
         hive_partitioning = true, union_by_name = true);\n",
        files.len(),
        quoted(table, '"'),
        paths.join(",\n"),
    );
    if let Some(order) = latest_order(footer, '"') {
        text.push_str(&format!(
            "-- {table}_latest: of each key the latest version over all windows\n\
             CREATE OR REPLACE VIEW {} AS SELECT * FROM {} QUALIFY row_number() OVER ({order}) = 1;\n",
            quoted(&format!("{table}_latest"), '"'),
            quoted(table, '"'),
        ));
    }
    text
}

fn spark(lake: &Lake, dir: &TableDir, files: &[&str], footer: &Footer) -> String {
    let table = dir.table();
    let prefix = format!("{table}/");
    let inside: Vec<&str> =
        files.iter().map(|path| path.strip_prefix(&prefix).unwrap_or(path)).collect();
    let base = lake.url_of(table).replacen("s3://", "s3a://", 1);
    let mut text = format!(
        "-- {table}: the {} files that are published now; print this again after the next run\n\
         CREATE OR REPLACE TEMPORARY VIEW {} USING parquet OPTIONS (\n  path {},\n  basePath {},\n  mergeSchema 'true'\n);\n",
        files.len(),
        quoted(table, '`'),
        literal(&format!("{base}/{{{}}}", inside.join(","))),
        literal(&base),
    );
    // Before Spark 4 there is neither QUALIFY nor `* EXCEPT`; a null version sorts first in a struct.
    let key: Vec<String> = footer.primary_key.iter().map(|name| quoted(name, '`')).collect();
    let version = footer.version_by.iter().map(String::as_str).chain(["_extracted_at"]);
    let version: Vec<String> = version.map(|name| quoted(name, '`')).collect();
    if !key.is_empty() {
        text.push_str(&format!(
            "-- {table}_latest: of each key the latest version over all windows\n\
             CREATE OR REPLACE TEMPORARY VIEW {} AS SELECT _latest.* FROM (\n  \
             SELECT max_by(struct(*), struct({})) AS _latest FROM {} GROUP BY {}\n);\n",
            quoted(&format!("{table}_latest"), '`'),
            version.join(", "),
            quoted(table, '`'),
            key.join(", "),
        ));
    }
    text
}

/// `PARTITION BY key ORDER BY version`: the later version first, then the later run.
fn latest_order(footer: &Footer, quote: char) -> Option<String> {
    if footer.primary_key.is_empty() {
        return None;
    }
    let key: Vec<String> = footer.primary_key.iter().map(|name| quoted(name, quote)).collect();
    let version = footer.version_by.as_ref();
    let version = version.map(|name| format!("{} DESC NULLS LAST, ", quoted(name, quote)));
    Some(format!(
        "PARTITION BY {} ORDER BY {}{} DESC",
        key.join(", "),
        version.unwrap_or_default(),
        quoted("_extracted_at", quote)
    ))
}

fn quoted(name: &str, quote: char) -> String {
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
