//! An HTTP/1.1 server on a raw socket, so that a test decides every byte, pause and reset.
//!
//! ```ignore
//! let server = RawServer::start(|request, n| match n {
//!     1 => Reply::reset(),
//!     _ => Reply::json(200, "[]"),
//! });
//! assert_eq!(server.requests().len(), 2);
//! ```

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{pause, wait_until};

/// A request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `POST`.
    pub(crate) method: String,
    /// The request target as it stands in the request line: path and query.
    pub(crate) target: String,
    /// Header names in lower case, and values, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The decoded query parameters.
    pub(crate) fn query(&self) -> HashMap<String, String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// One query parameter, decoded.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        self.query().remove(name)
    }

    /// One header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request: pauses, then one of the endings.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    delay: Duration,
    ending: Ending,
}

#[derive(Clone, Debug)]
enum Ending {
    Answer { head: Vec<u8>, body: Vec<u8>, drip: Option<(usize, Duration)>, keep: bool },
    Reset,
    Close,
}

impl Reply {
    /// A whole answer with a Content-Length; the connection stays open.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::with_headers(status, &[("Content-Type", content_type)], body)
    }

    /// A whole JSON answer.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// A whole answer with these headers and a Content-Length.
    pub(crate) fn with_headers(
        status: u16,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let body = body.into();
        let mut head = format!("HTTP/1.1 {status} {}\r\n", phrase(status));
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if status != 204 && status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        Self::ending(Ending::Answer { head: head.into_bytes(), body, drip: None, keep: true })
    }

    /// These bytes and nothing more, then the connection closes: cut bodies, garbage, a false length.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let body = bytes.into();
        Self::ending(Ending::Answer { head: Vec::new(), body, drip: None, keep: false })
    }

    /// A JSON answer whose Content-Length promises the whole `body`, cut off after `sent` bytes.
    pub(crate) fn cut(body: &str, sent: usize) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::raw([head.as_bytes(), &body.as_bytes()[..sent]].concat())
    }

    /// The connection is reset (RST) without an answer.
    pub(crate) fn reset() -> Self {
        Self::ending(Ending::Reset)
    }

    /// The connection closes in order (FIN) without an answer.
    pub(crate) fn close() -> Self {
        Self::ending(Ending::Close)
    }

    /// Waits for `time` first.
    #[must_use]
    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.delay = time;
        self
    }

    /// Sends the body `step` bytes at a time with `every` between, the head at once.
    #[must_use]
    pub(crate) fn dripping(mut self, step: usize, every: Duration) -> Self {
        if let Ending::Answer { drip, .. } = &mut self.ending {
            *drip = Some((step, every));
        }
        self
    }

    fn ending(ending: Ending) -> Self {
        Self { delay: Duration::ZERO, ending }
    }
}

type Handler = dyn Fn(&Request, usize) -> Reply + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    /// Requests that wait for their answer, and the most that ever did.
    waiting: Mutex<(usize, usize)>,
    stopping: AtomicBool,
}

/// A running server; dropping it stops it.
pub(crate) struct RawServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl RawServer {
    /// Listens on a loopback port that the system chooses. `handler` is called for each request with
    /// its number over all connections, from 1; several may run at once.
    pub(crate) fn start(
        handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            requests: Mutex::default(),
            waiting: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests have arrived.
    pub(crate) fn count(&self) -> usize {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The most requests that ever waited for their answers side by side.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Waits until `n` requests have arrived; false when they have not within `limit`.
    pub(crate) fn wait_for(&self, n: usize, limit: Duration) -> bool {
        wait_until(limit, || self.count() >= n)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes `accept`.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

/// A URL on a loopback port where nothing listens: connections are refused.
pub(crate) fn refusing_url() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that goes away in the middle is no failure of the server.
            let _ = converse(stream, &shared);
        });
    }
}

