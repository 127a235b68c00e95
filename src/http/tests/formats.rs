//! Bodies that are no JSON document in UTF-8: other charsets, a value a line, rows behind a header.

use super::scripted::{Reply, bytes, reply};
use super::*;
use crate::error::ErrorKind;

fn typed(content_type: &str, body: &[u8]) -> Reply {
    bytes("200 OK", &format!("Content-Type: {content_type}\r\n"), body)
}

/// A run whose pages are written so.
fn of(server: &Server, format: Format) -> Run {
    let mut run = Run::new(server, Pagination::None);
    run.stream.format = format;
    if format != Format::Json {
        run.stream.records = pointer("");
    }
    run
}

async fn texts_of(format: Format, reply: Reply) -> Vec<String> {
    let server = Server::start(vec![reply]).await;
    let pages = of(&server, format).pages().await;
    all_texts(&pages).into_iter().map(str::to_owned).collect()
}

/// The error of an answer that stays as it is, and how often it was asked for.
async fn refused(format: Format, reply: Reply) -> (usize, Error) {
    let server = Server::start(vec![reply.clone(), reply.clone(), reply]).await;
    let (_, error) = of(&server, format).failed().await;
    (server.asked().len(), error)
}

#[tokio::test]
async fn a_value_a_line_is_a_record_as_it_stands() {
    let body = "\u{feff}{\"id\": 1.50}\r\n\n{\"id\":2, \"n\":\"a\\nb\"}";
    let texts = texts_of(Format::Ndjson, typed("application/x-ndjson", body.as_bytes())).await;
    assert_eq!(texts, ["{\"id\": 1.50}", "{\"id\":2, \"n\":\"a\\nb\"}"]);
    let none = texts_of(Format::Ndjson, typed("application/x-ndjson", b"")).await;
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_row_is_an_object_of_strings() {
    let body = "\u{feff}id,note\r\n1,\"a, \"\"b\"\"\"\r\n2,\r\n";
    let texts = texts_of(Format::Csv, typed("text/csv", body.as_bytes())).await;
    assert_eq!(texts, [r#"{"id":"1","note":"a, \"b\""}"#, r#"{"id":"2","note":""}"#]);
}

#[tokio::test]
async fn what_is_asked_for_is_what_is_declared() {
    for (format, accept) in [
        (Format::Json, "application/json"),
        (Format::Ndjson, "application/x-ndjson, application/jsonl, application/json;q=0.5"),
        (Format::Csv, "text/csv"),
    ] {
        let server = Server::start(vec![reply("204 No Content", "", "")]).await;
        of(&server, format).pages().await;
        assert_eq!(server.asked()[0].header("accept"), Some(accept));
    }
}

#[tokio::test]
async fn a_charset_is_transcoded_in_every_format() {
    let latin = "charset=ISO-8859-1";
    let json = typed(&format!("application/json; {latin}"), b"{\"items\":[{\"n\":\"caf\xe9\"}]}");
    assert_eq!(texts_of(Format::Json, json).await, ["{\"n\":\"café\"}"]);
    let lines = typed(&format!("application/jsonl; {latin}"), b"{\"n\":\"caf\xe9\"}\n");
    assert_eq!(texts_of(Format::Ndjson, lines).await, ["{\"n\":\"café\"}"]);
    let rows = typed(&format!("text/csv; {latin}"), b"n\ncaf\xe9\n");
    assert_eq!(texts_of(Format::Csv, rows).await, ["{\"n\":\"café\"}"]);
}

#[tokio::test]
async fn a_charset_that_is_not_known_is_final_and_named() {
    let (asked, error) =
        refused(Format::Json, typed("application/json; charset=ebcdic", b"{}")).await;
    assert_eq!((asked, error.kind()), (1, ErrorKind::Api));
    assert!(error.message().contains("charset `ebcdic`"), "{error}");
}

#[tokio::test]
async fn bytes_that_the_charset_does_not_have_are_named() {
    for (format, content_type, body, said) in [
        (Format::Csv, "text/csv; charset=shift_jis", &b"a\n1\n\x93\n"[..], "byte 4 (line 3)"),
        (Format::Csv, "text/csv", b"a\n1\ncaf\xe9\n", "line 3: invalid utf-8"),
        (Format::Ndjson, "text/plain", b"{}\n\xe9\n", "line 2: invalid utf-8"),
        (Format::Json, "application/json", b"{\"items\":[\"\xe9\"]}", "invalid utf-8"),
    ] {
        let (asked, error) = refused(format, typed(content_type, body)).await;
        assert_eq!((asked, error.kind()), (3, ErrorKind::Api), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_broken_line_is_named_and_asked_for_again() {
    let broken = typed("application/x-ndjson", b"{\"id\":1}\n{\"id\":2\n");
    let server = Server::start(vec![broken, typed("application/x-ndjson", b"{}\n")]).await;
    assert_eq!(of(&server, Format::Ndjson).pages().await[0].records.len(), 1);
    for (format, body, said) in [
        (Format::Ndjson, "{\"id\":1}\n{\"id\":2\n", "line 2 is not one JSON value: EOF"),
        (Format::Ndjson, "{}\n{} {}\n", "line 2 is not one JSON value: trailing characters"),
        (Format::Ndjson, "{}\n{},{}\n", "line 2 is not one JSON value: trailing characters"),
        (Format::Csv, "a,b\n1,2\n3\n", "line 3: 1 value where the header has 2"),
        (Format::Csv, "a,a\n1,2\n", "the header has the name `a` twice, in columns 1 and 2"),
        (Format::Csv, "{\"error\":\"no\"}", "line 1: it begins with `{`"),
        (Format::Csv, "", "no body"),
    ] {
        let (asked, error) = refused(format, typed("text/plain", body.as_bytes())).await;
        assert_eq!((asked, error.kind()), (3, ErrorKind::Api), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let (_, error) = refused(Format::Csv, typed("text/html", b"log in\n")).await;
    assert!(error.to_string().contains("its content type is text/html"), "{error}");
}

#[tokio::test]
async fn a_body_without_a_length_needs_an_end_of_its_own() {
    let open = |kind: &str, body: &str| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nX-N: 1\r\nContent-Type: {kind}\r\n\r\n"
        );
        Reply::Raw(format!("{head}{body}").into_bytes())
    };
    let json = open("application/json", "{\"items\":[{}]}");
    assert_eq!(texts_of(Format::Json, json).await, ["{}"]);
    let cut = open("application/json", "{\"items\":[{}");
    assert_eq!(refused(Format::Json, cut).await.0, 3);
    for format in [Format::Ndjson, Format::Csv] {
        let body = if format == Format::Csv { "a\n1\n" } else { "{\"a\":\"1\"}\n" };
        let (asked, error) = refused(format, open("text/plain", body)).await;
        assert_eq!((asked, error.kind()), (1, ErrorKind::Api));
        assert!(error.to_string().contains("without its length"), "{error}");
        // A total tells that a line is missing.
        let server = Server::start(vec![open("text/plain", body)]).await;
        let mut run = of(&server, format);
        run.stream.total = Some(crate::spec::source::TotalFrom::Header("X-N".into()));
        assert_eq!(all_texts(&run.pages().await), ["{\"a\":\"1\"}"]);
    }
}

#[tokio::test]
async fn chunks_and_compression_have_an_end() {
    let chunked = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na\n1\n2\r\n1\r\n\n\r\n0\r\n\r\n";
    let texts = texts_of(Format::Csv, Reply::Raw(chunked.into())).await;
    assert_eq!(texts, ["{\"a\":\"1\"}", "{\"a\":\"2\"}"]);
    let packed = zstd::encode_all(&b"{}\n{}\n"[..], 1).expect("zstd");
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: zstd\r\n\r\n";
    let texts = texts_of(Format::Ndjson, Reply::Raw([&head[..], &packed].concat())).await;
    assert_eq!(texts.len(), 2);
}

#[tokio::test]
async fn rows_are_capped_as_what_they_become() {
    let body = format!("a_name_of_some_length\n{}", "1\n".repeat(1_000));
    let server = Server::start(vec![typed("text/csv", body.as_bytes())]).await;
    let mut run = of(&server, Format::Csv);
    run.source.http.max_page_bytes = 10_000;
    let (_, error) = run.failed().await;
    assert!(error.message().contains("larger than 10000 bytes"), "{error}");
}
