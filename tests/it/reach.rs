//! The way to the API: by the declared proxy, by the environment's, or past both.

use super::support::cli::{SourceYaml, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::{RawServer, Reply, refusing_url};

fn no_records() -> Reply {
    Reply::json(200, r#"{"data":[],"pagination":{"total":0,"has_more":false}}"#)
}

#[test]
fn a_host_in_no_proxy_is_reached_without_the_declared_proxy() {
    let api = PagedApi::start(Options { records_per_day: vec![3], ..Options::default() });
    let mut source = SourceYaml::new(&api.base_url(), Style::Cursor);
    source.max_attempts = 1;
    let workspace = Workspace::new(&source).with("source.yaml", |text| {
        text.replace("http: {", &format!("http: {{ proxy: '{}',", refusing_url()))
    });
    let ended = workspace.extract_day(&[]).exits(5);
    ended.complains(&["could not connect", "proxy: http://127.0.0.1"]);
    workspace.extract_day(&[]).env("NO_PROXY", "example.com").exits(5);
    workspace.extract_day(&[]).env("NO_PROXY", "example.com,127.0.0.1").exits(0);
}

#[test]
fn the_proxy_of_the_environment_counts_where_none_is_declared() {
    let (proxy, other) =
        (RawServer::start(|_, _| no_records()), RawServer::start(|_, _| no_records()));
    let source = SourceYaml::new("http://api.invalid", Style::Cursor);
    let workspace = Workspace::new(&source);
    workspace.extract_day(&[]).env("HTTP_PROXY", &proxy.base_url()).exits(0);
    assert!(proxy.requests()[0].target.starts_with("http://api.invalid/payments?"));
    let workspace = Workspace::new(&source).with("source.yaml", |text| {
        text.replace("http: {", &format!("http: {{ proxy: '{}',", other.base_url()))
    });
    workspace.extract_day(&[]).env("HTTP_PROXY", &proxy.base_url()).exits(0);
    assert_eq!((proxy.count(), other.count()), (1, 1));
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_used_is_not_passed_over() {
    let api = PagedApi::start(Options { records_per_day: vec![3], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let ended = workspace.extract_day(&[]).env("http_proxy", "ftp://user:hunter2@proxy:1").exits(2);
    ended.complains(&["http_proxy", "of a kind that is not known"]);
    assert!(!ended.to_string().contains("hunter2"), "{ended}");
    assert_eq!(api.server().count(), 0, "nothing leaves without the proxy");
}
