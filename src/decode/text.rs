//! Strings: from JSON strings unescaped, from numbers and booleans as their JSON text; `case` and `known`.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use hashbrown::HashSet;

use crate::decode::column::{Cell, ColumnDecoder, Invalid, Run, Seen, Taken};
use crate::decode::strings::Strings;
use crate::error::Result;
use crate::json::escape::unescape;
use crate::json::span::{Form, Span};
use crate::spec::table::{Case, Field};

/// Builds a `Utf8` column.
pub(crate) struct TextColumn {
    strings: Strings,
    case: Option<Case>,
    known: HashSet<String>,
}

impl TextColumn {
    /// The column of `field`.
    pub(crate) fn new(field: &Field) -> Self {
        let known = field.known.iter().map(|v| in_case(v, field.case).into_owned()).collect();
        Self { strings: Strings::new(), case: field.case, known }
    }
}

/// The usual strings: those that are known as they stand, where `case` and `known` are declared.
impl TextColumn {
    #[inline]
    fn append_text(&mut self, run: Run<'_>, span: Span) -> Option<()> {
        if span.form() != Form::String {
            return None;
        }
        if span.is_escaped() {
            return self.append_escaped(run.raw(span));
        }
        let Range { start, end } = span.range();
        let range = start + 1..end - 1;
        if self.is_checked() && !self.is_usual(run.text.get(range.clone())?) {
            return None;
        }
        self.strings.append(run.text, range)
    }

    fn append_escaped(&mut self, raw: &str) -> Option<()> {
        let (text, surrogates) = unescape(raw);
        let usual = surrogates == 0 && (!self.is_checked() || self.is_usual(&text));
        usual.then(|| self.strings.append(&text, 0..text.len())).flatten()
    }

    /// Whether `case` or `known` is declared.
    fn is_checked(&self) -> bool {
        self.case.is_some() || !self.known.is_empty()
    }

    fn is_usual(&self, text: &str) -> bool {
        if self.known.is_empty() {
            matches!(in_case(text, self.case), Cow::Borrowed(_))
        } else {
            // The known values are in the declared case, so one that is among them is too.
            self.known.contains(text)
        }
    }
}

impl ColumnDecoder for TextColumn {
    fn push(&mut self, cell: Option<Cell<'_>>) -> Result<Seen, Invalid> {
        let Some(cell) = cell else {
            self.strings.push_null();
            return Ok(Seen::default());
        };
        let (text, surrogates) = match cell.raw.as_bytes().first() {
            Some(b'"') => unescape(cell.raw),
            Some(b'{' | b'[') => {
                self.strings.push_null();
                return Err(Invalid::value("is not a string"));
            }
            _ => (Cow::Borrowed(cell.raw), 0),
        };
        let text = match self.case {
            None => text,
            case => Cow::Owned(in_case(&text, case).into_owned()),
        };
        self.strings.push(&text);
        let known = self.known.is_empty() || self.known.contains(&*text);
        let unknown = (!known).then(|| text.into_owned());
        Ok(Seen { unknown, surrogates, ..Seen::default() })
    }

    fn push_plain(&mut self, run: Run<'_>) -> Taken {
        let mut rows = 0;
        for span in run.spans {
            if span.is_nothing() {
                self.strings.append_nothing();
            } else if self.append_text(run, *span).is_none() {
                break;
            }
            rows += 1;
        }
        self.strings.mark(run.present, rows);
        Taken { rows, units: 0 }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.strings.finish()?))
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
