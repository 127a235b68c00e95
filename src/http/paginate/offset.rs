//! `type: offset`: the number of records before the page. It advances by the records received, because
//! a server may cap `limit`.

use super::turn::{Ask, Next, Turn};
use crate::error::Result;
use crate::page::Cursor;
use crate::spec::pagination::ByOffset;

pub(super) fn ask(by: &ByOffset, cursor: &Cursor) -> Ask {
    let mut query = vec![(by.param.clone(), offset(cursor).to_string())];
    if let Some(limit) = by.limit {
        query.push((by.limit_param.clone(), limit.to_string()));
    }
    Ask { query, ..Ask::default() }
}

pub(super) fn advance(by: &ByOffset, turn: &Turn<'_>) -> Result<Option<Next>> {
    if turn.ends_by_count(by.short_page_ends, by.limit)? {
        return Ok(None);
    }
    let offset = offset(turn.asked).saturating_add(turn.received);
    Ok(Some(Next::Cursor(Cursor::Offset { offset })))
}

fn offset(cursor: &Cursor) -> u64 {
    match cursor {
        Cursor::Offset { offset } => *offset,
        Cursor::Start | Cursor::Page { .. } | Cursor::Token { .. } | Cursor::Url { .. } => 0,
    }
}
