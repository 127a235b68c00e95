//! A 2xx, read: its body's coding and charset, its format, and the envelope.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{ErrorKind, Result};
use crate::http::body::charset::Media;
use crate::http::body::{self, Opener};
use crate::http::exchange::{Exchange, Fault, Hop, Outcome, fetched};
use crate::http::inflate::Codings;
use crate::http::transport::Reply;
use crate::spec::source::Format;

impl Exchange<'_> {
    /// A 2xx: its envelope, or the fault that its body is cut or not JSON.
    pub(super) async fn page(&self, mut reply: Reply, hop: Hop) -> Result<Outcome> {
        let codings = Codings::of(&reply.headers).map_err(|name| {
            let shown =
                format!("sent a body in the content coding `{name}`, which was not asked for");
            reply.body = Bytes::new();
            self.place(self.answer(ErrorKind::Api, &shown, &reply), &hop)
        })?;
        let media = Media::of(&reply.headers).map_err(|name| {
            let shown = format!("sent a body in the charset `{name}`, which is not known");
            reply.body = Bytes::new();
            self.place(self.answer(ErrorKind::Api, &shown, &reply), &hop)
        })?;
        self.refuse_open_end(&codings, &reply, &hop)?;
        let most = usize::try_from(self.origin.http.max_page_bytes).unwrap_or(usize::MAX);
        let packed = std::mem::take(&mut reply.body);
        let opener = Opener { media, most, plan: Arc::clone(self.plan) };
        let scanned = match body::open(packed, codings, opener).await? {
            Ok(opened) => {
                reply.body = opened.body;
                opened.scanned
            }
            Err(lost) => return self.lost(lost, &hop),
        };
        if let Some(witness) = self.witness {
            witness.read(&reply.body);
        }
        match scanned {
            Ok(envelope) => {
                if let Some(pointer) = self.plan.reports_error(&envelope) {
                    let what = format!("reports an error at `{pointer}`");
                    return Err(self.place(self.answer(ErrorKind::Api, &what, &reply), &hop));
                }
                Ok(fetched(envelope, reply, hop, false))
            }
            Err(cause) => {
                let format = self.plan.format().name();
                let what = match reply.body.is_empty() {
                    true => "sent no body".to_owned(),
                    false => format!("did not send {format}"),
                };
                let error = self.answer(ErrorKind::Api, &what, &reply).caused_by(cause);
                Ok(Outcome::Again(Fault {
                    reason: format!(
                        "status {} with a body that is not {format}",
                        reply.status.as_u16()
                    ),
                    asked: None,
                    throttled: false,
                    request_id: hop.request_id.clone(),
                    error: self.place(error, &hop),
                }))
            }
        }
    }

    /// Lines have no end of their own: where nothing but the connection's end says that they are all there, a body that
    /// is cut between two of them looks whole. JSON is read to its end, compressed bodies to theirs, and a declared total
    /// tells that a record is missing.
    fn refuse_open_end(&self, codings: &Codings, reply: &Reply, hop: &Hop) -> Result<()> {
        let format = self.plan.format();
        let has_end = format == Format::Json || !reply.open_ended || !codings.is_none();
        if has_end || (self.plan.is_counted() && reply.body.ends_with(b"\n")) {
            return Ok(());
        }
        let what = format!(
            "sent {} without its length, so that a body which is cut looks whole",
            format.name()
        );
        let error = self.answer(ErrorKind::Api, &what, reply).hint(
            "have the server send Content-Length, chunks or gzip; or declare `total: { header: NAME }` and end the last line",
        );
        Err(self.place(error, hop))
    }
}
