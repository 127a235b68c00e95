//! Webhooks: only what is proved is taken, and what was answered 200 is in the inbox once, whatever happens.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, prlimit};

use super::support::cli::Workspace;
use super::support::webhook::{
    PATH, SECRET, Sender, event, get, ids, listed, post, serve, serving, sign, signed, source_yaml,
    workspace,
};
use super::support::{Dice, pause};

#[test]
fn an_event_is_in_the_inbox_when_it_is_answered_and_once_however_often_it_comes() {
    let workspace = workspace("");
    let (server, address) = serving(&workspace, &[]);
    let answer = post(address, "evt_1");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    assert_eq!(ids(&workspace), ["evt_1"], "while the server runs");
    assert_eq!(post(address, "evt_1").status, 200);
    let mut sender = Sender::to(address).unwrap();
    for id in ["evt_2", "evt_1", "evt_3"] {
        assert_eq!(sender.post(id, event(id).as_bytes()).unwrap().status, 200, "on one connection");
    }
    assert!(server.kill9());
    let (_server, address) = serving(&workspace, &[]);
    assert_eq!(post(address, "evt_3").status, 200, "a restart knows what was seen");
    assert_eq!(ids(&workspace), ["evt_1", "evt_2", "evt_3"]);
    let first = &listed(&workspace)["events"][0];
    assert_eq!(first["event_type"], "payment.captured");
    assert_eq!(first["state"], "waiting");
    let seq = first["seq"].to_string();
    let shown = workspace.lakeward(&["inbox", "show", &seq, "--inbox", "inbox", "--body"]).exits(0);
    assert_eq!(shown.stdout, event("evt_1"), "byte for byte");
}

#[test]
fn what_is_not_proved_is_refused_without_a_word() {
    let workspace = workspace("");
    let (_server, address) = serving(&workspace, &[]);
    let body = event("evt_1");
    let good = signed("evt_1", body.as_bytes());
    let altered = body.replace("100", "900");
    let with = |signature: &str| {
        vec![good[0].clone(), good[1].clone(), format!("X-Razorpay-Signature: {signature}")]
    };
    let twice = [good.clone(), vec![good[2].clone()]].concat();
    let cases: Vec<(&str, Vec<String>, &str)> = vec![
        ("no signature", good[..2].to_vec(), &body),
        ("an altered body", good.clone(), &altered),
        ("another signature", with(&sign(b"other")), &body),
        ("no hex", with("zz"), &body),
        ("an empty signature", with(""), &body),
        ("a signature in Base64", with("dGhpcyBpcyBubyBzaWduYXR1cmU="), &body),
        ("two signatures", twice, &body),
        ("a signature that is cut", with(&sign(body.as_bytes())[..62]), &body),
    ];
    for (name, lines, body) in cases {
        let answer = Sender::to(address).unwrap().send("POST", PATH, &lines, body.as_bytes());
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (401, "signature\n"), "{name}");
    }
    assert_eq!(listed(&workspace)["depth"], 0);
    assert_eq!(post(address, "evt_1").status, 200);
    let text = get(address, "/metrics").body;
    let refused = "lakeward_webhook_refused_total{endpoint=\"razorpay\",reason=\"signature_";
    for (reason, count) in [("missing", 1), ("twice", 1), ("mismatch", 4), ("malformed", 2)] {
        assert!(text.contains(&format!("{refused}{reason}\"}} {count}\n")), "{reason}:\n{text}");
    }
}

