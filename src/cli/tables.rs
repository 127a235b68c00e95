//! Which tables of a lake a command is about.

use crate::error::Result;
use crate::lake::layout::TableDir;
use crate::lake::store::Lake;
use crate::manifest::snapshot::{find_table, tables};

/// The named table, or all of the lake.
///
/// # Errors
/// `Usage` for a table that the lake does not have; `Store` when it cannot be listed.
pub(crate) async fn chosen(lake: &Lake, name: Option<&str>) -> Result<Vec<TableDir>> {
    match name {
        Some(name) => Ok(vec![find_table(lake, name).await?]),
        None => tables(lake).await,
    }
}
