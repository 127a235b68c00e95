//! What an object of a table's folder is, by its path alone.

use crate::lake::layout::{DataFileName, TableDir, WindowName, version_of};
use crate::lake::store::is_harmless;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A version of a window's manifest.
    Version(WindowName, u64),
    /// Something that an attempt staged.
    Staged(WindowName),
    /// Dead letters or a drift report.
    Report(WindowName),
    /// A data file where readers look.
    Data(WindowName),
    /// Nothing that lakeward writes.
    Foreign,
}

impl Spot {
    /// What `path`, relative to the lake, is in the table at `dir`.
    pub fn of(dir: &TableDir, path: &str) -> Self {
        Self::read(dir, path).unwrap_or(Self::Foreign)
    }

    fn read(dir: &TableDir, path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/')?;
        // Of a name that lakeward gives to nothing; it would not be deleted by it either.
        if !is_harmless(folder) || !is_harmless(name) {
            return None;
        }
        if let Some(window) = below(&dir.all_windows_dir(), folder) {
            return Some(Self::Version(window.parse().ok()?, version_of(name)?));
        }
        if let Some(rest) = below(&dir.all_staging_dir(), folder) {
            let (window, _) = rest.split_once('/').unwrap_or((rest, ""));
            return window.parse().ok().map(Self::Staged);
        }
        if folder == dir.rejects_dir() || folder == dir.drift_dir() {
            let (window, attempt) = name.rsplit_once('.')?.0.rsplit_once('-')?;
            let _: u64 = attempt.parse().ok()?;
            return window.parse().ok().map(Self::Report);
        }
        let data = DataFileName::of_path(name).ok()?;
        let partition = if folder == dir.table() { "" } else { below(dir.table(), folder)? };
        let is_right = !partition.contains('/') && !partition.starts_with('_');
        is_right.then_some(Self::Data(data.window))
    }

    /// The window that it belongs to.
    pub fn window(&self) -> Option<&WindowName> {
        match self {
            Self::Version(window, _)
            | Self::Staged(window)
            | Self::Report(window)
            | Self::Data(window) => Some(window),
            Self::Foreign => None,
        }
    }

    /// The word for it in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Version(..) => "version",
            Self::Staged(_) => "staged",
            Self::Report(_) => "report",
            Self::Data(_) => "data",
            Self::Foreign => "foreign",
        }
    }
}

fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_by_where_they_are_written() {
        known_by_path("s.t.20260317T000000Z_20260318T000000Z");
        known_by_path("s.t.webhook-0000000000000007_0000000000000012");
    }

    fn known_by_path(text: &str) {
        let dir = TableDir::new("t").expect("table");
        let window: WindowName = text.parse().expect("name");
        let spot = |path: &str| Spot::of(&dir, path);
        for (path, wanted) in [
            (dir.version_path(&window, 7), Spot::Version(window.clone(), 7)),
            (dir.staged_path(&window, 1, 2), Spot::Staged(window.clone())),
            (format!("{}/keys-1", dir.staging_dir(&window, 1)), Spot::Staged(window.clone())),
            (dir.rejects_path(&window, 3), Spot::Report(window.clone())),
            (dir.drift_path(&window, 3), Spot::Report(window.clone())),
            (dir.data_path("date=2026-03-17", &window, 3, 1), Spot::Data(window.clone())),
            (dir.data_path("", &window, 3, 1), Spot::Data(window.clone())),
        ] {
            assert_eq!(spot(&path), wanted, "{path}");
        }
        for path in [
            "t/date=2026-03-17/part-0.parquet".to_owned(),
            format!("t/a/b/{text}-1-1.parquet"),
            format!("t/_hidden/{text}-1-1.parquet"),
            format!("other/{text}-1-1.parquet"),
            format!("t/_lakeward/windows/{text}/notes.json"),
            format!("t/_lakeward/rejects/{text}.ndjson"),
            "t/_lakeward/staging/x/1/a".to_owned(),
            "t/README.md".to_owned(),
            dir.version_path(&window, 7) + "#1",
            format!("t/date%3D2026-03-17/{text}-1-1.parquet"),
            format!("t/date=2026 x/{text}-1-1.parquet"),
            format!("t/_lakeward/staging/{text}/1/a copy"),
        ] {
            assert_eq!(spot(&path), Spot::Foreign, "{path}");
        }
    }
}
