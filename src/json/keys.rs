//! The declared pointers into a record as a tree of keys, which learns the undeclared ones and which follows which.

use hashbrown::HashMap;
use wide::u8x16;

use crate::json::escape::unescape;
use crate::json::find::Chunk;
use crate::json::tape::Paths;
use crate::json::text::chunk;

/// Keys longer than this are not learned: they would make what is observed as large as the data.
const MAX_KEY: usize = 256;

/// Bytes of a key that a member holds itself.
const HEAD: usize = size_of::<Chunk>();

/// Keys of a node that are found by a glance, at most.
const RECENT: usize = 256;

/// No key: before the first of an object, or none that is expected.
pub(super) const NOBODY: u32 = u32::MAX;

/// The declared pointers of a table, each with the slot of its value.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(super) nodes: Vec<Node>,
    pub(super) members: Vec<Member>,
    /// By member: its key with quotes and colon, where that is longer than the member holds.
    long: Vec<Box<[u8]>>,
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
    members_by_key: HashMap<Box<[u8]>, u32>,
    /// The members that were found last, by [`place_of`] their keys; empty before the first.
    recent: Vec<u32>,
    /// The member that stood first in the last object.
    pub(super) first: u32,
    /// Counts the objects walked, to tell a key that comes twice.
    pub(super) serial: u64,
}

/// A key of the objects at a node. What follows it is a guess, right for records that look like the last ones.
/// One line of the fastest memory, as every key of every record comes by here.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Member {
    /// The first bytes of the key's text with its quotes and colon, zero where it is shorter.
    head: u8x16,
    /// Set in the bytes of `head` that are the key's.
    mask: u8x16,
    pub(super) serial: u64,
    pub(super) role: Role,
    /// The members that followed last, and before that.
    pub(super) next: [u32; 2],
    /// Bytes of the text; 0 for a key that JSON writes with an escape, which is never guessed.
    length: u32,
}

const _: () = assert!(size_of::<Member>() == 64);

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A declared value: its slot.
    Leaf(u32),
    /// A place that pointers lead through: its node.
    Inner(u32),
    /// An undeclared value: its path's number.
    Undeclared(u32),
}

