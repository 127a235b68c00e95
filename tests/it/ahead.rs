//! Pages fetched side by side (`concurrency`) keep every promise of pages fetched one after the other.

use std::time::Duration;

use serde_json::Value;

use rustix::process::Signal;

use super::support::cli::{SourceYaml, TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::pause;
use super::support::raw_server::Reply;

/// Records of the API's only day, in forty pages.
const RECORDS: usize = 800;
const PAGE_SIZE: usize = 20;
const PAGES: usize = RECORDS / PAGE_SIZE;
const AT_ONCE: usize = 8;
const DELAY: Duration = Duration::from_millis(40);

/// An API with a delay before each page, and a workspace that reads it with eight requests in flight.
fn side_by_side(style: Style) -> (PagedApi, Workspace) {
    let api = PagedApi::start(Options {
        seed: 7,
        records_per_day: vec![RECORDS],
        style,
        page_size: PAGE_SIZE,
    });
    api.set(|knobs| knobs.delay = DELAY);
    let mut source = SourceYaml::new(&api.base_url(), style);
    source.checkpoint_every = "100ms".to_owned();
    source.stream.push(format!("concurrency: {AT_ONCE}"));
    let workspace = Workspace::new(&source);
    (api, workspace)
}

/// What was asked for since the last look, in the order of pages: tasks may overtake each other on their way.
fn asked(api: &PagedApi) -> Vec<usize> {
    let mut skips = api.take_skips();
    skips.sort_unstable();
    skips
}

/// The rest of a window is asked for once, and the lake holds everything.
fn finishes_behind(pages: usize, api: &PagedApi, workspace: &Workspace) {
    pause(DELAY * 2);
    api.heal();
    api.take_skips();
    workspace.extract_day(&[]).exits(0);
    assert_eq!(asked(api), api.skips(RECORDS, pages), "behind {pages} pages");
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[test]
fn every_page_lands_once_with_eight_requests_in_flight() {
    for style in [Style::Page, Style::Offset] {
        let (api, workspace) = side_by_side(style);
        workspace.extract_day(&[]).exits(0);
        assert_eq!(api.server().most_at_once(), AT_ONCE, "{style:?}");
        assert_eq!(asked(&api), api.skips(RECORDS, 0), "{style:?}");
        workspace.lake().assert_holds(TABLE, &api.truth());
        assert_eq!(workspace.lake().manifest(TABLE)["counts"]["requests"], PAGES);
    }
}

#[test]
fn the_budget_is_spent_on_the_first_pages() {
    for style in [Style::Page, Style::Offset] {
        let (api, workspace) = side_by_side(style);
        for (budget, pages) in [("3", 3), ("3", 6), ("7", 13)] {
            workspace.extract_day(&["--max-requests", budget]).exits(5);
            assert_eq!(workspace.lake().checkpoint_pages(TABLE), pages, "{style:?}");
        }
        workspace.lake().assert_nothing_published(TABLE);
        finishes_behind(13, &api, &workspace);
    }
}

#[test]
fn a_signal_saves_what_was_delivered() {
    let (api, workspace) = side_by_side(Style::Page);
    let run = workspace.extract_day(&[]).start();
    assert!(api.server().wait_for(15, Duration::from_secs(20)), "fifteen requests");
    run.signal(Signal::TERM);
    let ended = run.wait();
    assert_eq!(ended.code, Some(143), "{ended}");
    assert_eq!(workspace.lake().manifest(TABLE)["owner"], Value::Null, "an orderly end");
    let pages = workspace.lake().checkpoint_pages(TABLE);
    assert!((1..PAGES).contains(&pages), "{pages} pages behind the checkpoint");
    finishes_behind(pages, &api, &workspace);
}

#[test]
fn an_error_in_the_middle_saves_the_pages_before_it() {
    let (api, workspace) = side_by_side(Style::Page);
    api.set(|knobs| {
        knobs.fault = Some(Box::new(|request, _| {
            let page = request.param("page").and_then(|page| page.parse::<usize>().ok());
            (page == Some(18)).then(|| Reply::json(422, r#"{"error":"not this page"}"#))
        }));
    });
    let ended = workspace.extract_day(&["--report", "json"]).exits(4);
    ended.complains(&["page=18", "not this page"]);
    assert_eq!(workspace.lake().checkpoint_pages(TABLE), 17);
    workspace.lake().assert_nothing_published(TABLE);
    finishes_behind(17, &api, &workspace);
}

#[test]
fn a_killed_run_is_finished_behind_its_checkpoint() {
    for (style, after) in [(Style::Page, 180), (Style::Offset, 230), (Style::Page, 290)] {
        let (api, workspace) = side_by_side(style);
        let run = workspace.extract_day(&[]).start();
        pause(Duration::from_millis(after));
        run.kill9();
        let pages = workspace.lake().checkpoint_pages(TABLE);
        let state = workspace.lake().manifests(TABLE).into_values().next();
        if state.is_none_or(|manifest| manifest["state"] == "running") {
            finishes_behind(pages, &api, &workspace);
        }
    }
}
