//! The pass over a page's bytes: envelope and records together, each value's place noted where it ends.
//!
//! Every function gives the place behind what it read, or `None` where the text is not what it expects: broken, or
//! valid and rare (an escaped key in the envelope, a key that comes twice there, nesting beyond a record's depth). The
//! page is the reference's then. A record with something rare along the declared pointers is `odd`, and the
//! reference's alone.

use crate::json::grid::Lane;
use crate::json::keys::{Found, Keys, NOBODY, Role};
use crate::json::outline::{self, Node, Outline, Records};
use crate::json::reference;
use crate::json::span::{Form, Span};
use crate::json::tape::{MAX_BYTES, MAX_DEPTH, Refusal, Row, Stray, Tape};
use crate::json::text::{after_colon, skip_space, string, value};

/// Reads a page, which is `text` from `start` on. `None` leaves it to the reference.
pub(super) fn scan(
    outline: &Outline,
    keys: &mut Keys,
    text: &str,
    start: usize,
) -> Option<outline::Found> {
    let bytes = text.as_bytes();
    let found = outline::Found {
        values: vec![None; outline.slots()],
        tape: Tape::new(keys.slots(), keys.paths().clone()),
        records: Records::Missing,
    };
    let mut pass = Envelope { text, keys, found, visited: vec![false; outline.nodes()] };
    let end = pass.node(&outline.root, skip_space(bytes, start))?;
    (skip_space(bytes, end) == bytes.len()).then_some(pass.found)
}

/// The part of the pass that is outside the records.
struct Envelope<'a> {
    text: &'a str,
    keys: &'a mut Keys,
    found: outline::Found,
    /// By the outline's numbers.
    visited: Vec<bool>,
}

impl Envelope<'_> {
    /// Reads the value of a step of the outline.
    fn node(&mut self, node: &Node, at: usize) -> Option<usize> {
        // Of a key that comes twice the last counts as a whole, which one pass cannot take back.
        let visited = self.visited.get_mut(node.number)?;
        if std::mem::replace(visited, true) {
            return None;
        }
        let bytes = self.text.as_bytes();
        let end = match bytes.get(at)? {
            b'[' if node.records && node.children.is_empty() => self.records(at)?,
            b'[' if !node.children.is_empty() => return None,
            b'{' if !node.children.is_empty() => self.members(node, at)?,
            _ => value(bytes, at, 0)?.1,
        };
        if node.records {
            let text = self.text.get(at..end)?;
            match text.as_bytes().first()? {
                b'[' => {}
                b'n' => self.found.records = Records::Null,
                _ => self.found.records = Records::NotArray(outline::kind(text)),
            }
        }
        if let Some(value) = node.slot.and_then(|slot| self.found.values.get_mut(slot)) {
            *value = Some(at..end);
        }
        Some(end)
    }

    fn members(&mut self, node: &Node, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, at + 1);
        if bytes.get(at)? == &b'}' {
            return Some(at + 1);
        }
        loop {
            (bytes.get(at)? == &b'"').then_some(())?;
            let (end, escaped) = string(bytes, at + 1)?;
            let key = bytes.get(at + 1..end - 1).filter(|_| !escaped)?;
            let start = after_colon(bytes, end)?;
            let end = match node.child(key) {
                Some(child) => self.node(child, start)?,
                None => value(bytes, start, 1)?.1,
            };
            at = skip_space(bytes, end);
            match bytes.get(at)? {
                b',' => at = skip_space(bytes, at + 1),
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// Reads the array of records.
    fn records(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut spans = Vec::new();
        let mut at = skip_space(bytes, at + 1);
        let mut more = bytes.get(at)? != &b']';
        if !more {
            at += 1;
        }
        while more {
            let end = record(self.keys, &mut self.found.tape, self.text, at, spans.len())?;
            spans.push(at..end);
            at = skip_space(bytes, end);
            more = match bytes.get(at)? {
                b',' => true,
                b']' => false,
                _ => return None,
            };
            at += 1;
            if more {
                at = skip_space(bytes, at);
            }
        }
        self.found.records = Records::Found(spans);
        Some(at)
    }
}

/// Reads the record at `at`, the `index`th of its page.
fn record(keys: &mut Keys, tape: &mut Tape, text: &str, at: usize, index: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let index = u32::try_from(index).ok()?;
    if bytes.get(at)? != &b'{' {
        let (span, end) = value(bytes, at, 0)?;
        let large = span.len() > MAX_BYTES;
        tape.refused.push((index, if large { Refusal::TooLarge } else { Refusal::NotAnObject }));
        return Some(end);
    }
    let (row, strays) = (tape.rows.len(), tape.strays.len());
    let mut pass = Record {
        bytes,
        keys,
        values: tape.values.lane(row)?,
        strays: &mut tape.strays,
        row: u32::try_from(row).ok()?,
        odd: false,
        escaped: false,
    };
    let end = pass.object(0, at, 0)?;
    let (odd, escaped) = (pass.odd, pass.escaped);
    let large = end - at > MAX_BYTES;
    if odd || large {
        tape.values.clear(row);
        tape.strays.truncate(strays);
    }
    if large {
        tape.refused.push((index, Refusal::TooLarge));
    } else if odd {
        reference::record(keys, tape, text, at..end, index);
    } else {
        tape.rows.push(Row { record: index, escaped });
    }
    Some(end)
}

/// The part of the pass that is inside one record.
struct Record<'a> {
    bytes: &'a [u8],
    keys: &'a mut Keys,
    values: Lane<'a>,
    strays: &'a mut Vec<Stray>,
    row: u32,
    /// Whether the record holds something that is the reference's.
    odd: bool,
    escaped: bool,
}

