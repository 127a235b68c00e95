//! Why a run is asked to end early, and the one token that every wait listens to.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind};

/// Why a run is asked to end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// `--deadline` has passed.
    Deadline,
}

impl Cause {
    /// The kind of the error that the windows end with.
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Terminated => ErrorKind::Terminated,
            Self::Deadline => ErrorKind::Budget,
        }
    }

    /// The error that the windows end with.
    pub fn error(self) -> Error {
        let message = match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::Deadline => "the deadline has passed",
        };
        Error::new(self.kind(), message)
            .hint("run the same command again: it goes on from the checkpoint")
    }
}

/// Asks a run to end in order; clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    token: CancellationToken,
    cause: Arc<OnceLock<Cause>>,
}

impl Stop {
    /// Asks for the end; the first cause stands.
    pub fn because(&self, cause: Cause) {
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// The cause, once there is one.
    pub fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// A token for one window, which the whole run's end cancels too.
    pub fn child(&self) -> CancellationToken {
        self.token.child_token()
    }
}
