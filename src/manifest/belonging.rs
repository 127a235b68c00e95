//! Whether a manifest belongs where it stands. A table's folder that was copied or renamed holds manifests that name the
//! files of another, and what a manifest names is moved and deleted by it.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::layout::{TableDir, WindowName};
use crate::lake::spot::Spot;
use crate::manifest::version::Manifest;
use crate::window::batch::WindowId;

impl Manifest {
    /// Holds the manifest against the window `name` of the table at `dir`, in whose chain it stands as `path`.
    ///
    /// # Errors
    /// `Store`, naming the object and what does not belong there.
    pub(crate) fn belongs(&self, dir: &TableDir, name: &WindowName, path: &str) -> Result<()> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Store, format!("the manifest does not belong where it stands: {what}"))
                .with("object", path)
                .hint(
                    "a table's folder cannot be copied or renamed within a lake: put it back, or extract into a table of that name; \
                     nothing was deleted",
                )
        };
        if self.table != dir.table() {
            return Err(wrong(&format!("it is of the table `{}`", self.table)));
        }
        if self.source != name.source() || self.stream != name.stream() {
            return Err(wrong(&format!("it is of the stream `{}.{}`", self.source, self.stream)));
        }
        if matches!(name.id(), WindowId::Window(window) if window != self.window) {
            return Err(wrong(&format!("it is of the window {}", self.window)));
        }
        if self.commit_id.is_empty() {
            return Err(wrong("it has no commit id"));
        }
        match self.stranger(dir, name) {
            Some(stranger) => {
                Err(wrong("it names an object of another window, or one twice")
                    .with("named", stranger))
            }
            None => Ok(()),
        }
    }

    /// An object that this manifest names and that is none of its window's, or that readers would read twice.
    fn stranger(&self, dir: &TableDir, name: &WindowName) -> Option<&str> {
        let ours = |path: &str, is_such: fn(&Spot) -> bool| {
            let spot = Spot::of(dir, path);
            is_such(&spot) && spot.window() == Some(name)
        };
        let data: fn(&Spot) -> bool = |spot| matches!(spot, Spot::Data(_));
        let staged: fn(&Spot) -> bool = |spot| matches!(spot, Spot::Staged(_));
        let report: fn(&Spot) -> bool = |spot| matches!(spot, Spot::Report(_));
        let ended: HashSet<&str> =
            self.ends.iter().chain(&self.covers).map(String::as_str).collect();
        // A publish that ends other windows, which its own wholly covers, replaces their files too.
        let is_ended = |path: &str| match Spot::of(dir, path) {
            Spot::Data(window) => {
                ended.contains(window.to_string().as_str()) && is_covered(name, &window)
            }
            _ => false,
        };
        // A window that is ended deletes what its last attempt had staged as well.
        let is_replaced = |path| ours(path, data) || ours(path, staged) || is_ended(path);
        let mut seen = HashSet::new();
        let published = self.published.iter().map(|file| file.path.as_str());
        let published = published.map(|path| (path, seen.insert(path) && ours(path, data)));
        // Until it is published, a file is where it was staged.
        let files = self.files.iter().map(|file| file.path.as_str());
        let files = files.map(|path| (path, ours(path, data) || ours(path, staged)));
        let replaced = self.replaces.iter().map(String::as_str);
        let replaced = replaced.map(|path| (path, is_replaced(path)));
        let moved =
            self.files.iter().chain(&self.published).filter_map(|file| file.staged.as_deref());
        let parts = moved.chain(self.checkpoint.parts.paths());
        let parts = parts.map(|path| (path, ours(path, staged)));
        let commit = self.last_commit.iter().flat_map(|commit| {
            commit.rejects.iter().chain(commit.drift.iter().map(|drift| &drift.path))
        });
        let reports = commit.map(String::as_str).chain(self.reports());
        let reports = reports.map(|path| (path, ours(path, report)));
        let mut named = published.chain(files).chain(replaced).chain(parts).chain(reports);
        named.find(|(_, belongs)| !belongs).map(|(path, _)| path)
    }
}

/// Whether `other` is a window of the same stream that lies wholly within `name`: no other is ever ended by it.
fn is_covered(name: &WindowName, other: &WindowName) -> bool {
    let bounds = name.id().window().zip(other.id().window());
    name.same_stream(other) && bounds.is_some_and(|(ours, theirs)| ours.covers(&theirs))
}
