//! `lakeward redecode`: the table as if its schema had always known, from what the lake holds alone.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde_json::Value;

use super::support::cli::{TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::pause;
use super::support::raw_server::{RawServer, Reply};
use super::support::vendor::{self, Changes, STEADY};

fn day(index: u64) -> String {
    (NaiveDate::from_ymd_opt(2026, 3, 17).unwrap() + Days::new(index)).to_string()
}

fn strays(workspace: &Workspace) -> Value {
    workspace.lakeward(&["verify", "--lake", "lake", "--format", "json"]).exits(0).json()["strays"]
        .clone()
}

#[test]
fn patched_and_decoded_anew_it_is_as_if_the_schema_had_always_known() {
    let changes =
        Changes { adds: 3, renames: 5, splits: 7, requotes: 9, extends: 11, nests: 13, ..STEADY };
    let server = vendor::start(changes);
    let workspace = Workspace::empty();
    workspace.write("source.yaml", &vendor::source_yaml(&server));
    workspace.write("orders.yaml", vendor::schema_yaml());
    let days = ["--from", &day(0), "--to", &day(16)];
    workspace.extract(&days).exits(0);
    let asked = server.count();

    let patch = ["drift", "--lake", "lake", "orders", "--patch", "--schema", "orders.yaml"];
    let patched = workspace.lakeward(&patch).exits(0).stdout;
    for line in [
        "# Orders of the shop.",
        "# Money.",
        "from: [/note, /remark]",
        "upi_ref",
        "name: customer, type: json",
        "disputed]",
    ] {
        assert!(patched.contains(line), "{line} is not in\n{patched}");
    }
    workspace.write("new.yaml", &patched);
    let redecode = ["redecode", "--lake", "lake", "--schema", "new.yaml", "--format", "json"];
    let dry = workspace.lakeward(&[&redecode[..], &["--dry-run"]].concat()).exits(0).json();
    assert_eq!(dry["windows"].as_array().unwrap().len(), 16);
    let before = workspace.lake().whole_rows("orders");
    let done = workspace.lakeward(&redecode).exits(0).json();
    assert!(
        done["windows"].as_array().unwrap().iter().all(|w| w["written"] == w["written_before"])
    );
    assert_eq!(server.count(), asked, "nothing is asked of the API");

    let other = Workspace::empty();
    other.write("source.yaml", &vendor::source_yaml(&server));
    other.write("orders.yaml", &patched);
    other.extract(&days).exits(0);
    let (ours, fresh) = (workspace.lake().whole_rows("orders"), other.lake().whole_rows("orders"));
    assert_ne!(ours, before);
    assert_eq!(ours.len(), fresh.len());
    for (ours, fresh) in ours.iter().zip(&fresh) {
        assert_eq!(ours, fresh);
    }
    assert_eq!(strays(&workspace), Value::Array(vec![]));
    // By the schema already, nothing is done; and an extraction by it finds every window committed.
    let again = workspace.lakeward(&redecode).exits(0).json();
    assert_eq!((&again["unchanged"], again["windows"].as_array().unwrap().len()), (&16.into(), 0));
    workspace.write("orders.yaml", &patched);
    workspace.extract(&days).exits(0);
    assert_eq!(server.count(), asked + 16, "those of the other lake alone");
    let statuses =
        workspace.lakeward(&["status", "--lake", "lake", "--format", "json"]).exits(0).json();
    let fingerprint = &done["schema_fingerprint"];
    assert!(
        statuses["windows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|w| &w["schema_fingerprint"] == fingerprint)
    );
}

#[test]
fn dead_letters_that_the_schema_accepts_become_rows() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.set(|knobs| (knobs.broken, knobs.repeated) = (9, 30));
    workspace.extract_day(&[]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
    let asked = api.server().count();
    let counts = workspace.lake().manifest(TABLE)["counts"].clone();
    assert_eq!((&counts["rejected"], &counts["duplicates"]), (&9.into(), &30.into()));

    let wide =
        workspace.with("schema.yaml", |schema| schema.replace("required: true, min: 0", "min: 0"));
    let replay =
        ["rejects", "replay", "--lake", "lake", "--schema", "schema.yaml", "--format", "json"];
    let done = wide.lakeward(&replay).exits(0).json();
    assert_eq!(
        (&done["windows"][0]["written"], &done["windows"][0]["rejected"]),
        (&230.into(), &0.into()),
        "{done:#}"
    );
    assert_eq!(api.server().count(), asked);
    let counts = wide.lake().manifest(TABLE)["counts"].clone();
    assert_eq!(
        (&counts["written"], &counts["nulled"], &counts["duplicates"]),
        (&230.into(), &9.into(), &30.into())
    );
    assert_eq!(wide.lake().rows(TABLE).len(), 230);
    assert_eq!(strays(&wide), Value::Array(vec![]));
    wide.lakeward(&["rejects", "--lake", "lake"]).exits(0).says("no dead letters");
    wide.lakeward(&replay).exits(0);

    // And back: what the schema refuses is a dead letter again, and nothing is lost.
    let strict = wide.with("schema.yaml", |schema| {
        schema.replace("integers: minor, min: 0", "integers: minor, required: true, min: 0")
    });
    let redecode = ["redecode", "--lake", "lake", "--schema", "schema.yaml"];
    strict.lakeward(&redecode).exits(0);
    strict.lake().assert_holds(TABLE, &api.truth());
    let rejects =
        strict.lakeward(&["rejects", "--lake", "lake", "--format", "json"]).exits(0).json();
    assert_eq!(rejects["reasons"][0]["records"], 9);
    assert_eq!(api.server().count(), asked);
}

#[test]
fn what_the_contract_forbids_changes_nothing() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let (rows, manifests) = (workspace.lake().whole_rows(TABLE), workspace.lake().manifest(TABLE));
    let strict = workspace
        .with("schema.yaml", |schema| schema.replace("/amount, integers", "/nowhere, integers"));
    let redecode = ["redecode", "--lake", "lake", "--schema", "schema.yaml"];
    strict.lakeward(&redecode).exits(7).complains(&["the window stays as it was"]);
    assert_eq!(strict.lake().whole_rows(TABLE), rows);
    let after = strict.lake().manifest(TABLE);
    assert_eq!(
        (&after["published"], &after["committed_at"]),
        (&manifests["published"], &manifests["committed_at"])
    );
    // The window can be worked on at once.
    let mended = strict.with("schema.yaml", |schema| {
        schema.replace("/nowhere, integers", "[/total, /amount], integers")
    });
    mended.lakeward(&redecode).exits(0);
    mended.lake().assert_holds(TABLE, &api.truth());
    assert_eq!(strays(&mended), Value::Array(vec![]));
}

#[test]
fn rows_without_their_text_cannot_be_decoded_anew() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor)
        .with("schema.yaml", |schema| schema.replace("raw_column: _raw", "raw_column: null"));
    workspace.extract_day(&[]).exits(0);
    let before = workspace.lake().whole_rows(TABLE);
    let other = workspace
        .with("schema.yaml", |schema| schema.replace("raw_column: null", "raw_column: _raw"));
    let ended = other.lakeward(&["redecode", "--lake", "lake", "--schema", "schema.yaml"]).exits(2);
    ended.complains(&["no raw column"]);
    ended.says("raw_column: null");
    assert_eq!(other.lake().whole_rows(TABLE), before);
    other.write("schema.yaml", "version: 1\ntable: none\nfields: [{ name: id, type: string }]\n");
    other
        .lakeward(&["redecode", "--lake", "lake", "--schema", "schema.yaml"])
        .exits(2)
        .says("payments");
}

