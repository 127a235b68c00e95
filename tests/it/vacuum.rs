//! `lakeward verify` names what no manifest names; `lakeward vacuum` deletes it, and nothing else.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::support::cli::Workspace;
use super::support::paged_api::{Options, PagedApi, Style};

const WINDOW: &str = "gateway.payments.20260317T000000Z_20260318T000000Z";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A file as a kill may have left it, this many days ago.
fn left(workspace: &Workspace, path: &str, days: u32) {
    let path = workspace.path("lake/payments").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "left").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let now = file.metadata().unwrap().modified().unwrap();
    file.set_modified(now - DAY * days).unwrap();
}

fn is_there(workspace: &Workspace, path: &str) -> bool {
    Path::new(&workspace.path("lake/payments")).join(path).exists()
}

#[test]
fn what_a_kill_left_is_named_then_deleted_on_demand() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let verify = ["verify", "--lake", "lake"];
    workspace.lakeward(&verify).exits(0).says("all as their manifests say");

    let data = format!("date=2026-03-17/{WINDOW}-9-1.parquet");
    let staged = format!("_lakeward/staging/{WINDOW}/9/keys-1");
    let half = format!("_lakeward/staging/{WINDOW}/9/{WINDOW}-9-1.parquet#1");
    let report = format!("_lakeward/rejects/{WINDOW}-9.ndjson");
    let young = format!("_lakeward/drift/{WINDOW}-9.json");
    let foreign = "date=2026-03-17/notes.txt";
    for path in [&data, &staged, &half, &report] {
        left(&workspace, path, 8);
    }
    left(&workspace, &young, 6);
    left(&workspace, foreign, 8);

    let ended = workspace.lakeward(&verify).exits(6);
    for path in [&*data, &*staged, &*half, &*report, &*young, foreign] {
        assert!(ended.stdout.contains(path), "`{path}`: {ended}");
    }
    assert!(ended.stdout.contains("1 problem"), "{ended}");
    ended.complains(&["lakeward vacuum"]);

    let vacuum = ["vacuum", "--lake", "lake", "payments"];
    let ended = workspace.lakeward(&vacuum).exits(0);
    ended.says("4 objects, 16 bytes that no manifest names: --delete removes them");
    assert!(is_there(&workspace, &data) && is_there(&workspace, &half), "nothing is deleted");
    let ended = workspace.lakeward(&[&vacuum[..], &["--delete", "--format", "json"]].concat());
    let document = ended.exits(0).json();
    assert_eq!((&document["deleted"], &document["bytes"]), (&true.into(), &16.into()));
    let kinds: Vec<_> =
        document["objects"].as_array().unwrap().iter().map(|o| &o["kind"]).collect();
    assert_eq!(kinds, ["report", "staged", "staged", "data"], "{document:#}");

    for path in [&data, &staged, &half, &report] {
        assert!(!is_there(&workspace, path), "{path}");
    }
    assert!(!is_there(&workspace, &format!("_lakeward/staging/{WINDOW}")), "nor empty folders");
    assert!(is_there(&workspace, &young) && is_there(&workspace, foreign));
    workspace.lakeward(&[&vacuum[..], &["--older-than", "1d", "--delete"]].concat()).exits(0);
    assert!(!is_there(&workspace, &young) && is_there(&workspace, foreign));
    workspace.lakeward(&verify).exits(0).says("foreign, no manifest names it");
    workspace.lakeward(&vacuum).exits(0).says("nothing of that age");
}

#[test]
fn a_renamed_table_is_refused_and_whole_again_under_its_name() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let (table, renamed) = (workspace.path("lake/payments"), workspace.path("lake/payments_v1"));
    std::fs::rename(&table, &renamed).unwrap();
    let verify = ["verify", "--lake", "lake"];
    let ended = workspace.lakeward(&verify).exits(6);
    ended.says("it is of the table `payments`");
    ended.complains(&["a manifest is mended as its line says"]);
    assert!(!ended.stderr.contains("vacuum"), "{ended}");
    let vacuum = ["vacuum", "--lake", "lake", "--older-than", "0s", "--delete"];
    let ended = workspace.lakeward(&vacuum).exits(0);
    ended.says("left alone: payments_v1/_lakeward/windows/");
    ended.says("nothing of that age");
    workspace.lakeward(&["status", "--lake", "lake", "--files"]).exits(6);
    std::fs::rename(&renamed, &table).unwrap();
    workspace.lakeward(&verify).exits(0).says("all as their manifests say");
    workspace.lake().assert_holds("payments", &api.truth());
}

#[test]
fn a_parquet_file_beside_the_data_is_a_problem_that_vacuum_leaves_alone() {
    let api = PagedApi::start(Options { records_per_day: vec![30], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    left(&workspace, "date=2026-03-17/copy.parquet", 8);
    let ended = workspace.lakeward(&["verify", "--lake", "lake"]).exits(6);
    ended.says("date=2026-03-17/copy.parquet");
    ended.complains(&["move files that are not lakeward's out of the table's folder"]);
    workspace.lakeward(&["vacuum", "--lake", "lake", "--older-than", "0s", "--delete"]).exits(0);
    assert!(is_there(&workspace, "date=2026-03-17/copy.parquet"));
}
