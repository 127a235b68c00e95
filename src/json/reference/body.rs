//! One pass over a body along a trie of pointers: strict JSON all the way, values noted as byte ranges.
//!
//! Only the trie recurses, so that nesting in what is skipped cannot overflow the stack: serde_json skips
//! (`IgnoredAny`, `RawValue`) with a stack of its own on the heap.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::outline::{Node, Outline, Records};

/// The records and the places of the values in the slots.
type Found = (Records, Vec<Option<Range<usize>>>);

/// Validates `text` from `start` on and finds what `outline` asks for.
pub(super) fn scan(
    outline: &Outline,
    text: &str,
    start: usize,
) -> Result<Found, serde_json::Error> {
    let values = vec![None; outline.slots()];
    let mut notes = Notes { base: text.as_ptr().addr(), records: Records::Missing, values };
    let json = text.get(start..).unwrap_or_default();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Walk { node: &outline.root, notes: &mut notes }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((notes.records, notes.values))
}

/// What was found so far.
struct Notes {
    /// The body's address: a value's place is its address minus this one.
    base: usize,
    records: Records,
    values: Vec<Option<Range<usize>>>,
}

impl Notes {
    fn span(&self, raw: &RawValue) -> Range<usize> {
        let start = raw.get().as_ptr().addr().saturating_sub(self.base);
        start..start + raw.get().len()
    }

    fn set(&mut self, slot: usize, span: Option<Range<usize>>) {
        if let Some(value) = self.values.get_mut(slot) {
            *value = span;
        }
    }

    /// Forgets all under `node`: of a key that comes twice, the last one counts as a whole.
    fn forget(&mut self, node: &Node) {
        if let Some(slot) = node.slot {
            self.set(slot, None);
        }
        if node.records {
            self.records = Records::Missing;
        }
        for child in &node.children {
            self.forget(child);
        }
    }
}

/// Reads the value of a node.
struct Walk<'a> {
    node: &'a Node,
    notes: &'a mut Notes,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.notes.forget(self.node);
        let raw = <&RawValue>::deserialize(deserializer)?;
        if let Some(slot) = self.node.slot {
            let span = self.notes.span(raw);
            self.notes.set(slot, Some(span));
        }
        if self.node.slot.is_none() || self.node.records || !self.node.children.is_empty() {
            look_into(self.node, self.notes, raw)?;
        }
        Ok(())
    }
}

/// Walks a value that is known as a whole. Of a scalar the first byte tells enough: serde_json refuses to make a number of
/// `1e999`, or text of a lone surrogate, which are JSON all the same.
fn look_into<E: serde::de::Error>(node: &Node, notes: &mut Notes, raw: &RawValue) -> Result<(), E> {
    let look = Look { node, notes };
    match raw.get().as_bytes().first() {
        Some(b'{' | b'[') => serde_json::Deserializer::from_str(raw.get())
            .deserialize_any(look)
            .map_err(E::custom)?,
        Some(b'n') => look.found(Records::Null),
        Some(b't' | b'f') => look.found(Records::NotArray("a bool")),
        Some(b'"') => look.found(Records::NotArray("a string")),
        _ => look.found(Records::NotArray("a number")),
    }
    Ok(())
}

/// Looks for a node's children, and for the records where they stand at the node itself.
struct Look<'a> {
    node: &'a Node,
    notes: &'a mut Notes,
}

impl Look<'_> {
    fn found(self, records: Records) {
        if self.node.records {
            self.notes.records = records;
        }
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.node.records {
            self.notes.records = Records::NotArray("an object");
        }
        // Keys as raw text: serde_json's own reading of them is laxer (as bytes) or stricter (as
        // text, where it refuses lone surrogates) than RFC 8259.
        while let Some(key) = map.next_key::<&RawValue>()? {
            let quoted = key.get();
            let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            let child = if plain.contains('\\') {
                let unescaped = serde_json::from_str::<String>(quoted).ok();
                unescaped.and_then(|token| self.node.child(token.as_bytes()))
            } else {
                self.node.child(plain.as_bytes())
            };
            match child {
                Some(node) => map.next_value_seed(Walk { node, notes: &mut *self.notes })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.node.records {
            return records(self.node, self.notes, seq);
        }
        for index in 0_usize.. {
            let more = match self.node.item(index) {
                Some(node) => seq.next_element_seed(Walk { node, notes: &mut *self.notes })?,
                None => seq.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Notes where each record stands.
fn records<'de, A: SeqAccess<'de>>(
    node: &Node,
    notes: &mut Notes,
    mut seq: A,
) -> Result<(), A::Error> {
    let mut spans = Vec::new();
    while let Some(raw) = seq.next_element::<&RawValue>()? {
        if let Some(child) = node.item(spans.len()) {
            if let Some(slot) = child.slot {
                let span = notes.span(raw);
                notes.set(slot, Some(span));
            }
            look_into(child, notes, raw)?;
        }
        spans.push(notes.span(raw));
    }
    notes.records = Records::Found(spans);
    Ok(())
}