/// Answers the requests of one connection until either side ends it.
fn converse(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    let mut unread = Vec::new();
    while let Some(request) = receive(&mut stream, &mut unread, shared)? {
        let number = {
            let mut requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(request.clone());
            requests.len()
        };
        let waiting = || shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut waiting = waiting();
            waiting.0 += 1;
            waiting.1 = waiting.1.max(waiting.0);
        }
        let reply = (shared.handler)(&request, number);
        pause(reply.delay);
        waiting().0 -= 1;
        match reply.ending {
            Ending::Reset => {
                // With a linger of zero, closing sends RST instead of FIN.
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                return Ok(());
            }
            Ending::Close => return Ok(()),
            Ending::Answer { head, body, drip, keep } => {
                send(&mut stream, head, &body, drip)?;
                if !keep {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn send(
    stream: &mut TcpStream,
    head: Vec<u8>,
    body: &[u8],
    drip: Option<(usize, Duration)>,
) -> std::io::Result<()> {
    let Some((step, every)) = drip else {
        return stream.write_all(&[head.as_slice(), body].concat());
    };
    stream.write_all(&head)?;
    for piece in body.chunks(step.max(1)) {
        pause(every);
        stream.write_all(piece)?;
    }
    Ok(())
}

/// The next request of the connection; `None` at its end.
fn receive(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    shared: &Shared,
) -> std::io::Result<Option<Request>> {
    let end = loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if !read_more(stream, unread, shared)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&unread[..end]).into_owned();
    unread.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    while unread.len() < length {
        if !read_more(stream, unread, shared)? {
            return Ok(None);
        }
    }
    let body = unread.drain(..length).collect();
    Ok(Some(Request { method, target, headers, body }))
}

/// Reads what has arrived; false at the connection's end or when the server stops.
fn read_more(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    shared: &Shared,
) -> std::io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    loop {
        if shared.stopping.load(Ordering::SeqCst) {
            return Ok(false);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => {
                unread.extend_from_slice(&buffer[..n]);
                return Ok(true);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

mod tests {
    use super::*;

    fn talk(server: &RawServer, request: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(server.address)?;
        stream.write_all(request.as_bytes())?;
        // A reset that has arrived already makes this fail with NotConnected; the read says which it was.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn answers_and_records_requests_of_one_connection() {
        let server = RawServer::start(|request, n| {
            Reply::json(200, format!("[{n},\"{}\"]", request.param("a").unwrap_or_default()))
        });
        let two = "POST /x?a=1%2B2 HTTP/1.1\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}\
                   GET /y HTTP/1.1\r\n\r\n";
        let answer = String::from_utf8(talk(&server, two).unwrap()).unwrap();
        assert!(answer.contains("[1,\"1+2\"]") && answer.ends_with("[2,\"\"]"), "{answer}");
        let requests = server.requests();
        assert_eq!((requests[0].method.as_str(), requests[0].path()), ("POST", "/x"));
        assert_eq!(
            (requests[0].header("x-a"), requests[0].body.as_slice()),
            (Some("b"), &b"{}"[..])
        );
        assert_eq!(requests[1].target, "/y");
    }

    #[test]
    fn cuts_drips_closes_and_resets() {
        let server = RawServer::start(|_, n| match n {
            1 => Reply::cut("[1,2,3]", 4),
            2 => Reply::json(200, "[1]").dripping(1, Duration::from_millis(10)),
            3 => Reply::close(),
            _ => Reply::reset(),
        });
        let get = "GET / HTTP/1.1\r\n\r\n";
        let cut = String::from_utf8(talk(&server, get).unwrap()).unwrap();
        assert!(cut.contains("Content-Length: 7") && cut.ends_with("\r\n\r\n[1,2"), "{cut}");
        let begun = std::time::Instant::now();
        assert!(talk(&server, get).unwrap().ends_with(b"[1]"));
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert!(talk(&server, get).unwrap().is_empty());
        assert_eq!(talk(&server, get).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}
