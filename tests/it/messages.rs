//! What a person and an orchestrator read: one clear error for each cause, JSON lines, short tables, no side effects.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::support::cli::{Ended, SourceYaml, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::{RawServer, Reply};

const EMPTY: &str = r#"{"data":[],"pagination":{"total":0,"has_more":false}}"#;
const REFUSAL: &str = r#"{"error":"from is too old"}"#;
/// 2026-03-18 and 2026-03-19, which the API refuses.
const REFUSED: [&str; 2] = ["1773792000", "1773878400"];

/// A workspace whose API has no records and refuses two days.
fn two_refused_days() -> (RawServer, Workspace) {
    let server = RawServer::start(|request, _| {
        let from = request.param("from").unwrap_or_default();
        let refused = REFUSED.contains(&from.as_str());
        if refused { Reply::json(400, REFUSAL) } else { Reply::json(200, EMPTY) }
    });
    let workspace = Workspace::new(&SourceYaml::new(&server.base_url(), Style::Cursor));
    (server, workspace)
}

fn four_days(workspace: &Workspace, more: &[&str]) -> Ended {
    let days = ["--from", "2026-03-17", "--to", "2026-03-21", "--jobs", "4"];
    workspace.extract(&[&days, more].concat()).exits(4)
}

/// Every line of stderr as JSON.
#[track_caller]
fn lines(ended: &Ended) -> Vec<Value> {
    let parse =
        |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{ended}"));
    ended.stderr.lines().map(parse).collect()
}

#[test]
fn windows_that_fail_of_one_cause_are_told_once_with_what_to_do() {
    let (_server, workspace) = two_refused_days();
    let ended = four_days(&workspace, &[]);
    assert_eq!(ended.stderr.matches("from is too old").count(), 1, "{ended}");
    let told: Vec<&str> = ended.stderr.lines().rev().take(3).collect();
    assert!(told[2].starts_with("error: payments 2026-03-18: the API refused"), "{ended}");
    assert!(told[2].contains("request_id") && told[2].contains("GET "), "{ended}");
    assert!(told[1].contains("1 more window: payments 2026-03-19"), "{ended}");
    assert!(told[0].starts_with("hint: "), "{ended}");
    assert!(ended.stdout.contains("2 of 4 windows failed"), "{ended}");
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 100), "{ended}");
}

#[test]
fn the_error_is_told_even_where_nothing_is_logged() {
    let (_server, workspace) = two_refused_days();
    let ended = four_days(&workspace, &["--log-level", "off"]);
    assert!(ended.stderr.starts_with("error: "), "{ended}");
    assert_eq!(ended.stderr.lines().count(), 3, "{ended}");
}

#[test]
fn every_line_of_a_json_log_is_json_with_the_run_and_its_window() {
    let (_server, workspace) = two_refused_days();
    let ended = four_days(&workspace, &["--log", "json", "--report", "json"]);
    let run_id = &ended.json()["run_id"];
    let lines = lines(&ended);
    assert!(!lines.is_empty());
    for line in &lines {
        assert_eq!(&line["run_id"], run_id, "{line}");
        assert!(line["stream"] == "payments" && line["window"].is_string(), "{line}");
    }
    let last = lines.last().unwrap();
    assert_eq!((&last["exit"], &last["kind"]), (&4.into(), &"api".into()), "{last}");
    assert!(last["hint"].is_string() && last["message"].to_string().contains("request_id"));
    assert_eq!(last["also"].as_array().map(Vec::len), Some(1), "{last}");
}

#[test]
fn an_error_outside_windows_is_json_in_a_json_log() {
    let (_server, workspace) = two_refused_days();
    workspace.write("lake", "a file");
    let ended = workspace.extract_day(&["--log", "json"]).exits(6);
    let lines = lines(&ended);
    assert!(lines[0]["message"].to_string().contains("a file, not a folder"), "{ended}");
    assert_eq!((lines.len(), &lines[0]["exit"]), (1, &6.into()), "{ended}");
}

#[test]
fn a_run_that_comes_to_no_window_still_gives_the_document_it_was_asked_for() {
    let (_server, workspace) = two_refused_days();
    workspace.write("lake", "a file");
    let ended = workspace.extract_day(&["--report", "json"]).exits(6);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["exit"], &document["windows"]), (&6.into(), &Value::Array(vec![])));
    assert_eq!(document["error"]["kind"], "store", "{ended}");
    assert_eq!(document["error"]["transient"], true, "{ended}");
}

#[test]
fn a_missing_secret_is_named_and_leaves_the_lake_untouched() {
    let api = PagedApi::start(Options { records_per_day: vec![30], ..Options::default() });
    let mut source = SourceYaml::new(&api.base_url(), Style::Cursor);
    source.auth = "{ type: bearer, token: { env: GATEWAY_TOKEN } }".to_owned();
    let workspace = Workspace::new(&source);
    workspace.extract_day(&[]).exits(2).complains(&["GATEWAY_TOKEN", "is not set"]);
    assert_eq!(api.server().count(), 0, "nothing was asked for");
    assert!(!workspace.path("lake/payments").exists(), "nothing was begun");
    workspace.extract_day(&[]).env("GATEWAY_TOKEN", "t-0123456789").exits(0);
    workspace.extract_day(&[]).exits(0).says("already committed");
}

