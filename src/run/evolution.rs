//! Whether what a schema makes can be read as one table with what the lake has.
//!
//! Columns that come or go are null elsewhere (DuckDB's `union_by_name`, Spark's `mergeSchema`), integers and decimals of
//! other widths are read as the widest. A column of another type is not readable with its own past.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::drift::profile::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName};
use crate::run::plan::Unit;
use crate::run::shared::Run;
use crate::spec::table::Table;

/// Holds the tables of a run against the last windows of each that were committed, other than those that it fetches anew.
///
/// # Errors
/// `Config` that names a column, both of its types and the ways out. What cannot be read is no error here.
pub(crate) async fn check(run: &Run, units: &[Unit]) -> Result<()> {
    let mut tables: BTreeMap<&str, &Arc<Table>> = BTreeMap::new();
    for unit in units {
        tables.entry(&unit.stream.table.name).or_insert(&unit.stream.table);
    }
    for (name, table) in tables {
        let dir = TableDir::new(name)?;
        let anew = |window: &WindowName| {
            run.refresh
                && units
                    .iter()
                    .any(|unit| window.stream() == unit.stream.name && window.id() == unit.id())
        };
        for (window, profile) in run.history.newest(&run.lake, &dir).await {
            if anew(&window) {
                continue;
            }
            goes_with(table, &window, &profile)?;
        }
    }
    Ok(())
}

/// Holds the table against a committed window.
///
/// # Errors
/// As [`check`].
pub(crate) fn goes_with(table: &Table, window: &WindowName, profile: &Profile) -> Result<()> {
    for field in &table.fields {
        let now = field.kind.to_string();
        let before = profile.fields.get(&field.name).map(|field| &field.kind);
        if let Some(before) = before.filter(|before| !are_one(before, &now)) {
            return Err(refusal(table, window, &field.name, before, &now));
        }
    }
    Ok(())
}

fn refusal(table: &Table, window: &WindowName, column: &str, before: &str, now: &str) -> Error {
    let message = format!(
        "column `{column}` is {now} now and {before} in the lake: no reader takes both for one table"
    );
    Error::new(ErrorKind::Config, message)
        .with("schema", table.file.display())
        .with("window", window)
        .hint(format!(
            "`lakeward redecode --schema {}` makes the earlier rows anew; or fetch them again with --refresh, give the column another name, or the table",
            table.file.display()
        ))
}

/// Whether two declared types of a column are read as one.
fn are_one(before: &str, now: &str) -> bool {
    let family = |kind: &str| {
        match kind {
            "int32" | "int64" => "integer",
            decimal if decimal.starts_with("decimal(") => "decimal",
            _ => "",
        }
        .to_owned()
    };
    before == now || (!family(before).is_empty() && family(before) == family(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_go_together_and_types_do_not() {
        for (before, now, goes) in [
            ("string", "string", true),
            ("int32", "int64", true),
            ("decimal(18, 2)", "decimal(20, 2)", true),
            ("decimal(18, 2)", "decimal(20, 4)", true),
            ("int64", "decimal(18, 0)", false),
            ("string", "json", false),
            ("date", "timestamp", false),
            ("list(int32)", "list(int64)", false),
        ] {
            assert_eq!(are_one(before, now), goes, "{before} and {now}");
            assert_eq!(are_one(now, before), goes, "{now} and {before}");
        }
    }
}
