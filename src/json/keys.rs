//! The declared pointers into a record as a tree of keys, which learns the undeclared ones and which follows which.

use hashbrown::HashMap;

use crate::json::escape::unescape;
use crate::json::find::Chunk;
use crate::json::tape::Paths;
use crate::json::text::chunk;

/// Keys longer than this are not learned: they would make what is observed as large as the data.
const MAX_KEY: usize = 256;

/// No key: before the first of an object, or none that is expected.
pub(super) const NOBODY: usize = usize::MAX;

/// The declared pointers of a table, each with the slot of its value.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(super) nodes: Vec<Node>,
    pub(super) members: Vec<Member>,
    slots: usize,
    paths: Paths,
}

/// A place in a record that pointers lead to or through. The first is the record.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// As in findings: `*` for array items.
    path: String,
    /// The slot of its value, where a pointer ends here.
    pub(super) slot: Option<usize>,
    /// Under a field that takes its subtree whole, where nothing is undeclared.
    pub(super) quiet: bool,
    /// The slots of its value and of all under it.
    pub(super) below: Vec<usize>,
    /// Whether a key under it may be an array's index.
    pub(super) indexed: bool,
    members_by_key: HashMap<Box<[u8]>, usize>,
    /// The member that stood first in the last object.
    pub(super) first: usize,
    /// Counts the objects walked, to tell a key that comes twice.
    pub(super) serial: u64,
}

/// A key of the objects at a node. What follows it is a guess, right for records that look like the last ones.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The first bytes of the key's text with its quotes and colon, zero where it is shorter.
    head: u128,
    /// Set in the bytes of `head` that are the key's.
    mask: u128,
    /// The text whole; empty for a key that JSON writes with an escape, which is never guessed.
    quoted: Box<[u8]>,
    /// The members that followed last, and before that.
    pub(super) next: [usize; 2],
    pub(super) serial: u64,
    pub(super) role: Role,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A declared value: its slot.
    Leaf(usize),
    /// A place that pointers lead through: its node.
    Inner(usize),
    /// An undeclared value: its path's number.
    Undeclared(u32),
}

/// What a key that was not guessed is.
pub(super) enum Found {
    /// A member's number.
    Member(usize),
    /// Met for the first time.
    New,
    /// Undeclared, beyond those that are told apart.
    Beyond,
    /// Under a field that takes its subtree whole.
    Ignored,
}

impl Keys {
    /// No pointers yet; undeclared paths are numbered by `paths`.
    pub fn new(paths: Paths) -> Self {
        let record = Node { first: NOBODY, ..Node::default() };
        Self { nodes: vec![record], members: Vec::new(), slots: 0, paths }
    }

    /// Adds the pointer of these reference tokens; gives the slot of its value. `whole` says that nothing under it is
    /// undeclared.
    pub fn insert(&mut self, tokens: &[String], whole: bool) -> usize {
        let mut at = 0;
        for token in tokens {
            at = self.node_of(at, token);
        }
        let free = self.slots;
        let Some(node) = self.nodes.get_mut(at) else { return free };
        node.quiet |= whole;
        let slot = *node.slot.get_or_insert(free);
        self.slots = self.slots.max(slot + 1);
        slot
    }

    /// Completes the tree once all pointers are in.
    pub fn seal(&mut self) {
        // A node has a higher number than its parent: backward, children come first; forward, parents.
        for at in (0..self.nodes.len()).rev() {
            let children = self.children(at);
            let below: Vec<usize> = children
                .iter()
                .filter_map(|child| self.nodes.get(*child))
                .flat_map(|child| child.below.iter().copied())
                .collect();
            let Some(node) = self.nodes.get_mut(at) else { continue };
            node.indexed = node.members_by_key.keys().any(|key| is_index(key));
            node.below = node.slot.into_iter().chain(below).collect();
        }
        for at in 0..self.nodes.len() {
            let quiet = self.nodes.get(at).is_some_and(|node| node.quiet);
            for child in self.children(at) {
                if let Some(child) = self.nodes.get_mut(child) {
                    child.quiet |= quiet;
                }
            }
        }
        for at in 0..self.members.len() {
            let Some(Member { role: Role::Inner(node), .. }) = self.members.get(at) else {
                continue;
            };
            let Some(node) = self.nodes.get(*node).filter(|node| node.members_by_key.is_empty())
            else {
                continue;
            };
            if let (Some(slot), Some(member)) = (node.slot, self.members.get_mut(at)) {
                member.role = Role::Leaf(slot);
            }
        }
    }

