//! HTTP: one source's requests, paced, authenticated and retried, as a stream of pages. No Arrow, no files.
//!
//! ```text
//! Position -> request -> pace -> auth -> transport -> status -> envelope -> paginate -> Page
//!                 ^_____________ retry _____________|
//! ```
//!
//! - [`client`]: the requests of one source, and the retry loop.
//! - [`pages`]: a window of a stream, page by page, resumable behind any of them; with `concurrency`, `ahead`
//!   fetches the ones that are sure to follow meanwhile.
//! - `pace`: when a request may leave, by what is declared (`limiter`), what the API's headers say (`quota`), and what it
//!   refuses; the same for all clients of a source in the process.
//! - [`conditional`]: whether pages are still what they were.
//! - [`auth`] and [`paginate`]: closed sets, one file a variant.
//!
//! # Why not reqwest's redirects, timeouts and retries?
//!
//! Its redirects keep custom headers such as `X-Api-Key` and send a `Referer` with the query to another
//! origin, its `read_timeout` never fires on a body that drips, and its retries are not counted, paced or
//! logged. All three are done here, on top of a client that has them switched off; and bodies are inflated here (`inflate`).

mod ahead;
pub mod auth;
pub(crate) mod body;
mod budget;
pub mod client;
pub mod conditional;
mod connector;
mod envelope;
mod excerpt;
mod exchange;
mod inflate;
mod lane;
mod limiter;
mod lost;
mod origin;
mod outgoing;
mod pace;
pub mod pages;
pub mod paginate;
mod quota;
mod reading;
mod redirect;
mod refusal;
mod request;
pub mod retry;
mod seen;
mod status;
mod transport;
pub mod witness;

/// Ends a stream of pages early: whatever it waits for (a quota, a retry, a body) is dropped at once.
pub type Stop = tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;