#[test]
fn what_cannot_be_an_event_is_refused_by_its_status() {
    let workspace = workspace("");
    let (_server, address) = serving(&workspace, &[]);
    let large = vec![b' '; (1 << 20) + 1];
    let send = |method: &str, path: &str, lines: &[String], body: &[u8]| {
        Sender::to(address).unwrap().send(method, path, lines, body).unwrap()
    };
    assert_eq!(send("POST", "/webhooks/other", &[], b"{}").status, 404);
    assert_eq!(send("POST", "/webhooks/razorpay/", &[], b"{}").status, 404);
    for method in ["GET", "PUT", "DELETE"] {
        let answer = send(method, PATH, &[], b"");
        assert_eq!(answer.status, 405);
        assert!(answer.head.contains("\r\nallow: post\r\n"), "{}", answer.head);
    }
    let form = "Content-Type: application/x-www-form-urlencoded".to_owned();
    assert_eq!(send("POST", PATH, &[form], b"payload=%7B%7D").status, 415);
    let gzip = "Content-Encoding: gzip".to_owned();
    assert_eq!(send("POST", PATH, &[gzip], b"x").status, 415);
    assert_eq!(send("POST", PATH, &signed("large", &large), &large).status, 413);
    assert_eq!(send("POST", PATH, &signed("most", &large[1..]), &large[1..]).status, 200);
    let mut sender = Sender::to(address).unwrap();
    let head = Sender::head("POST", PATH, &signed("huge", b""), 1 << 40);
    sender.write(head.as_bytes()).unwrap();
    assert_eq!(sender.answer().unwrap().status, 413, "told from its length");
    let mut sender = Sender::to(address).unwrap();
    let lines = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    sender.write(lines.as_bytes()).unwrap();
    sender.write(format!("{:x}\r\n", large.len()).as_bytes()).unwrap();
    sender.write(&[&large[..], b"\r\n0\r\n\r\n"].concat()).unwrap();
    assert_eq!(sender.answer().unwrap().status, 413, "in chunks");
    // A missing content type is taken.
    let body = event("plain");
    assert_eq!(
        send("POST", PATH, &signed("plain", body.as_bytes())[1..], body.as_bytes()).status,
        200
    );
    assert_eq!(ids(&workspace).len(), 2);
}

