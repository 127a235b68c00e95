//! TLS: whom we trust, whom we show our certificate, and what is said where the handshake fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::error::ErrorKind;
use crate::spec::source::ClientCert;

/// A certificate authority of our own.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    cert: Certificate,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let cert = params.self_signed(&key).expect("certificate");
        Self { issuer: Issuer::new(params, key), cert }
    }

    /// A certificate for `name`, and its key.
    fn issue(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        change(&mut params);
        let key = KeyPair::generate().expect("key");
        (params.signed_by(&key, &self.issuer).expect("certificate"), key)
    }
}

/// Which client certificates a server takes.
#[derive(Clone, Copy, PartialEq)]
enum Clients {
    Any,
    Known,
}

/// An HTTPS server that answers every request alike.
struct Secured {
    port: u16,
    connections: Arc<AtomicUsize>,
    /// Of every request, whether a client certificate came with it.
    certified: Arc<Mutex<Vec<bool>>>,
}

impl Secured {
    async fn start(
        ca: &Ca,
        cert: (Certificate, KeyPair),
        clients: Clients,
        answer: String,
    ) -> Self {
        Self::followed_by(ca, cert, clients, answer, b"").await
    }

    /// With these bytes behind the answer, which are no record of TLS.
    async fn followed_by(
        ca: &Ca,
        cert: (Certificate, KeyPair),
        clients: Clients,
        answer: String,
        behind: &'static [u8],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(ca.cert.der().clone()).expect("root");
        let mut verifier = WebPkiClientVerifier::builder(Arc::new(roots));
        if clients == Clients::Any {
            verifier = verifier.allow_unauthenticated();
        }
        let key = PrivateKeyDer::Pkcs8(cert.1.serialize_der().into());
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().expect("verifier"))
            .with_single_cert(vec![cert.0.der().clone()], key)
            .expect("config");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let (connections, certified) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (seen, log) = (Arc::clone(&connections), Arc::clone(&certified));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                let Ok(mut connection) = acceptor.accept(connection).await else { continue };
                let shown = connection.get_ref().1.peer_certificates().is_some();
                // The head comes at once: it fits one TLS record.
                let Ok(1..) = connection.read(&mut [0; 4096]).await else { continue };
                lock(&log).push(shown);
                let _ = connection.write_all(answer.as_bytes()).await;
                if behind.is_empty() {
                    let _ = connection.shutdown().await;
                    continue;
                }
                let _ = connection.flush().await;
                let _ = connection.into_inner().0.write_all(behind).await;
            }
        });
        Self { port, connections, certified }
    }

    fn certified(&self) -> Vec<bool> {
        lock(&self.certified).clone()
    }
}

fn lock(log: &Mutex<Vec<bool>>) -> MutexGuard<'_, Vec<bool>> {
    log.lock().expect("log")
}