/// What is not in the lake is not guessed: a letter that has a row's key stays one, another key is refused.
#[test]
fn what_only_the_api_knows_is_not_guessed() {
    let day = |records: &str| format!("{{\"orders\":[{records}]}}");
    let body = day(
        r#"{"id":"a","line":1,"n":1,"at":1773705600},{"id":"b","line":1,"n":2,"at":1773705601},{"id":"a","line":1,"n":"x9","at":1773705602},{"id":"c","line":1,"n":"y","at":1773792000},{"id":"d","line":1,"n":4,"at":1773705604},{"id":"d","line":1,"n":5,"at":1773705605}"#,
    );
    let server = RawServer::start(move |_, _| Reply::json(200, body.clone()));
    let workspace = Workspace::empty();
    workspace.write("source.yaml", &format!(
        "version: 1\nsource: shop\nbase_url: {}\nstreams:\n  orders:\n    schema: orders.yaml\n    path: /orders\n    records: /orders\n    pagination: {{ type: none }}\n    clip: at\n",
        server.base_url()
    ));
    let schema = |key: &str, n: &str| {
        format!(
            "version: 1\ntable: orders\nprimary_key: {key}\npartition_by: at\nreject_limit: 0.9\nfields:\n  - {{ name: id, type: string }}\n  - {{ name: line, type: int64 }}\n  - {{ name: n, type: {n}, on_invalid: reject }}\n  - {{ name: at, type: timestamp }}\n"
        )
    };
    workspace.write("orders.yaml", &schema("id", "int64"));
    workspace.extract(&["--date", "2026-03-17"]).exits(0);
    let counts = |workspace: &Workspace| workspace.lake().manifest("orders")["counts"].clone();
    let before = counts(&workspace);
    assert_eq!(
        (&before["written"], &before["rejected"], &before["duplicates"]),
        (&3.into(), &2.into(), &1.into())
    );

    let redecode = ["redecode", "--lake", "lake", "--schema", "orders.yaml"];
    workspace.write("orders.yaml", &schema("[id, line]", "int64"));
    workspace.lakeward(&redecode).exits(2).complains(&["another primary_key"]);
    let elsewhere = |from: &str| {
        schema("id", "string")
            .replace("name: id, type: string", &format!("name: id, type: string, from: {from}"))
    };
    workspace.write("orders.yaml", &elsewhere("/at"));
    workspace.lakeward(&redecode).exits(2).complains(&["read otherwise"]);
    workspace.write("orders.yaml", &(schema("id", "string") + "raw_column: null\n"));
    workspace.lakeward(&redecode).exits(2).complains(&["would be gone for good"]);

    workspace.write("orders.yaml", &schema("id", "string"));
    workspace.lakeward(&redecode).exits(0);
    let after = counts(&workspace);
    // `a` is still the row that readers had, `x9` a letter; `c` lies outside of the window.
    assert_eq!(
        (&after["written"], &after["rejected"], &after["outside"]),
        (&3.into(), &1.into(), &1.into()),
        "{after}"
    );
    let rejects =
        workspace.lakeward(&["rejects", "--lake", "lake", "--format", "json"]).exits(0).json();
    assert_eq!(rejects["reasons"][0]["code"], "duplicate", "{rejects:#}");
    assert!(
        workspace.lake().whole_rows("orders").iter().any(|row| row.contains("id=a line=1 n=1 "))
    );
    workspace.write("orders.yaml", &elsewhere("[/id, /code]"));
    workspace.lakeward(&redecode).exits(0);
    assert_eq!(strays(&workspace), Value::Array(vec![]));
}