#[test]
fn what_can_become_no_row_is_kept_for_the_dead_letters_or_ignored() {
    let workspace = workspace("    on_other: keep\n");
    let (server, address) = serving(&workspace, &[]);
    let send = |id: Option<&str>, body: &[u8]| {
        let lines = signed(id.unwrap_or_default(), body);
        let lines = if id.is_some() { lines } else { vec![lines[0].clone(), lines[2].clone()] };
        Sender::to(address).unwrap().send("POST", PATH, &lines, body).unwrap().status
    };
    let other = br#"{"event":"refund.created"}"#;
    assert_eq!(send(Some("evt_1"), b"not json, \xff but signed"), 200);
    assert_eq!(send(None, event("x").as_bytes()), 200, "no id");
    assert_eq!(send(None, event("x").as_bytes()), 200, "the same again");
    assert_eq!(send(Some("evt_2"), other), 200);
    let odd = "x".repeat(5_000);
    assert_eq!(send(Some(&odd), event("y").as_bytes()), 200);
    let events = listed(&workspace);
    let events = events["events"].as_array().unwrap();
    let states: Vec<&str> = events.iter().map(|e| e["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["refused", "refused", "refused", "waiting"]);
    let hashed = |index: usize| events[index]["event_id"].as_str().unwrap().starts_with("sha256:");
    assert_eq!([hashed(0), hashed(1), hashed(2), hashed(3)], [true, true, false, true]);
    let [third, fourth] = [2, 3].map(|index| events[index]["seq"].to_string());
    let requeue = ["inbox", "requeue", &third, &fourth, "--inbox", "inbox"];
    let requeued = workspace.lakeward(&requeue).exits(0);
    requeued.says("1 event will be landed");
    let table = workspace.lakeward(&["inbox", "list", "--inbox", "inbox", "--state", "refused"]);
    assert_eq!(table.exits(0).stdout.matches("refused").count(), 2);
    server.kill9();
    workspace.write("source.yaml", &source_yaml("    on_other: ignore\n"));
    let (_server, address) = serving(&workspace, &[]);
    let answer = Sender::to(address).unwrap().post("evt_9", other).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(ids(&workspace).len(), 4, "nothing of what is ignored is kept");
    let text = get(address, "/metrics").body;
    assert!(text.contains("lakeward_webhook_ignored_total{endpoint=\"razorpay\"} 1"), "{text}");
    assert!(text.contains("lakeward_inbox_events 4\n"), "{text}");
}

/// Posts from several connections until the server is gone; gives what was answered 200.
fn post_until_gone(address: SocketAddr, prefix: &str, answered: &Mutex<BTreeSet<String>>) {
    std::thread::scope(|scope| {
        for thread in 0..6 {
            scope.spawn(move || {
                let Ok(mut sender) = Sender::to(address) else { return };
                for number in 0.. {
                    let id = format!("{prefix}-{thread}-{number}");
                    match sender.post(&id, event(&id).as_bytes()) {
                        Ok(answer) if answer.status == 200 => answered.lock().unwrap().insert(id),
                        Ok(answer) => panic!("{answer:?}"),
                        Err(_) => return,
                    };
                }
            });
        }
    });
}

#[test]
fn a_kill_loses_nothing_that_was_answered() {
    let workspace = workspace("");
    let answered = Mutex::new(BTreeSet::new());
    let mut dice = Dice::new(7);
    for round in 0..6 {
        let (server, address) = serving(&workspace, &[]);
        std::thread::scope(|scope| {
            let (answered, prefix) = (&answered, format!("r{round}"));
            scope.spawn(move || post_until_gone(address, &prefix, answered));
            pause(Duration::from_millis(50 + dice.below(300)));
            assert!(server.kill9());
        });
    }
    let kept = ids(&workspace);
    let once: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(once.len(), kept.len(), "an event is there twice");
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() > 20, "{} answered", answered.len());
    let lost: Vec<_> = answered.difference(&once).collect();
    assert!(lost.is_empty(), "answered 200 and lost: {lost:?}");
    // An event that was kept and whose answer was cut is sent again, and is a duplicate.
    let unanswered: Vec<_> = once.difference(&answered).collect();
    assert!(unanswered.len() <= 6 * 6, "what was never sent is there: {unanswered:?}");
    let (_server, address) = serving(&workspace, &[]);
    for id in unanswered.iter().take(3).copied().chain(answered.iter().take(3)) {
        assert_eq!(post(address, id).status, 200);
    }
    assert_eq!(ids(&workspace).len(), kept.len());
}

#[test]
fn two_servers_on_one_inbox_take_each_event_once() {
    let workspace = workspace("");
    let servers = [serving(&workspace, &[]), serving(&workspace, &[])];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let address = servers[thread % 2].1;
            scope.spawn(move || {
                let mut sender = Sender::to(address).unwrap();
                for number in 0..50 {
                    let id = format!("evt_{number}");
                    let answer = sender.post(&id, event(&id).as_bytes()).unwrap();
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    let kept = ids(&workspace);
    assert_eq!(kept.len(), 50);
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>().len(), 50);
}

#[test]
fn a_signal_answers_what_is_under_way_and_then_ends() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let workspace = workspace("");
        let (server, address) = serving(&workspace, &["--client-timeout", "60s"]);
        let body = event("evt_1");
        let (first, second) = body.as_bytes().split_at(20);
        let mut under_way = Sender::to(address).unwrap();
        let head = Sender::head("POST", PATH, &signed("evt_1", body.as_bytes()), body.len());
        under_way.write(head.as_bytes()).unwrap();
        under_way.write(first).unwrap();
        let mut idle = Sender::to(address).unwrap();
        assert_eq!(idle.post("evt_0", event("evt_0").as_bytes()).unwrap().status, 200);
        server.signal(signal);
        assert_eq!(idle.rest(), "", "an idle connection is closed");
        under_way.write(second).unwrap();
        assert_eq!(under_way.answer().unwrap().status, 200);
        let ended = server.wait();
        assert_eq!(ended.code, Some(code), "{ended}");
        ended.says("answering what was accepted");
        assert!(Sender::to(address).is_err(), "nobody listens any more");
        assert_eq!(ids(&workspace), ["evt_0", "evt_1"]);
    }
}

#[test]
fn a_full_inbox_is_told_and_takes_nothing_but_what_it_has() {
    let workspace = workspace("");
    let (_server, address) = serving(&workspace, &["--inbox-max", "1MiB"]);
    let body = [event("large").into_bytes(), vec![b' '; 100_000]].concat();
    let send = |id: &str| Sender::to(address).unwrap().post(id, &body).unwrap();
    assert_eq!(get(address, "/readyz").status, 200);
    let mut kept = Vec::new();
    let full = loop {
        let id = format!("evt_{}", kept.len());
        let answer = send(&id);
        if answer.status != 200 {
            break answer;
        }
        kept.push(id);
        assert!(kept.len() < 20, "it is never full");
    };
    assert_eq!(full.status, 503);
    assert!(full.head.contains("\r\nretry-after: 30\r\n"), "{}", full.head);
    assert!(kept.len() >= 5, "{kept:?}");
    assert_eq!(send("evt_0").status, 200, "what it has is a duplicate");
    assert_eq!(ids(&workspace), kept);
    assert_eq!(get(address, "/readyz").status, 503);
    assert_eq!(get(address, "/healthz").status, 200);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_forgotten_when_there_is_space_again() {
    let workspace = workspace("");
    let (server, address) = serve(&workspace, &[]).minding_file_sizes().start_listening();
    assert_eq!(post(address, "evt_1").status, 200);
    let limit = |bytes| {
        let wanted = Rlimit { current: bytes, maximum: None };
        prlimit(Some(server.pid()), Resource::Fsize, wanted).unwrap();
    };
    limit(Some(4_096));
    for _ in 0..2 {
        let answer = post(address, "evt_2");
        assert_eq!(answer.status, 503);
        assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
    }
    limit(None);
    assert_eq!(post(address, "evt_2").status, 200);
    assert_eq!(post(address, "evt_3").status, 200);
    assert_eq!(ids(&workspace), ["evt_1", "evt_2", "evt_3"]);
}

#[test]
fn a_client_that_takes_its_time_is_cut_off() {
    let workspace = workspace("");
    let (_server, address) = serving(&workspace, &["--client-timeout", "1s"]);
    let mut head = Sender::to(address).unwrap();
    head.write(b"POST /webhooks/razorpay HTTP/1.1\r\nHost: x\r\n").unwrap();
    let mut body = Sender::to(address).unwrap();
    let lines = Sender::head("POST", PATH, &signed("evt_1", b"{}"), 2);
    body.write(lines.as_bytes()).unwrap();
    body.write(b"{").unwrap();
    let mut silent = Sender::to(address).unwrap();
    assert_eq!(body.answer().unwrap().status, 408);
    body.rest();
    head.rest();
    silent.rest();
    assert_eq!(post(address, "evt_2").status, 200, "others are served");
    assert_eq!(ids(&workspace), ["evt_2"]);
}

#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let workspace = workspace("");
    let (_server, address) =
        serving(&workspace, &["--max-connections", "1", "--client-timeout", "1s"]);
    let mut greedy = TcpStream::connect(address).unwrap();
    greedy.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let cut = loop {
        if let Err(error) = greedy.write_all(request.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(cut, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{cut:?}");
    assert_eq!(post(address, "evt_1").status, 200, "its place is free again");
}

#[test]
fn an_inbox_that_is_taken_away_loses_nothing_that_is_answered() {
    let workspace = workspace("");
    let (server, address) = serving(&workspace, &[]);
    assert_eq!(post(address, "evt_1").status, 200);
    std::fs::rename(workspace.path("inbox"), workspace.path("elsewhere")).unwrap();
    assert_eq!(post(address, "evt_2").status, 503, "it would be in no inbox that is found");
    assert_eq!(post(address, "evt_2").status, 200);
    assert_eq!(ids(&workspace), ["evt_2"], "in a new one");
    server.signal(Signal::TERM);
    server.wait().says("was moved or removed");
}

#[test]
fn connections_beyond_the_most_wait_their_turn() {
    let workspace = workspace("");
    let (_server, address) =
        serving(&workspace, &["--max-connections", "1", "--client-timeout", "1s"]);
    let mut holds = Sender::to(address).unwrap();
    assert_eq!(holds.post("evt_1", event("evt_1").as_bytes()).unwrap().status, 200);
    assert_eq!(post(address, "evt_2").status, 200, "after the idle one was closed");
    assert_eq!(ids(&workspace), ["evt_1", "evt_2"]);
}

#[test]
fn what_is_wrong_is_said_before_it_listens() {
    let workspace = workspace("");
    serve(&workspace, &["--client-timeout", "0s"]).exits(2).complains(&["no time at all"]);
    let without = ["serve", "source.yaml", "--inbox", "inbox", "--listen", "127.0.0.1:0"];
    let ended = workspace.lakeward(&without).env("OLD_SECRET", "x").exits(2);
    ended.complains(&["the environment variable HOOK_SECRET is not set", "razorpay"]);
    let ended = serve(&workspace, &[]).env("OLD_SECRET", "").exits(2);
    ended.complains(&["OLD_SECRET is empty"]);
    let (_server, address) = serving(&workspace, &[]);
    let taken = address.to_string();
    let mut args = without;
    args[5] = &taken;
    let again = |code| {
        let run = workspace.lakeward(&args).env("HOOK_SECRET", SECRET).env("OLD_SECRET", "x");
        run.exits(code)
    };
    let ended = again(2);
    ended.complains(&["could not listen on", &taken, "in use"]);
    ended.says("choose another port");
    workspace.write("inbox/note", "");
    args[3] = "inbox/note";
    let run = workspace.lakeward(&args).env("HOOK_SECRET", SECRET).env("OLD_SECRET", "x");
    run.exits(6).complains(&["inbox/note"]);
    workspace
        .lakeward(&["inbox", "list", "--inbox", "none"])
        .exits(2)
        .complains(&["no inbox in none"]);
    let polled = workspace.lakeward(&["extract", "source.yaml", "--date", "2026-03-17"]).exits(2);
    polled.complains(&["`gateway` has no base_url to fetch from"]);
    workspace
        .lakeward(&["check", "source.yaml"])
        .exits(0)
        .says("post /webhooks/razorpay -> payments");
    let plain = Workspace::empty();
    plain.write("schema.yaml", super::support::cli::schema_yaml());
    let source = super::support::cli::SourceYaml::new(
        "http://127.0.0.1:9",
        super::support::paged_api::Style::Cursor,
    );
    plain.write("source.yaml", &source.text());
    plain.lakeward(&without).exits(2).complains(&["the source `gateway` has no webhooks"]);
}

#[test]
fn secrets_and_bodies_stay_out_of_the_log() {
    let workspace = workspace("");
    let (server, address) = serving(&workspace, &["--log", "json", "--log-level", "trace"]);
    let body = event("evt_1").replace("pay_", "Cnry7");
    assert_eq!(Sender::to(address).unwrap().post("evt_1", body.as_bytes()).unwrap().status, 200);
    let mut wrong = signed("evt_2", b"other");
    wrong.push("X-Token: Cnry7".to_owned());
    let answer = Sender::to(address).unwrap().send("POST", PATH, &wrong, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 401);
    server.signal(Signal::TERM);
    let ended = server.wait();
    assert_eq!(ended.code, Some(143), "{ended}");
    let text = ended.to_string();
    for secret in [SECRET, "Cnry7", &sign(body.as_bytes()), &sign(b"other")] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    ended.says("refused a signature");
}

#[tokio::test]
async fn tls_is_served_by_certificate_files() {
    let workspace = workspace("");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    workspace.write("cert.pem", &made.cert.pem());
    workspace.write("key.pem", &made.signing_key.serialize_pem());
    let (_server, address) =
        serving(&workspace, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let body = event("evt_1");
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .resolve("localhost", address)
        .build()
        .unwrap();
    let request = client
        .post(format!("https://localhost:{}{PATH}", address.port()))
        .header("X-Razorpay-Event-Id", "evt_1")
        .header("X-Razorpay-Signature", sign(body.as_bytes()))
        .body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(ids(&workspace), ["evt_1"]);
    let ended = serve(&workspace, &["--tls-cert", "source.yaml", "--tls-key", "key.pem"]).exits(2);
    ended.complains(&["TLS certificate", "source.yaml"]);
}
