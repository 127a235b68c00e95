//! The progress bar: on a terminal only, on stderr, never in the way of the log.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::run::progress::Progress;

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The log's writer: takes the bar away, writes the line, and draws the bar again.
pub(crate) struct BesideBar;

impl MakeWriter<'_> for BesideBar {
    type Writer = LineBesideBar;

    fn make_writer(&self) -> LineBesideBar {
        LineBesideBar
    }
}

/// One line of the log.
pub(crate) struct LineBesideBar;

impl Write for LineBesideBar {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows `progress` until the returned task is aborted; nothing where stderr is no terminal.
pub(crate) fn show(progress: Arc<Progress>) -> Option<tokio::task::JoinHandle<()>> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let bar = BARS.add(ProgressBar::no_length());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    Some(tokio::spawn(async move {
        let _clear = ClearOnDrop(bar.clone());
        loop {
            bar.set_message(progress.line());
            bar.tick();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }))
}

struct ClearOnDrop(ProgressBar);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
