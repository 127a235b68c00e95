//! Strings: from JSON strings unescaped, from numbers and booleans as their JSON text; `case` and `known`.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use hashbrown::HashSet;

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::error::Result;
use crate::json::escape::unescape;
use crate::json::span::{Form, Span};
use crate::spec::table::{Case, Field};

/// Builds a `Utf8` column.
pub(crate) struct TextColumn {
    builder: StringBuilder,
    case: Option<Case>,
    known: HashSet<String>,
}

impl TextColumn {
    /// The column of `field`.
    pub(crate) fn new(field: &Field) -> Self {
        let known = field.known.iter().map(|v| in_case(v, field.case).into_owned()).collect();
        Self { builder: StringBuilder::new(), case: field.case, known }
    }
}

/// The usual strings: those that are known as they stand, where `case` and `known` are declared.
impl TextColumn {
    #[inline]
    fn push_text(&mut self, run: Run<'_>, span: Span) -> Option<()> {
        if span.form() != Form::String {
            return None;
        }
        if span.is_escaped() {
            let (text, surrogates) = unescape(run.raw(span));
            return (surrogates == 0).then(|| self.push_known(&text)).flatten();
        }
        let range = span.range();
        self.push_known(run.text.get(range.start + 1..range.end - 1)?)
    }

    #[inline]
    fn push_known(&mut self, text: &str) -> Option<()> {
        let usual = if self.known.is_empty() {
            self.case.is_none() || matches!(in_case(text, self.case), Cow::Borrowed(_))
        } else {
            // The known values are in the declared case, so one that is among them is too.
            self.known.contains(text)
        };
        usual.then(|| self.builder.append_value(text))
    }
}

impl ColumnDecoder for TextColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let Some(cell) = cell else {
            self.builder.append_null();
            return Ok(Seen::default());
        };
        let (text, surrogates) = match cell.raw.as_bytes().first() {
            Some(b'"') => unescape(cell.raw),
            Some(b'{' | b'[') => {
                self.builder.append_null();
                return Err(Invalid::value("is not a string"));
            }
            _ => (Cow::Borrowed(cell.raw), 0),
        };
        let text = match self.case {
            None => text,
            case => Cow::Owned(in_case(&text, case).into_owned()),
        };
        self.builder.append_value(&text);
        let known = self.known.is_empty() || self.known.contains(&*text);
        let unknown = (!known).then(|| text.into_owned());
        Ok(Seen { unknown, surrogates, ..Seen::default() })
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        for (row, span) in run.spans.iter().enumerate() {
            if span.is_nothing() {
                self.builder.append_null();
            } else if self.push_text(run, *span).is_none() {
                return Taken { rows: row, units: 0 };
            }
        }
        Taken { rows: run.spans.len(), units: 0 }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let room = (self.builder.offsets_slice().len(), self.builder.values_slice().len());
        let next = StringBuilder::with_capacity(room.0, room.1 + room.1 / 8);
        Ok(Arc::new(std::mem::replace(&mut self.builder, next).finish()))
    }
}

fn in_case(text: &str, case: Option<Case>) -> Cow<'_, str> {
    match case {
        Some(Case::Lower) if text.bytes().any(|b| !b.is_ascii() || b.is_ascii_uppercase()) => {
            Cow::Owned(text.to_lowercase())
        }
        Some(Case::Upper) if text.bytes().any(|b| !b.is_ascii() || b.is_ascii_lowercase()) => {
            Cow::Owned(text.to_uppercase())
        }
        _ => Cow::Borrowed(text),
    }
}
