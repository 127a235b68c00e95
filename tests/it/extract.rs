//! The main road, end to end: a window lands whole, is skipped, refreshed, interrupted, refused and healed.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::support::cli::{Ended, SourceYaml, TABLE, Workspace};
use super::support::paged_api::{DAY, FIRST, Options, PagedApi, Style};
use super::support::raw_server::Reply;

/// Records of each day, in pages of 25.
const RECORDS: usize = 230;

/// Longer than a request takes to arrive.
const SOON: Duration = Duration::from_secs(20);

fn api(days: usize) -> PagedApi {
    PagedApi::start(Options { records_per_day: vec![RECORDS; days], ..Options::default() })
}

/// The only window of a JSON report.
#[track_caller]
fn only_window(ended: &Ended) -> Value {
    let report = ended.json();
    let windows = report["windows"].as_array().expect("windows is a list");
    assert_eq!(windows.len(), 1, "{report}");
    windows[0].clone()
}

#[test]
fn a_window_lands_and_its_counts_add_up() {
    let api = api(1);
    api.set(|knobs| (knobs.broken, knobs.repeated) = (5, 4));
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let lake = workspace.lake();
    lake.assert_holds(TABLE, &api.truth());
    let counts = lake.manifest(TABLE)["counts"].clone();
    for (name, wanted) in [
        ("fetched", 234),
        ("written", 225),
        ("rejected", 5),
        ("duplicates", 4),
        ("outside", 0),
        ("api_total", 230),
        ("pages", 10),
        ("requests", 10),
        ("retries", 0),
    ] {
        assert_eq!(counts[name], wanted, "{name}: {counts}");
    }
}

#[test]
fn every_style_of_paging_lands_the_same_rows() {
    for style in Style::ALL {
        let api = PagedApi::start(Options { style, ..Options::default() });
        let workspace = Workspace::reading(&api, style);
        workspace.extract_day(&[]).exits(0);
        workspace.lake().assert_holds(TABLE, &api.truth());
        assert_eq!(api.take_skips(), api.skips(RECORDS, 0), "{style:?}");
    }
}

#[test]
fn a_day_without_records_is_committed_too() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract(&["--date", "2025-01-01"]).exits(0);
    let manifest = workspace.lake().manifest(TABLE);
    assert_eq!(manifest["state"], "committed");
    assert_eq!(manifest["counts"]["fetched"], 0);
    assert!(workspace.lake().rows(TABLE).is_empty());
}

#[test]
fn a_rerun_does_nothing_and_says_so() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let (rows, requests) = (workspace.lake().rows(TABLE), api.server().count());
    workspace.extract_day(&[]).exits(0).says("already committed");
    assert_eq!(api.server().count(), requests, "nothing is asked for");
    assert_eq!(workspace.lake().rows(TABLE), rows);
}

#[test]
fn a_refresh_replaces_the_window() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let old = workspace.lake().published_files(TABLE);
    api.set(|knobs| knobs.raise = 1_000);
    workspace.extract_day(&["--refresh"]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
    assert!(old.is_disjoint(&workspace.lake().published_files(TABLE)), "names are reused");
}

