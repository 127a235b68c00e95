//! Drift over time: what a vendor changes is told on its day, and nothing is told of one that does not change.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use serde_json::Value;

use super::support::cli::{TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::vendor::{self, Changes, STEADY};

fn day(index: u64) -> String {
    (NaiveDate::from_ymd_opt(2026, 3, 17).unwrap() + Days::new(index)).to_string()
}

/// A workspace for the vendor.
fn shop(server: &super::support::raw_server::RawServer) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("source.yaml", &vendor::source_yaml(server));
    workspace.write("orders.yaml", vendor::schema_yaml());
    workspace
}

/// `kind path` of every finding of each window, in order.
fn findings(workspace: &Workspace) -> Vec<BTreeSet<String>> {
    let document =
        workspace.lakeward(&["drift", "--lake", "lake", "--format", "json"]).exits(0).json();
    let windows = document["streams"][0]["windows"].as_array().unwrap();
    let brief = |finding: &Value| {
        format!("{} {}", finding["kind"].as_str().unwrap(), finding["path"].as_str().unwrap())
    };
    windows
        .iter()
        .map(|window| window["report"]["findings"].as_array().unwrap().iter().map(brief).collect())
        .collect()
}

#[test]
fn sixty_steady_days_have_no_finding() {
    let server = vendor::start(STEADY);
    let workspace = shop(&server);
    workspace.extract(&["--from", &day(0), "--to", &day(60)]).exits(0);
    let found = findings(&workspace);
    assert_eq!(found.len(), 60);
    let told: Vec<_> = found.iter().enumerate().filter(|(_, found)| !found.is_empty()).collect();
    assert!(told.is_empty(), "{told:?}");
    workspace.lakeward(&["drift", "--lake", "lake"]).exits(0).says("no drift in 60 windows");
}

#[test]
fn a_vendors_year_is_told_day_by_day() {
    let changes = Changes {
        adds: 10,
        renames: 14,
        splits: 18,
        rescales: 22,
        retimes: 26,
        requotes: 30,
        extends: 34,
        thins: 38,
        nests: 42,
        empties: 46,
        fails: 50,
    };
    let server = vendor::start(changes);
    let workspace = shop(&server);
    workspace.extract(&["--from", &day(0), "--to", &day(60)]).exits(0);
    let found = findings(&workspace);
    let expected: [(usize, &[&str]); 11] = [
        (10, &["new_field /upi_ref"]),
        (14, &["renamed /remark"]),
        (18, &["type_changed /customer", "invalid_value /customer"]),
        (22, &["range_moved /amount"]),
        (26, &["mixed_units /created_at"]),
        (30, &["type_changed /fee"]),
        (34, &["new_value /status", "new_value /method"]),
        (38, &["missing_field /email"]),
        (42, &["missing_field /card/network", "new_field /card"]),
        (46, &["null_rate /city"]),
        (50, &["row_count "]),
    ];
    for (day, wanted) in expected {
        let new: BTreeSet<String> = found[day].difference(&found[day - 1]).cloned().collect();
        let wanted: BTreeSet<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(new, wanted, "new on day {day}");
    }
    assert!(found[..10].iter().all(BTreeSet::is_empty), "{:?}", &found[..10]);

    // What is personal is nowhere.
    let text = workspace.lakeward(&["drift", "--lake", "lake"]).exits(0).stdout;
    assert!(text.contains("range_moved") && !text.contains("@example.org"), "{text}");
    for name in workspace.lake().manifests("orders").values() {
        assert!(!name.to_string().contains("@example.org"));
    }
    let html = workspace.lakeward(&["drift", "--lake", "lake", "--format", "html"]).exits(0).stdout;
    assert!(html.starts_with("<!doctype html>") && html.contains("<svg"));
    assert!(!html.contains("http://") && !html.contains("<script"), "{html}");
    let page =
        workspace.lakeward(&["drift", "--lake", "lake", "--format", "markdown"]).exits(0).stdout;
    assert!(page.contains("| new_field |") || page.contains("| new\\_field |"), "{page}");
    let since = ["drift", "--lake", "lake", "--since", &day(50), "--format", "json"];
    let windows = workspace.lakeward(&since).exits(0).json();
    assert_eq!(windows["streams"][0]["windows"].as_array().unwrap().len(), 10);
}

