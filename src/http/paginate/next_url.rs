//! `type: next_url`: a URL in the body, absolute or relative; null, absent or empty after the last page.

use super::turn::{Next, Turn};
use crate::error::Result;

pub(super) fn advance(turn: &Turn<'_>) -> Result<Option<Next>> {
    Ok(turn.plan.cursor(turn.envelope)?.map(Next::Link))
}
