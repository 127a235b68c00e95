//! HTTP/2 over TLS: chosen by ALPN, one connection for all requests in flight, large pages at full speed.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::spec::source::TotalFrom;

/// Records of a page of about a megabyte.
const RECORDS: usize = 1_000;
const PAGES: usize = 12;

/// A server that speaks HTTP/2 alone, its certificate, and how many connections it has seen.
async fn server() -> (u16, String, Arc<AtomicUsize>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("config");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let connection = acceptor.accept(connection).await.expect("handshake");
                let mut connection = h2::server::handshake(connection).await.expect("h2");
                while let Some(Ok((request, answer))) = connection.accept().await {
                    tokio::spawn(reply(request.uri().clone(), answer));
                }
            });
        }
    });
    (port, cert.pem(), connections)
}

async fn reply(uri: http::Uri, mut answer: h2::server::SendResponse<Bytes>) {
    let query = uri.query().unwrap_or_default();
    let page: usize =
        query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse().ok()).expect("page");
    let record = |n| format!("{{\"id\": {n}, \"text\": \"{}\"}}", "x".repeat(1_000));
    let first = (page - 1) * RECORDS;
    let items: Vec<String> = (first..first + RECORDS).map(record).collect();
    let body = format!("{{\"n\": {}, \"items\": [{}]}}", RECORDS * PAGES, items.join(","));
    let mut body = Bytes::from(body);
    let mut stream = answer.send_response(http::Response::new(()), false).expect("head");
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(Ok(room)) = room else { return };
        let part = body.split_to(room.min(body.len()));
        stream.send_data(part, body.is_empty()).expect("data");
    }
}

/// A file of certificates to trust.
fn bundle(pem: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), pem).expect("write");
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_source_speaks_tls_when_it_is_led_there() {
    let (port, pem, connections) = server().await;
    let to = format!("Location: https://localhost:{port}/v1/items?page=1\r\n");
    let plain = Server::start(vec![scripted::reply("302 Found", &to, "")]).await;
    let mut run = Run::new(&plain, Pagination::None);
    let bundle = bundle(&pem);
    run.source.http.ca_bundle = Some(bundle.path().to_owned());
    run.source.http.allow_hosts = vec!["localhost".to_owned()];
    assert_eq!(run.pages().await[0].records.len(), RECORDS);
    assert_eq!((connections.load(Ordering::SeqCst), plain.asked().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_over_one_http_2_connection() {
    let (port, pem, connections) = server().await;
    let (unused, _) = Server::listen().await;
    let mut run = Run::new(&unused, Pagination::Page(by_page()));
    let bundle = bundle(&pem);
    run.source.http.ca_bundle = Some(bundle.path().to_owned());
    run.source.base_url = Some(format!("https://localhost:{port}/v1").parse().expect("url"));
    run.stream.total = Some(TotalFrom::Body(pointer("/n")));
    run.stream.concurrency = 4;
    let pages = run.pages().await;
    let lengths: Vec<usize> = pages.iter().map(|page| page.records.len()).collect();
    assert_eq!(lengths, [RECORDS; PAGES]);
    assert!(pages.iter().all(|page| page.body.len() > 1_000_000));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
