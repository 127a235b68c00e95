//! The library's front door: a stream's window as Arrow batches, and extracted into a lake.

use futures::{StreamExt as _, TryStreamExt as _};
use lakeward::{ErrorKind, Lake, Source, Window};

use super::support::cli::{TABLE, Workspace};
use super::support::paged_api::{Options, PagedApi, Style};

fn day() -> Window {
    Window::day("2026-03-17".parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_window_is_a_stream_of_batches() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let source = Source::load(&workspace.path("source.yaml")).unwrap();
    let window = source.stream("payments").unwrap().window(day());
    let batches: Vec<_> = window.batches().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 230);
    assert!(batches.iter().all(|batch| batch.schema() == window.schema().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_extracted_as_the_binary_does_it() {
    let api = PagedApi::start(Options { records_per_day: vec![230], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let source = Source::load(&workspace.path("source.yaml")).unwrap();
    let lake = Lake::open(workspace.path("lake").to_str().unwrap()).unwrap();
    let report = source.stream("payments").unwrap().window(day()).extract(&lake).await.unwrap();
    assert_eq!(report.exit, 0, "{report:?}");
    workspace.lake().assert_holds(TABLE, &api.truth());
}

#[tokio::test]
async fn a_failure_is_the_last_item_and_an_unknown_stream_an_error() {
    let api = PagedApi::start(Options { records_per_day: vec![10], ..Options::default() });
    let workspace = Workspace::reading(&api, Style::Cursor);
    let text = std::fs::read_to_string(workspace.path("source.yaml")).unwrap();
    workspace.write(
        "source.yaml",
        &text.replace("{ type: none }", "{ type: bearer, token: { env: NOT_SET_ANYWHERE } }"),
    );
    let source = Source::load(&workspace.path("source.yaml")).unwrap();
    let mut batches = source.clone().stream("payments").unwrap().window(day()).batches();
    let error = batches.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(batches.next().await.is_none());
    assert_eq!(source.stream("paymants").unwrap_err().kind(), ErrorKind::Usage);
}
