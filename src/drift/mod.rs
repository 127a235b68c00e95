//! Drift: the shape of a window against the schema and earlier windows, as findings and a report (DESIGN §7).
//!
//! A window's shape, as the decoder has seen it, is compared with what is declared (`compare`) and with the profiles of
//! earlier windows (`over_time`), which their manifests keep. What it showed itself becomes its own `profile`.

pub mod changes;
mod compare;
pub mod finding;
pub mod history;
mod over_time;
pub mod profile;
mod renamed;
pub mod report;
mod samples;
mod suggest;
