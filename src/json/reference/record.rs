//! One record by serde_json: its members as exact text (`RawValue`), in document order, walked where pointers lead on.
//!
//! Of a key that comes twice in one object the last value stands for it as a whole, as if the first were not there.

use std::collections::HashSet;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::grid::Lane;
use crate::json::keys::{Found, Keys, NOBODY, Role};
use crate::json::span::{Form, Span};
use crate::json::tape::{MAX_BYTES, MAX_DEPTH, Refusal, Row, Stray, Tape};

/// Notes the record at `span` of `text`, the `index`th of its page. It is valid JSON.
pub(in crate::json) fn record(
    keys: &mut Keys,
    tape: &mut Tape,
    text: &str,
    span: Range<usize>,
    index: u32,
) {
    let raw = text.get(span).unwrap_or_default();
    let refused = refusal(raw);
    if let Some(refusal) = refused {
        tape.refused.push((index, refusal));
        return;
    }
    let row = u32::try_from(tape.rows.len()).unwrap_or(u32::MAX);
    let Some(values) = tape.values.lane(tape.rows.len()) else { return };
    let (duplicates, surrogates) = (&mut tape.duplicates, &mut tape.surrogates);
    let mut walk = Walk {
        keys,
        values,
        strays: &mut tape.strays,
        duplicates,
        surrogates,
        base: text.as_ptr().addr(),
        row,
    };
    // The whole page has passed as JSON, so each of its values does.
    let walked = walk.object(0, raw);
    debug_assert!(walked.is_ok(), "a record of a valid page is valid");
    tape.rows.push(Row { record: index, escaped: raw.contains('\\') });
}

fn refusal(raw: &str) -> Option<Refusal> {
    if raw.len() > MAX_BYTES {
        return Some(Refusal::TooLarge);
    }
    if !raw.starts_with('{') {
        return Some(Refusal::NotAnObject);
    }
    // Nearly every record has fewer brackets than the limit, which a vectorised count tells.
    let opening = raw.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    let deep = opening > MAX_DEPTH as usize && depth(raw.as_bytes()) > MAX_DEPTH;
    deep.then_some(Refusal::TooDeep)
}

/// The depth of nesting, brackets in strings aside.
fn depth(bytes: &[u8]) -> u32 {
    let (mut depth, mut deepest) = (0u32, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A record's walk into its row.
struct Walk<'a> {
    keys: &'a mut Keys,
    values: Lane<'a>,
    strays: &'a mut Vec<Stray>,
    duplicates: &'a mut u64,
    surrogates: &'a mut u64,
    /// The page's address: a value's place is its address minus this one.
    base: usize,
    row: u32,
}

/// A member of an object, as it stands.
struct Met<'t> {
    /// Its number; `None` for an undeclared one beyond those that are told apart.
    member: Option<u32>,
    text: &'t str,
}

