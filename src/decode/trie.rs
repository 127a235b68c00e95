//! The declared pointers as a trie, which learns the undeclared keys and which key follows which.

use hashbrown::HashMap;

use crate::decode::text::unescape;
use crate::spec::pointer::Pointer;

/// Undeclared paths that are told apart in a window (DESIGN §7).
pub(crate) const MAX_PATHS: usize = 1_000;

/// Keys longer than this are not learned: they would make the shape as large as the data.
const MAX_KEY: usize = 256;

/// A place that pointers lead to or through.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// As in findings: `*` for array items.
    pub(crate) path: String,
    /// A field's value stands here.
    pub(crate) leaf: bool,
    /// Under a `json` field, where nothing is undeclared.
    pub(crate) quiet: bool,
    /// Leaves under it.
    pub(crate) below: Vec<usize>,
    /// Children that have children.
    pub(crate) inner: Vec<usize>,
    pub(crate) children: Vec<Child>,
    pub(crate) index: HashMap<Box<str>, usize>,
    /// The child that stood first in the last object.
    pub(crate) first: usize,
    /// Counts the objects walked, to tell duplicates.
    pub(crate) serial: u64,
}

/// A key of an object at a node.
#[derive(Debug)]
pub(crate) struct Child {
    /// The key's JSON text, where it needs no escapes.
    pub(crate) quoted: Box<str>,
    /// The child that followed in the last object.
    pub(crate) next: usize,
    pub(crate) serial: u64,
    pub(crate) role: Role,
}

/// What a key is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Declared, or on the way: a node's number.
    Declared(usize),
    /// Undeclared: a path's number.
    Undeclared(usize),
}

/// The declared pointers of a table.
#[derive(Debug)]
pub(crate) struct Trie {
    pub(crate) nodes: Vec<Node>,
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

    /// The number of an undeclared path; `None` beyond the cap.
    pub(crate) fn number(&mut self, path: String) -> Option<usize> {
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

    /// The child of `at` for a key that the prediction missed, and lone surrogates in the key.
    pub(crate) fn find(&mut self, at: usize, quoted: &str) -> (Found, u64) {
        let (key, surrogates) = unescape(quoted);
        (self.find_key(at, &key), surrogates)
    }

    fn find_key(&mut self, at: usize, key: &str) -> Found {
        let Some(node) = self.nodes.get(at) else { return Found::Ignored };
        if let Some(child) = node.index.get(key) {
            return Found::Child(*child);
        }
        if node.quiet {
            return Found::Ignored;
        }
        if key.len() > MAX_KEY {
            return Found::Beyond;
        }
        let path = format!("{}{}", node.path, Pointer::key(key));
        let Some(number) = self.number(path) else { return Found::Beyond };
        let Some(node) = self.nodes.get_mut(at) else { return Found::Ignored };
        Found::Child(node.add(key, Role::Undeclared(number)))
    }
}

/// What a key leads to.
pub(crate) enum Found {
    /// A child's number.
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

    /// The child that is expected after `last`, or first.
    pub(crate) fn guess(&self, last: Option<usize>) -> usize {
        last.map_or(Some(self.first), |last| self.children.get(last).map(|c| c.next)).unwrap_or(0)
    }
}

/// Whether a reference token is an array index (RFC 6901 section 4).
pub(crate) fn is_index(token: &str) -> bool {
    token == "0"
        || (!token.starts_with('0')
            && !token.is_empty()
            && token.bytes().all(|b| b.is_ascii_digit()))
}