impl Record<'_> {
    /// Reads the object at `at`, the value of `node`, which is inside `depth` others.
    fn object(&mut self, node: u32, at: usize, depth: u32) -> Option<usize> {
        // What is deeper than a record may be is the reference's to say.
        (depth < MAX_DEPTH).then_some(())?;
        let bytes = self.bytes;
        let (serial, first) = self.keys.enter(node)?;
        let mut at = skip_space(bytes, at + 1);
        if bytes.get(at)? == &b'}' {
            return Some(at + 1);
        }
        let (mut last, mut expected) = (NOBODY, [first, NOBODY]);
        loop {
            let (member, start) = match self.keys.end_of(expected[0], bytes, at) {
                Some(end) => (expected[0], end),
                None => match self.unexpected(node, last, expected[1], at)? {
                    (Found::Member(member), end) => (member, end),
                    (found, end) => {
                        at = self.undeclared(found, end, depth + 1)?;
                        match self.next(at)? {
                            (true, next) => at = next,
                            (false, end) => return Some(end),
                        }
                        continue;
                    }
                },
            };
            let known = self.keys.members.get_mut(member as usize)?;
            // A key that comes twice.
            self.odd |= known.serial == serial;
            known.serial = serial;
            (last, expected) = (member, known.next);
            let role = known.role;
            let end = match role {
                Role::Leaf(slot) => {
                    let (span, end) = self.value(start, depth + 1)?;
                    self.values.note(slot as usize, span)?;
                    end
                }
                Role::Inner(inner) => self.inner(inner, start, depth + 1)?,
                Role::Undeclared(path) => self.stray(Some(path), start, depth + 1)?,
            };
            match self.next(end)? {
                (true, next) => at = next,
                (false, end) => return Some(end),
            }
        }
    }

    /// Behind a member: the next key's place, or the place behind the object.
    #[inline]
    fn next(&self, at: usize) -> Option<(bool, usize)> {
        let bytes = self.bytes;
        let at = skip_space(bytes, at);
        match bytes.get(at)? {
            b',' => Some((true, skip_space(bytes, at + 1))),
            b'}' => Some((false, at + 1)),
            _ => None,
        }
    }

    /// What the key at `at` is, which is not the one that followed `last` in the last record; with the place behind
    /// its colon.
    #[inline(never)]
    fn unexpected(
        &mut self,
        node: u32,
        last: u32,
        other: u32,
        at: usize,
    ) -> Option<(Found, usize)> {
        if let Some(end) = self.keys.end_of(other, self.bytes, at) {
            self.keys.follow(node, last, other);
            return Some((Found::Member(other), end));
        }
        (self.bytes.get(at)? == &b'"').then_some(())?;
        let (end, escaped) = string(self.bytes, at + 1)?;
        let start = after_colon(self.bytes, end)?;
        self.escaped |= escaped;
        let found = match escaped {
            true => Found::New,
            false => self.keys.recall(node, self.bytes, at, end)?,
        };
        if let Found::Member(member) = found {
            self.keys.follow(node, last, member);
        }
        Some((found, start))
    }

    /// Reads the value of a key that is no member.
    fn undeclared(&mut self, found: Found, at: usize, depth: u32) -> Option<usize> {
        match found {
            Found::Beyond => self.stray(None, at, depth),
            // Learning is the reference's, so that paths are numbered in one order.
            Found::New => {
                self.odd = true;
                Some(self.value(at, depth)?.1)
            }
            Found::Ignored | Found::Member(_) => Some(self.value(at, depth)?.1),
        }
    }

    /// Reads the value of a place that pointers lead through.
    fn inner(&mut self, inner: u32, at: usize, depth: u32) -> Option<usize> {
        let at = skip_space(self.bytes, at);
        if self.bytes.get(at)? == &b'{' {
            let end = self.object(inner, at, depth)?;
            if let Some(slot) = self.keys.node(inner)?.slot {
                let escaped = self.bytes.get(at..end)?.contains(&b'\\');
                self.values.note(slot, Span::new(Form::Object, at, end, escaped))?;
            }
            return Some(end);
        }
        let (span, end) = self.value(at, depth)?;
        if span.form() == Form::Null {
            for slot in &self.keys.node(inner)?.below {
                self.values.note(*slot, span)?;
            }
        } else {
            // Pointers that lead into an array, or nowhere.
            self.odd = true;
        }
        Some(end)
    }

    fn stray(&mut self, path: Option<u32>, at: usize, depth: u32) -> Option<usize> {
        let (value, end) = self.value(at, depth)?;
        self.strays.push(Stray { row: self.row, path, value });
        Some(end)
    }

    #[inline(always)]
    fn value(&mut self, at: usize, depth: u32) -> Option<(Span, usize)> {
        let (value, end) = value(self.bytes, at, depth)?;
        self.escaped |= value.is_escaped();
        Some((value, end))
    }
}
