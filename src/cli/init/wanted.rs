//! What is asked of a draft, and what is given back.

use crate::cli::args::InitArgs;
use crate::cli::init::auth::Auth;
use crate::cli::init::draft::Draft;

/// What the command line says of the draft.
pub(super) struct Wanted<'a> {
    /// The arguments.
    pub(super) args: &'a InitArgs,
    /// The source's name.
    pub(super) name: &'a str,
    /// The stream's name, if it is told.
    pub(super) stream: Option<&'a str>,
    /// The credentials, if they are told.
    pub(super) auth: Option<Auth>,
}

/// A draft, and the sample that its table must fit.
pub(super) struct Drawn {
    /// The draft.
    pub(super) draft: Draft,
    /// The sample as JSON.
    pub(super) sample: Option<String>,
}