#[test]
fn one_schema_is_of_one_stream() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let other =
        workspace.with("source.yaml", |source| source.replace("source: gateway", "source: second"));
    other.extract_day(&[]).exits(0);
    let other = other.with("schema.yaml", |schema| schema.replace("name: method", "name: by"));
    let redecode = ["redecode", "--lake", "lake", "--schema", "schema.yaml"];
    let ended = other.lakeward(&redecode).exits(2);
    ended.says("--stream: gateway.payments, second.payments");
    let none = [&redecode[..], &["--stream", "third"]].concat();
    other.lakeward(&none).exits(2).says("no windows of stream `third`");
    let of_one = [&redecode[..], &["--stream", "second.payments", "--format", "json"]].concat();
    let done = other.lakeward(&of_one).exits(0).json();
    assert_eq!(done["windows"].as_array().unwrap().len(), 1);
    assert_eq!(done["windows"][0]["source"], "second");
}

#[test]
fn personal_values_of_dead_letters_are_not_shown() {
    let api = PagedApi::start(Options::default());
    let workspace = Workspace::reading(&api, Style::Cursor)
        .with("schema.yaml", |schema| schema.replace("name: amount,", "name: amount, pii: true,"));
    api.set(|knobs| knobs.broken = 5);
    workspace.extract_day(&[]).exits(0);
    for format in ["table", "json"] {
        let list = ["rejects", "--lake", "lake", "--format", format];
        let text = workspace.lakeward(&list).exits(0).stdout;
        assert!(!text.contains("n/a") && !text.contains("pay_"), "{text}");
        let all = [&list[..], &["--show-values"]].concat();
        assert!(workspace.lakeward(&all).exits(0).stdout.contains("n/a"));
    }
    let manifest = workspace.lake().manifest(TABLE);
    let amount = &manifest["profile"]["fields"]["amount"];
    assert!(amount["hidden"] == true && amount["extent"].get("least").is_none(), "{amount}");
}

