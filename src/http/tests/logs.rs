//! What the logs say of requests, and what they must not.

use std::io;
use std::sync::Mutex;

use tracing_subscriber::fmt::MakeWriter;

use super::scripted::{json, reply};
use super::*;
use crate::spec::auth::KeyPlace;

/// Lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Tracing decides once a process whether a line is of interest to anyone, so that tests beside this one
/// could silence it: it runs in a process of its own.
#[test]
fn every_request_is_logged_without_its_credentials() {
    let ran = std::process::Command::new(std::env::current_exe().expect("path"))
        .args(["--exact", "http::tests::logs::alone", "--ignored"])
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by every_request_is_logged_without_its_credentials"]
async fn alone() {
    let server = Server::start(vec![
        reply("301 Moved Permanently", "Location: /v1/there?k=hunter2\r\n", ""),
        reply("503 Service Unavailable", "", "hunter2"),
        reply("301 Moved Permanently", "Location: /v1/there\r\n", ""),
        json(r#"{"items": [1]}"#),
        json(r#"{"items": []}"#),
    ])
    .await;
    let mut run = Run::new(&server, Pagination::Page(by_page()));
    run.stream.total = Some(crate::spec::source::TotalFrom::Body(pointer("/n")));
    run.source.auth = Auth::ApiKey { place: KeyPlace::Query("k".into()), value: secret("hunter2") };
    let lines = Lines::default();
    let pages = {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(lines.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        run.pages().await
    };
    let text = String::from_utf8(lines.0.lock().expect("lock").clone()).expect("text");
    let with = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!(pages.len(), 2);
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(with("status=301"), 2, "{text}");
    assert_eq!(with("moved permanently: update base_url or path"), 1, "{text}");
    assert_eq!(with("status 503, retrying in 0.0 s (2 of 3)"), 1, "{text}");
    assert_eq!(with("the declared total is missing"), 1, "{text}");
    for asked in server.asked() {
        let id = asked.header("x-request-id").expect("id");
        assert!(text.lines().any(|line| line.contains("DEBUG") && line.contains(id)), "{text}");
    }
}
