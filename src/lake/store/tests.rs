//! The lake on disk and in memory: creates, moves, leftovers.

use super::*;

fn local() -> (tempfile::TempDir, Lake) {
    let dir = tempfile::tempdir().expect("tempdir");
    let lake = Lake::open(dir.path().to_str().expect("utf-8")).expect("lake");
    (dir, lake)
}

fn both() -> Vec<(Option<tempfile::TempDir>, Lake)> {
    let (dir, lake) = local();
    vec![(Some(dir), lake), (None, Lake::in_memory())]
}

#[tokio::test]
async fn create_never_replaces() {
    for (_dir, lake) in both() {
        lake.create("t/a.json", Bytes::from_static(b"1")).await.expect("first");
        let second = lake.create("t/a.json", Bytes::from_static(b"2")).await;
        assert!(matches!(second, Err(CreateError::Exists)));
        assert_eq!(lake.read("t/a.json").await.expect("read").as_deref(), Some(&b"1"[..]));
        lake.put("t/a.json", Bytes::from_static(b"3")).await.expect("put");
        assert_eq!(lake.read("t/a.json").await.expect("read").as_deref(), Some(&b"3"[..]));
    }
}

#[tokio::test]
async fn what_is_absent_reads_as_none_and_deletes_as_done() {
    for (_dir, lake) in both() {
        assert!(lake.read("t/none").await.expect("read").is_none());
        assert!(lake.stat("t/none").await.expect("stat").is_none());
        lake.delete("t/none").await.expect("delete");
        lake.delete_all("t/none").await.expect("delete all");
        assert!(lake.list("t").await.expect("list").is_empty());
        assert!(lake.list_dirs("").await.expect("dirs").is_empty());
        assert_eq!(lake.sweep("t/none", "").await.expect("sweep"), 0);
    }
}

#[tokio::test]
async fn a_move_may_be_repeated() {
    for (_dir, lake) in both() {
        lake.put("t/s/a", Bytes::from_static(b"a")).await.expect("put");
        for _ in 0..2 {
            lake.rename("t/s/a", "t/d=1/a").await.expect("rename");
            assert!(lake.read("t/s/a").await.expect("read").is_none());
            assert_eq!(lake.read("t/d=1/a").await.expect("read").as_deref(), Some(&b"a"[..]));
        }
        let lost = lake.rename("t/s/b", "t/d=1/b").await.expect_err("neither is there");
        assert_eq!(lost.kind(), ErrorKind::Store);
        assert!(lost.to_string().contains("t/s/b"), "{lost}");
    }
}

#[tokio::test]
async fn listings_are_sorted_and_leave_out_half_written_objects() {
    let (dir, lake) = local();
    for path in ["t/w/00000002.json", "t/w/00000001.json", "t/x/y", "u/z"] {
        lake.put(path, Bytes::from_static(b"x")).await.expect("put");
    }
    std::fs::write(dir.path().join("t/w/00000003.json#1"), b"half").expect("leftover");
    std::fs::write(dir.path().join("t/w/note#a"), b"not ours").expect("other");
    let paths = |found: Vec<Listed>| found.into_iter().map(|l| l.path).collect::<Vec<_>>();
    assert_eq!(
        paths(lake.list("t/w").await.expect("list"))
            .into_iter()
            .filter(|path| !path.contains('#') && !path.contains("%23"))
            .collect::<Vec<_>>(),
        ["t/w/00000001.json", "t/w/00000002.json"]
    );
    assert_eq!(lake.list_dirs("").await.expect("dirs"), ["t", "u"]);
    assert_eq!(lake.list_dirs("t").await.expect("dirs"), ["w", "x"]);
    assert_eq!(lake.sweep("t/w", "other").await.expect("sweep"), 0);
    assert_eq!(lake.sweep("t/w", "0000").await.expect("sweep"), 1);
    assert!(!dir.path().join("t/w/00000003.json#1").exists());
    assert!(dir.path().join("t/w/note#a").exists());
    lake.delete_all("t").await.expect("delete all");
    assert!(!dir.path().join("t").exists());
}

#[tokio::test]
async fn an_upload_is_there_only_when_finished() {
    for (_dir, lake) in both() {
        for (size, path) in [(10_usize, "t/small"), (20 << 20, "t/large")] {
            let piece = Bytes::from(vec![7_u8; size / 10]);
            let mut upload = lake.upload(path).expect("upload");
            for _ in 0..10 {
                upload.write(piece.clone()).await.expect("write");
            }
            assert!(lake.read(path).await.expect("read").is_none());
            assert_eq!(upload.bytes(), size as u64);
            upload.finish().await.expect("finish");
            let back = lake.read(path).await.expect("read").expect("there");
            assert_eq!(back.len(), size);
            assert!(back.iter().all(|b| *b == 7));
        }
        let mut upload = lake.upload("t/given-up").expect("upload");
        upload.write(Bytes::from(vec![0_u8; 20 << 20])).await.expect("write");
        upload.abort().await.expect("abort");
        assert!(lake.read("t/given-up").await.expect("read").is_none());
    }
}

#[tokio::test]
async fn paths_that_lead_out_are_refused() {
    let (_dir, lake) = local();
    for wrong in ["../x", "t/../../x", "/etc/passwd", "", "t//x", "t/.x", "t/a#1", "t/a b", "t/%2e"]
    {
        assert!(lake.put(wrong, Bytes::new()).await.is_err(), "{wrong}");
        assert!(lake.read(wrong).await.is_err(), "{wrong}");
        assert!(lake.delete_all(wrong).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn opening_says_what_is_wrong() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").expect("file");
    let file = file.to_str().expect("utf-8").to_owned();
    let error = Lake::open(&file).expect_err("a file");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(error.message(), "the lake is a file, not a folder");
    let below = Lake::open(&format!("{file}/lake")).expect_err("below a file");
    assert_eq!(below.kind(), ErrorKind::Store);
    let missing = format!("{}/missing", dir.path().display());
    assert_eq!(Lake::open_existing(&missing).expect_err("missing").kind(), ErrorKind::Store);
    for wrong in ["gs://bucket/x", "s3://", "s3://key:secret@bucket/x", ""] {
        let error = Lake::open(wrong).expect_err("no lake");
        assert_eq!(error.kind(), ErrorKind::Usage, "{wrong}");
        assert!(!error.to_string().contains("secret@"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_folder_is_made_and_named_as_it_was_given() {
    let dir = tempfile::tempdir().expect("tempdir");
    let url = format!("file://{}/a/b%20c", dir.path().display());
    let lake = Lake::open(&url).expect("lake");
    assert_eq!(lake.describe(), url);
    lake.probe().await.expect("probe");
    lake.put("t/x", Bytes::from_static(b"x")).await.expect("put");
    let root = dir.path().canonicalize().expect("root").join("a/b c");
    assert_eq!(lake.url_of("t/x"), root.join("t/x").display().to_string());
    assert_eq!(std::fs::read(root.join("t/x")).expect("read"), b"x");
    assert_eq!(lake.list("").await.expect("list").len(), 1);
}
