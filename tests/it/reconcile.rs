//! `lakeward reconcile`: what the webhook missed is found exactly, and filled by polling.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use lakeward::webhook::inbox::event::State;
use serde_json::Value;

use super::support::cli::{Lakeward, SourceYaml, TABLE, Workspace};
use super::support::inbox::{InboxDir, WEBHOOKS, at, body, payment};
use super::support::paged_api::{FIRST, Options, PagedApi, Style};
use super::support::raw_server::{RawServer, Reply};

const RECORDS: usize = 10_000;
const DELIVERED: usize = 9_300;
const STALE: usize = 50;

fn workspace(base_url: &str) -> (Workspace, InboxDir) {
    let mut source = SourceYaml::new(base_url, Style::Cursor);
    source.top = WEBHOOKS.to_owned();
    let workspace = Workspace::new(&source);
    let inbox = InboxDir::new(&workspace.path("inbox"));
    (workspace, inbox)
}

fn reconcile(workspace: &Workspace, args: &[&str]) -> Lakeward {
    workspace.lakeward(&[&["reconcile", "source.yaml", "--lake", "lake"], args].concat())
}

/// The records as the API sends them, by their ids, from a lake of their own.
fn records(api: &PagedApi) -> BTreeMap<String, BTreeMap<String, String>> {
    let workspace = Workspace::reading(api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    workspace.lake().latest(TABLE, None)
}

/// All columns of the rows but when they came.
fn contents(
    rows: BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let without = |mut row: BTreeMap<String, String>| {
        row.remove("_extracted_at");
        row
    };
    rows.into_iter().map(|(id, row)| (id, without(row))).collect()
}

#[test]
fn seven_hundred_of_ten_thousand_are_missed_and_fifty_stale() {
    let api = PagedApi::start(Options {
        records_per_day: vec![RECORDS],
        page_size: 1_000,
        ..Options::default()
    });
    let truth = records(&api);
    assert_eq!(truth.len(), RECORDS);
    let (workspace, mut inbox) = workspace(&api.base_url());
    // The n-th delivered event comes n milliseconds after its payment was made.
    let mut events: Vec<(DateTime<Utc>, Vec<u8>)> = Vec::new();
    let mut missed = BTreeSet::new();
    for (n, (id, row)) in truth.iter().enumerate() {
        if n % 100 >= 93 {
            missed.insert(id.clone());
            continue;
        }
        let raw = &row["_raw"];
        let record =
            if events.len() < STALE { raw.replace("captured", "authorized") } else { raw.clone() };
        let record: Value = serde_json::from_str(&record).unwrap();
        let created = DateTime::from_timestamp(record["created_at"].as_i64().unwrap(), 0).unwrap();
        let delay = TimeDelta::milliseconds(i64::try_from(events.len()).unwrap() + 1);
        // With another layout than the API's.
        let record = serde_json::to_string_pretty(&record).unwrap();
        events.push((created + delay, body("payment.captured", &record).into_bytes()));
    }
    assert_eq!((events.len(), missed.len()), (DELIVERED, RECORDS - DELIVERED));
    let arrivals: Vec<_> =
        events.iter().map(|(at, body)| (*at, "payment.captured", body.as_slice())).collect();
    inbox.put_at(&arrivals, State::Waiting);

    let day = ["--date", "2026-03-17", "--inbox", "inbox", "--report", "json"];
    let ended = reconcile(&workspace, &day).exits(7);
    ended.complains(&["missed 700 of 10000"]);
    let report = ended.json();
    assert_eq!(inbox.depth(), 0, "what waited was landed first");
    assert_eq!(report["landed"]["exit"], 0);
    let stream = &report["streams"][0];
    let counts =
        ["polled", "delivered", "missed", "stale"].map(|name| stream[name].as_u64().unwrap());
    assert_eq!(counts, [10_000, 9_300, 700, 50]);
    assert!((stream["missed_share"].as_f64().unwrap() - 0.07).abs() < 1e-9);
    let late = &stream["late"];
    assert_eq!(
        (&late["since"], &late["of"], &late["records"]),
        (&"created_at".into(), &"first".into(), &9_300.into())
    );
    let late = ["p50_ms", "p90_ms", "p99_ms", "max_ms"].map(|name| late[name].as_i64().unwrap());
    assert_eq!(late, [4_650, 8_370, 9_207, 9_300]);
    let named: BTreeSet<String> = stream["missed_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert!(named.len() == 100 && named.is_subset(&missed), "{named:?}");
    assert_eq!(stream["missed_ids_left_off"], 600);
    assert_eq!(contents(workspace.lake().latest(TABLE, None)), contents(truth.clone()));

    // A second time the same is found, and a limit that it keeps is no failure.
    let again = reconcile(
        &workspace,
        &["--date", "2026-03-17", "--max-missed", "0.07", "--report", "json"],
    )
    .exits(0)
    .json();
    let again = ["polled", "delivered", "missed", "stale"]
        .map(|name| again["streams"][0][name].as_u64().unwrap());
    assert_eq!(again, counts);
    let shown = reconcile(&workspace, &["--date", "2026-03-17", "--max-missed", "1"]).exits(0);
    shown.says("7.00 %");
    assert_eq!(contents(workspace.lake().latest(TABLE, None)), contents(truth));
    workspace.lakeward(&["verify", "--lake", "lake"]).exits(0);
}

/// An API of payments with a version, and a workspace that knows it.
fn versioned(records: &[String]) -> (RawServer, Workspace, InboxDir) {
    let total = records.len();
    let page = format!(
        "{{\"data\":[{}],\"pagination\":{{\"total\":{total},\"has_more\":false}}}}",
        records.join(",")
    );
    let server = RawServer::start(move |_, _| Reply::json(200, page.clone()));
    let (workspace, inbox) = workspace(&format!("{}/v1", server.base_url()));
    let workspace = workspace.with("schema.yaml", |text| {
        text.replace(
            "primary_key: [payment_id]",
            "primary_key: [payment_id]\nversion_by: updated_at",
        )
    });
    (server, workspace, inbox)
}

fn of_version(id: &str, status: &str, updated: i64) -> String {
    let record = payment(id, 100, FIRST).replace("captured", status);
    record.replace("\"notes\"", &format!("\"updated_at\":{},\"notes\"", FIRST + updated))
}

#[test]
fn an_earlier_version_is_stale_and_a_later_one_is_not() {
    let polled: Vec<String> =
        (1..=4).map(|n| of_version(&format!("pay_{n}"), "captured", 60)).collect();
    let (_server, workspace, mut inbox) = versioned(&polled);
    let event = |record: String| ("payment.captured", body("payment.captured", &record));
    inbox.put(
        at(70),
        &[
            event(of_version("pay_1", "captured", 60)),
            event(of_version("pay_2", "authorized", 50)),
            event(of_version("pay_3", "refunded", 65)),
            // Of a record that the windows do not have.
            event(of_version("pay_9", "captured", 60)),
        ],
    );
    let args =
        ["--date", "2026-03-17", "--inbox", "inbox", "--max-missed", "0.25", "--report", "json"];
    let report = reconcile(&workspace, &args).exits(0).json();
    let stream = &report["streams"][0];
    let counts =
        ["polled", "delivered", "missed", "stale"].map(|name| stream[name].as_u64().unwrap());
    assert_eq!(counts, [4, 3, 1, 1]);
    assert_eq!(stream["missed_ids"], serde_json::json!(["pay_4"]));
    let late = &stream["late"];
    assert_eq!(
        (&late["since"], &late["of"], &late["records"]),
        (&"updated_at".into(), &"version".into(), &3.into())
    );
    assert_eq!((&late["p50_ms"], &late["max_ms"]), (&10_000.into(), &20_001.into()));
    let latest = workspace.lake().latest(TABLE, Some("updated_at"));
    let statuses: Vec<&str> = latest.values().map(|row| row["status"].as_str()).collect();
    assert_eq!(statuses, ["captured", "captured", "refunded", "captured", "captured"]);
}

#[test]
fn a_window_that_cannot_be_polled_says_nothing_of_what_was_missed() {
    let api = PagedApi::start(Options { records_per_day: vec![40, 40], ..Options::default() });
    api.fail_from(1, Reply::json(400, "{}"));
    let (workspace, _inbox) = workspace(&api.base_url());
    let two = ["--from", "2026-03-17", "--to", "2026-03-19", "--report", "json"];
    let report = reconcile(&workspace, &two).exits(4).json();
    assert_eq!(
        (&report["streams"][0]["polled"], &report["streams"][0]["missed"]),
        (&0.into(), &0.into())
    );
    api.heal();
    let report = reconcile(&workspace, &two).exits(7).json();
    let stream = &report["streams"][0];
    assert_eq!(
        (&stream["polled"], &stream["missed"], &stream["windows"]),
        (
            &80.into(),
            &80.into(),
            &serde_json::json!([
                "20260317T000000Z_20260318T000000Z",
                "20260318T000000Z_20260319T000000Z"
            ])
        )
    );
    assert!(stream["late"].is_null());
}

#[test]
fn what_cannot_be_reconciled_is_said_before_anything_is_asked() {
    let api = PagedApi::start(Options::default());
    let (workspace, _inbox) = workspace(&api.base_url());
    reconcile(&workspace, &[]).exits(2).complains(&["--lookback"]);
    reconcile(&workspace, &["--date", "2026-03-17", "--max-missed", "5"]).exits(2);
    let workspace =
        workspace.with("schema.yaml", |text| text.replace("primary_key: [payment_id]\n", ""));
    reconcile(&workspace, &["--date", "2026-03-17"]).exits(2).complains(&["primary_key"]);
    assert_eq!(api.server().count(), 0);
}
