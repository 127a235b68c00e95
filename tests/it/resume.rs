//! What a rerun goes on from, and what it does where that is lost.

use std::path::PathBuf;

use super::support::cli::{TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::Reply;

/// Records of the API's only day, in ten pages.
const RECORDS: usize = 230;

/// A window that was left behind its fourth page, and the API that it reads.
fn left_behind() -> (PagedApi, Workspace) {
    let api = PagedApi::start(Options { records_per_day: vec![RECORDS], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&["--max-requests", "4"]).exits(5);
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 4);
    api.take_skips();
    (api, workspace)
}

/// The staged objects whose name holds `part`.
fn staged(workspace: &Workspace, part: &str) -> Vec<PathBuf> {
    let mut folders = vec![workspace.path("lake").join(TABLE).join("_lakeward/staging")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap().to_str().unwrap().contains(part) {
                found.push(path);
            }
        }
    }
    found
}

/// Damages what is staged: a rerun says so, begins anew and ends with every row.
#[track_caller]
fn begins_anew_after(damage: impl Fn(&PathBuf), part: &str) {
    let (api, workspace) = left_behind();
    let objects = staged(&workspace, part);
    assert!(!objects.is_empty(), "nothing staged is named {part}");
    objects.iter().for_each(damage);
    workspace.extract_day(&[]).exits(0).says("begins anew");
    assert_eq!(api.take_skips(), api.skips(RECORDS, 0), "from the first page");
    workspace.lake().assert_holds(TABLE, &api.truth());
}

fn cut(path: &PathBuf) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn remove(path: &PathBuf) {
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_key_index_that_is_cut_does_not_block_the_window() {
    begins_anew_after(cut, "keys-");
}

#[test]
fn drift_observations_that_are_cut_do_not_block_the_window() {
    begins_anew_after(cut, "shape-");
}

#[test]
fn a_staged_file_that_is_cut_does_not_block_the_window() {
    begins_anew_after(cut, ".parquet");
}

#[test]
fn staged_objects_that_are_gone_do_not_block_the_window() {
    begins_anew_after(remove, "");
}

#[test]
fn a_cursor_that_has_run_out_does_not_block_the_window() {
    let (api, workspace) = left_behind();
    api.fail_from(1, Reply::json(400, r#"{"error":"the cursor has expired"}"#));
    workspace.extract_day(&[]).exits(4).says("begins anew");
    workspace.lake().assert_nothing_published(TABLE);
    api.heal();
    api.take_skips();
    workspace.extract_day(&[]).exits(0);
    assert_eq!(api.take_skips(), api.skips(RECORDS, 0), "from the first page");
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn reports_that_a_kill_cut_short_go_with_the_next_commit() {
    let (api, workspace) = left_behind();
    let (window, _) = workspace.lake().manifests(TABLE).into_iter().next().unwrap();
    for report in ["rejects", "drift"] {
        let folder = workspace.path("lake").join(TABLE).join("_lakeward").join(report);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{window}-1.json#1")), "{").unwrap();
    }
    workspace.extract_day(&[]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
}
