//! `type: page`: page numbers.

use super::turn::{Ask, Next, Turn};
use crate::error::Result;
use crate::page::Cursor;
use crate::spec::pagination::ByPage;

pub(super) fn ask(by: &ByPage, cursor: &Cursor) -> Ask {
    let page = number(by, cursor);
    let mut query = vec![(by.param.clone(), page.to_string())];
    if let (Some(param), Some(size)) = (&by.size_param, by.size) {
        query.push((param.clone(), size.to_string()));
    }
    Ask { query, page: Some(page), ..Ask::default() }
}

pub(super) fn advance(by: &ByPage, turn: &Turn<'_>) -> Result<Option<Next>> {
    if turn.ends_by_count(by.short_page_ends, by.size)? {
        return Ok(None);
    }
    let page = number(by, turn.asked).saturating_add(1);
    Ok(Some(Next::Cursor(Cursor::Page { page })))
}

fn number(by: &ByPage, cursor: &Cursor) -> u64 {
    match cursor {
        Cursor::Page { page } => *page,
        Cursor::Start | Cursor::Offset { .. } | Cursor::Token { .. } | Cursor::Url { .. } => {
            by.first
        }
    }
}
