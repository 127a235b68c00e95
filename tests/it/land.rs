//! `lakeward land`: every event of the inbox is in the lake once, whatever happens between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use lakeward::webhook::inbox::event::State;
use rustix::process::Signal;
use serde_json::Value;

use super::support::cli::{Ended, SourceYaml, TABLE, Workspace};
use super::support::inbox::{InboxDir, WEBHOOKS, at, body, payment};
use super::support::lake::{Row, assert_counts_add_up};
use super::support::paged_api::{FIRST, Options, PagedApi, Style, Truth};
use super::support::{Dice, pause, wait_until};

/// How often a landing is killed.
const TRIALS: u64 = 24;

/// A workspace whose payments come by webhook, and its inbox. Nothing listens where its API is.
fn workspace() -> (Workspace, InboxDir) {
    with_api("http://127.0.0.1:9/v1")
}

fn with_api(base_url: &str) -> (Workspace, InboxDir) {
    let mut source = SourceYaml::new(base_url, Style::Cursor);
    source.top = WEBHOOKS.to_owned();
    let workspace = Workspace::new(&source);
    let inbox = InboxDir::new(&workspace.path("inbox"));
    (workspace, inbox)
}

fn land(workspace: &Workspace, args: &[&str]) -> super::support::cli::Lakeward {
    let own = ["land", "source.yaml", "--inbox", "inbox", "--lake", "lake"];
    workspace.lakeward(&[&own[..], args].concat())
}

