//! The role `proxy`: an API at a distance. Every response's first byte comes so many milliseconds after its request.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::child;

/// `proxy UPSTREAM MILLISECONDS`: prints where it listens, and ends with the driver.
pub(crate) fn serve(arguments: &[String]) {
    let [upstream, delay] = arguments else { return eprintln!("proxy UPSTREAM MILLISECONDS") };
    let upstream: SocketAddr = upstream.parse().expect("an address");
    let delay = Duration::from_millis(delay.parse().expect("milliseconds"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    println!("{}", listener.local_addr().expect("its address"));
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // Either side may hang up when it likes.
            tokio::spawn(relay(client, upstream, delay));
        }
    });
    child::wait_for_end();
}

/// Takes requests without a body from `client`, one after another, each over the same connection to `upstream`.
async fn relay(
    mut client: TcpStream,
    upstream: SocketAddr,
    delay: Duration,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let (mut request, mut response) = (Vec::new(), Vec::new());
    loop {
        request.clear();
        if read_head(&mut client, &mut request).await?.is_none() {
            return Ok(());
        }
        let due = Instant::now() + delay;
        server.write_all(&request).await?;
        response.clear();
        let Some(head) = read_head(&mut server, &mut response).await? else { return Ok(()) };
        let whole = head + content_length(response.get(..head).unwrap_or_default());
        while response.len() < whole {
            if server.read_buf(&mut response).await? == 0 {
                return Ok(());
            }
        }
        tokio::time::sleep_until(due).await;
        client.write_all(&response).await?;
    }
}

/// Reads up to the blank line, perhaps further; the head's length, `None` at the connection's end.
async fn read_head(from: &mut TcpStream, into: &mut Vec<u8>) -> std::io::Result<Option<usize>> {
    loop {
        if let Some(at) = into.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(at + 4));
        }
        if from.read_buf(into).await? == 0 {
            return Ok(None);
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    line.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}
