//! What APIs, files and disks get wrong: the exit code of DESIGN §6, one clear message, nothing published, nothing lost.

use std::time::Duration;

use super::support::cli::{Ended, SourceYaml, TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::{RawServer, Reply, refusing_url};

/// Records of the API's only day, in ten pages.
const RECORDS: usize = 230;

fn api() -> PagedApi {
    PagedApi::start(Options { records_per_day: vec![RECORDS], ..Options::default() })
}

/// Pages 1 and 2 arrive, everything after is `reply`: the run ends with `exit` and complains.
/// After the API has healed, a plain rerun lands every row. Returns the failed run.
#[track_caller]
fn fails_then_heals(reply: Reply, exit: i32, words: &[&str]) -> Ended {
    let api = api();
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.fail_from(3, reply);
    let ended = workspace.extract_day(&[]).exits(exit);
    ended.complains(words);
    workspace.lake().assert_nothing_published(TABLE);
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 2, "pages behind the checkpoint");
    api.heal();
    api.take_skips();
    workspace.extract_day(&[]).exits(0);
    assert_eq!(api.take_skips(), api.skips(RECORDS, 2), "pages after the checkpoint, each once");
    workspace.lake().assert_holds(TABLE, &api.truth());
    ended
}

#[track_caller]
fn fails_without_an_api(base_url: &str, exit: i32, words: &[&str]) {
    let workspace = Workspace::new(&SourceYaml::new(base_url, Style::Cursor));
    workspace.extract_day(&[]).exits(exit).complains(words);
    workspace.lake().assert_nothing_published(TABLE);
}

#[test]
fn a_host_that_does_not_exist() {
    fails_without_an_api("http://no-such-host.invalid/v1", 5, &["no-such-host.invalid"]);
}

#[test]
fn a_refused_connection() {
    let url = refusing_url();
    let address = url.trim_start_matches("http://").to_owned();
    fails_without_an_api(&url, 5, &[&address, "refused"]);
}

#[test]
fn a_server_that_never_answers() {
    let server = RawServer::start(|_, _| Reply::close().after(Duration::from_secs(4)));
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.timeout = "300ms".to_owned();
    let workspace = Workspace::new(&source);
    workspace.extract_day(&[]).exits(5).complains(&["/payments"]);
    assert_eq!(server.count(), 2, "max_attempts is 2");
}

#[test]
fn a_body_that_drips_past_the_timeout() {
    let body = "{\"data\":[]}";
    let server = RawServer::start(move |_, _| {
        Reply::json(200, body).dripping(1, Duration::from_millis(150))
    });
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.timeout = "500ms".to_owned();
    Workspace::new(&source).extract_day(&[]).exits(5).complains(&["/payments"]);
}

