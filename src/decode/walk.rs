//! The walk of one record over the trie of declared pointers.
//!
//! A record is walked one level at a time: every member of an object is taken as its exact text (`RawValue`), then
//! the members that declared pointers lead into are walked in turn. So a duplicate key overwrites all that its
//! first value said, and what nobody declared is skipped at the scanner's speed. A record that looks like the last
//! one costs one comparison a key and no hashing.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::trie::{Found, Role, Trie, is_index};

/// What one record's walk found; reused from record to record.
#[derive(Debug, Default)]
pub(crate) struct Walk<'a> {
    /// The text at every node, `null` below a null, nothing where absent.
    pub(crate) slots: Vec<Option<&'a str>>,
    /// Undeclared values with their path's number; `None` beyond the cap.
    pub(crate) strays: Vec<(Option<usize>, &'a str)>,
    /// Keys that stood twice in one object.
    pub(crate) duplicates: u64,
    /// Lone surrogates in keys.
    pub(crate) surrogates: u64,
}

impl Trie {
    /// Walks one record, which is a JSON object.
    ///
    /// # Errors
    /// Where the text is not JSON.
    pub(crate) fn walk<'a>(
        &mut self,
        text: &'a str,
        walk: &mut Walk<'a>,
    ) -> Result<(), serde_json::Error> {
        walk.slots.clear();
        walk.slots.resize(self.nodes.len(), None);
        walk.strays.clear();
        walk.duplicates = 0;
        walk.surrogates = 0;
        if let Some(root) = walk.slots.first_mut() {
            *root = Some(text);
        }
        self.object(0, text, walk)
    }

    fn object<'a>(
        &mut self,
        at: usize,
        text: &'a str,
        walk: &mut Walk<'a>,
    ) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_str(text);
        Members { trie: self, at, walk }.deserialize(&mut json)?;
        json.end()?;
        self.descend(at, walk)
    }

    /// Walks into the children of a walked value that have children themselves.
    fn descend<'a>(&mut self, at: usize, walk: &mut Walk<'a>) -> Result<(), serde_json::Error> {
        let count = self.nodes.get(at).map_or(0, |node| node.inner.len());
        for n in 0..count {
            let Some(child) = self.nodes.get(at).and_then(|node| node.inner.get(n)).copied() else {
                break;
            };
            if let Some(text) = walk.slots.get(child).copied().flatten() {
                self.value(child, text, walk)?;
            }
        }
        Ok(())
    }

    fn value<'a>(
        &mut self,
        at: usize,
        text: &'a str,
        walk: &mut Walk<'a>,
    ) -> Result<(), serde_json::Error> {
        let Some(node) = self.nodes.get(at) else { return Ok(()) };
        match text.as_bytes().first() {
            Some(b'{') => return self.object(at, text, walk),
            Some(b'n') => {
                for leaf in &node.below {
                    if let Some(slot) = walk.slots.get_mut(*leaf) {
                        *slot = Some("null");
                    }
                }
                return Ok(());
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let by_index = node.index.keys().any(|key| is_index(key));
                for (token, child) in
                    node.index.iter().filter_map(|(token, n)| Some((token, node.children.get(*n)?)))
                {
                    if let (Role::Declared(at), true) = (child.role, is_index(token))
                        && let Some(item) = token.parse().ok().and_then(|n: usize| items.get(n))
                        && let Some(slot) = walk.slots.get_mut(at)
                    {
                        *slot = Some(item.get());
                    }
                }
                if by_index || items.is_empty() {
                    return self.descend(at, walk);
                }
            }
            _ => {}
        }
        // A value of another kind where pointers lead through: an undeclared value at this very path.
        if !node.leaf && !node.quiet {
            let path = node.path.clone();
            let number = self.number(path);
            walk.strays.push((number, text));
        }
        Ok(())
    }
}

/// Reads the members of one object into the slots.
struct Members<'t, 'w, 'a> {
    trie: &'t mut Trie,
    at: usize,
    walk: &'w mut Walk<'a>,
}

impl<'a> DeserializeSeed<'a> for Members<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Members<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
        let serial = self.trie.nodes.get_mut(self.at).map_or(0, |node| {
            node.serial += 1;
            node.serial
        });
        let mut last = None;
        while let Some(key) = members.next_key::<&RawValue>()? {
            let found = self.lookup(last, key.get());
            let value: &RawValue = members.next_value()?;
            match found {
                Found::Child(child) => {
                    self.take(last, child, serial, value.get());
                    last = Some(child);
                }
                Found::Beyond => self.walk.strays.push((None, value.get())),
                Found::Ignored => {}
            }
        }
        Ok(())
    }
}

impl<'a> Members<'_, '_, 'a> {
    fn lookup(&mut self, last: Option<usize>, quoted: &str) -> Found {
        if let Some(node) = self.trie.nodes.get(self.at) {
            let guess = node.guess(last);
            if node.children.get(guess).is_some_and(|child| &*child.quoted == quoted) {
                return Found::Child(guess);
            }
        }
        let (found, surrogates) = self.trie.find(self.at, quoted);
        self.walk.surrogates += surrogates;
        found
    }

    /// Takes the value of `child`, which followed `last`.
    fn take(&mut self, last: Option<usize>, child: usize, serial: u64, text: &'a str) {
        let Some(node) = self.trie.nodes.get_mut(self.at) else { return };
        match last.and_then(|last| node.children.get_mut(last)) {
            Some(last) => last.next = child,
            None => node.first = child,
        }
        let Some(child) = node.children.get_mut(child) else { return };
        let again = child.serial == serial;
        child.serial = serial;
        self.walk.duplicates += u64::from(again);
        match child.role {
            Role::Declared(slot) => {
                if let Some(slot) = self.walk.slots.get_mut(slot) {
                    *slot = Some(text);
                }
            }
            Role::Undeclared(number) if !again => self.walk.strays.push((Some(number), text)),
            Role::Undeclared(_) => {}
        }
    }
}