impl Walk<'_> {
    fn object(&mut self, node: u32, text: &str) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_str(text);
        let members = Members { keys: self.keys, node, met: Vec::new() };
        let (met, duplicates, surrogates) = members.deserialize(&mut json)?;
        json.end()?;
        *self.duplicates += duplicates;
        *self.surrogates += surrogates;
        for Met { member, text } in met {
            let role = member.and_then(|member| self.keys.member(member)).map(|m| m.role);
            match role {
                Some(Role::Undeclared(path)) => self.stray(Some(path), text),
                Some(role) => self.declared(role, text)?,
                None => self.stray(None, text),
            }
        }
        Ok(())
    }

    /// Notes a declared value.
    fn declared(&mut self, role: Role, text: &str) -> Result<(), serde_json::Error> {
        match role {
            Role::Leaf(slot) => self.note(slot as usize, text),
            Role::Inner(node) => {
                if let Some(slot) = self.keys.node(node).and_then(|node| node.slot) {
                    self.note(slot, text);
                }
                return self.inner(node, text);
            }
            Role::Undeclared(_) => {}
        }
        Ok(())
    }

    /// Walks into a value that pointers lead through.
    fn inner(&mut self, at: u32, text: &str) -> Result<(), serde_json::Error> {
        let Some(node) = self.keys.node(at) else { return Ok(()) };
        match text.as_bytes().first() {
            Some(b'{') => return self.object(at, text),
            Some(b'n') => {
                for slot in node.below.clone() {
                    self.note(slot, text);
                }
                return Ok(());
            }
            Some(b'[') => {
                let indexed = node.indexed;
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                for (index, role) in self.keys.items(at) {
                    if let Some(item) = items.get(index) {
                        self.declared(role, item.get())?;
                    }
                }
                if indexed || items.is_empty() {
                    return Ok(());
                }
            }
            _ => {}
        }
        // A value of another kind where pointers lead through: an undeclared value at this very path.
        if self.keys.node(at).is_some_and(|node| node.slot.is_none() && !node.quiet) {
            let path = self.keys.number_of(at);
            self.stray(path, text);
        }
        Ok(())
    }

    fn note(&mut self, slot: usize, text: &str) {
        let value = self.span(text);
        let noted = self.values.note(slot, value);
        debug_assert!(noted.is_some(), "a slot of the tape's keys");
    }

    fn stray(&mut self, path: Option<u32>, text: &str) {
        let value = self.span(text);
        self.strays.push(Stray { row: self.row, path, value });
    }

    fn span(&self, text: &str) -> Span {
        let start = text.as_ptr().addr().saturating_sub(self.base);
        let escaped = text.contains('\\');
        Span::new(form_of(text), start, start + text.len(), escaped)
    }
}

fn form_of(text: &str) -> Form {
    match text.as_bytes().first() {
        Some(b'n') => Form::Null,
        Some(b't' | b'f') => Form::Bool,
        Some(b'"') => Form::String,
        Some(b'[') => Form::Array,
        Some(b'{') => Form::Object,
        _ if text.contains(['.', 'e', 'E']) => Form::Fraction,
        _ => Form::Integer,
    }
}

/// Reads the members of one object that are noted, in the order of their last values.
struct Members<'k, 't> {
    keys: &'k mut Keys,
    node: u32,
    met: Vec<Met<'t>>,
}

impl<'t> DeserializeSeed<'t> for Members<'_, 't> {
    type Value = (Vec<Met<'t>>, u64, u64);

    fn deserialize<D: Deserializer<'t>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'t> Visitor<'t> for Members<'_, 't> {
    type Value = (Vec<Met<'t>>, u64, u64);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let serial = self.keys.enter(self.node).map_or(0, |(serial, _)| serial);
        let (mut last, mut duplicates, mut surrogates) = (NOBODY, 0, 0);
        while let Some(key) = map.next_key::<&RawValue>()? {
            let (found, in_key) = self.keys.learn(self.node, key.get());
            let text = map.next_value::<&RawValue>()?.get();
            surrogates += in_key;
            let member = match found {
                Found::Member(member) => Some(member),
                Found::New | Found::Beyond => None,
                Found::Ignored => continue,
            };
            if let Some(number) = member {
                self.keys.follow(self.node, last, number);
                last = number;
                let known = self.keys.members.get_mut(number as usize);
                if known.is_some_and(|m| std::mem::replace(&mut m.serial, serial) == serial) {
                    duplicates += 1;
                }
            }
            self.met.push(Met { member, text });
        }
        let met = if duplicates > 0 { last_of_each(self.met) } else { self.met };
        Ok((met, duplicates, surrogates))
    }
}

/// Of each key the last member, where it stands. All at once: to look for the earlier one at each key that comes again
/// takes minutes in a record that is made for it.
fn last_of_each(met: Vec<Met<'_>>) -> Vec<Met<'_>> {
    let mut later = HashSet::with_capacity(met.len());
    let last = met.into_iter().rev().filter(|met| met.member.is_none_or(|key| later.insert(key)));
    let mut last: Vec<Met<'_>> = last.collect();
    last.reverse();
    last
}
