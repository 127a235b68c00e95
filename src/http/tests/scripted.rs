//! A server on loopback that says what it is told, byte for byte, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Resets the connection.
    Reset,
    /// Sends these bytes, one every ten milliseconds.
    Drip(Vec<u8>),
    /// Says nothing.
    Hang,
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// `GET /v1/items?page=1`.
    pub(super) line: String,
    head: String,
    pub(super) body: String,
}

impl Asked {
    /// A number in the query.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let (_, query) = self.line.split_once('?')?;
        let pair =
            |pair: &str| pair.split_once('=').filter(|(key, _)| *key == name)?.1.parse().ok();
        query.split('&').find_map(pair)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The whole head, to look for what must not be in it.
    pub(super) fn head(&self) -> &str {
        &self.head
    }
}

pub(super) struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    in_flight: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Server {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let server = Self::listen().await;
        server.0.run(server.1, replies);
        server.0
    }

    /// A server whose replies may name its own or another's address.
    pub(super) async fn listen() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        (Self { port, asked: Arc::default(), in_flight: Arc::default() }, listener)
    }

    /// A server that answers each request by what it asks for, after a while.
    pub(super) async fn answering(
        reply: impl Fn(&Asked) -> (Duration, Reply) + Send + Sync + 'static,
    ) -> Self {
        let (server, listener) = Self::listen().await;
        let (log, in_flight) = (Arc::clone(&server.asked), Arc::clone(&server.in_flight));
        let reply = Arc::new(reply);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let (log, in_flight) = (Arc::clone(&log), Arc::clone(&in_flight));
                let reply = Arc::clone(&reply);
                tokio::spawn(async move {
                    let Some(asked) = read(&mut connection).await else { return };
                    log.lock().expect("lock").push(asked.clone());
                    let now = in_flight.0.fetch_add(1, Ordering::SeqCst) + 1;
                    in_flight.1.fetch_max(now, Ordering::SeqCst);
                    let (delay, reply) = reply(&asked);
                    tokio::time::sleep(delay).await;
                    in_flight.0.fetch_sub(1, Ordering::SeqCst);
                    say(connection, reply).await;
                });
            }
        });
        server
    }

    /// The most requests that waited for their answer at the same time.
    pub(super) fn most_in_flight(&self) -> usize {
        self.in_flight.1.load(Ordering::SeqCst)
    }

    pub(super) fn run(&self, listener: TcpListener, replies: Vec<Reply>) {
        let asked = Arc::clone(&self.asked);
        let mut replies = VecDeque::from(replies);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let asked = Arc::clone(&asked);
                let reply =
                    replies.pop_front().unwrap_or_else(|| reply("418 Teapot", "", "script ended"));
                tokio::spawn(answer(connection, asked, reply));
            }
        });
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("lock").clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(mut connection: TcpStream, log: Arc<Mutex<Vec<Asked>>>, reply: Reply) {
    let Some(asked) = read(&mut connection).await else { return };
    log.lock().expect("lock").push(asked);
    say(connection, reply).await;
}

async fn say(mut connection: TcpStream, reply: Reply) {
    match reply {
        Reply::Raw(bytes) => {
            let _ = connection.write_all(&bytes).await;
            let _ = connection.shutdown().await;
        }
        Reply::Reset => {
            let _ = connection.set_zero_linger();
        }
        Reply::Drip(bytes) => {
            for byte in bytes {
                if connection.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Reply::Hang => {
            let _ = connection.read(&mut [0]).await;
        }
    }
}

async fn read(connection: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = connection.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let line = head.lines().next()?.strip_suffix(" HTTP/1.1")?.to_owned();
        let asked = Asked { line, head: head.to_owned(), body: body.to_owned() };
        let length = asked.header("content-length").map_or(0, |n| n.parse().expect("length"));
        if body.len() >= length {
            return Some(asked);
        }
    }
}

/// A reply with a length. `headers` are whole lines.
pub(super) fn reply(status: &str, headers: &str, body: &str) -> Reply {
    bytes(status, headers, body.as_bytes())
}

pub(super) fn bytes(status: &str, headers: &str, body: &[u8]) -> Reply {
    let mut raw = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    raw.extend_from_slice(body);
    Reply::Raw(raw)
}

/// A 200 with JSON.
pub(super) fn json(body: &str) -> Reply {
    reply("200 OK", "Content-Type: application/json\r\n", body)
}
