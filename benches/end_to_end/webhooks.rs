//! Events posted by `wrk` with valid signatures: the receiver beside an axum echo that does nothing but append and flush.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::child::Server;
use crate::places;
use crate::table::{Bar, Table, median};

const SECRET: &str = "a secret of the bench";
const SECONDS: &str = "15s";
/// Different bodies; their ids are in a header, so that every event is a new one.
const BODIES: u32 = 500;
const SOURCE: &str = "version: 1
source: bench
base_url: http://127.0.0.1:1
streams:
  payments: { schema: payments.yaml, path: /payments, records: /items }
webhooks:
  razorpay:
    path: /webhooks/razorpay
    signature: { type: razorpay, secrets: [{ env: BENCH_WEBHOOK_SECRET }] }
    event_id: { header: X-Razorpay-Event-Id }
    event_type: /event
    events: { payment.*: { stream: payments, record: /payload/payment/entity } }
";

/// What wrk saw.
#[derive(Deserialize)]
struct Load {
    /// Answers a second.
    rate: f64,
    /// Milliseconds, of 99 in a hundred at most.
    p99: f64,
    /// Answers other than 2xx, and connections lost.
    failed: u64,
}

/// Adds the rows of this measure.
pub(crate) fn measure(table: &mut Table, runs: usize) {
    if Command::new("wrk").arg("-v").output().is_err() {
        return table.note("webhooks", "skipped: wrk is not installed", "");
    }
    let (mut own, mut echo, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    for run in 0..runs {
        let folder = places::fresh("webhooks");
        std::fs::write(folder.join("load.lua"), script(run)).expect("a script for wrk");
        let peer = Server::role("echo", &[folder.join("echo.log").to_str().expect("a path")]);
        echo.push(load(&folder, peer.address));
        drop(peer);
        let receiver = receiver(&folder);
        own.push(load(&folder, receiver.address));
        peak = peak.max(receiver.peak());
    }
    places::fresh("webhooks");
    let failed: u64 = own.iter().chain(&echo).map(|load| load.failed).sum();
    assert_eq!(failed, 0, "every event is answered 200");
    let rate = |loads: &[Load]| median(loads.iter().map(|load| load.rate));
    let p99 = |loads: &[Load]| median(loads.iter().map(|load| load.p99));
    table.row(
        "webhooks: events a second, 64 connections",
        &format!("{:.0}, peak {peak:.0} MB", rate(&own)),
        &format!("axum, append and fsync: {:.0}", rate(&echo)),
        rate(&own) / rate(&echo),
        &Bar::Least(0.7),
    );
    table.row(
        "webhooks: 99 of 100 answers within, ms",
        &format!("{:.2}", p99(&own)),
        &format!("{:.2}", p99(&echo)),
        p99(&own) / p99(&echo),
        &Bar::Most(1.5),
    );
}

/// The binary as a receiver with a new inbox.
fn receiver(folder: &Path) -> Server {
    std::fs::write(folder.join("source.yaml"), SOURCE).expect("a source file");
    std::fs::write(folder.join("payments.yaml"), crate::extract::SCHEMA).expect("a schema file");
    let mut process = Command::new(places::lakeward())
        .arg("serve")
        .arg(folder.join("source.yaml"))
        .args(["--listen", "127.0.0.1:0", "--inbox"])
        .arg(folder.join("inbox"))
        .env("BENCH_WEBHOOK_SECRET", SECRET)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a receiver");
    let mut said = String::new();
    BufReader::new(process.stdout.take().expect("its stdout"))
        .read_line(&mut said)
        .expect("a line from the receiver");
    let address = said.trim().strip_prefix("listening on ").and_then(|at| at.parse().ok());
    Server::started(process, address.expect("an address from the receiver"))
}

/// Posts for a while over 64 connections.
fn load(folder: &Path, to: SocketAddr) -> Load {
    let output = Command::new("wrk")
        .args(["-t2", "-c64", "-d", SECONDS, "-s"])
        .arg(folder.join("load.lua"))
        .arg(format!("http://{to}/webhooks/razorpay"))
        .output()
        .expect("wrk");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("load: "));
    serde_json::from_str(line.unwrap_or(&said)).expect("what wrk saw")
}

/// The script for wrk: bodies that are signed already, and an id of its own for each event.
fn script(run: usize) -> String {
    let mut text = format!("local run = {run}\nlocal events = {{\n");
    for n in 0..BODIES {
        let body = format!(
            r#"{{"event":"payment.captured","payload":{{"payment":{{"entity":{{"id":"pay_{n:08}","amount":{},"currency":"INR","status":"captured","created_at":{},"notes":{{"order":"o-{n}","text":"{}"}}}}}}}}}}"#,
            n * 7 + 100,
            1_773_700_000 + n,
            "x".repeat(400)
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(body.as_bytes());
        let mut hex = String::new();
        for byte in mac.finalize().into_bytes() {
            write!(hex, "{byte:02x}").expect("a text");
        }
        writeln!(text, "  {{ [[{body}]], \"{hex}\" }},").expect("a text");
    }
    text + LOAD
}

const LOAD: &str = r#"}
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
local n = 0
function request()
  n = n + 1
  local event = events[n % #events + 1]
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["X-Razorpay-Signature"] = event[2],
    ["X-Razorpay-Event-Id"] = "evt_" .. run .. "_" .. id .. "_" .. n,
  }, event[1])
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('load: {"rate": %.1f, "p99": %.3f, "failed": %d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"#;
