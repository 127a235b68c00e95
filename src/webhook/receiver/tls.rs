//! TLS by certificate files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::{Cause, Error, ErrorKind, Result};

/// What takes TLS connections by the chain in `cert` and the key in `key`, both PEM, the key not encrypted.
///
/// # Errors
/// `Config` when a file cannot be read, has nothing of its kind, or the two do not belong together.
pub(super) fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor> {
    let wrong = |file: &Path, cause: Cause| {
        Error::new(ErrorKind::Config, "could not use the TLS certificate or its key")
            .with("file", file.display())
            .caused_by(cause)
            .hint("--tls-cert is a PEM file of the certificate and those that it was issued by, --tls-key one of its key, not encrypted")
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(|chain| chain.collect::<Result<Vec<_>, _>>())
        .map_err(|error| wrong(cert, error.into()))?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.into()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(cert, error.into()))?
        .with_no_client_auth()
        .with_single_cert(chain, key_der);
    let mut config = config.map_err(|error| wrong(cert, error.into()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
