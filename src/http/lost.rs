//! A request that had no answer: what happened, and whether another attempt may help.

use crate::error::{Error, ErrorKind, Result};
use crate::http::exchange::{Exchange, Fault, Hop, Outcome};
use crate::http::refusal::{LATER, is_tunnel_refused};
use crate::http::transport::Lost;

const ALLOW: &str = "its owner may have to allow the host; a host in NO_PROXY is reached directly";

impl Exchange<'_> {
    /// No response: the connection or the deadline, worth another attempt; or a body over the cap.
    pub(super) fn lost(&self, lost: Lost, hop: &Hop) -> Result<Outcome> {
        let http = &self.origin.http;
        let (reason, error) = match lost {
            Lost::TooLarge => {
                let most = http.max_page_bytes;
                let error =
                    Error::new(ErrorKind::Api, format!("a page is larger than {most} bytes"))
                        .hint("ask for smaller pages, or raise http.max_page_bytes");
                return Err(self.place(error, hop));
            }
            Lost::Deadline => {
                let reason = format!("no whole response within {:?}", http.timeout);
                let error = Error::new(ErrorKind::Transient, reason.clone());
                (reason, error.hint("raise http.timeout if the API is slow"))
            }
            Lost::Network(error) => {
                let (reason, hint) = match is_tunnel_refused(&error) {
                    true => ("the proxy did not let the request through", ALLOW),
                    false => (network(&error), LATER),
                };
                let reason = reason.to_owned();
                let mut error = Error::new(ErrorKind::Transient, reason.clone()).caused_by(error);
                if let Some(proxy) = &http.proxy {
                    error = error.with("proxy", &proxy.url);
                }
                (reason, error.hint(hint))
            }
            Lost::Corrupt(error) => {
                let reason = "the compressed body is cut or corrupt".to_owned();
                let error = Error::new(ErrorKind::Transient, reason.clone()).caused_by(error);
                (reason, error.hint(LATER))
            }
        };
        let error = self.place(error, hop);
        Ok(Outcome::Again(Fault {
            reason,
            asked: None,
            throttled: false,
            request_id: hop.request_id.clone(),
            error,
        }))
    }
}

fn network(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "could not connect"
    } else if error.is_timeout() {
        "timed out"
    } else if error.is_body() || error.is_decode() {
        "the body was cut short"
    } else {
        "the connection failed"
    }
}