#[test]
fn staged_rows_are_accepted_without_a_new_request() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor)
        .with("schema.yaml", |schema| {
            schema.replace("fields:", "drift: { new_value: fail }\nfields:")
        })
        .with("schema.yaml", |schema| schema.replace("captured, ", ""));
    let report = workspace.extract_day(&["--report", "json"]).exits(7).json();
    assert_eq!(report["exit"], 7);
    workspace.lake().assert_nothing_published(TABLE);
    workspace.lakeward(&["drift", "--lake", "lake"]).exits(0).says("new_value");
    let asked = api.server().count();

    // Accepted, they are published as they were staged, once.
    workspace.extract_day(&["--accept-drift"]).exits(0).says("as --accept-drift asks");
    assert_eq!(api.server().count(), asked);
    workspace.lake().assert_holds(TABLE, &api.truth());
    assert_eq!(workspace.lake().leftovers(TABLE), Vec::<String>::new());
    let verified = workspace.lakeward(&["verify", "--lake", "lake", "--format", "json"]).exits(0);
    assert_eq!(verified.json()["strays"], Value::Array(vec![]));
    workspace.extract_day(&["--accept-drift"]).exits(0);
    assert_eq!(api.server().count(), asked);

    // What was not seen before is judged as ever, and a changed schema begins anew, which is said.
    workspace.extract_day(&["--refresh", "--accept-drift"]).exits(7);
    assert!(api.server().count() > asked);
    let again = workspace.with("schema.yaml", |schema| schema.replace("name: method", "name: by"));
    let asked = api.server().count();
    again.extract_day(&["--accept-drift", "--refresh"]).exits(7).says("the window is fetched anew");
    assert!(api.server().count() > asked);
    // What readers have stays what was accepted.
    let published = again.lake().published_rows(TABLE).unwrap();
    assert_eq!(published.len(), api.truth().rows.len());
}

#[test]
fn accepted_rows_are_deduplicated_and_rejects_kept() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.set(|knobs| (knobs.broken, knobs.repeated, knobs.total_off_by) = (20, 30, 0));
    workspace.extract_day(&[]).exits(7);
    let rejects =
        workspace.lakeward(&["rejects", "--lake", "lake", "--format", "json"]).exits(0).json();
    assert_eq!(rejects["reasons"][0]["records"], 20, "{rejects:#}");
    workspace.extract_day(&["--accept-drift"]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
    let counts = workspace.lake().manifest(TABLE)["counts"].clone();
    assert_eq!((&counts["rejected"], &counts["duplicates"]), (&20.into(), &30.into()), "{counts}");
    let ended = workspace.lakeward(&["rejects", "--lake", "lake"]).exits(0);
    ended.says("n/a");
    assert_eq!(workspace.lake().leftovers(TABLE), Vec::<String>::new());
}

#[test]
fn dead_letters_that_were_cut_are_told_line_by_line() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.set(|knobs| knobs.broken = 5);
    workspace.extract_day(&[]).exits(0);
    let path = workspace.lake().manifest(TABLE)["rejects"].as_str().unwrap().to_owned();
    let file = workspace.path("lake").join(&path);
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 30]).unwrap();
    let verified = workspace.lakeward(&["verify", "--lake", "lake"]).exits(6);
    verified.says("the manifest counts 5 dead letters, 4 can be read and 1 cannot");
    let ended = workspace.lakeward(&["rejects", "--lake", "lake", "--format", "json"]).exits(6);
    ended.complains(&["dead letter is cut"]);
    ended.complains(&[&path]);
    ended.complains(&["line", "5"]);
    let rejects = ended.json();
    assert_eq!(rejects["reasons"][0]["records"], 4);
    assert_eq!(rejects["unreadable"].as_array().unwrap().len(), 1);
    std::fs::remove_file(&file).unwrap();
    workspace.lakeward(&["rejects", "--lake", "lake"]).exits(6).complains(&[&path]);
    workspace.lakeward(&["drift", "--lake", "lake", "nothing"]).exits(2).says("payments");
}