fn page() -> String {
    let body = r#"{"items": [1]}"#;
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn file(text: &str) -> std::path::PathBuf {
    let SecretRef::File(path) = secret(text) else { unreachable!("a secret in a file") };
    path
}

/// A run over `https://localhost:port`, that trusts `ca` and retries without end.
async fn run(port: u16, ca: Option<&Ca>) -> Run {
    let (unused, _) = Server::listen().await;
    let mut run = Run::new(&unused, Pagination::None);
    run.source.base_url = Some(format!("https://localhost:{port}/v1").parse().expect("url"));
    run.source.http.ca_bundle = ca.map(|ca| file(&ca.cert.pem()));
    run.source.retry.max_attempts = 5;
    run
}

fn client_cert(ca: &Ca) -> ClientCert {
    let (cert, key) = ca.issue("client", |_| ());
    ClientCert { cert: file(&cert.pem()), key: Some(secret(&key.serialize_pem())) }
}

/// The error of a run, after a single connection.
async fn refused(run: &Run, server: &Secured) -> Error {
    let (pages, error) = run.failed().await;
    assert_eq!((pages.len(), server.connections.load(Ordering::SeqCst)), (0, 1));
    assert!(error.context().any(|(key, _)| key == "request"), "{error:?}");
    error
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_gets_it() {
    let ca = Ca::new("private");
    let server = Secured::start(&ca, ca.issue("localhost", |_| ()), Clients::Known, page()).await;
    let mut run = run(server.port, Some(&ca)).await;
    run.source.http.client_cert = Some(client_cert(&ca));
    assert_eq!(all_texts(&run.pages().await), ["1"]);
    // Both in one file.
    let (cert, key) = ca.issue("client", |_| ());
    let both = file(&format!("{}{}", key.serialize_pem(), cert.pem()));
    run.source.http.client_cert = Some(ClientCert { cert: both, key: None });
    assert_eq!(all_texts(&run.pages().await), ["1"]);
    assert_eq!(server.certified(), [true, true]);
}

#[tokio::test]
async fn another_origin_sees_no_client_certificate() {
    let ca = Ca::new("private");
    let other = Secured::start(&ca, ca.issue("localhost", |_| ()), Clients::Any, page()).await;
    let to = format!(
        "HTTP/1.1 302 Found\r\nLocation: https://localhost:{}/x\r\nContent-Length: 0\r\n\r\n",
        other.port
    );
    let server = Secured::start(&ca, ca.issue("localhost", |_| ()), Clients::Any, to).await;
    let mut run = run(server.port, Some(&ca)).await;
    run.source.http.client_cert = Some(client_cert(&ca));
    run.source.http.allow_hosts = vec![format!("localhost:{}", other.port)];
    assert_eq!(all_texts(&run.pages().await), ["1"]);
    assert_eq!((server.certified(), other.certified()), (vec![true], vec![false]));
}

#[tokio::test]
async fn a_client_certificate_that_is_missing_or_unknown_is_a_matter_of_credentials() {
    let (ca, stranger) = (Ca::new("theirs"), Ca::new("another"));
    let cert = || ca.issue("localhost", |_| ());
    let server = Secured::start(&ca, cert(), Clients::Known, page()).await;
    let error = refused(&run(server.port, Some(&ca)).await, &server).await;
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error:?}");
    assert!(error.to_string().contains("wants a client certificate"), "{error}");

    let server = Secured::start(&ca, cert(), Clients::Known, page()).await;
    let mut run = run(server.port, Some(&ca)).await;
    run.source.http.client_cert = Some(client_cert(&stranger));
    let error = refused(&run, &server).await;
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error:?}");
    assert!(error.to_string().contains("refused the client certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_ends_the_run_at_once() {
    let ca = Ca::new("private");
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let later = |params: &mut CertificateParams| params.not_before = date_time_ymd(2999, 1, 1);
    for (cert, trusted, kind, said) in [
        (ca.issue("localhost", |_| ()), false, ErrorKind::Config, "a CA that is not known here"),
        (ca.issue("localhost", expired), true, ErrorKind::Api, "is expired"),
        (ca.issue("localhost", later), true, ErrorKind::Api, "not valid yet"),
        (ca.issue("api.example.com", |_| ()), true, ErrorKind::Api, "for another name"),
    ] {
        let server = Secured::start(&ca, cert, Clients::Any, page()).await;
        let error = refused(&run(server.port, trusted.then_some(&ca)).await, &server).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
        let hint = error.hint_text().unwrap_or_default();
        assert_eq!(hint.contains("http.ca_bundle"), kind == ErrorKind::Config, "{hint}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let _ = connection.read(&mut [0; 4096]).await;
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let (_, error) = run(port, None).await.failed().await;
    assert_eq!(error.kind(), ErrorKind::Api, "{error:?}");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn bytes_that_are_bent_on_the_way_are_asked_for_again() {
    let ca = Ca::new("private");
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"items\":".to_owned();
    let cert = ca.issue("localhost", |_| ());
    let server = Secured::followed_by(&ca, cert, Clients::Any, cut, b"no record of TLS").await;
    let mut run = run(server.port, Some(&ca)).await;
    run.source.retry.max_attempts = 2;
    let (_, error) = run.failed().await;
    assert_eq!(
        (error.kind(), server.connections.load(Ordering::SeqCst)),
        (ErrorKind::Transient, 2)
    );
    assert!(format!("{error:?}").contains("corrupt message"), "{error:?}");
}

#[tokio::test]
async fn an_unusable_client_certificate_is_a_config_error() {
    let ca = Ca::new("private");
    let (mine, other) = (ca.issue("client", |_| ()), ca.issue("client", |_| ()));
    let cert = file(&mine.0.pem());
    for (cert, key, said) in [
        (cert.clone(), None, "no private key"),
        (cert.clone(), Some(secret("not PEM")), "no private key"),
        (cert.clone(), Some(secret(&other.1.serialize_pem())), "not that of the certificate"),
        (cert, Some(SecretRef::File("/nowhere/key".into())), "could not read a secret's file"),
        ("/nowhere/cert".into(), None, "could not read the certificate"),
    ] {
        let mut run = run(1, Some(&ca)).await;
        run.source.http.client_cert = Some(ClientCert { cert, key });
        let clock = Arc::new(FixedClock("2026-03-19T00:00:00Z".parse().expect("instant")));
        let error = Client::new(&run.source, clock).expect_err("error");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(said), "{error}");
    }
}
