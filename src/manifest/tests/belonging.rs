//! A manifest that stands where it does not belong decides nothing: folders are copied and renamed, manifests edited.

use super::world::*;
use crate::error::ErrorKind;
use crate::lake::layout::TableDir;
use crate::lake::store::Lake;
use crate::manifest::chain::Chain;
use crate::manifest::snapshot::survey;
use crate::manifest::vacuum::outdated;
use crate::manifest::version::Manifest;

/// Copies the table's folder to `other`, as an engineer with `cp -r` does.
async fn copied(lake: &Lake, other: &str) -> TableDir {
    for object in lake.list(table().table()).await.expect("list") {
        let bytes = lake.read(&object.path).await.expect("read").expect("there");
        let to = object.path.replacen(table().table(), other, 1);
        lake.put(&to, bytes).await.expect("put");
    }
    TableDir::new(other).expect("table")
}

#[tokio::test]
async fn a_copied_or_renamed_table_is_refused_and_nothing_of_either_is_deleted() {
    let lake = lake_on(memory());
    Job::new(DAY_1, "old").run(&lake).await.expect("commit");
    let dir = copied(&lake, "payments_bak").await;
    let before = lake.list("").await.expect("list");
    let chain = Chain::new(lake.clone(), dir.clone(), name(DAY_1));
    let error = chain.newest().await.expect_err("of another table");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("it is of the table `payments`"), "{error}");
    assert_eq!(survey(&lake, &dir).await.expect("survey").broken.len(), 1);
    let clock = crate::clock::FixedClock(at(9));
    let outdated = outdated(&lake, &dir, chrono::TimeDelta::days(-100_000), &clock).await;
    let outdated = outdated.expect("vacuum");
    assert!(outdated.strays.is_empty() && outdated.unread.len() == 1, "{outdated:?}");
    assert_eq!(lake.list("").await.expect("list"), before);
}

#[tokio::test]
async fn a_manifest_that_names_what_is_not_its_own_is_refused() {
    let lake = lake_on(memory());
    let good = Job::new(DAY_1, "one").run(&lake).await.expect("commit");
    let other = Job::new(DAY_2, "two").run(&lake).await.expect("commit");
    let (dir, window) = (table(), name(DAY_1));
    let check = |manifest: &Manifest| manifest.belongs(&dir, &window, "the object");
    check(&good).expect("what was written belongs");
    type Bend<'a> = (&'static str, Box<dyn Fn(&mut Manifest) + 'a>);
    let bent: [Bend<'_>; 9] = [
        ("source", Box::new(|m| m.source = "x".into())),
        ("stream", Box::new(|m| m.stream = "x".into())),
        ("window", Box::new(|m| m.window = other.window)),
        ("commit id", Box::new(|m| m.commit_id.clear())),
        ("twice", Box::new(|m| m.published.extend(good.published.clone()))),
        ("a file of another window", Box::new(|m| m.published.extend(other.published.clone()))),
        ("deletes another's", Box::new(|m| m.replaces.push(other.published[0].path.clone()))),
        ("a report of another", Box::new(|m| m.rejects = Some(dir.rejects_path(&name(DAY_2), 1)))),
        (
            "moves another's",
            Box::new(|m| {
                m.published[0].staged = Some(dir.staged_path(&name(DAY_2), 1, 1));
            }),
        ),
    ];
    for (what, bend) in bent {
        let mut manifest = good.clone();
        bend(&mut manifest);
        let error = check(&manifest).expect_err(what);
        assert!(error.to_string().contains("does not belong where it stands"), "{what}: {error}");
    }
    let ends = |manifest: &Manifest| Manifest {
        ends: vec![name(DAY_2).to_string()],
        replaces: vec![other.published[0].path.clone()],
        ..manifest.clone()
    };
    check(&ends(&good)).expect_err("a day ends no other day");
    let both = Job::new(BOTH, "both").refresh().run(&lake).await.expect("commit");
    let of_both = |manifest: &Manifest| manifest.belongs(&dir, &name(BOTH), "the object");
    of_both(&both).expect("what was written belongs");
    of_both(&ends(&both)).expect("a publish that covers a window replaces its files");
}
