//! From the start of the process to its first request.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::extract::{Extract, Paging, SCHEMA};
use crate::places;
use crate::table::{Table, median};

const TIMES: usize = 20;
const PAGE: &str = r#"{"items":[],"total":0,"has_more":false,"cursor":null}"#;

/// Adds the rows of this measure.
pub(crate) fn measure(table: &mut Table) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let api = listener.local_addr().expect("its address");
    let extract = Extract { api, schema: SCHEMA, raw: true, paging: Paging::Cursor };
    let own = median((0..TIMES).map(|_| {
        let folder = places::fresh("lakeward");
        first_request(&listener, &mut extract.command(&folder))
    }));
    let mut curl = Command::new("curl");
    curl.args(["-s", &format!("http://{api}/v1/payments")]);
    let there = Command::new("curl").arg("--version").output().is_ok();
    let peer = match there {
        true => {
            let curl = median((0..TIMES).map(|_| first_request(&listener, &mut curl)));
            format!("curl: {curl:.1}")
        }
        false => "curl is not installed".to_owned(),
    };
    table.plain("start to first request, ms", own, &peer, 15.0);
}

/// Milliseconds until the request's first byte; answers it, and waits for the end.
fn first_request(listener: &TcpListener, command: &mut Command) -> f64 {
    let start = Instant::now();
    let mut process =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
    let (mut connection, _) = listener.accept().expect("a connection");
    let mut request = [0; 4096];
    let read = connection.read(&mut request).expect("a request");
    let took = start.elapsed();
    assert!(read > 0, "a request");
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{PAGE}",
        PAGE.len()
    )
    .expect("a response");
    let status = process.wait().expect("its end");
    assert!(status.success(), "{command:?}: {status}");
    took.as_secs_f64() * 1e3
}