#[test]
fn a_killed_one_is_ended_by_the_next() {
    let api = PagedApi::start(Options { records_per_day: vec![230; 3], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract(&["--from", "2026-03-17", "--to", "2026-03-20"]).exits(0);
    let asked = api.server().count();
    let schema = std::fs::read_to_string(workspace.path("schema.yaml")).unwrap();
    let redecode = ["redecode", "--lake", "lake", "--schema", "new.yaml"];
    for trial in 0..12_u64 {
        let new = schema.replace("name: method", &format!("name: by_{trial}"));
        workspace.write("new.yaml", &new);
        let run = workspace.lakeward(&redecode).start();
        pause(Duration::from_millis(20 + trial * 12));
        run.kill9();
        workspace.lakeward(&redecode).exits(0);
        workspace.lake().assert_holds(TABLE, &api.truth());
        assert_eq!(workspace.lake().rows(TABLE).len(), 690, "trial {trial}");
        let column = format!(" by_{trial}=upi");
        assert!(workspace.lake().whole_rows(TABLE).iter().all(|row| row.contains(&column)));
        assert_eq!(strays(&workspace), Value::Array(vec![]), "trial {trial}");
    }
    assert_eq!(api.server().count(), asked);
}

/// Rows that a schema refused are dead letters without a page: whether they came before another one of their key, nobody knows.
#[test]
fn letters_of_which_none_is_known_to_be_later_are_all_kept() {
    let body = r#"{"orders":[{"id":"a","n":"x9","at":1773705600},{"id":"a","n":1,"at":1773705601},{"id":"b","n":2,"at":1773705602}]}"#;
    let server = RawServer::start(move |_, _| Reply::json(200, body));
    let workspace = Workspace::empty();
    workspace.write("source.yaml", &vendor::source_yaml(&server));
    let schema = |n: &str| {
        format!(
            "version: 1\ntable: orders\nprimary_key: id\npartition_by: at\nreject_limit: 0.9\nfields:\n  - {{ name: id, type: string }}\n  - {{ name: n, type: {n}, on_invalid: reject }}\n  - {{ name: at, type: timestamp }}\n"
        )
    };
    workspace.write("orders.yaml", &schema("int64"));
    workspace.extract(&["--date", "2026-03-17"]).exits(0);
    let redecode = ["redecode", "--lake", "lake", "--schema", "orders.yaml"];
    workspace.write("orders.yaml", &schema("int64, max: 1").replace("max: 1", "min: 2"));
    workspace.lakeward(&redecode).exits(0);
    workspace.write("orders.yaml", &schema("string"));
    workspace.lakeward(&redecode).exits(0);
    let text =
        workspace.lakeward(&["rejects", "--lake", "lake", "--format", "json"]).exits(0).stdout;
    let rows = workspace.lake().whole_rows("orders").join("\n");
    for record in [r#""n":"x9""#, r#""n":1"#, r#""n":2"#] {
        assert!(
            text.contains(&record.replace(':', ": "))
                || text.contains(record)
                || rows.contains(record),
            "{record} in\n{rows}\n{text}"
        );
    }
    let counts = workspace.lake().manifest("orders")["counts"].clone();
    assert_eq!(
        (&counts["written"], &counts["rejected"], &counts["duplicates"]),
        (&2.into(), &1.into(), &0.into()),
        "{counts}"
    );
}
