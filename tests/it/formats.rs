//! Bodies of lines: NDJSON and CSV pages into the lake, other charsets, and what is said of a broken line.

use super::support::cli::{SourceYaml, TABLE, Workspace};
use super::support::lake::Row;
use super::support::paged_api::Style;
use super::support::raw_server::{RawServer, Reply};

/// A workspace whose stream is of this `format`, paged by numbers.
fn workspace(server: &RawServer, format: &str) -> Workspace {
    let workspace = Workspace::new(&SourceYaml::new(&server.base_url(), Style::Page));
    let text = std::fs::read_to_string(workspace.path("source.yaml")).unwrap();
    let text = text
        .replace("records: /data", &format!("format: {format}\n    records: \"\""))
        .replace("total: /pagination/total", "total: { header: X-Total-Count }");
    workspace.write("source.yaml", &text);
    workspace
}

fn page(content_type: &str, body: &str) -> Reply {
    let headers = [("Content-Type", content_type), ("X-Total-Count", "3")];
    Reply::with_headers(200, &headers, body)
}

fn row(id: &str, paise: i128) -> Row {
    Row { id: id.to_owned(), paise, partition: "2026-03-17".to_owned() }
}

#[test]
fn rows_of_csv_become_typed_rows() {
    let server = RawServer::start(|request, _| match request.param("page").as_deref() {
        Some("1") => page(
            "text/csv; charset=utf-8",
            "\u{feff}id,amount,status,created_at,note\r\n\
             a,380.50,Captured,1773705600,\"x, \"\"y\"\"\"\r\n\
             b,\"1,234.00\",failed,2026-03-17T05:30:00+05:30,\r\n",
        ),
        _ => page("text/csv", "id,amount,status,created_at,note\nc,7,created,2026-03-17,\n"),
    });
    let workspace = workspace(&server, "csv");
    workspace.lakeward(&["check", "source.yaml"]).exits(0);
    workspace.extract_day(&[]).exits(0);
    let rows = [row("a", 38_050), row("b", 123_400), row("c", 700)];
    assert_eq!(workspace.lake().rows(TABLE), rows);
    assert_eq!(server.requests()[0].header("accept"), Some("text/csv"));
}

#[test]
fn lines_of_ndjson_keep_their_own_text() {
    let body = "{\"id\": \"a\", \"amount\": 38050, \"created_at\": 1773705600}\r\n\
                \n\
                {\"id\":\"b\",\"amount\":\"7.00\",\"created_at\":1773705601}\n\
                [\"no record\"]\n";
    let server = RawServer::start(move |_, _| page("application/x-ndjson", body));
    let workspace = workspace(&server, "ndjson");
    let text = std::fs::read_to_string(workspace.path("schema.yaml")).unwrap();
    workspace.write("schema.yaml", &text.replace("reject_limit: 0.05", "reject_limit: 0.5"));
    workspace.extract_day(&[]).exits(0);
    assert_eq!(workspace.lake().rows(TABLE), [row("a", 38_050), row("b", 700)]);
    let counts = &workspace.lake().manifest(TABLE)["counts"];
    assert_eq!((&counts["fetched"], &counts["rejected"]), (&3.into(), &1.into()));
}

#[test]
fn a_broken_line_is_named_and_nothing_is_published() {
    for (format, body, said) in [
        (
            "csv",
            "id,amount,created_at\na,1,1773705600\nb,2\n",
            "line 3: 2 values where the header has 3",
        ),
        ("csv", "id,amount,id\na,1,2\n", "the header has the name `id` twice, in columns 1 and 3"),
        (
            "csv",
            "id,amount,created_at\na,\"1\n",
            "line 2: the quote that begins a value here is never closed",
        ),
        ("ndjson", "{\"id\":\"a\"}\n{\"id\":\"b\"\n", "line 2 is not one JSON value"),
    ] {
        let server = RawServer::start(move |_, _| page("text/plain", body));
        let workspace = workspace(&server, format);
        let ended = workspace.extract_day(&[]).exits(4);
        ended.complains(&[said]);
        ended.complains(&["did not send", &format.to_uppercase(), "text/plain"]);
        assert!(workspace.lake().rows(TABLE).is_empty(), "{ended}");
    }
}

#[test]
fn a_charset_is_transcoded_or_refused_by_name() {
    let reply = |charset: &str, body: &[u8]| {
        let kind = format!("text/csv; charset={charset}");
        Reply::with_headers(200, &[("Content-Type", &kind), ("X-Total-Count", "1")], body)
    };
    let body = b"id,amount,created_at\ncaf\xe9,1,1773705600\n";
    let latin = reply("ISO-8859-1", body);
    let server = RawServer::start(move |_, _| latin.clone());
    let latin = workspace(&server, "csv");
    latin.extract_day(&[]).exits(0);
    assert_eq!(latin.lake().rows(TABLE), [row("café", 100)]);
    let unknown = reply("x-klingon", body);
    let server = RawServer::start(move |_, _| unknown.clone());
    let ended = workspace(&server, "csv").extract_day(&[]).exits(4);
    ended.complains(&["charset `x-klingon`", "not known"]);
    assert_eq!(server.count(), 1, "it would not change: {ended}");
    let wrong = reply("utf-8", body);
    let server = RawServer::start(move |_, _| wrong.clone());
    workspace(&server, "csv").extract_day(&[]).exits(4).complains(&["line 2: invalid utf-8"]);
}
