//! Compressed bodies as servers send them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::scripted::{Reply, bytes, json};
use super::*;
use crate::error::ErrorKind;

fn gzip(text: &str) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(text.as_bytes()).expect("write");
    to.finish().expect("gzip")
}

fn zlib(text: &str) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
    to.write_all(text.as_bytes()).expect("write");
    to.finish().expect("zlib")
}

fn raw(text: &str) -> Vec<u8> {
    let mut to = DeflateEncoder::new(Vec::new(), Compression::fast());
    to.write_all(text.as_bytes()).expect("write");
    to.finish().expect("deflate")
}

fn brotli(text: &str) -> Vec<u8> {
    let mut to = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
    to.write_all(text.as_bytes()).expect("write");
    to.into_inner()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).expect("zstd")
}

fn coded(status: &str, coding: &str, body: &[u8]) -> Reply {
    bytes(status, &format!("Content-Encoding: {coding}\r\n"), body)
}

/// Records with some text in them, small or so many that they are inflated elsewhere.
fn page(records: usize) -> String {
    let items: Vec<String> =
        (0..records).map(|n| format!(r#"{{"id": "{:x}"}}"#, n * n * 7_919)).collect();
    format!(r#"{{"items": [{}]}}"#, items.join(","))
}

async fn outcome(replies: Vec<Reply>) -> (usize, Vec<Result<Page>>) {
    let server = Server::start(replies).await;
    let results = Run::new(&server, Pagination::None).results().await;
    (server.asked().len(), results)
}

#[tokio::test]
async fn every_coding_gives_the_page_that_was_packed() {
    for records in [1, 100, 20_000, 60_000] {
        let text = page(records);
        let two = [gzip(text.get(..9).expect("head")), gzip(text.get(9..).expect("tail"))].concat();
        for (coding, body) in [
            ("gzip", gzip(&text)),
            ("X-GZIP", two),
            ("deflate", zlib(&text)),
            ("deflate", raw(&text)),
            ("br", brotli(&text)),
            ("zstd", zstd(&text)),
            ("identity", text.clone().into_bytes()),
        ] {
            let (_, results) = outcome(vec![coded("200 OK", coding, &body)]).await;
            let page = results[0].as_ref().unwrap_or_else(|error| panic!("{coding}: {error}"));
            assert_eq!((page.records.len(), page.body.len()), (records, text.len()), "{coding}");
        }
    }
}

#[tokio::test]
async fn a_compressed_body_that_is_cut_is_a_passing_fault() {
    for (coding, body) in [
        ("gzip", gzip(&page(50))),
        ("deflate", zlib(&page(50))),
        ("br", brotli(&page(50))),
        ("zstd", zstd(&page(50))),
    ] {
        let cut = coded("200 OK", coding, body.get(..body.len() - 5).expect("cut"));
        let (asked, results) = outcome(vec![cut.clone(), json(&page(2))]).await;
        assert!(asked == 2 && results[0].is_ok(), "{coding}");
        let (asked, mut results) = outcome(vec![cut.clone(), cut.clone(), cut]).await;
        let error = results.remove(0).expect_err("it stays cut");
        assert_eq!((asked, error.kind()), (3, ErrorKind::Transient), "{coding}");
        assert!(error.message().contains("cut or corrupt"), "{error}");
    }
}

#[tokio::test]
async fn a_coding_that_nobody_asked_for_is_final_and_named() {
    let (asked, mut results) =
        outcome(vec![coded("200 OK", "gzip, compress", b"\x1f\x9d\x90")]).await;
    let error = results.remove(0).expect_err("unknown");
    assert_eq!((asked, error.kind()), (1, ErrorKind::Api));
    assert!(error.message().contains("`compress`"), "{error}");
}

#[tokio::test]
async fn bombs_of_every_coding_stop_at_the_cap() {
    let bomb = format!("{{\"items\": [{}1]}}", " ".repeat(40_000_000));
    for (coding, body) in [
        ("gzip", gzip(&bomb)),
        ("deflate", zlib(&bomb)),
        ("br", brotli(&bomb)),
        ("zstd", zstd(&bomb)),
        ("gzip, zstd", zstd::encode_all(gzip(&bomb).as_slice(), 1).expect("zstd")),
    ] {
        let server = Server::start(vec![coded("200 OK", coding, &body)]).await;
        let mut run = Run::new(&server, Pagination::None);
        run.source.http.max_page_bytes = 1_000_000;
        let (_, error) = run.failed().await;
        assert_eq!(error.kind(), ErrorKind::Api, "{coding}");
        assert!(error.message().contains("larger than 1000000 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_shown_inflated() {
    let text = r#"{"error": "no such day"}"#;
    for (coding, body) in [("gzip", gzip(text)), ("br", brotli(text)), ("zstd", zstd(text))] {
        let (_, mut results) = outcome(vec![coded("400 Bad Request", coding, &body)]).await;
        let error = results.remove(0).expect_err("refused");
        assert!(error.to_string().contains("no such day"), "{coding}: {error}");
    }
    // What cannot be inflated is refused all the same.
    let (_, mut results) = outcome(vec![coded("400 Bad Request", "gzip", b"plain")]).await;
    assert_eq!(results.remove(0).expect_err("refused").kind(), ErrorKind::Api);
    let (_, mut results) = outcome(vec![coded("403 Forbidden", "compress", b"plain")]).await;
    assert_eq!(results.remove(0).expect_err("refused").kind(), ErrorKind::Credentials);
}

#[tokio::test]
async fn a_coding_of_no_body_is_harmless() {
    for coding in ["gzip", "br", "compress"] {
        let head = format!(
            "HTTP/1.1 204 No Content\r\nContent-Encoding: {coding}\r\nConnection: close\r\n\r\n"
        );
        let (_, results) = outcome(vec![Reply::Raw(head.into_bytes())]).await;
        assert!(results[0].as_ref().is_ok_and(|page| page.records.is_empty()), "{coding}");
    }
}
