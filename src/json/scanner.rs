//! Scans a stream's pages: by the fast pass where it can, else by the reference.

use bytes::Bytes;

use crate::json::fast;
use crate::json::keys::Keys;
use crate::json::outline::{Found, NotJson, Outline};
use crate::json::reference;
use crate::json::tape::Paths;
use crate::json::utf8::{Utf8, utf8};

/// Reads the pages of one stream. It learns the order of their keys; a clone learns on its own.
#[derive(Clone, Debug)]
pub struct Scanner {
    outline: Outline,
    keys: Keys,
    plain: bool,
}

impl Scanner {
    /// A scanner of bodies with this outline, whose records have these keys ([`Keys::seal`]ed).
    pub fn new(outline: Outline, keys: Keys) -> Self {
        Self { outline, keys, plain: false }
    }

    /// The same by the reference alone: slower, and what the fast pass is held against.
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Validates `body` as JSON (RFC 8259) and finds what is wanted of it. A leading byte order mark is skipped.
    ///
    /// # Errors
    /// What is wrong with the JSON.
    pub fn scan(&mut self, body: &Bytes) -> Result<Found, NotJson> {
        let body = Utf8::check(body.clone()).map_err(NotJson::Utf8)?;
        let text = body.text();
        let start = start_of(text);
        let fast =
            if self.plain { None } else { fast::scan(&self.outline, &mut self.keys, text, start) };
        let mut found = match fast {
            Some(found) => found,
            None => reference::scan(&self.outline, &mut self.keys, text, start)?,
        };
        found.tape.text = body;
        Ok(found)
    }
}

/// The JSON text at the pointer of these reference tokens: a second look at something small. `None` where nothing stands
/// there, or the body is not JSON.
pub fn text_at<'a>(tokens: &[String], body: &'a [u8]) -> Option<&'a str> {
    let mut outline = Outline::default();
    outline.note(tokens);
    texts_at(&outline, body)?.into_iter().next()?
}

/// The JSON text of each slot of `outline`, `None` where nothing stands there; `None` for a body that is not JSON.
pub fn texts_at<'a>(outline: &Outline, body: &'a [u8]) -> Option<Vec<Option<&'a str>>> {
    let text = utf8(body).ok()?;
    let mut keys = Keys::new(Paths::default());
    let found = reference::scan(outline, &mut keys, text, start_of(text)).ok()?;
    Some(found.values.into_iter().map(|place| text.get(place?)).collect())
}

/// Behind a byte order mark, which RFC 8259 section 8.1 lets a reader ignore.
fn start_of(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}
