//! The days of a table: which the lake has, which failed, which are missing.

use super::support::cli::{TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::Reply;

#[test]
fn days_are_committed_missing_failed_or_there_in_part() {
    let api = PagedApi::start(Options { records_per_day: vec![20], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let status = |format: &str| {
        workspace.lakeward(&["status", "--lake", "lake", TABLE, "--format", format]).exits(0)
    };
    workspace.extract(&["--from", "2026-02-27", "--to", "2026-03-01"]).exits(0);
    workspace.extract(&["--from", "2026-03-05T06:00:00Z", "--to", "2026-03-05T18:00:00Z"]).exits(0);
    api.fail_from(0, Reply::json(400, r#"{"error":"from is too old"}"#));
    workspace.extract(&["--date", "2026-03-03"]).exits(4);
    let document: serde_json::Value = serde_json::from_str(&status("json").stdout).unwrap();
    let calendar = &document["calendars"][0];
    assert_eq!(calendar["table"], TABLE);
    let days = calendar["days"].as_array().unwrap();
    let days: Vec<String> = days
        .iter()
        .map(|day| format!("{} {}", day["date"].as_str().unwrap(), day["state"].as_str().unwrap()))
        .collect();
    let whole = days[0].split_once(' ').unwrap().1.to_owned();
    assert!(["committed", "drifting"].contains(&whole.as_str()), "{days:?}");
    let expected = [
        format!("2026-02-27 {whole}"),
        format!("2026-02-28 {whole}"),
        "2026-03-01 missing".to_owned(),
        "2026-03-02 missing".to_owned(),
        "2026-03-03 failed".to_owned(),
        "2026-03-04 missing".to_owned(),
        "2026-03-05 partial".to_owned(),
    ];
    assert_eq!(days, expected);
    let table = status("table");
    let mark = if whole == "committed" { "##" } else { "~~" };
    for line in [&*format!("2026-02{:28}{mark}", ""), "2026-03  ..!.-"] {
        assert!(table.stdout.lines().any(|shown| shown == line), "{line}: {table}");
    }
    let page = status("html").stdout;
    for said in ["2026-03-03: failed", "2026-03-04: missing", "3 days missing"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("http"), "it stands alone: {page}");
    api.heal();
    let pieces = ["--from", "2026-03-03", "--to", "2026-03-04", "--every", "6h"];
    workspace.extract(&pieces).exits(0);
    let healed: serde_json::Value = serde_json::from_str(&status("json").stdout).unwrap();
    let day = &healed["calendars"][0]["days"][4];
    assert_eq!((&day["state"], &day["windows"]), (&whole.into(), &5.into()), "made up for: {day}");
}
