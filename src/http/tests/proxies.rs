//! Proxies: HTTP by absolute URL, HTTPS by a tunnel, SOCKS; their credentials, and what is said where they refuse.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::scripted::{Reply, json, reply};
use super::*;
use crate::error::ErrorKind;
use crate::spec::source::Proxy;

/// A password that a URL has to escape.
const PASSWORD: &str = "hunter2/@:%41";

fn auth() -> Option<(SecretRef, SecretRef)> {
    Some((secret("lake"), secret(PASSWORD)))
}

/// A run over `base_url` by a proxy at `url`.
async fn run(base_url: &str, url: &str, auth: Option<(SecretRef, SecretRef)>) -> Run {
    let (unused, _) = Server::listen().await;
    let mut run = Run::new(&unused, Pagination::None);
    run.source.base_url = Some(base_url.parse().expect("url"));
    run.source.http.proxy = Some(Proxy { url: url.parse().expect("url"), auth });
    run
}

fn refusing(status: &str) -> Reply {
    reply(status, "Proxy-Authenticate: Basic realm=\"p\"\r\n", "access denied by the proxy")
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_with_its_credentials() {
    for (auth, sent) in [(None, None), (auth(), Some("Basic bGFrZTpodW50ZXIyL0A6JTQx"))] {
        let proxy = Server::start(vec![json(r#"{"items": [1]}"#)]).await;
        let run = run("http://api.invalid/v1", &proxy.url(), auth).await;
        assert_eq!(all_texts(&run.pages().await), ["1"]);
        assert_eq!(proxy.lines(), ["GET http://api.invalid/v1/items?from=1773705600"]);
        let asked = proxy.asked();
        assert_eq!(asked[0].header("proxy-authorization"), sent);
        assert_eq!(asked[0].header("authorization"), None);
    }
}

#[tokio::test]
async fn a_proxy_that_wants_other_credentials_ends_the_run_at_once() {
    for base_url in ["http://api.invalid/v1", "https://api.invalid/v1"] {
        let proxy = Server::start(vec![refusing("407 Proxy Authentication Required"); 3]).await;
        let (_, error) = run(base_url, &proxy.url(), auth()).await.failed().await;
        assert_eq!((error.kind(), proxy.asked().len()), (ErrorKind::Api, 1), "{error:?}");
        let told = format!("{error:?} {:?}", error.hint_text());
        assert!(told.contains("407") && told.contains("http.proxy_auth"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_or_is_not_there_is_named() {
    let proxy = Server::start(vec![refusing("503 Service Unavailable"); 3]).await;
    let (_, error) = run("https://api.invalid/v1", &proxy.url(), auth()).await.failed().await;
    assert_eq!((error.kind(), proxy.asked().len()), (ErrorKind::Transient, 3), "{error:?}");
    let told = format!("{error:?}");
    assert!(
        told.contains("did not let the request through") && told.contains(&proxy.url()),
        "{told}"
    );
    let (_, error) =
        run("https://api.invalid/v1", "http://127.0.0.1:1", auth()).await.failed().await;
    assert_eq!(error.kind(), ErrorKind::Transient);
    let told = format!("{error:?}");
    assert!(told.contains("http://127.0.0.1:1/") && !told.contains("hunter2"), "{told}");
}

/// A SOCKS 5 proxy (RFC 1928, RFC 1929) that answers for every host: where it was to lead, and for whom.
async fn socks() -> (String, Arc<Mutex<Vec<(String, String)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = listener.local_addr().expect("address").to_string();
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let asked = lead(&mut connection).await.expect("a SOCKS client");
            seen.lock().expect("log").push(asked);
            let Reply::Raw(answer) = json(r#"{"items": [1]}"#) else { unreachable!("bytes") };
            let _ = connection.read(&mut [0; 4096]).await;
            let _ = connection.write_all(&answer).await;
        }
    });
    (url, log)
}

async fn lead(connection: &mut TcpStream) -> std::io::Result<(String, String)> {
    let methods = {
        let mut head = [0; 2];
        connection.read_exact(&mut head).await?;
        text(connection, head[1]).await?
    };
    let mut user = String::new();
    if methods.contains('\x02') {
        connection.write_all(&[5, 2]).await?;
        assert_eq!(connection.read_u8().await?, 1);
        for _ in 0..2 {
            let length = connection.read_u8().await?;
            user.push_str(&text(connection, length).await?);
            user.push(' ');
        }
        connection.write_all(&[1, 0]).await?;
    } else {
        connection.write_all(&[5, 0]).await?;
    }
    let mut head = [0; 4];
    connection.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            connection.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        _ => {
            let length = connection.read_u8().await?;
            text(connection, length).await?
        }
    };
    let port = connection.read_u16().await?;
    connection.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok((format!("{host}:{port}"), user.trim_end().to_owned()))
}

async fn text(connection: &mut TcpStream, length: u8) -> std::io::Result<String> {
    let mut bytes = vec![0; length.into()];
    connection.read_exact(&mut bytes).await?;
    Ok(String::from_utf8(bytes).expect("text"))
}

#[tokio::test]
async fn a_socks_proxy_leads_to_names_or_addresses() {
    let (address, log) = socks().await;
    for (base_url, scheme, auth) in
        [("http://api.invalid/v1", "socks5h", auth()), ("http://127.0.0.1:9/v1", "socks5", None)]
    {
        let run = run(base_url, &format!("{scheme}://{address}"), auth).await;
        assert_eq!(all_texts(&run.pages().await), ["1"]);
    }
    let seen = log.lock().expect("log").clone();
    let pair = |host: &str, user: &str| (host.to_owned(), user.to_owned());
    let user = format!("lake {PASSWORD}");
    assert_eq!(seen, [pair("api.invalid:80", &user), pair("127.0.0.1:9", "")]);
}
