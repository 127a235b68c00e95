//! The declared pointers as a trie, and the walk of one record over it.
//!
//! A record is walked one level at a time: every member of an object is taken as its exact text (`RawValue`), then
//! the members that declared pointers lead into are walked in turn. So a duplicate key overwrites all that its
//! first value said, and what nobody declared is skipped at the scanner's speed. The trie learns undeclared keys,
//! and which key follows which: a record that looks like the last one costs one comparison a key and no hashing.

use hashbrown::HashMap;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::text::unescape;
use crate::spec::pointer::Pointer;

/// Undeclared paths that are told apart in a window (DESIGN §7).
pub(crate) const MAX_PATHS: usize = 1_000;

/// Keys longer than this are not learned: they would make the shape as large as the data.
const MAX_KEY: usize = 256;

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

#[derive(Debug, Default)]
struct Node {
    /// As in findings: `*` for array items.
    path: String,
    /// A field's value stands here.
    leaf: bool,
    /// Under a `json` field, where nothing is undeclared.
    quiet: bool,
    /// Leaves under it.
    below: Vec<usize>,
    /// Children that have children.
    inner: Vec<usize>,
    children: Vec<Child>,
    index: HashMap<Box<str>, usize>,
    /// The child that stood first in the last object.
    first: usize,
    /// Counts the objects walked, to tell duplicates.
    serial: u64,
}

#[derive(Debug)]
struct Child {
    /// The key's JSON text, where it needs no escapes.
    quoted: Box<str>,
    /// The child that followed in the last object.
    next: usize,
    serial: u64,
    role: Role,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Declared(usize),
    Undeclared(usize),
}

/// The declared pointers of a table.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// The undeclared paths, by number.
    paths: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Trie {
    /// A trie without pointers.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], paths: Vec::new(), numbers: HashMap::new() }
    }

    /// Adds a field's pointer and returns the slot of its value.
    pub(crate) fn insert(&mut self, pointer: &Pointer, json: bool) -> usize {
        let mut at = 0;
        for token in pointer.tokens() {
            at = self.child_node(at, token);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.leaf = true;
            node.quiet |= json;
        }
        at
    }

    fn child_node(&mut self, parent: usize, token: &str) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else { return parent };
        if let Some(child) = node.index.get(token).and_then(|at| node.children.get(*at))
            && let Role::Declared(at) = child.role
        {
            return at;
        }
        let shown = if is_index(token) { "*".to_owned() } else { Pointer::key(token).to_string() };
        let path = format!("{}/{}", node.path, shown.trim_start_matches('/'));
        node.add(token, Role::Declared(fresh));
        self.nodes.push(Node { path, ..Node::default() });
        fresh
    }

    /// Completes the trie once all pointers are in: what lies under what.
    pub(crate) fn seal(&mut self) {
        // Children have higher numbers than their parents, so one backward pass sees children first.
        for at in (0..self.nodes.len()).rev() {
            let children: Vec<usize> = self.nodes.get(at).map(Node::declared).unwrap_or_default();
            for child in children {
                let Some(node) = self.nodes.get(child) else { continue };
                let mut below = node.below.clone();
                below.extend(node.leaf.then_some(child));
                let inner = !node.children.is_empty();
                if let Some(node) = self.nodes.get_mut(at) {
                    node.below.extend(below);
                    node.inner.extend(inner.then_some(child));
                }
            }
        }
        for at in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(at).filter(|node| node.quiet) else { continue };
            for child in node.declared() {
                if let Some(node) = self.nodes.get_mut(child) {
                    node.quiet = true;
                }
            }
        }
    }

    /// The undeclared paths met so far, by number.
    pub(crate) fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Starts from the undeclared paths of an earlier walk, in their order.
    pub(crate) fn resume(&mut self, paths: Vec<String>) {
        self.numbers = paths.iter().cloned().enumerate().map(|(n, path)| (path, n)).collect();
        self.paths = paths;
        for node in &mut self.nodes {
            node.forget();
        }
    }

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

    /// The number of an undeclared path; `None` beyond the cap.
    fn number(&mut self, path: String) -> Option<usize> {
        if let Some(number) = self.numbers.get(&path) {
            return Some(*number);
        }
        let number = self.paths.len();
        if number >= MAX_PATHS {
            return None;
        }
        self.paths.push(path.clone());
        self.numbers.insert(path, number);
        Some(number)
    }

    /// The child of `at` for a key that the prediction missed.
    fn find(&mut self, at: usize, quoted: &str, walk: &mut Walk<'_>) -> Found {
        let (key, surrogates) = unescape(quoted);
        walk.surrogates += surrogates;
        let Some(node) = self.nodes.get(at) else { return Found::Ignored };
        if let Some(child) = node.index.get(&*key) {
            return Found::Child(*child);
        }
        if node.quiet {
            return Found::Ignored;
        }
        if key.len() > MAX_KEY {
            return Found::Beyond;
        }
        let path = format!("{}{}", node.path, Pointer::key(&key));
        let Some(number) = self.number(path) else { return Found::Beyond };
        let Some(node) = self.nodes.get_mut(at) else { return Found::Ignored };
        Found::Child(node.add(&key, Role::Undeclared(number)))
    }
}

/// What a key leads to.
enum Found {
    Child(usize),
    /// Undeclared, beyond the cap.
    Beyond,
    /// Under a `json` field.
    Ignored,
}

impl Node {
    fn add(&mut self, key: &str, role: Role) -> usize {
        let at = self.children.len();
        // A key that JSON writes with an escape is never predicted: its text may be another key's.
        let quoted = if key.contains('\\') { Box::default() } else { format!("\"{key}\"").into() };
        self.children.push(Child { quoted, next: at + 1, serial: 0, role });
        self.index.insert(key.into(), at);
        at
    }

    fn declared(&self) -> Vec<usize> {
        let declared = |child: &Child| match child.role {
            Role::Declared(at) => Some(at),
            Role::Undeclared(_) => None,
        };
        self.children.iter().filter_map(declared).collect()
    }

    /// Forgets the undeclared keys, which were learned last.
    fn forget(&mut self) {
        let kept = self.declared().len();
        self.children.truncate(kept);
        self.index.retain(|_, at| *at < kept);
        self.first = 0;
    }

    fn guess(&self, last: Option<usize>) -> usize {
        last.map_or(Some(self.first), |last| self.children.get(last).map(|c| c.next)).unwrap_or(0)
    }
}

fn is_index(token: &str) -> bool {
    token == "0"
        || (!token.starts_with('0')
            && !token.is_empty()
            && token.bytes().all(|b| b.is_ascii_digit()))
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
        self.trie.find(self.at, quoted, self.walk)
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
