//! A sender of webhooks that signs, and speaks HTTP by hand where a proper client would not do what a test needs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::cli::{Lakeward, Running, Workspace, schema_yaml};

/// The secret that the workspaces know as `HOOK_SECRET`.
pub(crate) const SECRET: &str = "a secret of nobody";

/// The path that the workspaces serve Razorpay's events at.
pub(crate) const PATH: &str = "/webhooks/razorpay";

/// No answer takes this long; a wait for one that does is a failure.
const STUCK: Duration = Duration::from_secs(60);

/// A source file whose events come by webhooks alone, with `more` keys of the webhook.
pub(crate) fn source_yaml(more: &str) -> String {
    format!(
        r#"version: 1
source: gateway
streams:
  payments: {{ schema: schema.yaml }}
webhooks:
  razorpay:
    path: {PATH}
    signature: {{ type: razorpay, secrets: [{{ env: OLD_SECRET }}, {{ env: HOOK_SECRET }}] }}
    events:
      payment.*: {{ stream: payments, record: /payload/payment/entity }}
{more}"#
    )
}

/// A folder with a source of webhooks and its schema.
pub(crate) fn workspace(more: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("source.yaml", &source_yaml(more));
    workspace.write("schema.yaml", schema_yaml());
    workspace
}

/// `lakeward serve source.yaml --inbox inbox ARGS` on a port that the system chooses.
pub(crate) fn serve(workspace: &Workspace, args: &[&str]) -> Lakeward {
    let fixed = ["serve", "source.yaml", "--inbox", "inbox", "--listen", "127.0.0.1:0"];
    workspace
        .lakeward(&[&fixed, args].concat())
        .env("HOOK_SECRET", SECRET)
        .env("OLD_SECRET", "one that was rotated out")
}

/// The same, started.
pub(crate) fn serving(workspace: &Workspace, args: &[&str]) -> (Running, SocketAddr) {
    serve(workspace, args).start_listening()
}

/// What `lakeward inbox list --format json` says.
pub(crate) fn listed(workspace: &Workspace) -> Value {
    let args = ["inbox", "list", "--inbox", "inbox", "--limit", "1000000", "--format", "json"];
    workspace.lakeward(&args).exits(0).json()
}

/// The ids in the inbox, in order.
pub(crate) fn ids(workspace: &Workspace) -> Vec<String> {
    let listed = listed(workspace);
    let events = listed["events"].as_array().unwrap().iter();
    events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

/// A payment's event.
pub(crate) fn event(id: &str) -> String {
    format!(
        r#"{{"event":"payment.captured","payload":{{"payment":{{"entity":{{"id":"pay_{id}","amount":100,"created_at":1773705600}}}}}}}}"#
    )
}

/// The signature of a body in hex.
pub(crate) fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

/// An open connection to a receiver.
pub(crate) struct Sender {
    stream: BufReader<TcpStream>,
}

impl Sender {
    /// Connects.
    pub(crate) fn to(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(STUCK))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The head of a request, with these lines beside its length.
    pub(crate) fn head(method: &str, path: &str, lines: &[String], length: usize) -> String {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {length}\r\n\r\n")
    }

    /// Reads an answer.
    pub(crate) fn answer(&mut self) -> std::io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Sends a request and reads its answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        lines: &[String],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        self.write(Self::head(method, path, lines, body.len()).as_bytes())?;
        self.write(body)?;
        self.answer()
    }

    /// Posts an event that is signed, under this id.
    pub(crate) fn post(&mut self, id: &str, body: &[u8]) -> std::io::Result<Answer> {
        self.send("POST", PATH, &signed(id, body), body)
    }

    /// What comes until the other side closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = self.stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The header lines of a signed event.
pub(crate) fn signed(id: &str, body: &[u8]) -> Vec<String> {
    vec![
        "Content-Type: application/json".to_owned(),
        format!("X-Razorpay-Event-Id: {id}"),
        format!("X-Razorpay-Signature: {}", sign(body)),
    ]
}

/// Posts one signed event on a connection of its own.
pub(crate) fn post(address: SocketAddr, id: &str) -> Answer {
    Sender::to(address).unwrap().post(id, event(id).as_bytes()).unwrap()
}

/// Asks for a path.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    Sender::to(address).unwrap().send("GET", path, &[], b"").unwrap()
}
