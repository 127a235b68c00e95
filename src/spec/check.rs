//! Everything that can be said about a file without the network.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::document::Document;
use crate::spec::resolve;
use crate::spec::source::Source;
use crate::spec::table::Table;

/// All that is wrong with a source file and the schema files it refers to, or with a schema file.
///
/// A file with a key `table` and none `source` is taken for a schema file.
pub fn check(path: &Path) -> Vec<Diagnostic> {
    let mut document = match Document::read(path) {
        Ok(document) => document,
        Err(unread) => return vec![*unread],
    };
    let is_table = document
        .tree()
        .is_some_and(|root| root.get("table").is_some() && root.get("source").is_none());
    let mut found = Vec::new();
    if is_table {
        resolve::table::table(&mut document);
    } else {
        resolve::source::source(&mut document, &mut found);
    }
    let mut all = document.diagnostics();
    all.append(&mut found);
    all
}

impl Source {
    /// Loads a source file and the schema files it refers to.
    ///
    /// # Errors
    /// `Config` that holds everything that is wrong, each with file, line, column and the line itself.
    pub fn load(path: &Path) -> Result<Self> {
        let mut document = Document::read(path).map_err(|unread| rejected(&[*unread]))?;
        let mut found = Vec::new();
        let source = resolve::source::source(&mut document, &mut found);
        let mut all = document.diagnostics();
        all.append(&mut found);
        source.ok_or_else(|| rejected(&all))
    }
}

impl Table {
    /// Loads a schema file.
    ///
    /// # Errors
    /// `Config` that holds everything that is wrong, each with file, line, column and the line itself.
    pub fn load(path: &Path) -> Result<Self> {
        table_of(Document::read(path).map_err(|unread| rejected(&[*unread]))?)
    }
}

/// The table that a document declares.
///
/// # Errors
/// As [`Table::load`].
pub(crate) fn table_of(mut document: Document) -> Result<Table> {
    let table = resolve::table::table(&mut document);
    table.ok_or_else(|| rejected(&document.diagnostics()))
}

/// One error that holds all that was found.
fn rejected(found: &[Diagnostic]) -> Error {
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    let message = match shown.as_slice() {
        [only] => only.clone(),
        all => format!("{} errors in the source and schema files\n{}", all.len(), all.join("\n")),
    };
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests;