    /// Values a record.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The undeclared paths that were met.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    fn children(&self, at: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get(at) else { return Vec::new() };
        let mut members: Vec<usize> = node.members_by_key.values().copied().collect();
        members.sort_unstable();
        let inner = |at: usize| match self.members.get(at)?.role {
            Role::Inner(node) => Some(node),
            Role::Leaf(_) | Role::Undeclared(_) => None,
        };
        members.into_iter().filter_map(inner).collect()
    }

    fn node_of(&mut self, parent: usize, token: &str) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get(parent) else { return parent };
        let known = node.members_by_key.get(token.as_bytes()).and_then(|at| self.members.get(*at));
        if let Some(Member { role: Role::Inner(node), .. }) = known {
            return *node;
        }
        let shown = if is_index(token.as_bytes()) { "*".to_owned() } else { shown(token) };
        let path = format!("{}/{shown}", node.path);
        self.add(parent, token, Role::Inner(fresh));
        self.nodes.push(Node { path, first: NOBODY, ..Node::default() });
        fresh
    }

    fn add(&mut self, node: usize, key: &str, role: Role) -> usize {
        let at = self.members.len();
        self.members.push(Member::new(key, role));
        if let Some(node) = self.nodes.get_mut(node) {
            node.members_by_key.insert(key.as_bytes().into(), at);
        }
        at
    }

    /// The member of `node` whose key stands at `at`, if it is one of those that followed `last`; with the place
    /// behind its colon.
    #[inline]
    pub(super) fn guess(
        &self,
        node: &Node,
        last: usize,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, usize)> {
        let [next, other] = match self.members.get(last) {
            Some(last) => last.next,
            None => [node.first, NOBODY],
        };
        let head = chunk(bytes, at)?;
        let end = |guess: usize| self.members.get(guess)?.end(head, bytes, at);
        match end(next) {
            Some(end) => Some((next, end)),
            None => Some((other, end(other)?)),
        }
    }

    /// What the unescaped text of a key that was not guessed leads to.
    pub(super) fn find(&self, node: &Node, key: &[u8]) -> Found {
        match node.members_by_key.get(key) {
            Some(member) => Found::Member(*member),
            None if node.quiet => Found::Ignored,
            None if key.len() > MAX_KEY || self.paths.is_full() => Found::Beyond,
            None => Found::New,
        }
    }

    /// As [`Keys::find`] for a key's text with its quotes, learning a new one; and its lone surrogates.
    pub(super) fn learn(&mut self, at: usize, quoted: &str) -> (Found, u64) {
        let (key, surrogates) = unescape(quoted);
        let Some(node) = self.nodes.get(at) else { return (Found::Ignored, 0) };
        let found = match self.find(node, key.as_bytes()) {
            Found::New => match self.paths.number(&format!("{}/{}", node.path, shown(&key))) {
                Some(number) => Found::Member(self.add(at, &key, Role::Undeclared(number))),
                None => Found::Beyond,
            },
            known => known,
        };
        (found, surrogates)
    }

    /// The number of the undeclared path that a node is where no value of its kind was declared.
    pub(super) fn number_of(&self, node: usize) -> Option<u32> {
        self.paths.number(&self.nodes.get(node)?.path)
    }

    /// Remembers that `member` followed `last`.
    #[inline]
    pub(super) fn follow(&mut self, node: usize, last: usize, member: usize) {
        match self.members.get_mut(last) {
            Some(last) => {
                let [next, _] = last.next;
                last.next = [member, next];
            }
            None => {
                if let Some(node) = self.nodes.get_mut(node) {
                    node.first = member;
                }
            }
        }
    }

    /// The declared members of `node` that are an array's items, with their indices.
    pub(super) fn items(&self, node: usize) -> Vec<(usize, Role)> {
        let Some(node) = self.nodes.get(node) else { return Vec::new() };
        let item = |(key, at): (&Box<[u8]>, &usize)| {
            let role = self.members.get(*at)?.role;
            let index = std::str::from_utf8(key).ok().filter(|key| is_index(key.as_bytes()))?;
            (!matches!(role, Role::Undeclared(_))).then_some((index.parse().ok()?, role))
        };
        let mut items: Vec<(usize, Role)> = node.members_by_key.iter().filter_map(item).collect();
        items.sort_unstable_by_key(|(index, _)| *index);
        items
    }
}

impl Member {
    fn new(key: &str, role: Role) -> Self {
        // A key with an escape is never guessed: its text may be another key's.
        let plain = !key.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        let quoted: Vec<u8> = if plain { format!("\"{key}\":").into_bytes() } else { Vec::new() };
        let mut head: Chunk = [0; 16];
        let mut mask: Chunk = [0; 16];
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(&quoted) {
            (*head, *mask) = (*byte, u8::MAX);
        }
        Self {
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
            quoted: quoted.into(),
            next: [NOBODY; 2],
            serial: 0,
            role,
        }
    }

    /// Behind the key and its colon, if they stand at `at`, where `head` is.
    #[inline]
    fn end(&self, head: &Chunk, bytes: &[u8], at: usize) -> Option<usize> {
        let length = self.quoted.len();
        if (u128::from_le_bytes(*head) & self.mask) != self.head || length == 0 {
            return None;
        }
        if length > head.len() && bytes.get(at..at + length)? != &*self.quoted {
            return None;
        }
        Some(at + length)
    }
}

/// A key as a pointer's token (RFC 6901 section 3).
fn shown(key: &str) -> String {
    if key.contains(['~', '/']) {
        key.replace('~', "~0").replace('/', "~1")
    } else {
        key.to_owned()
    }
}

/// Whether a reference token is an array index (RFC 6901 section 4).
fn is_index(token: &[u8]) -> bool {
    match token {
        [b'0'] => true,
        [b'0', ..] | [] => false,
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}
