//! `type: cursor`: an opaque token from the body, a header, or the page's last record.
//!
//! It ends when there is no token or `has_more` is false. A page without records but with a token is
//! followed: filters and permissions empty pages in the middle of a list. A token from the last record says
//! nothing of an end, so without `has_more` it is followed until a page is empty.

use super::turn::{Ask, Next, Turn};
use crate::error::{Error, ErrorKind, Result};
use crate::http::envelope::token_of_record;
use crate::page::Cursor;
use crate::spec::pagination::{ByCursor, CursorFrom, CursorPlace};

pub(super) fn ask(by: &ByCursor, cursor: &Cursor) -> Ask {
    let Cursor::Token { token } = cursor else { return Ask::default() };
    let pair = (by.param.clone(), token.clone());
    let ask = Ask { cursor: Some(token.clone()), ..Ask::default() };
    match by.place {
        CursorPlace::Query => Ask { query: vec![pair], ..ask },
        CursorPlace::Header => Ask { header: Some(pair), ..ask },
        CursorPlace::Body => Ask { body: Some(pair), ..ask },
    }
}

pub(super) fn advance(by: &ByCursor, turn: &Turn<'_>) -> Result<Option<Next>> {
    let has_more = turn.plan.has_more(turn.envelope)?;
    if has_more == Some(false) {
        return Ok(None);
    }
    let token = match &by.cursor {
        CursorFrom::Body(_) => turn.plan.cursor(turn.envelope)?,
        CursorFrom::Header(name) => header(turn, name)?,
        CursorFrom::LastRecord(pointer) => {
            turn.last_record.as_ref().map(|record| token_of_record(record, pointer)).transpose()?
        }
    };
    if token.is_none() && has_more == Some(true) {
        tracing::warn!(
            "the API says that more pages follow, but names no cursor: the stream ends here"
        );
    }
    Ok(token.map(|token| Next::Cursor(Cursor::Token { token })))
}

fn header(turn: &Turn<'_>, name: &str) -> Result<Option<String>> {
    let Some(value) = turn.headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|error| {
        Error::new(ErrorKind::Api, format!("the cursor in the header {name} is not text"))
            .caused_by(error)
    })?;
    Ok((!text.trim().is_empty()).then(|| text.trim().to_owned()))
}