#[test]
fn status_401_and_403() {
    fails_then_heals(Reply::json(401, r#"{"error":"who are you"}"#), 3, &["401"]);
    fails_then_heals(Reply::json(403, r#"{"error":"not for you"}"#), 3, &["403"]);
}

#[test]
fn status_404() {
    fails_then_heals(Reply::json(404, r#"{"error":"no such thing"}"#), 4, &["404", "/v1/payments"]);
}

#[test]
fn status_404_that_means_no_records() {
    let server = RawServer::start(|_, _| Reply::json(404, r#"{"error":"nothing that day"}"#));
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.stream.push("on_status: { 404: empty }".to_owned());
    let workspace = Workspace::new(&source);
    workspace.extract_day(&[]).exits(0);
    let manifest = workspace.lake().manifest(TABLE);
    assert_eq!(
        (&manifest["state"], &manifest["counts"]["fetched"]),
        (&"committed".into(), &0.into())
    );
}

#[test]
fn status_400_with_a_json_error() {
    let body = r#"{"error":{"description":"the window is too far back"}}"#;
    let ended = fails_then_heals(Reply::json(400, body), 4, &["400"]);
    ended.complains(&["GET", "/v1/payments", "the window is too far back"]);
}

#[test]
fn html_with_status_200() {
    let page = "<html><body>Please log in</body></html>";
    let ended = fails_then_heals(Reply::new(200, "text/html", page), 4, &["text/html"]);
    ended.complains(&["Please log in"]);
}

#[test]
fn an_empty_body() {
    fails_then_heals(Reply::json(200, ""), 4, &["application/json"]);
}

#[test]
fn a_cut_body() {
    let body = r#"{"data":[{"id":"pay_x","amount":100}],"pagination":{"has_more":false}}"#;
    fails_then_heals(Reply::cut(body, 30), 5, &["/v1/payments"]);
}

#[test]
fn connections_that_are_reset_or_closed() {
    fails_then_heals(Reply::reset(), 5, &["/v1/payments"]);
    fails_then_heals(Reply::close(), 5, &["/v1/payments"]);
}

#[test]
fn an_outage_that_outlasts_the_retries() {
    fails_then_heals(Reply::json(503, r#"{"error":"maintenance"}"#), 5, &["503"]);
}

#[test]
fn a_retry_after_beyond_the_longest_wait() {
    let headers = [("Content-Type", "application/json"), ("Retry-After", "3600")];
    fails_then_heals(Reply::with_headers(429, &headers, "{}"), 5, &["429"]);
}

#[test]
fn faults_that_pass_are_retried() {
    let api = api();
    let workspace = Workspace::reading(&api, Style::Cursor);
    api.set(|knobs| {
        knobs.fault = Some(Box::new(|_, n| match n {
            2 => Some(Reply::reset()),
            5 => Some(Reply::with_headers(429, &[("Retry-After", "1")], "{}")),
            8 => Some(Reply::cut("{\"data\":[]}", 4)),
            _ => None,
        }));
    });
    workspace.extract_day(&[]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
    let counts = workspace.lake().manifest(TABLE)["counts"].clone();
    assert_eq!((&counts["requests"], &counts["retries"]), (&13.into(), &3.into()), "{counts}");
    assert_eq!(counts["throttled"], 1, "{counts}");
}

#[test]
fn a_records_pointer_that_is_missing() {
    fails_then_heals(Reply::json(200, r#"{"items":[{"id":"pay_x"}]}"#), 4, &["/data"]);
    fails_then_heals(Reply::json(200, r#"{"data":"none today"}"#), 4, &["/data"]);
}

#[test]
fn a_cursor_that_leads_in_a_circle() {
    let again =
        r#"{"data":[],"pagination":{"total":230,"has_more":true,"next_cursor":"after-25"}}"#;
    fails_then_heals(Reply::json(200, again), 4, &["loop"]);
}

#[test]
fn a_next_url_on_another_origin_gets_no_credentials() {
    let other = RawServer::start(|_, _| Reply::json(200, r#"{"data":[]}"#));
    let elsewhere = format!(r#"{{"data":[],"next":"{}/v1/payments"}}"#, other.base_url());
    let server = RawServer::start(move |_, _| Reply::json(200, elsewhere.clone()));
    let mut source = SourceYaml::new(&server.base_url(), Style::NextUrl);
    source.auth = "{ type: bearer, token: { env: GATEWAY_TOKEN } }".to_owned();
    let workspace = Workspace::new(&source);
    let run = workspace.extract_day(&[]).env("GATEWAY_TOKEN", "the-word-of-the-day");
    run.exits(4).complains(&["origin"]);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer the-word-of-the-day"));
    assert_eq!(other.count(), 0, "requests to the other origin");
}

#[test]
fn a_string_where_a_record_should_be() {
    let records: Vec<String> = (0..40)
        .map(|n| match n {
            7 => "\"not a record\"".to_owned(),
            _ => format!(r#"{{"id":"pay_{n}","amount":{n},"created_at":1773705600}}"#),
        })
        .collect();
    let body = format!(
        r#"{{"data":[{}],"pagination":{{"total":40,"has_more":false}}}}"#,
        records.join(",")
    );
    let server = RawServer::start(move |_, _| Reply::json(200, body.clone()));
    let workspace = Workspace::new(&SourceYaml::new(&server.base_url(), Style::Cursor));
    workspace.extract_day(&[]).exits(0);
    let lake = workspace.lake();
    assert_eq!(lake.rows(TABLE).len(), 39);
    let manifest = lake.manifest(TABLE);
    assert_eq!(manifest["counts"]["rejected"], 1);
    let rejects = manifest["rejects"].as_str().expect("the manifest names the dead letters");
    let text = std::fs::read_to_string(lake.path.join(rejects)).unwrap();
    let letter: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&letter["page"], &letter["index"]), (&1.into(), &7.into()), "{letter}");
    assert_eq!(letter["record"], "not a record");
}

#[test]
fn a_lake_that_cannot_be_read() {
    let api = api();
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.write("lake", "a file where the lake's folder should be");
    workspace.extract_day(&[]).exits(6).complains(&["lake"]);
    let text = std::fs::read_to_string(workspace.path("lake")).unwrap();
    assert_eq!(text, "a file where the lake's folder should be");
}

#[test]
fn a_disk_that_takes_no_more() {
    let api = PagedApi::start(Options {
        records_per_day: vec![20_000],
        page_size: 1_000,
        ..Options::default()
    });
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).with_small_files_only().exits(6).complains(&["too large"]);
    workspace.lake().assert_nothing_published(TABLE);
    workspace.extract_day(&[]).exits(0);
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn a_manifest_that_is_garbage() {
    let api = api();
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&[]).exits(0);
    let before = workspace.lake().rows(TABLE);
    let (window, _) = workspace.lake().manifests(TABLE).into_iter().next().unwrap();
    let windows = workspace.path("lake").join(TABLE).join("_lakeward/windows").join(window);
    let newest = std::fs::read_dir(&windows).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    std::fs::write(&newest, "{\"version\":1,").unwrap();
    let name = newest.file_name().unwrap().to_str().unwrap().to_owned();
    workspace.extract_day(&[]).exits(6).complains(&[&name]);
    assert_eq!(workspace.lake().rows(TABLE), before, "the rows are as they were");
}

#[test]
fn a_schema_that_changed_between_checkpoint_and_resume() {
    let api = api();
    let workspace = Workspace::reading(&api, Style::Cursor);
    workspace.extract_day(&["--max-requests", "4"]).exits(5);
    assert_eq!(api.take_skips().len(), 4);
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 4);
    let schema = super::support::cli::schema_yaml();
    let changed = format!("{schema}  - {{ name: note_number, type: int64, from: /notes/n }}\n");
    workspace.write("schema.yaml", &changed);
    workspace.extract_day(&[]).exits(0);
    assert_eq!(api.take_skips(), api.skips(RECORDS, 0), "a new attempt from the beginning");
    let lake = workspace.lake();
    lake.assert_holds(TABLE, &api.truth());
    for file in lake.listed_files(TABLE) {
        let file = std::fs::File::open(file).unwrap();
        let reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert!(reader.schema().field_with_name("note_number").is_ok(), "a file of the old schema");
    }
}

#[test]
fn a_source_file_with_a_mistake() {
    let api = api();
    let workspace = Workspace::reading(&api, Style::Cursor);
    let mut source = SourceYaml::new(&api.base_url(), Style::Cursor);
    source.stream.push("on_count_missmatch: warn".to_owned());
    workspace.write("source.yaml", &source.text());
    let ended = workspace.extract_day(&[]).exits(2);
    ended.says("source.yaml:");
    ended.says("on_count_mismatch");
    workspace.write("source.yaml", &SourceYaml::new(&api.base_url(), Style::Cursor).text());
    std::fs::remove_file(workspace.path("schema.yaml")).unwrap();
    workspace.extract_day(&[]).exits(2).says("schema.yaml");
    workspace.extract(&["no_such_stream", "--date", "2026-03-17"]).exits(2);
    assert_eq!(api.server().count(), 0, "nothing is fetched");
    workspace.lake().assert_nothing_published(TABLE);
}

#[test]
fn a_secret_that_is_not_set_and_one_that_is_refused_stay_unsaid() {
    let server = RawServer::start(|request, _| {
        // An API that repeats what it was sent.
        Reply::json(401, format!("{{\"you sent\":{:?}}}", request.header("authorization")))
    });
    let mut source = SourceYaml::new(&server.base_url(), Style::Cursor);
    source.auth = "{ type: bearer, token: { env: GATEWAY_TOKEN } }".to_owned();
    let workspace = Workspace::new(&source);
    workspace.extract_day(&[]).exits(2).complains(&["GATEWAY_TOKEN"]);
    assert_eq!(server.count(), 0, "nothing is fetched");
    let secret = "s3cr3t-0f-th3-d4y";
    let run = workspace.extract_day(&["--report", "json"]).env("GATEWAY_TOKEN", secret);
    let ended = run.exits(3);
    assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{ended}");
    let manifests = format!("{:?}", workspace.lake().manifests(TABLE));
    assert!(!manifests.contains(secret), "{manifests}");
}
