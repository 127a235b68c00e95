//! `lakeward compact`: fewer files, the same rows, by one more version of the windows concerned.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use rustix::process::Signal;
use serde_json::Value;

use super::support::cli::{TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::Reply;
use super::support::wait_until;

/// A lake of two windows whose files are closed page by page.
fn in_small_files(api: &PagedApi) -> Workspace {
    let workspace = Workspace::reading(api, Style::Cursor);
    let workspace = workspace.with("schema.yaml", |schema| {
        schema + "parquet: { target_file: 1, compression: snappy }\n"
    });
    workspace.extract(&["--from", "2026-03-17", "--to", "2026-03-19"]).exits(0);
    workspace
}

fn api() -> PagedApi {
    PagedApi::start(Options { records_per_day: vec![230, 120], ..Options::default() })
}

fn files(workspace: &Workspace) -> BTreeSet<String> {
    workspace.lake().published_files(TABLE)
}

/// A manifest without what a version of its own must have.
fn rest(manifest: &Value) -> Value {
    let mut rest = manifest.clone();
    for key in ["commit_id", "attempt", "run_id", "files", "published", "committed_at", "owner"] {
        rest.as_object_mut().unwrap().remove(key);
    }
    rest
}

#[test]
fn small_files_become_one_and_nothing_else_changes() {
    let api = api();
    let workspace = in_small_files(&api);
    let (before, manifests) = (files(&workspace), workspace.lake().manifests(TABLE));
    assert_eq!(before.len(), 15);

    let ended = workspace.lakeward(&["compact", "--lake", "lake", "--dry-run"]).exits(0);
    ended.says("would be");
    assert_eq!(files(&workspace), before, "nothing is written");
    let args = ["compact", "--lake", "lake", TABLE, "--format", "json"];
    let document = workspace.lakeward(&args).exits(0).json();
    let windows = document["windows"].as_array().unwrap();
    let sizes: Vec<_> = windows.iter().map(|w| (&w["files_before"], &w["files_after"])).collect();
    assert_eq!(sizes, [(&10.into(), &1.into()), (&5.into(), &1.into())], "{document:#}");

    let lake = workspace.lake();
    lake.assert_holds(TABLE, &api.truth());
    assert!(files(&workspace).is_disjoint(&before));
    assert_eq!(lake.leftovers(TABLE), Vec::<String>::new());
    for (name, manifest) in lake.manifests(TABLE) {
        assert_eq!(rest(&manifest), rest(&manifests[&name]), "{name}");
    }
    let verified = workspace.lakeward(&["verify", "--lake", "lake", "--format", "json"]).exits(0);
    assert_eq!(verified.json()["strays"], Value::Array(vec![]));
    workspace.lakeward(&args[..4]).exits(0).says("no window has small files to merge");

    // Nothing is asked for again, and a refresh begins from the first page.
    let asked = api.server().count();
    workspace.extract(&["--from", "2026-03-17", "--to", "2026-03-19"]).exits(0);
    assert_eq!(api.server().count(), asked);
    api.set(|knobs| knobs.raise = 1_000);
    workspace.extract(&["--from", "2026-03-17", "--to", "2026-03-19", "--refresh"]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn a_signal_ends_it_after_the_window_that_it_is_at() {
    let api = PagedApi::start(Options { records_per_day: vec![60; 40], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let workspace =
        workspace.with("schema.yaml", |schema| schema + "parquet: { target_file: 1 }\n");
    let last = NaiveDate::from_ymd_opt(2026, 3, 17).unwrap() + Days::new(40);
    workspace.extract(&["--from", "2026-03-17", "--to", &last.to_string()]).exits(0);
    let before = files(&workspace);
    let compacting = workspace.lakeward(&["compact", "--lake", "lake", "--format", "json"]).start();
    assert!(wait_until(Duration::from_secs(30), || files(&workspace) != before));
    compacting.signal(Signal::TERM);
    let ended = compacting.wait();
    assert_eq!(ended.code, Some(143), "{ended:?}");
    ended.says("stopping after this window");
    ended.says("goes on with the windows");
    let done = ended.json()["windows"].as_array().unwrap().len();
    assert!((1..40).contains(&done), "{done} of 40 windows");
    assert_eq!(workspace.lake().leftovers(TABLE), Vec::<String>::new());
    workspace.lakeward(&["compact", "--lake", "lake"]).exits(0);
    assert_eq!(files(&workspace).len(), 40);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn files_that_are_large_enough_stay_where_they_are() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = in_small_files(&api);
    let before = files(&workspace);
    let sizes = workspace.lake().manifests(TABLE).values().next().unwrap()["published"].clone();
    let mut sizes: Vec<u64> =
        sizes.as_array().unwrap().iter().map(|file| file["bytes"].as_u64().unwrap()).collect();
    sizes.sort_unstable();
    // The last page is the only one of another size: three of the smallest are merged, the others are at their place.
    let target = (sizes[3] * 2).to_string();
    workspace.lakeward(&["compact", "--lake", "lake", "--target-file", &target]).exits(0);
    let after = files(&workspace);
    let kept = before.intersection(&after).count();
    assert!(kept > 0 && kept < before.len(), "{kept} of {} stay", before.len());
    workspace.lake().assert_holds(TABLE, &api.truth());
    workspace.lakeward(&["verify", "--lake", "lake"]).exits(0).says("all as their manifests say");
}

#[test]
fn a_file_that_is_damaged_stops_its_window_alone() {
    let api = api();
    let workspace = in_small_files(&api);
    let before = workspace.lake().manifests(TABLE);
    let damaged =
        before.values().next().unwrap()["published"][0]["path"].as_str().unwrap().to_owned();
    let whole = std::fs::read(workspace.path("lake").join(&damaged)).unwrap();
    std::fs::write(workspace.path("lake").join(&damaged), "PAR1 no more").unwrap();
    let ended = workspace.lakeward(&["compact", "--lake", "lake"]).exits(6);
    ended.complains(&[&damaged]);
    let after = workspace.lake().manifests(TABLE);
    let published: Vec<_> =
        after.iter().map(|(name, m)| m["published"] == before[name]["published"]).collect();
    assert_eq!(published, [true, false], "the other window is compacted");

    // Mended, it is not taken for done.
    std::fs::write(workspace.path("lake").join(&damaged), whole).unwrap();
    workspace.lakeward(&["compact", "--lake", "lake"]).exits(0);
    assert_eq!(files(&workspace).len(), 2);
    workspace.lake().assert_holds(TABLE, &api.truth());
    // Nor is anything of the attempts left once the window is fetched again.
    workspace.extract(&["--from", "2026-03-17", "--to", "2026-03-19", "--refresh"]).exits(0);
    let verified = workspace.lakeward(&["verify", "--lake", "lake", "--format", "json"]).exits(0);
    assert_eq!(verified.json()["strays"], Value::Array(vec![]));
}

#[test]
fn a_refresh_that_was_stopped_is_left_to_end() {
    let api = api();
    let workspace = in_small_files(&api);
    let before = files(&workspace);
    workspace.extract_day(&["--refresh", "--max-requests", "2"]).exits(5);
    let ended = workspace.lakeward(&["compact", "--lake", "lake"]).exits(0);
    ended.says("a refresh was stopped");
    assert_eq!(files(&workspace).intersection(&before).count(), 10, "its files stay");
    workspace.extract_day(&["--refresh"]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn a_refresh_of_another_schema_that_came_to_nothing_is_not_taken_for_done() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor)
        .with("schema.yaml", |schema| schema + "parquet: { target_file: 1 }\n");
    workspace.extract_day(&[]).exits(0);
    let was = workspace.lake().manifest(TABLE)["schema_fingerprint"].clone();
    let more = "  - { name: more, type: string }\n";
    let workspace = workspace
        .with("schema.yaml", |schema| schema.replace("parquet:", &format!("{more}parquet:")));
    api.fail_from(0, Reply::json(400, r#"{"error":"not today"}"#));
    workspace.extract_day(&["--refresh"]).exits(4);
    assert_ne!(workspace.lake().manifest(TABLE)["schema_fingerprint"], was);
    workspace.lakeward(&["compact", "--lake", "lake"]).exits(0);
    assert_eq!(
        workspace.lake().manifest(TABLE)["schema_fingerprint"],
        was,
        "the rows are of the old one"
    );
    assert_eq!(files(&workspace).len(), 1);
    workspace.lakeward(&["verify", "--lake", "lake"]).exits(0);
}
