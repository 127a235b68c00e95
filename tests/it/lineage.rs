//! `--openlineage`: each window's start, commit and failure as an event, and never in the way of the run.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::cli::{Lakeward, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};

fn events(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.path("events.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn extract(workspace: &Workspace, more: &[&str]) -> Lakeward {
    workspace.extract_day(&[&["--openlineage", "events.ndjson"], more].concat())
}

#[test]
fn a_window_is_told_when_it_begins_and_when_it_is_committed() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    extract(&workspace, &[]).exits(0);
    let told = events(&workspace);
    let kinds: Vec<_> = told.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["START", "COMPLETE"]);
    let (start, complete) = (&told[0], &told[1]);
    assert_eq!(start["run"]["runId"], complete["run"]["runId"]);
    assert_eq!(complete["job"]["name"], "gateway.payments");
    let times = &complete["run"]["facets"]["nominalTime"];
    assert_eq!(times["nominalStartTime"], "2026-03-17T00:00:00.000000Z");
    assert_eq!(complete["inputs"][0]["namespace"], api.base_url().trim_end_matches("/v1"));
    let output = &complete["outputs"][0];
    assert_eq!(output["namespace"], "file");
    assert!(output["name"].as_str().unwrap().ends_with("/lake/payments"), "{output:#}");
    let fields = output["facets"]["schema"]["fields"].as_array().unwrap();
    assert!(fields.iter().any(|field| field["type"].as_str().unwrap().starts_with("decimal(")));
    let rows = workspace.lake().rows("payments").len();
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], rows);
    let counts = &complete["run"]["facets"]["lakeward_window"]["counts"];
    assert_eq!(counts["written"], rows);
    let report = output["outputFacets"]["lakeward_drift"]["report"].as_str().unwrap();
    assert!(std::path::Path::new(report).is_file(), "{report}");
    // What is committed already is no run.
    extract(&workspace, &[]).exits(0);
    assert_eq!(events(&workspace).len(), 2);
}

#[test]
fn a_failure_is_told_with_its_message() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    extract(&workspace, &["--max-requests", "1"]).exits(5);
    let told = events(&workspace);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[1]["eventType"], "FAIL");
    let message = told[1]["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(message.contains("requests"), "{message}");
    assert!(told[1]["outputs"][0]["outputFacets"]["outputStatistics"].is_null());
}

#[test]
fn an_endpoint_that_hangs_or_is_away_fails_nothing() {
    let api = PagedApi::start(Options { records_per_day: vec![60], ..Options::default() });
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging_url = format!("http://{}", hanging.local_addr().unwrap());
    let workspace = Workspace::reading(&api, Style::Cursor);
    let began = Instant::now();
    let ended = workspace.extract_day(&["--openlineage", &hanging_url]).exits(0);
    ended.complains(&["not all OpenLineage events were sent"]);
    // The end of a run waits for two seconds; a client's own timeout would be more.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let (mut asked, _) = hanging.accept().unwrap();
    let mut head = [0; 64];
    let read = asked.read(&mut head).unwrap();
    assert!(head[..read].starts_with(b"POST /api/v1/lineage HTTP/1.1"), "{:?}", &head[..read]);
    drop((asked, hanging));
    let away = workspace.extract_day(&["--refresh", "--openlineage", &hanging_url]).exits(0);
    away.complains(&["could not send an OpenLineage event"]);
}

#[test]
fn a_target_that_is_none_is_told_before_anything_is_fetched() {
    let api = PagedApi::start(Options { records_per_day: vec![60], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&["--openlineage", "ftp://x"]).exits(2).complains(&["--openlineage"]);
    let hostless = workspace.extract_day(&["--openlineage", "user:hunter2@marquez:5000"]).exits(2);
    hostless.complains(&["without http://"]);
    assert!(!hostless.stderr.contains("hunter2"), "{hostless}");
    workspace.extract_day(&["--openlineage", "."]).exits(2).complains(&["no file to append to"]);
    workspace.extract_day(&["--openlineage", "no/such/folder/e"]).exits(2).complains(&["file"]);
    assert_eq!(api.take_skips(), [0_usize; 0]);
}