/// What a key that was not guessed is.
pub(super) enum Found {
    /// A member's number.
    Member(u32),
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
        Self { nodes: vec![record], members: Vec::new(), long: Vec::new(), slots: 0, paths }
    }

    /// Adds the pointer of these reference tokens; gives the slot of its value. `whole` says that nothing under it is
    /// undeclared.
    pub fn insert(&mut self, tokens: &[String], whole: bool) -> usize {
        let mut at = 0;
        for token in tokens {
            at = self.node_of(at, token);
        }
        let free = self.slots;
        let Some(node) = self.nodes.get_mut(at as usize) else { return free };
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
            let below = children.iter().filter_map(|child| self.nodes.get(*child as usize));
            let below: Vec<usize> = below.flat_map(|child| child.below.iter().copied()).collect();
            let Some(node) = self.nodes.get_mut(at) else { continue };
            node.indexed = node.members_by_key.keys().any(|key| is_index(key));
            node.below = node.slot.into_iter().chain(below).collect();
        }
        for at in 0..self.nodes.len() {
            let quiet = self.nodes.get(at).is_some_and(|node| node.quiet);
            for child in self.children(at) {
                if let Some(child) = self.nodes.get_mut(child as usize) {
                    child.quiet |= quiet;
                }
            }
        }
        for member in &mut self.members {
            let Role::Inner(node) = member.role else { continue };
            let node = self.nodes.get(node as usize);
            let leaf =
                node.filter(|node| node.members_by_key.is_empty()).and_then(|node| node.slot);
            if let Some(slot) = leaf {
                member.role = Role::Leaf(u32::try_from(slot).unwrap_or(u32::MAX));
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

    pub(super) fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(node as usize)
    }

    pub(super) fn member(&self, member: u32) -> Option<&Member> {
        self.members.get(member as usize)
    }

    fn children(&self, at: usize) -> Vec<u32> {
        let Some(node) = self.nodes.get(at) else { return Vec::new() };
        let mut members: Vec<u32> = node.members_by_key.values().copied().collect();
        members.sort_unstable();
        let inner = |at: u32| match self.member(at)?.role {
            Role::Inner(node) => Some(node),
            Role::Leaf(_) | Role::Undeclared(_) => None,
        };
        members.into_iter().filter_map(inner).collect()
    }

    fn node_of(&mut self, parent: u32, token: &str) -> u32 {
        let fresh = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.node(parent) else { return parent };
        let known = node.members_by_key.get(token.as_bytes()).and_then(|at| self.member(*at));
        if let Some(Member { role: Role::Inner(node), .. }) = known {
            return *node;
        }
        let shown = if is_index(token.as_bytes()) { "*".to_owned() } else { shown(token) };
        let path = format!("{}/{shown}", node.path);
        self.add(parent, token, Role::Inner(fresh));
        self.nodes.push(Node { path, first: NOBODY, ..Node::default() });
        fresh
    }

    fn add(&mut self, node: u32, key: &str, role: Role) -> u32 {
        let at = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        // A key with an escape is never guessed: its text may be another key's.
        let plain = !key.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        let quoted = if plain { format!("\"{key}\":") } else { String::new() };
        self.members.push(Member::new(quoted.as_bytes(), role));
        let long = if quoted.len() > HEAD { quoted.into_bytes() } else { Vec::new() };
        self.long.push(long.into());
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.members_by_key.insert(key.as_bytes().into(), at);
        }
        at
    }

    /// Behind the colon of the key at `at`, if it is that of `member`.
    #[inline(always)]
    pub(super) fn end_of(&self, member: u32, bytes: &[u8], at: usize) -> Option<usize> {
        let known = self.members.get(member as usize)?;
        let there = u8x16::from(*chunk(bytes, at)?) & known.mask;
        if !there.simd_eq(known.head).all() || known.length == 0 {
            return None;
        }
        let length = known.length as usize;
        (length <= HEAD || self.is_long(member, bytes, at)).then_some(at + length)
    }

    #[inline(never)]
    fn is_long(&self, member: u32, bytes: &[u8], at: usize) -> bool {
        let Some(text) = self.long.get(member as usize) else { return false };
        let Some(bytes) = bytes.get(at..at + text.len()) else { return false };
        // The first bytes were compared: of the usual long key the last ones are left.
        match (text.last_chunk::<HEAD>(), bytes.last_chunk::<HEAD>()) {
            (Some(own), Some(there)) if text.len() <= 2 * HEAD => own == there,
            _ => **text == *bytes,
        }
    }

    /// What the unescaped text of a key that was not guessed leads to.
    fn find(&self, node: &Node, key: &[u8]) -> Found {
        match node.members_by_key.get(key) {
            Some(member) => Found::Member(*member),
            None if node.quiet => Found::Ignored,
            None if key.len() > MAX_KEY || self.paths.is_full() => Found::Beyond,
            None => Found::New,
        }
    }

    /// As [`Keys::find`] for the key without escapes whose quotes are at `at` and before `end`, remembered from the last
    /// time where it can be.
    pub(super) fn recall(
        &mut self,
        at_node: u32,
        bytes: &[u8],
        at: usize,
        end: usize,
    ) -> Option<Found> {
        let key = bytes.get(at + 1..end - 1)?;
        let node = self.node(at_node)?;
        let place = chunk(bytes, at).map_or(RECENT, |text| place_of(text, key.len()));
        if let Some(member) = node.recent.get(place)
            && self.end_of(*member, bytes, at).is_some()
        {
            return Some(Found::Member(*member));
        }
        let found = self.find(node, key);
        if let (Found::Member(member), Some(node)) = (&found, self.nodes.get_mut(at_node as usize))
        {
            node.recent.resize(RECENT, NOBODY);
            if let Some(recent) = node.recent.get_mut(place) {
                *recent = *member;
            }
        }
        Some(found)
    }

    /// As [`Keys::find`] for a key's text with its quotes, learning a new one; and its lone surrogates.
    pub(super) fn learn(&mut self, at: u32, quoted: &str) -> (Found, u64) {
        let (key, surrogates) = unescape(quoted);
        let Some(node) = self.node(at) else { return (Found::Ignored, 0) };
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
    pub(super) fn number_of(&self, node: u32) -> Option<u32> {
        self.paths.number(&self.node(node)?.path)
    }

    /// Begins an object at `node`: its serial, and the member that is expected first.
    #[inline]
    pub(super) fn enter(&mut self, node: u32) -> Option<(u64, u32)> {
        let node = self.nodes.get_mut(node as usize)?;
        node.serial += 1;
        Some((node.serial, node.first))
    }

    /// Remembers that `member` of `node` followed `last`.
    pub(super) fn follow(&mut self, node: u32, last: u32, member: u32) {
        if let Some(last) = self.members.get_mut(last as usize) {
            let [next, _] = last.next;
            last.next = [member, next];
        } else if let Some(node) = self.nodes.get_mut(node as usize) {
            node.first = member;
        }
    }

    /// The declared members of `node` that are an array's items, with their indices.
    pub(super) fn items(&self, node: u32) -> Vec<(usize, Role)> {
        let Some(node) = self.node(node) else { return Vec::new() };
        let item = |(key, at): (&[u8], u32)| {
            let role = self.member(at)?.role;
            let index = std::str::from_utf8(key).ok().filter(|key| is_index(key.as_bytes()))?;
            (!matches!(role, Role::Undeclared(_))).then_some((index.parse().ok()?, role))
        };
        let mut items: Vec<(usize, Role)> =
            node.members_by_key.iter().map(|(key, at)| (&**key, *at)).filter_map(item).collect();
        items.sort_unstable_by_key(|(index, _)| *index);
        items
    }
}

impl Member {
    /// A member whose key is written so, with quotes and colon.
    fn new(quoted: &[u8], role: Role) -> Self {
        let mut head: Chunk = [0; HEAD];
        let mut mask: Chunk = [0; HEAD];
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(quoted) {
            (*head, *mask) = (*byte, u8::MAX);
        }
        Self {
            head: head.into(),
            mask: mask.into(),
            length: u32::try_from(quoted.len()).unwrap_or(0),
            next: [NOBODY; 2],
            serial: 0,
            role,
        }
    }
}

/// A number below [`RECENT`] that differs between most keys of an object, of a key's length and its text from the quote
/// on.
fn place_of(text: &Chunk, length: usize) -> usize {
    let behind = HEAD.saturating_sub(length + 1);
    let text = u128::from_le_bytes(*text) << (8 * behind);
    let halves = (text >> 64) ^ (text & u128::from(u64::MAX));
    let folded = u64::try_from(halves).unwrap_or(0).wrapping_add(length as u64);
    // The golden ratio's digits, whose product spreads what differs into the highest byte (Knuth, volume 3, 6.4).
    usize::from(folded.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0])
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