#[test]
fn a_signal_ends_all_windows_with_one_error() {
    let options = Options { records_per_day: vec![900; 3], ..Options::default() };
    let api = PagedApi::start(options);
    api.set(|knobs| knobs.delay = Duration::from_millis(200));
    let workspace = Workspace::reading(&api, Style::Cursor);
    let days = ["--from", "2026-03-17", "--to", "2026-03-20", "--log", "json"];
    let run = workspace.extract(&days).start();
    assert!(api.server().wait_for(2, Duration::from_secs(20)));
    run.signal(Signal::TERM);
    let ended = run.wait();
    assert_eq!(ended.code, Some(143), "{ended}");
    let lines = lines(&ended);
    assert!(lines.iter().all(|line| line["run_id"].is_string()), "{ended}");
    assert_eq!(lines.last().unwrap()["also"].as_array().map(Vec::len), Some(2), "{ended}");
    let status = workspace.lakeward(&["status", "--lake", "lake"]).exits(0);
    assert!(status.stdout.contains("stopped"), "nobody runs it now: {status}");
}

#[test]
fn a_mistyped_day_shows_the_form() {
    let (server, workspace) = two_refused_days();
    let ended = workspace.extract(&["--date", "17.3.2026"]).exits(2);
    assert!(ended.stderr.contains("write 2026-03-17"), "{ended}");
    let ended = workspace.extract(&["--date", "2026-03-17", "--every", "1x"]).exits(2);
    assert!(ended.stderr.contains("6h"), "{ended}");
    assert_eq!(server.count(), 0);
}

#[test]
fn too_little_memory_says_the_least_before_anything_is_asked() {
    let (server, workspace) = two_refused_days();
    let ended = workspace.extract_day(&["--memory", "8MiB"]).exits(2);
    ended.complains(&["the least for --jobs 1 and 9 columns is 109MiB"]);
    let ended = workspace.extract_day(&["--memory", "many"]).exits(2);
    assert!(ended.stderr.contains("256MiB"), "{ended}");
    assert_eq!(server.count(), 0);
}

#[test]
fn a_plan_makes_nothing() {
    let (_server, workspace) = two_refused_days();
    let plan = ["plan", "source.yaml", "--date", "2026-03-17", "--lake", "lake"];
    let ended = workspace.lakeward(&plan).exits(0);
    assert_eq!(ended.json()["windows"][0]["state"], "missing");
    assert!(!workspace.path("lake").exists());
}

#[test]
fn a_plan_estimates_by_what_the_lake_has() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let plan =
        ["plan", "source.yaml", "--from", "2026-03-17", "--to", "2026-03-20", "--lake", "lake"];
    let unknown = workspace.lakeward(&plan).exits(0).json();
    assert_eq!(unknown["estimate"]["windows"], 3);
    assert!(unknown["estimate"]["requests"].is_null(), "{unknown:#}");
    let day = workspace.extract_day(&["--report", "json"]).exits(0).json();
    let requests = day["windows"][0]["counts"]["requests"].as_u64().unwrap();
    let estimate = &workspace.lakeward(&plan).exits(0).json()["estimate"];
    assert_eq!((&estimate["windows"], &estimate["judged_by"]), (&2.into(), &1.into()));
    assert_eq!(estimate["requests"], 2 * requests);
    assert!(estimate["seconds"].is_u64() && estimate["seconds_by_limit"].is_null(), "{estimate:#}");
}

#[test]
fn every_command_shows_how_it_is_called() {
    let (_server, workspace) = two_refused_days();
    for command in
        ["demo", "init", "check", "peek", "plan", "extract", "status", "sql", "verify", "vacuum"]
    {
        let help = workspace.lakeward(&[command, "--help"]).exits(0);
        assert!(help.stdout.contains(&format!("\n  lakeward {command}")), "{help}");
    }
}

#[test]
fn wrong_arguments_are_told_as_the_log_is() {
    let (_server, workspace) = two_refused_days();
    for log in [&["--log", "json"][..], &["--log=json"]] {
        let wrong = ["extract", "source.yaml", "--deadline", "9x", "--date", "2026-03-17"];
        let ended = workspace.lakeward(&[&wrong[..], log].concat()).exits(2);
        let line: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
        assert!(line["message"].as_str().unwrap().contains("not a length"), "{ended}");
        assert_eq!((&line["kind"], &line["exit"]), (&"usage".into(), &2.into()));
    }
    let ended = workspace.lakeward(&["extract", "--log", "json", "--help"]).exits(0);
    assert!(ended.stdout.contains("Usage:"), "{ended}");
}
