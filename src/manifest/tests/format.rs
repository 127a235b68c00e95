//! The JSON of version 1, kept readable by a file that does not change.

use super::world::*;
use crate::error::{Error, ErrorKind};
use crate::manifest::version::{Counts, Failure, Manifest, State};

const FIXTURE: &[u8] = include_bytes!("../../../tests/fixtures/manifest-v1.json");

#[test]
fn the_fixture_of_version_1_stays_readable() {
    let manifest = Manifest::decode(FIXTURE, "fixture").expect("decode");
    assert_eq!(manifest.state, State::Publishing);
    assert_eq!(manifest.attempt, 3);
    assert_eq!(manifest.checkpoint.seen, [0x00ff_12ab_90cd_34ef, u64::MAX]);
    assert_eq!(manifest.checkpoint.position().records, 250);
    assert_eq!(manifest.files.len(), 1);
    assert!(manifest.files[0].staged.is_some());
    assert!(manifest.counts.add_up());
    let commit = manifest.as_committed().expect("the commit before it");
    assert_eq!((commit.attempt, commit.state), (1, State::Committed));
    // What it says is kept in a round trip, the unknown key aside.
    let again = Manifest::decode(&manifest.encode().expect("encode"), "again").expect("decode");
    assert_eq!(again, manifest);
}

#[tokio::test]
async fn a_committed_manifest_has_the_keys_of_the_design() {
    let manifest = Job::new(DAY_1, "x").run(&lake_on(memory())).await.expect("run");
    let json: serde_json::Value =
        serde_json::from_slice(&manifest.encode().expect("encode")).expect("json");
    let keys: Vec<&str> = json.as_object().expect("object").keys().map(String::as_str).collect();
    insta::assert_snapshot!(keys.join(" "), @"version commit_id table source stream window state attempt run_id owner schema_fingerprint source_fingerprint checkpoint files published replaces rejects drift profile counts started_at committed_at failure");
    insta::assert_snapshot!(json["checkpoint"].to_string(), @r#"{"next":null,"pages":2,"seen":[],"records":2,"api_total":null,"parts":{"keys":[],"rejects":[],"shape":[]}}"#);
    insta::assert_snapshot!(json["window"].to_string(), @r#"{"start":"2026-03-16T00:00:00Z","end":"2026-03-17T00:00:00Z"}"#);
    let file: Vec<&str> =
        json["published"][0].as_object().expect("file").keys().map(String::as_str).collect();
    insta::assert_snapshot!(file.join(" "), @"path partition rows bytes sha256 min_event max_event");
}

#[test]
fn counts_add_up_or_not() {
    let counts = Counts {
        fetched: 10,
        written: 6,
        rejected: 2,
        duplicates: 1,
        outside: 1,
        ..Counts::default()
    };
    assert!(counts.add_up());
    assert!(!Counts { fetched: 11, ..counts }.add_up());
    assert!(!Counts { written: u64::MAX, ..counts }.add_up());
}

#[test]
fn a_failure_carries_the_exit_code() {
    let failure = Failure::from(&Error::new(ErrorKind::Count, "40 of 41 records"));
    assert_eq!((failure.exit, &*failure.kind), (8, "count"));
}
