//! Creates whose answer is wrong or lost, and chains that cannot be trusted.

use std::sync::Arc;

use super::stores::{Fault, Faulty};
use super::world::*;
use crate::error::ErrorKind;
use crate::manifest::chain::Head;
use crate::manifest::version::Manifest;

/// A committed window's chain of one lake, and its newest version.
async fn sample() -> (Arc<object_store::memory::InMemory>, u64, Manifest) {
    let store = memory();
    let lake = lake_on(store.clone());
    Job::new(DAY_1, "x").run(&lake).await.expect("run");
    let newest = chain(&lake, DAY_1).newest().await.expect("newest");
    let (number, manifest) = newest.expect("some");
    (store, number, manifest)
}

#[tokio::test]
async fn an_error_of_a_create_is_settled_by_reading_back() {
    let (base, number, manifest) = sample().await;
    for fault in [Fault::Before, Fault::After, Fault::ExistsAfter, Fault::ExistsBefore] {
        let store = fork(&base);
        let faulty = lake_on(Arc::new(Faulty::once(store.clone(), 0, fault)));
        let next = manifest.next();
        chain(&faulty, DAY_1).append(number + 1, &next).await.expect("append");
        let (top, there) =
            chain(&lake_on(store), DAY_1).newest().await.expect("newest").expect("some");
        assert_eq!((top, there.commit_id), (number + 1, next.commit_id), "{fault:?}");
    }
}

#[tokio::test]
async fn another_commit_id_or_a_higher_number_is_a_lost_window() {
    let (store, number, manifest) = sample().await;
    let lake = lake_on(store);
    let chain = chain(&lake, DAY_1);
    let theirs = Manifest { run_id: "theirs".into(), ..manifest.next() };
    chain.append(number + 1, &theirs).await.expect("theirs");
    let error = chain.append(number + 1, &manifest.next()).await.expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::Held);
    assert!(error.to_string().contains("theirs"), "{error}");
    assert!(error.hint_text().is_some());
    // A paused owner whose number was pruned creates it, and sees that the chain went on.
    chain.append(number + 2, &manifest.next()).await.expect("go on");
    lake.delete(&chain.path(number + 1)).await.expect("prune");
    let error = chain.append(number + 1, &manifest.next()).await.expect_err("behind");
    assert_eq!(error.kind(), ErrorKind::Held);
}

#[tokio::test]
async fn nothing_there_is_tried_again_and_then_given_up() {
    let (base, number, manifest) = sample().await;
    // Every create fails, every read answers.
    let store = Faulty::new(base, |at| if at % 2 == 0 { Fault::ExistsBefore } else { Fault::None });
    let lake = lake_on(Arc::new(store));
    let error = chain(&lake, DAY_1).append(number + 1, &manifest.next()).await.expect_err("never");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("00000"), "{error}");
}

#[tokio::test]
async fn an_unreadable_outcome_ends_and_deletes_nothing_and_is_recognized_later() {
    let (base, number, manifest) = sample().await;
    // The create lands, its answer is lost, and so is the read; then the store is back.
    let faults = [Fault::After, Fault::Before];
    let store = Faulty::new(base.clone(), move |at| faults.get(at).copied().unwrap_or(Fault::None));
    let lake = lake_on(Arc::new(store));
    let chain = chain(&lake, DAY_1);
    let mut head = Head::new(number, manifest.clone());
    let error = head.advance(&chain, manifest.next()).await.expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(lake.read(&chain.path(number + 1)).await.expect("read").is_some());
    head.advance(&chain, manifest.next()).await.expect("our own is no rival");
    assert_eq!(head.number, number + 2);
}

#[tokio::test]
async fn a_gap_above_the_newest_commit_is_an_error_that_names_it() {
    let store = memory();
    let lake = lake_on(store);
    let run = Job::new(DAY_1, "x").hold(&lake).await;
    Job::new(DAY_1, "x").fetch(&lake, &run, 2).await.expect("fetch");
    drop(run);
    let chain = chain(&lake, DAY_1);
    lake.delete(&chain.path(2)).await.expect("delete");
    let error = chain.newest().await.expect_err("gap");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains(&chain.path(2)), "{error}");
}

#[tokio::test]
async fn numbers_below_the_newest_commit_are_ignored() {
    let (store, number, manifest) = sample().await;
    let lake = lake_on(store);
    let chain = chain(&lake, DAY_1);
    assert!(number > 3, "pruned up to {number}");
    // A stray far below, and a running version above the commit.
    chain.append(1, &manifest.next()).await.expect_err("behind");
    let run = Job::new(DAY_1, "y").refresh().minute(5).hold(&lake).await;
    assert_eq!(run.attempt(), 2);
    assert_eq!(chain.numbers().await.expect("numbers"), [1, number, number + 1]);
    chain.newest().await.expect("no gap");
}

#[tokio::test]
async fn a_cut_or_foreign_version_is_an_error_that_names_the_object() {
    let (base, number, manifest) = sample().await;
    let whole = manifest.encode().expect("encode");
    let text = String::from_utf8(whole.to_vec()).expect("text");
    let later = text.replacen("\"version\": 1", "\"version\": 2", 1);
    for wrong in [String::new(), text[..text.len() / 2].to_owned(), "[]".to_owned(), later] {
        let lake = lake_on(fork(&base));
        let chain = chain(&lake, DAY_1);
        let path = chain.path(number + 1);
        lake.put(&path, wrong.clone().into()).await.expect("put");
        let before = lake.list("").await.expect("list").len();
        let error = Job::new(DAY_1, "z").refresh().run(&lake).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        assert!(error.to_string().contains(&path), "{error}");
        assert_eq!(lake.list("").await.expect("list").len(), before, "nothing is deleted");
    }
}
