//! Connections that no other attempt would make: a certificate that is not trusted, a server that wants another one
//! of us, a proxy that wants credentials.

use std::error::Error as Cause;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as Tls};

use crate::error::{Error, ErrorKind};

/// What hyper-util's tunnel says of a 407. Its type is private.
const PROXY_WANTS_CREDENTIALS: &str = "proxy authorization required";

/// What to do about a proxy's 407.
pub(super) const NAME_PROXY_AUTH: &str = "name the proxy's credentials in http.proxy_auth; a proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names has them in its URL";

/// What to do where it may pass.
pub(super) const LATER: &str = "it may pass: run the same command again later";

/// What to do where a server has got no client certificate, or none that it knows.
pub(super) const NAME_CLIENT_CERT: &str = "name a certificate that the server knows in http.client_cert: { cert: client.pem, key: { file: client.key } }";

/// Whether nginx refused a request for its client certificate: it does so by a page, after the handshake.
pub(super) fn wants_certificate(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    ["No required SSL certificate was sent", "The SSL certificate error"]
        .iter()
        .any(|said| body.contains(said))
}

/// Whether the proxy refused to connect to the host, or could not: what hyper-util's tunnel says of any status but 407.
pub(super) fn is_tunnel_refused(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| cause.to_string().contains("tunnel error: unsuccessful"))
}

/// What a failed connection says that stays true at the next attempt.
pub(super) fn refusal(error: &reqwest::Error) -> Option<Error> {
    if chain(error).any(|cause| cause.to_string().contains(PROXY_WANTS_CREDENTIALS)) {
        return Some(
            Error::new(ErrorKind::Api, "the proxy refused the credentials (407)")
                .hint(NAME_PROXY_AUTH),
        );
    }
    let (kind, message, hint) = match chain(error).find_map(tls)? {
        Tls::InvalidCertificate(error) => certificate(error),
        Tls::AlertReceived(alert) => alerted(*alert)?,
        // Later it is a byte that was bent on the way, which another attempt may spare.
        Tls::InvalidMessage(_) if error.is_connect() => (
            ErrorKind::Api,
            "the server does not speak TLS",
            "where it is meant to be reached without, write http:// in base_url",
        ),
        Tls::PeerIncompatible(_) => {
            (ErrorKind::Api, "the server speaks no version of TLS that is safe", SAFE_TLS)
        }
        _ => return None,
    };
    Some(Error::new(kind, message).caused_by(error_text(error)).hint(hint))
}

const SAFE_TLS: &str =
    "it must speak TLS 1.2 or 1.3 with a cipher that is not broken: ask its owner";

/// What is wrong with the server's certificate.
fn certificate(error: &CertificateError) -> (ErrorKind, &'static str, &'static str) {
    use CertificateError as Wrong;
    match error {
        Wrong::UnknownIssuer => (
            ErrorKind::Config,
            "the server's certificate is issued by a CA that is not known here",
            "where that CA is to be trusted, such as a company's own, name its PEM file in http.ca_bundle",
        ),
        Wrong::Expired | Wrong::ExpiredContext { .. } => (
            ErrorKind::Api,
            "the server's certificate is expired",
            "its owner has to renew it; check this machine's clock as well",
        ),
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => (
            ErrorKind::Api,
            "the server's certificate is not valid yet",
            "check this machine's clock, then ask the server's owner",
        ),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => (
            ErrorKind::Api,
            "the server's certificate is for another name",
            "check the host in base_url: it must be one that the certificate names",
        ),
        Wrong::Revoked => (
            ErrorKind::Api,
            "the server's certificate is revoked",
            "its owner has to replace it; send no credentials there until then",
        ),
        _ => (
            ErrorKind::Api,
            "the server's certificate cannot be trusted",
            "where it is a private CA's, name that CA's PEM file in http.ca_bundle; else ask the server's owner",
        ),
    }
}

/// What the server refused us for: RFC 8446 section 6.2. `None` of an alert that may pass.
fn alerted(alert: AlertDescription) -> Option<(ErrorKind, &'static str, &'static str)> {
    use AlertDescription as Said;
    match alert {
        Said::CertificateRequired => Some((
            ErrorKind::Credentials,
            "the server wants a client certificate",
            NAME_CLIENT_CERT,
        )),
        Said::BadCertificate
        | Said::UnsupportedCertificate
        | Said::CertificateRevoked
        | Said::CertificateExpired
        | Said::CertificateUnknown
        | Said::UnknownCA
        | Said::DecryptError
        | Said::AccessDenied => Some((
            ErrorKind::Credentials,
            "the server refused the client certificate",
            "check http.client_cert: whether it is expired, and issued by a CA that the server knows",
        )),
        Said::HandshakeFailure => Some((
            ErrorKind::Api,
            "the server refused the TLS handshake",
            "it may want a client certificate (http.client_cert), or speak nothing that is safe",
        )),
        Said::ProtocolVersion | Said::InsufficientSecurity => {
            Some((ErrorKind::Api, "the server speaks no version of TLS that is safe", SAFE_TLS))
        }
        Said::UnrecognisedName => Some((
            ErrorKind::Api,
            "the server does not know the host's name",
            "check the host in base_url",
        )),
        _ => None,
    }
}

fn error_text(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and its causes.
fn chain<'a>(error: &'a (dyn Cause + 'static)) -> impl Iterator<Item = &'a (dyn Cause + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What TLS failed of; hyper wraps it into one I/O error or several, which are not their own cause.
fn tls<'a>(error: &'a (dyn Cause + 'static)) -> Option<&'a Tls> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    error
        .downcast_ref::<io::Error>()?
        .get_ref()
        .and_then(|inner| tls(inner as &(dyn Cause + 'static)))
}
