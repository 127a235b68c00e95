//! Drift: the shape of a window against the schema and earlier windows, as findings and a report (DESIGN §7).

pub mod finding;
mod renamed;
pub mod report;
mod suggest;
