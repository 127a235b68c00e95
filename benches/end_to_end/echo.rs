//! The role `echo`: the least that answers events durably. It appends each body to a file, flushes the file to disk once
//! for all that wait (group commit), and answers 200. No signature, no parsing, no ids.

use std::fs::File;
use std::io::Write;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::any;
use tokio::sync::{mpsc, oneshot};

use crate::child;

/// Events that wait for the file at once, at most.
const WAITING: usize = 4096;

type Event = (Bytes, oneshot::Sender<()>);

/// `echo FILE`: prints where it listens, and ends with the driver.
pub(crate) fn serve(arguments: &[String]) {
    let [file] = arguments else { return eprintln!("echo FILE") };
    let file = File::create(file).expect("a file to append to");
    let (events, waiting) = mpsc::channel(WAITING);
    std::thread::spawn(move || append(file, waiting));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener =
        runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    println!("{}", listener.local_addr().expect("its address"));
    let app = Router::new().fallback(any(keep)).with_state(events);
    runtime.spawn(async move { axum::serve(listener, app).await.expect("a server") });
    child::wait_for_end();
}

async fn keep(State(events): State<mpsc::Sender<Event>>, body: Bytes) -> StatusCode {
    let (done, kept) = oneshot::channel();
    match events.send((body, done)).await {
        Ok(()) if kept.await.is_ok() => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn append(mut file: File, mut waiting: mpsc::Receiver<Event>) {
    let mut group = Vec::new();
    while waiting.blocking_recv_many(&mut group, WAITING) > 0 {
        let mut bytes = Vec::new();
        for (body, _) in &group {
            bytes.extend_from_slice(body);
            bytes.push(b'\n');
        }
        file.write_all(&bytes).expect("room on the disk");
        file.sync_data().expect("a durable file");
        // A client may hang up when it likes.
        group.drain(..).for_each(|(_, done)| {
            let _ = done.send(());
        });
    }
}
