//! Where a body holds its records and what else is wanted of it: pointers as a tree, and what stood at them.

use std::fmt;
use std::ops::Range;

use crate::json::tape::Tape;

/// The pointers into a body. The root of the tree is the whole body.
#[derive(Clone, Debug)]
pub struct Outline {
    pub(super) root: Node,
    slots: usize,
    nodes: usize,
}

impl Default for Outline {
    /// Nothing is wanted of the body, not even records.
    fn default() -> Self {
        Self { root: Node::default(), slots: 0, nodes: 1 }
    }
}

/// A step of some pointers.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Its number in the outline.
    pub(super) number: usize,
    token: String,
    /// Where the value's place is noted.
    pub(super) slot: Option<usize>,
    /// Whether the records stand here.
    pub(super) records: bool,
    pub(super) children: Vec<Node>,
}

impl Outline {
    /// An outline of a body whose records stand at the pointer of these reference tokens (RFC 6901).
    pub fn of_records(tokens: &[String]) -> Self {
        let mut outline = Self::default();
        outline.node(tokens).records = true;
        outline
    }

    /// Notes the value at the pointer of these reference tokens; gives its slot in [`Found::values`].
    pub fn note(&mut self, tokens: &[String]) -> usize {
        let free = self.slots;
        let slot = *self.node(tokens).slot.get_or_insert(free);
        self.slots = self.slots.max(slot + 1);
        slot
    }

    /// The values that are noted.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Its steps, the root included.
    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    fn node(&mut self, tokens: &[String]) -> &mut Node {
        let mut node = &mut self.root;
        for token in tokens {
            let index = node.children.iter().position(|child| child.token == *token);
            let index = index.unwrap_or(node.children.len());
            if index == node.children.len() {
                let child = Node { number: self.nodes, token: token.clone(), ..Node::default() };
                self.nodes += 1;
                node.children.push(child);
            }
            #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
            let child = &mut node.children[index];
            node = child;
        }
        node
    }
}

impl Node {
    pub(super) fn child(&self, token: &[u8]) -> Option<&Self> {
        self.children.iter().find(|child| child.token.as_bytes() == token)
    }

    /// The child of an array's item: RFC 6901 §4 writes indices without leading zeros.
    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        if self.children.is_empty() { None } else { self.child(index.to_string().as_bytes()) }
    }
}

/// What stands where the records should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// Nothing.
    #[default]
    Missing,
    /// `null`.
    Null,
    /// The records' places.
    Found(Vec<Range<usize>>),
    /// Something else, as the end of a sentence.
    NotArray(&'static str),
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The records.
    pub records: Records,
    /// The noted values' places, by slot.
    pub values: Vec<Option<Range<usize>>>,
    /// The declared values in the records.
    pub tape: Tape,
}

/// Why a body is not JSON.
#[derive(Debug)]
pub enum NotJson {
    /// Bytes that are not UTF-8.
    Utf8(std::str::Utf8Error),
    /// Text that RFC 8259 does not allow.
    Syntax(serde_json::Error),
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8(error) => error.fmt(f),
            Self::Syntax(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotJson {}

/// What kind of value `text` is, as the end of a sentence.
pub fn kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a bool",
        Some(b'n') => "null",
        _ => "a number",
    }
}