/// `count` payments of the first day, and what the lake must hold of them.
fn payments(count: i64) -> (Vec<(&'static str, String)>, Truth) {
    let mut truth = Truth::default();
    let events = (0..count).map(|n| {
        let (id, created) = (format!("pay_{n:05}"), FIRST + n % 80_000);
        let day = at(n % 80_000).date_naive();
        truth.rows.insert(id.clone(), (i128::from(n + 100), day));
        ("payment.captured", body("payment.captured", &payment(&id, n + 100, created)))
    });
    (events.collect(), truth)
}

/// Each window's newest manifest by how its name ends.
fn batches(workspace: &Workspace) -> BTreeMap<String, Value> {
    let all = workspace.lake().manifests(TABLE).into_iter();
    all.map(|(name, manifest)| (name.rsplit('.').next().unwrap().to_owned(), manifest)).collect()
}

fn letters(workspace: &Workspace) -> Vec<Value> {
    let dir = workspace.path("lake").join(TABLE).join("_lakeward/rejects");
    let Ok(files) = std::fs::read_dir(dir) else { return Vec::new() };
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let lines: Vec<Value> = texts
        .flat_map(|text| {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
        })
        .collect();
    lines
}

#[test]
fn events_land_once_and_every_command_knows_the_batch() {
    let (workspace, mut inbox) = workspace();
    let (events, truth) = payments(2_500);
    inbox.put(at(3_600), &events);
    let report = land(&workspace, &["--report", "json"]).exits(0).json();
    assert_eq!((&report["exit"], report["windows"].as_array().unwrap().len()), (&0.into(), 1));
    let window = &report["windows"][0]["window"];
    assert_eq!(window["name"], "webhook-0000000000000001_0000000000002500");
    assert_eq!(
        (&window["start"], &window["end"]),
        (&"2026-03-17T01:00:00Z".into(), &"2026-03-17T01:00:03Z".into())
    );
    workspace.lake().assert_holds(TABLE, &truth);
    assert_eq!(inbox.depth(), 0);
    let manifest = workspace.lake().manifest(TABLE);
    assert_eq!(manifest["counts"]["pages"], 3, "pages of a thousand events");
    assert_eq!(manifest["clip"], Value::Null);
    land(&workspace, &[]).exits(0).says("nothing of this source waits in the inbox");

    let json = |args: &[&str]| {
        workspace
            .lakeward(&[args, &["--lake", "lake", "--format", "json"]].concat())
            .exits(0)
            .json()
    };
    let status = json(&["status"]);
    assert_eq!(status["windows"][0]["window"], window["name"]);
    assert_eq!(status["windows"][0]["start"], "2026-03-17T01:00:00Z");
    assert_eq!(json(&["verify"])["rows"], 2_500);
    assert_eq!(json(&["rejects"])["reasons"], Value::Array(Vec::new()));
    assert_eq!(json(&["drift"])["streams"][0]["by_webhook"], true);
    assert_eq!(json(&["vacuum", "--older-than", "0s"])["objects"], Value::Array(Vec::new()));
    json(&["compact"]);
    workspace.lakeward(&["status", "--lake", "lake"]).exits(0).says("webhook 1..2500");
    workspace.lakeward(&["sql", "--lake", "lake"]).exits(0).says("webhook-0000000000000001_");
    // Decoded anew by another schema, from the raw column alone.
    let workspace =
        workspace.with("schema.yaml", |text| text.replace("type: json", "type: string"));
    let workspace = workspace.with("schema.yaml", |text| text.replace("/notes }", "/notes/n }"));
    workspace.lakeward(&["redecode", "--schema", "schema.yaml", "--lake", "lake"]).exits(0);
    workspace.lake().assert_holds(TABLE, &truth);
    workspace.lakeward(&["verify", "--lake", "lake"]).exits(0);
}

#[test]
fn what_holds_no_record_becomes_a_dead_letter_and_stops_nothing() {
    let (workspace, mut inbox) = workspace();
    let good = body("payment.captured", &payment("pay_1", 100, FIRST));
    let bad =
        body("payment.captured", "{\"id\":\"pay_2\",\"amount\":\"n/a\",\"created_at\":1773705600}");
    let many = (0..30).map(|n| {
        (
            "payment.captured",
            body("payment.captured", &payment(&format!("pay_x{n}"), 5, FIRST)).into_bytes(),
        )
    });
    let mut events: Vec<(&str, Vec<u8>)> = vec![
        ("payment.captured", b"not json".to_vec()),
        ("payment.captured", good.into_bytes()),
        ("order.paid", br#"{"event":"order.paid","x":1.10}"#.to_vec()),
        ("payment.failed", br#"{"event":"payment.failed","payload":null}"#.to_vec()),
        ("payment.captured", vec![0xff, 0xfe, b'{']),
        ("payment.captured", bad.into_bytes()),
    ];
    events.extend(many);
    inbox.put(at(0), &events);
    inbox.put_at(&[(at(9), "", b"refused by serve")], State::Refused);
    land(&workspace, &[]).exits(0);
    assert_eq!(inbox.depth(), 0);
    let all = batches(&workspace);
    assert_eq!(all.len(), 2, "{:?}", all.keys());
    all.values().for_each(assert_counts_add_up);
    let counts = &all["webhook-0000000000000001_0000000000000036"]["counts"];
    assert_eq!(
        (&counts["fetched"], &counts["written"], &counts["rejected"]),
        (&36.into(), &31.into(), &5.into())
    );
    let letters = letters(&workspace);
    let of = |code: &str| -> Vec<&Value> {
        letters.iter().filter(|l| l["error"]["code"] == code).collect()
    };
    let not_json = of("event_not_json");
    let places: Vec<(u64, u64)> = not_json
        .iter()
        .map(|l| (l["page"].as_u64().unwrap(), l["index"].as_u64().unwrap()))
        .collect();
    assert_eq!(BTreeSet::from_iter(places), BTreeSet::from([(1, 0), (1, 4)]), "places of events");
    assert!(not_json.iter().any(|letter| letter["record"]["body_text"] == "not json"));
    let bytes =
        not_json.iter().find_map(|letter| letter["record"]["body_base64"].as_str()).unwrap();
    assert_eq!(
        base64::engine::general_purpose::STANDARD.decode(bytes).unwrap(),
        [0xff, 0xfe, b'{']
    );
    assert_eq!(of("event_without_route").len(), 1);
    // As it came, in the file itself: what reads it as a number would say 1.1.
    let dir = workspace.path("lake").join(TABLE).join("_lakeward/rejects");
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let texts: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert!(texts.contains(r#""body":{"event":"order.paid","x":1.10}"#), "{texts}");
    assert!(not_json.iter().any(|letter| letter["record"]["body_text"] == "refused by serve"));
    assert_eq!(of("event_without_record")[0]["record"]["event_type"], "payment.failed");
    assert_eq!(of("invalid")[0]["index"], 5, "the event's place in the page");
    // Nothing takes an event for a record.
    let replay =
        ["rejects", "replay", "--schema", "schema.yaml", "--lake", "lake", "--format", "json"];
    let replayed = workspace.lakeward(&replay).exits(0).json();
    assert_eq!(replayed["windows"].as_array().unwrap().len(), 2, "{replayed}");
    assert_eq!(self::letters(&workspace).len(), 6);
    assert_eq!(workspace.lake().rows(TABLE).len(), 31);
}

#[test]
fn a_batch_of_bad_records_is_kept_until_the_schema_takes_them() {
    let (workspace, mut inbox) = workspace();
    let bad = body("payment.captured", "{\"id\":\"pay_2\",\"created_at\":1773705600}");
    inbox.put(at(0), &[("payment.captured", &bad)]);
    land(&workspace, &[]).exits(7).complains(&["rejected", "reject_limit"]);
    workspace.lake().assert_nothing_published(TABLE);
    assert_eq!(inbox.depth(), 1, "nothing leaves the inbox before its commit");
    // Later events do not wait for it.
    let (events, truth) = payments(3);
    inbox.put(at(10), &events);
    land(&workspace, &[]).exits(7);
    assert_eq!((inbox.depth(), workspace.lake().rows(TABLE).len()), (1, 3));
    let workspace = workspace.with("schema.yaml", |text| {
        text.replace("integers: minor, required: true", "integers: minor")
    });
    land(&workspace, &[]).exits(0);
    assert_eq!(inbox.depth(), 0);
    assert_eq!(workspace.lake().rows(TABLE).len(), truth.rows.len() + 1);
}

#[test]
fn killed_between_any_two_steps_every_event_lands_once() {
    let seed: u64 = std::env::var("LAKEWARD_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| rand::random::<u64>() >> 16);
    println!("LAKEWARD_SEED={seed}");
    let mut dice = Dice::new(seed);
    let (events, truth) = payments(1_200);
    let (workspace, mut inbox) = workspace();
    inbox.put(at(0), &events);
    let full = inbox.copy();
    let begun = Instant::now();
    land(&workspace, &[]).exits(0);
    let span = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let mut left = BTreeSet::new();
    for trial in 0..TRIALS {
        std::fs::remove_dir_all(workspace.path("lake")).unwrap();
        inbox.restore(&full);
        let mut kills = 0;
        // Some landings are killed more than once.
        while kills < 1 + trial % 3 {
            let run = land(&workspace, &[]).start();
            pause(Duration::from_millis(dice.below(span + span / 4)));
            run.kill9();
            kills += 1;
        }
        let state =
            batches(&workspace).into_values().next().map_or(Value::Null, |m| m["state"].clone());
        left.insert(format!("{state}, {} in the inbox", inbox.depth()));
        land(&workspace, &[]).exits(0);
        assert_eq!(inbox.depth(), 0, "trial {trial}");
        workspace.lake().assert_holds(TABLE, &truth);
        assert_eq!(batches(&workspace).len(), 1, "trial {trial}");
    }
    println!("left behind by kills: {left:?}");
    assert!(left.len() > 1, "all kills came at one instant: {left:?}");
}

#[test]
fn a_batch_that_the_lake_has_only_leaves_the_inbox() {
    let (workspace, mut inbox) = workspace();
    let (events, truth) = payments(20);
    inbox.put(at(0), &events);
    let before = inbox.copy();
    land(&workspace, &[]).exits(0);
    // The commit is there, and the inbox is as it was before: killed in between, or brought back from a backup.
    inbox.restore(&before);
    assert_eq!(inbox.depth(), 20);
    let report = land(&workspace, &["--report", "json"]).exits(0).json();
    assert_eq!(report["windows"][0]["outcome"], "unchanged");
    assert_eq!(inbox.depth(), 0);
    workspace.lake().assert_holds(TABLE, &truth);
}

#[test]
fn another_inbox_does_not_pass_for_one_that_has_landed() {
    let (workspace, mut inbox) = workspace();
    let (events, truth) = payments(5);
    inbox.put(at(0), &events);
    land(&workspace, &[]).exits(0);
    std::fs::remove_dir_all(workspace.path("inbox")).unwrap();
    let mut other = InboxDir::new(&workspace.path("inbox"));
    let record = |n: i64| payment(&format!("pay_other{n}"), n, FIRST);
    let others: Vec<_> =
        (0..5).map(|n| ("payment.captured", body("payment.captured", &record(n)))).collect();
    other.put(at(60), &others);
    land(&workspace, &[]).exits(2).complains(&["another inbox"]);
    assert_eq!(other.depth(), 5, "nothing is lost");
    workspace.lake().assert_holds(TABLE, &truth);
}

#[test]
fn of_two_at_once_one_commits_a_batch() {
    for _ in 0..4 {
        let (workspace, mut inbox) = workspace();
        let (events, truth) = payments(400);
        inbox.put(at(0), &events);
        let runs: Vec<_> =
            (0..3).map(|_| land(&workspace, &["--report", "json"]).start()).collect();
        let ended: Vec<Ended> = runs.into_iter().map(super::support::cli::Running::wait).collect();
        for run in &ended {
            assert!(matches!(run.code, Some(0 | 9)), "{run}");
        }
        land(&workspace, &[]).exits(0);
        assert_eq!(inbox.depth(), 0);
        workspace.lake().assert_holds(TABLE, &truth);
        assert_eq!(batches(&workspace).len(), 1);
    }
}

#[test]
fn late_events_of_a_committed_window_land_beside_it() {
    let api = PagedApi::start(Options::default());
    let (workspace, mut inbox) = with_api(&api.base_url());
    workspace.extract_day(&[]).exits(0);
    let (events, truth) = payments(7);
    inbox.put(at(200_000), &events);
    land(&workspace, &[]).exits(0);
    let rows: BTreeSet<Row> = workspace.lake().rows(TABLE).into_iter().collect();
    assert_eq!(rows.len(), api.truth().rows.len() + truth.rows.len());
    assert_eq!(workspace.lake().leftovers(TABLE), Vec::<String>::new());
    // A refresh of the window leaves the batch, and its drift is compared with windows alone.
    workspace.extract_day(&["--refresh"]).exits(0);
    assert_eq!(workspace.lake().rows(TABLE).len(), rows.len());
    assert_eq!(batches(&workspace).len(), 2);
}

/// A schema whose later version is known.
fn versioned(workspace: Workspace) -> Workspace {
    workspace.with("schema.yaml", |text| {
        text.replace(
            "primary_key: [payment_id]",
            "primary_key: [payment_id]\nversion_by: updated_at",
        )
    })
}

fn state(id: &str, status: &str, updated: i64) -> (&'static str, String) {
    let record = payment(id, 100, FIRST).replace("captured", status);
    let record =
        record.replace("\"notes\"", &format!("\"updated_at\":{},\"notes\"", FIRST + updated));
    ("payment.captured", body("payment.captured", &record))
}

#[test]
fn the_later_version_wins_in_a_batch_and_over_batches() {
    let (workspace, mut inbox) = workspace();
    let workspace = versioned(workspace);
    // Delivered in the wrong order.
    inbox.put(
        at(100),
        &[
            state("pay_1", "refunded", 60),
            state("pay_1", "captured", 5),
            state("pay_2", "captured", 5),
        ],
    );
    land(&workspace, &[]).exits(0);
    let counts = workspace.lake().manifest(TABLE)["counts"].clone();
    assert_eq!((&counts["written"], &counts["duplicates"]), (&2.into(), &1.into()));
    inbox.put(at(200), &[state("pay_2", "refunded", 90), state("pay_1", "authorized", 1)]);
    land(&workspace, &[]).exits(0);
    let latest = workspace.lake().latest(TABLE, Some("updated_at"));
    assert_eq!(latest["pay_1"]["status"], "refunded");
    assert_eq!(latest["pay_2"]["status"], "refunded");
    assert_eq!(
        workspace.lake().rows(TABLE).len(),
        4,
        "earlier versions stay rows of their batches"
    );
    let stamps: BTreeSet<String> =
        latest.values().map(|row| row["_extracted_at"].clone()).collect();
    assert!(stamps.contains("2026-03-17T00:01:40"), "received first: {stamps:?}");
    assert!(stamps.contains("2026-03-17T00:03:20"), "received second: {stamps:?}");
}

#[test]
fn without_a_version_the_last_received_wins() {
    let (workspace, mut inbox) = workspace();
    inbox.put(at(100), &[state("pay_1", "captured", 0), state("pay_1", "refunded", 0)]);
    land(&workspace, &[]).exits(0);
    inbox.put(at(50), &[state("pay_1", "failed", 0)]);
    land(&workspace, &[]).exits(0);
    assert_eq!(workspace.lake().latest(TABLE, None)["pay_1"]["status"], "refunded");
}

#[test]
fn with_history_every_event_stays_as_it_came() {
    let (workspace, mut inbox) = workspace();
    let workspace = versioned(workspace).with("source.yaml", |text| {
        text.replace("    path: /payments", "    history: true\n    path: /payments")
    });
    let refunded = state("pay_1", "refunded", 60);
    let captured = state("pay_1", "captured", 5);
    let odd = ("payment.captured", "not \"json\"\n".to_owned());
    inbox.put(at(100), &[refunded.clone(), captured.clone(), odd.clone()]);
    inbox.put_at(&[(at(101), "", &[0xff, 0x00])], State::Refused);
    let before = inbox.copy();
    let report = land(&workspace, &["--report", "json"]).exits(0).json();
    assert_eq!(report["windows"].as_array().unwrap().len(), 4, "two batches, in two tables each");
    let kept = || workspace.lake().cells("payments_events");
    let bodies: BTreeSet<String> = kept().iter().map(|row| row["body"].clone()).collect();
    let wanted = [refunded.1, captured.1, odd.1, String::new()];
    assert_eq!(bodies, BTreeSet::from(wanted), "byte for byte");
    assert_eq!(kept().iter().filter(|row| row["body_base64"] == "/wA=").count(), 1);
    let first = kept().into_iter().find(|row| row["event_id"] == "evt_1").unwrap();
    assert_eq!(first["received_at"], "2026-03-17T00:01:40");
    assert_eq!((&*first["endpoint"], &*first["event_type"]), ("hook", "payment.captured"));
    assert_eq!(workspace.lake().rows(TABLE).len(), 1);
    // What the inbox still has lands in neither table again.
    inbox.restore(&before);
    land(&workspace, &[]).exits(0);
    assert_eq!((kept().len(), inbox.depth()), (4, 0));
    workspace.lakeward(&["verify", "--lake", "lake"]).exits(0);
}

#[test]
fn lands_again_and_again_until_a_signal() {
    let (workspace, mut inbox) = workspace();
    let run = land(&workspace, &["--every", "100ms", "--report", "json"]).start();
    let mut truth = Truth::default();
    for round in 0..3 {
        let (id, created) = (format!("pay_{round}"), FIRST + round);
        truth.rows.insert(id.clone(), (7, at(round).date_naive()));
        inbox.put(
            at(round),
            &[("payment.captured", body("payment.captured", &payment(&id, 7, created)))],
        );
        assert!(wait_until(Duration::from_secs(60), || inbox.depth() == 0), "round {round}");
    }
    run.signal(Signal::TERM);
    let ended = run.wait();
    assert_eq!(ended.code, Some(143), "{ended}");
    let reports: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.len(), 3, "one line a time that there was something: {ended}");
    workspace.lake().assert_holds(TABLE, &truth);
}

#[test]
fn a_batch_that_was_stopped_rests_longer_each_time() {
    let (workspace, mut inbox) = workspace();
    inbox.put(at(0), &[("payment.captured", body("payment.captured", r#"{"id":"pay_1"}"#))]);
    let run = land(&workspace, &["--every", "50ms", "--report", "json"]).start();
    pause(Duration::from_secs(3));
    run.signal(Signal::TERM);
    let ended = run.wait();
    let tries = ended.stdout.lines().count();
    assert!((1..=8).contains(&tries), "{tries} of sixty: {ended}");
    assert_eq!(inbox.depth(), 1, "and nothing is lost");
}

#[test]
fn what_the_source_file_has_no_place_for_is_no_empty_inbox() {
    let (workspace, mut inbox) = workspace();
    inbox
        .put(at(0), &[("payment.captured", body("payment.captured", &payment("pay_1", 1, FIRST)))]);
    let workspace = workspace.with("source.yaml", |text| text.replace("  hook:", "  other:"));
    let args = ["--report", "json", "--metrics-file", "run.prom"];
    let ended = land(&workspace, &args).exits(2);
    ended.complains(&["1 event waits of the webhook `hook`"]);
    assert_eq!(ended.json()["left"].as_array().unwrap().len(), 1, "{ended}");
    let metrics = std::fs::read_to_string(workspace.path("run.prom")).unwrap();
    assert!(metrics.contains("\nlakeward_run_exit_code 2\n"), "{metrics}");
    let workspace = workspace.with("source.yaml", |text| text.replace("  other:", "  hook:"));
    land(&workspace, &args).exits(0);
    let metrics = std::fs::read_to_string(workspace.path("run.prom")).unwrap();
    let written =
        format!("lakeward_run_records{{source=\"gateway\",table=\"{TABLE}\",what=\"written\"}} 1");
    assert!(metrics.lines().any(|line| line == written), "{metrics}");
    land(&workspace, &[]).exits(0).says("nothing of this source waits");
}

#[test]
fn what_cannot_be_landed_is_said_before_anything_is_done() {
    let (workspace, _inbox) = workspace();
    land(&workspace, &["refunds"]).exits(2).complains(&["refunds", "no stream"]);
    let own = ["land", "source.yaml", "--lake", "lake", "--inbox"];
    workspace.lakeward(&[&own[..], &["elsewhere"]].concat()).exits(2).complains(&["no inbox"]);
    assert!(!workspace.path("lake").join(TABLE).exists());
    let workspace = workspace.with("source.yaml", |text| text.replace(WEBHOOKS, ""));
    land(&workspace, &[]).exits(2).complains(&["no webhooks"]);
}