#[test]
fn a_refresh_that_fails_leaves_the_window_as_it_was() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let old = workspace.lake().rows(TABLE);
    api.set(|knobs| (knobs.raise, knobs.total_off_by) = (1_000, 3));
    workspace.extract_day(&["--refresh"]).exits(8);
    assert_eq!(workspace.lake().rows(TABLE), old);
    assert_eq!(workspace.lake().published_rows(TABLE), Some(old));
    api.heal();
    workspace.extract_day(&["--refresh"]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn the_json_report_has_the_manifest_of_each_window() {
    let api = api(2);
    let workspace = Workspace::reading(&api, Style::Cursor);
    let args = ["--from", "2026-03-17", "--to", "2026-03-19", "--report", "json"];
    let report = workspace.extract(&args).exits(0).json();
    assert_eq!(report["exit"], 0);
    assert!(report["run_id"].as_str().is_some_and(|id| !id.is_empty()), "{report}");
    let windows = report["windows"].as_array().expect("windows is a list");
    assert_eq!(windows.len(), 2, "{report}");
    let mut files = BTreeSet::new();
    for window in windows {
        assert_eq!(window["state"], "committed", "{window}");
        assert_eq!(window["counts"]["written"], RECORDS, "{window}");
        for file in window["files"].as_array().expect("files is a list") {
            files.insert(file["path"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(files, workspace.lake().published_files(TABLE));
    assert_eq!(api.truth().per_day().len(), 2);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn status_lists_the_files_that_readers_use() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let listed = workspace.lakeward(&["status", "--lake", "lake", "--files", TABLE]).exits(0);
    let wanted: BTreeSet<_> = workspace
        .lake()
        .listed_files(TABLE)
        .iter()
        .map(|file| file.canonicalize().unwrap())
        .collect();
    let listed: BTreeSet<_> = listed
        .stdout
        .lines()
        .map(|line| workspace.path(line).canonicalize().expect("every line is a file"))
        .collect();
    assert_eq!(listed, wanted);
    workspace.lakeward(&["verify", "--lake", "lake"]).exits(0);
    let plan = ["plan", "source.yaml", "--from", "2026-03-17", "--to", "2026-03-19"];
    let plan = workspace.lakeward(&plan).exits(0).json().to_string();
    assert!(plan.contains("2026-03-17") && plan.contains("2026-03-18"), "{plan}");
}

#[test]
fn a_file_that_changed_on_disk_is_noticed_by_verify() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let file = workspace.lake().listed_files(TABLE).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ended = workspace.lakeward(&["verify", "--lake", "lake"]).run();
    assert_ne!(ended.code, Some(0), "{ended}");
    ended.says(&file.file_name().unwrap().to_str().unwrap().to_lowercase());
}

#[test]
fn a_window_that_overlaps_a_committed_one_is_refused() {
    let api = api(2);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let requests = api.server().count();
    let two_days = ["--from", "2026-03-17", "--to", "2026-03-19", "--every", "2d"];
    workspace.extract(&two_days).exits(2).complains(&["overlap"]);
    assert_eq!(api.server().count(), requests, "nothing is fetched");
    workspace.lake().assert_holds(TABLE, &api.truth().day(0));
}

#[test]
fn a_refresh_replaces_the_windows_that_it_covers() {
    let api = api(2);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    api.set(|knobs| knobs.raise = 9);
    let two_days = ["--from", "2026-03-17", "--to", "2026-03-19", "--every", "2d", "--refresh"];
    workspace.extract(&two_days).exits(0);
    let lake = workspace.lake();
    let rows = lake.rows(TABLE);
    assert_eq!(rows.len(), 2 * RECORDS);
    assert_eq!(rows.iter().map(|row| row.paise).sum::<i128>(), api.truth().sum());
    assert_eq!(lake.published_rows(TABLE), Some(rows), "listing and manifests agree");
    assert_eq!(lake.leftovers(TABLE), Vec::<String>::new());
}

#[test]
fn a_total_that_disagrees_fails_and_heals() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.set(|knobs| knobs.total_off_by = 2);
    workspace.extract_day(&[]).exits(8).complains(&["232", "230"]);
    workspace.lake().assert_nothing_published(TABLE);
    assert_eq!(workspace.lake().manifest(TABLE)["state"], "failed");
    api.heal();
    workspace.extract_day(&[]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn a_total_that_disagrees_may_be_a_warning() {
    let api = api(1);
    api.set(|knobs| knobs.total_off_by = 2);
    let mut source = SourceYaml::new(&api.base_url(), Style::Cursor);
    source.stream.push("on_count_mismatch: warn".to_owned());
    let workspace = Workspace::new(&source);
    workspace.extract_day(&[]).exits(0).complains(&["232", "230"]);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn too_many_rejects_fail_and_heal() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.set(|knobs| knobs.broken = 20);
    let ended = workspace.extract_day(&["--report", "json"]).exits(7);
    ended.complains(&["reject"]);
    assert_eq!(only_window(&ended)["counts"]["rejected"], 20);
    let lake = workspace.lake();
    lake.assert_nothing_published(TABLE);
    let manifest = lake.manifest(TABLE);
    assert_eq!(manifest["state"], "failed");
    let rejects = manifest["rejects"].as_str().expect("the dead letters are kept");
    let letters = std::fs::read_to_string(lake.path.join(rejects)).unwrap();
    assert_eq!(letters.lines().count(), 20);
    api.heal();
    workspace.extract_day(&[]).exits(0);
    lake.assert_holds(TABLE, &api.truth());
}

#[test]
fn signals_save_a_checkpoint() {
    for (signal, exit) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let api = api(1);
        api.set(|knobs| knobs.delay = Duration::from_millis(100));
        let workspace = Workspace::reading(&api, Style::Cursor);
        let run = workspace.extract_day(&[]).start();
        assert!(api.server().wait_for(5, SOON), "five requests");
        run.signal(signal);
        let ended = run.wait();
        assert_eq!(ended.code, Some(exit), "{ended}");
        workspace.lake().assert_nothing_published(TABLE);
        assert_eq!(workspace.lake().manifest(TABLE)["owner"], Value::Null, "an orderly end");
        let pages = workspace.lake().checkpoint_pages(TABLE);
        assert!((3..=6).contains(&pages), "{pages} pages behind the checkpoint");
        api.heal();
        api.take_skips();
        workspace.extract_day(&[]).exits(0);
        assert_eq!(api.take_skips(), api.skips(RECORDS, pages));
        workspace.lake().assert_holds(TABLE, &api.truth());
    }
}

#[test]
fn a_budget_of_requests_or_time_saves_a_checkpoint() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&["--max-requests", "3"]).exits(5);
    assert_eq!(api.server().count(), 3);
    workspace.lake().assert_nothing_published(TABLE);
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 3);
    api.set(|knobs| knobs.delay = Duration::from_millis(200));
    workspace.extract_day(&["--deadline", "900ms"]).exits(5);
    let pages = workspace.lake().checkpoint_pages(TABLE);
    assert!((4..10).contains(&pages), "{pages} pages behind the checkpoint");
    api.heal();
    api.take_skips();
    workspace.extract_day(&[]).exits(0);
    assert_eq!(api.take_skips(), api.skips(RECORDS, pages));
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn a_live_run_holds_its_window() {
    let api = api(1);
    api.set(|knobs| knobs.delay = Duration::from_millis(150));
    let workspace = Workspace::reading(&api, Style::Cursor);
    let first = workspace.extract_day(&[]).start();
    assert!(api.server().wait_for(2, SOON), "two requests");
    workspace.extract_day(&[]).exits(9);
    let ended = first.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    workspace.lake().assert_holds(TABLE, &api.truth());
    assert_eq!(api.take_skips(), api.skips(RECORDS, 0), "the second run asked for nothing");
}

#[test]
fn several_windows_at_once_and_the_failure_of_one() {
    let api = api(4);
    let workspace = Workspace::reading(&api, Style::Cursor);
    let third = (FIRST + 2 * DAY).to_string();
    api.set(|knobs| {
        knobs.fault = Some(Box::new(move |request, _| {
            let wrong = request.param("from") == Some(third.clone());
            wrong.then(|| Reply::json(403, r#"{"error":"not that day"}"#))
        }));
    });
    let four_days =
        ["--from", "2026-03-17", "--to", "2026-03-21", "--jobs", "3", "--report", "json"];
    let ended = workspace.extract(&four_days).exits(3);
    let report = ended.json();
    assert_eq!(report["exit"], 3);
    let windows = report["windows"].as_array().expect("windows is a list");
    let exits: Vec<_> = windows.iter().map(|window| window["exit"].as_i64().unwrap()).collect();
    assert_eq!(exits, [0, 0, 3, 0], "in window order: {report}");
    let landed = workspace.lake().rows(TABLE);
    assert_eq!(landed.len(), 3 * RECORDS);
    assert!(landed.iter().all(|row| row.partition != "2026-03-19"));
    api.heal();
    api.take_skips();
    workspace.extract(&four_days).exits(0);
    assert_eq!(api.asked().len(), 10, "the committed windows are not fetched again");
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn windows_end_where_they_say() {
    // 2026-03-17 in pieces of six hours: every record lands in one of them, once.
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    let pieces = ["--from", "2026-03-17", "--to", "2026-03-18", "--every", "6h", "--jobs", "2"];
    workspace.extract(&pieces).exits(0);
    assert_eq!(workspace.lake().manifests(TABLE).len(), 4);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn the_demo_lands_what_its_api_serves() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    let ended = workspace.lakeward(&["demo", "--lake", "demo-lake"]).exits(0);
    ended.says("read_parquet");
    let lake = super::support::lake::LakeDir::new(workspace.path("demo-lake"));
    let rows = lake.rows(TABLE);
    let manifests: Vec<Value> = lake.manifests(TABLE).into_values().collect();
    let truths = lakeward::cli::demo::data::expected();
    assert_eq!(manifests.len(), truths.len());
    for (truth, manifest) in truths.iter().zip(&manifests) {
        super::support::lake::assert_counts_add_up(manifest);
        let day = truth.day.to_string();
        let of_day: Vec<_> = rows.iter().filter(|row| row.partition == day).collect();
        assert_eq!(of_day.iter().map(|row| row.paise).sum::<i128>(), truth.paise, "{day}");
        let counts = &manifest["counts"];
        for (name, wanted) in [
            ("fetched", truth.fetched),
            ("written", truth.written),
            ("rejected", truth.rejected),
            ("duplicates", truth.duplicates),
        ] {
            assert_eq!(counts[name], wanted, "{name} of {day}: {counts}");
        }
    }
}

#[test]
fn a_failed_refresh_leaves_the_window_committed_for_all_who_look() {
    let api = api(1);
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    api.fail_from(0, Reply::json(400, r#"{"error":"from is too old"}"#));
    let report = workspace.extract_day(&["--refresh", "--report", "json"]).exits(4);
    assert_eq!(only_window(&report)["state"], "committed", "{report}");
    let lake = workspace.path("lake");
    let lake = lake.to_str().unwrap();
    let status = workspace.lakeward(&["status", "--lake", lake, "--format", "json"]).exits(0);
    assert_eq!(only_window(&status)["state"], "committed", "{status}");
    assert_eq!(only_window(&status)["failure"]["exit"], 4, "{status}");
    let source = workspace.path("source.yaml");
    let days = ["--date", "2026-03-17", "--lake", lake];
    let plan = [&["plan", source.to_str().unwrap()], &days[..]].concat();
    let plan = workspace.lakeward(&plan).exits(0);
    assert_eq!(only_window(&plan)["state"], "committed", "{plan}");
}
