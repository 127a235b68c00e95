//! Where things are: the binary under test, the peers, the made data.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::payments::{Payments, Style, cursor};

/// The binary under test: `LAKEWARD`, or the one that cargo built beside the bench.
pub(crate) fn lakeward() -> PathBuf {
    std::env::var_os("LAKEWARD").map_or(env!("CARGO_BIN_EXE_lakeward").into(), PathBuf::from)
}

/// A folder for what the bench makes, under cargo's target folder.
pub(crate) fn work() -> PathBuf {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end_to_end");
    std::fs::create_dir_all(&work).expect("a folder to work in");
    work
}

/// A folder of this name with nothing in it.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = work().join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old folder that can go");
    }
    std::fs::create_dir_all(&folder).expect("a new folder");
    folder
}

/// The Python that `BENCH_PYTHON` names and its version of this module; else why there is none.
pub(crate) fn python_with(module: &str) -> Result<(PathBuf, String), String> {
    let python = std::env::var_os("BENCH_PYTHON")
        .map(PathBuf::from)
        .ok_or_else(|| format!("BENCH_PYTHON names no Python with {module}"))?;
    let ask = format!("import {module}; print({module}.__version__)");
    match Command::new(&python).args(["-c", &ask]).output() {
        Ok(output) if output.status.success() => {
            Ok((python, String::from_utf8_lossy(&output.stdout).trim().to_owned()))
        }
        _ => Err(format!("{} has no {module}", python.display())),
    }
}

/// nginx: `NGINX`, or where it is usually found.
pub(crate) fn nginx() -> Option<PathBuf> {
    let named = std::env::var_os("NGINX").map(PathBuf::from);
    let usual = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|nginx| runs(nginx))
}

fn runs(program: &Path) -> bool {
    Command::new(program).arg("-v").output().is_ok_and(|output| output.status.success())
}

/// Pages on disk.
pub(crate) struct Data {
    /// `small` or `large`.
    pub(crate) name: &'static str,
    /// Where `pages/1.json` and the rest are.
    pub(crate) folder: PathBuf,
    /// How many pages.
    pub(crate) pages: u64,
    /// How many records in all.
    pub(crate) records: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// Pages of `per_page` records, made unless they are there from an earlier run.
pub(crate) fn data(name: &'static str, per_page: u64) -> Data {
    let payments = Payments { seed: 7, pages: 1000, per_page, style: Style::default() };
    let folder = work().join("data").join(name);
    let pages = folder.join("pages");
    let mark = folder.join("made-of");
    let made_of = format!("{payments:?}");
    if std::fs::read_to_string(&mark).ok().as_deref() != Some(made_of.as_str()) {
        eprintln!("making {name}: {} pages of {per_page} records", payments.pages);
        std::fs::create_dir_all(&pages).expect("a folder for pages");
        for page in 1..=payments.pages {
            let body = payments.page(page).body;
            std::fs::write(pages.join(format!("{page}.json")), body).expect("a page on disk");
        }
        let map = |page| format!("{} {page};\n", cursor(page));
        let map: String = (1..=payments.pages).map(map).collect();
        std::fs::write(folder.join("cursor.map"), map).expect("a map on disk");
        std::fs::write(mark, made_of).expect("a mark on disk");
    }
    let length = |page| std::fs::metadata(pages.join(format!("{page}.json"))).expect("a page");
    let bytes = (1..=payments.pages).map(|page| length(page).len()).sum();
    Data { name, folder, pages: payments.pages, records: payments.pages * per_page, bytes }
}
