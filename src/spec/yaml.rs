//! YAML as a tree in which every key and value knows where it stands.

use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

/// Values in a file at most, aliases expanded, so that a few nested aliases cannot fill the memory.
const MAX_NODES: usize = 100_000;

/// A value and the bytes it was written in.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The bytes of the value.
    pub(crate) span: Range<usize>,
    /// The value.
    pub(crate) kind: Kind,
}

/// A YAML value of the core schema.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON can hold.
    Number(serde_json::Number),
    /// Anything else without structure.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in file order, each key once.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// The bytes of the key.
    pub(crate) span: Range<usize>,
    /// The value.
    pub(crate) value: Node,
}

/// A sentence about some bytes.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The bytes.
    pub(crate) span: Range<usize>,
    /// What is wrong.
    pub(crate) message: String,
    /// Bytes that must not be shown, because nothing else will say whether they are a secret.
    pub(crate) hidden: Option<Range<usize>>,
}

impl Problem {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hidden: None }
    }
}

impl Node {
    /// The value of `key`, of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, of a mapping.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// What kind of value it is, in words.
    pub(crate) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads `text`: the tree, unless it has none, and everything that is wrong with the YAML itself.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut reader = Reader {
        text,
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
        problems: Vec::new(),
    };
    let root = match reader.document() {
        Ok(root) => root,
        Err(problem) => {
            reader.problems.push(problem);
            None
        }
    };
    (root, reader.problems)
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Problem> {
        loop {
            match self.events.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, self.bytes(&span))),
                Some(Err(error)) => {
                    let at = self.offset(error.marker().byte_offset(), error.marker().index());
                    let message = format!("not YAML: {}", error.info());
                    return Err(Problem::new(at..at, message));
                }
                None => {
                    let end = self.text.len();
                    return Err(Problem::new(end..end, "not YAML: it ends early"));
                }
            }
        }
    }

    fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem::new(span, message));
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let start = span.tag_start().unwrap_or(span.start);
        let start = self.offset(start.byte_offset(), start.index());
        let end = self.offset(span.end.byte_offset(), span.end.index());
        start..end.max(start)
    }

    fn offset(&self, bytes: Option<usize>, chars: usize) -> usize {
        let counted = || self.text.char_indices().nth(chars).map(|(at, _)| at);
        bytes.or_else(counted).unwrap_or(self.text.len()).min(self.text.len())
    }

    fn document(&mut self) -> Result<Option<Node>, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(..) if root.is_some() => {
                    self.problem(span, "a second document: one file declares one thing");
                    return Ok(root);
                }
                Event::DocumentStart(..) => {}
                event => root = Some(self.node(event, span)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Range<usize>) -> Result<Node, Problem> {
        self.count(1, &span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(&text, style, tag.as_deref(), &span);
                (Node { span, kind }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                (self.list(style, span)?, anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                (self.map(style, span)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Problem::new(span, "an alias inside of what it names"));
                };
                self.count(size(&node), &span)?;
                return Ok(node);
            }
            _ => return Err(Problem::new(span, "not YAML: a value is missing")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Range<usize>) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("more than {MAX_NODES} values, aliases counted");
        Err(Problem::new(span.clone(), message))
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: &Range<usize>) {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            // Not repeated: what follows a `!` may be a secret that was meant to be quoted.
            self.problem(span.start..span.start, "a YAML tag means nothing here");
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Range<usize>,
    ) -> Kind {
        self.refuse_tag(tag, span);
        let is_text = tag.is_some_and(|tag| tag.suffix() == "str");
        if style == ScalarStyle::Plain && !is_text {
            plain(text)
        } else {
            Kind::Text(text.to_owned())
        }
    }

    fn list(&mut self, style: StructureStyle, span: Range<usize>) -> Result<Node, Problem> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let last = items.last().map_or(span.end, |item| item.span.end);
                let end = if style == StructureStyle::Flow { at.end } else { last };
                return Ok(Node { span: span.start..end.max(span.start), kind: Kind::List(items) });
            }
            let item = self.node(event, at)?;
            items.push(item);
        }
    }

    fn map(&mut self, style: StructureStyle, span: Range<usize>) -> Result<Node, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let last = entries.last().map_or(span.end, |entry| entry.value.span.end);
                let end = if style == StructureStyle::Flow { at.end } else { last };
                merge(&mut entries, merged);
                return Ok(Node {
                    span: span.start..end.max(span.start),
                    kind: Kind::Map(entries),
                });
            }
            let plain_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = self.node(event, at)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at)?;
            if plain_merge {
                merged.push(value);
                continue;
            }
            let Some(name) = key_text(&key, self.text) else {
                let message = format!("a key must be text, not {}", key.describe());
                self.problem(key.span, message);
                continue;
            };
            if entries.iter().any(|entry| entry.key == name) {
                let message = format!("the key `{name}` stands here twice");
                let hidden = Some(value.span);
                self.problems.push(Problem { hidden, ..Problem::new(key.span, message) });
                continue;
            }
            entries.push(Entry { key: name, span: key.span, value });
        }
    }
}

/// Adds the entries of `<<` that the mapping does not have itself.
fn merge(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    for node in merged {
        match node.kind {
            Kind::Map(more) => {
                for entry in more {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        entries.push(entry);
                    }
                }
            }
            Kind::List(nodes) => merge(entries, nodes),
            _ => {}
        }
    }
}

/// A key's text as written: `404` and `true` are keys too.
fn key_text(key: &Node, text: &str) -> Option<String> {
    match &key.kind {
        Kind::Text(name) => Some(name.clone()),
        Kind::Bool(_) | Kind::Number(_) => {
            text.get(key.span.clone()).map(|raw| raw.trim().to_owned())
        }
        Kind::Null | Kind::List(_) | Kind::Map(_) => None,
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
        _ => 1,
    }
}

/// What an unquoted scalar is (YAML 1.2.2, section 10.3.2).
fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Kind::Text(text.to_owned()), Kind::Number)
}

fn number(text: &str) -> Option<serde_json::Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Into::into);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Into::into);
    }
    let digit = |c: char| c.is_ascii_digit();
    if !unsigned.starts_with(|c| digit(c) || c == '.') || !unsigned.contains(digit) {
        return None;
    }
    if unsigned.chars().all(digit) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let small = text.parse::<i64>().ok().map(serde_json::Number::from);
        if let Some(small) = small.or_else(|| text.parse::<u64>().ok().map(Into::into)) {
            return Some(small);
        }
    }
    if !unsigned.chars().all(|c| digit(c) || matches!(c, '.' | 'e' | 'E' | '+' | '-')) {
        return None;
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Node {
        let (root, problems) = parse(text);
        assert!(problems.is_empty(), "{problems:?}");
        root.expect("a tree")
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = "a: { b: [1, 'x'], c: é }\nd: |\n  two\n  lines\n";
        let root = tree(text);
        let b = root.get("a").and_then(|a| a.get("b")).expect("b");
        assert_eq!(text.get(b.span.clone()), Some("[1, 'x']"));
        let c = root.get("a").and_then(|a| a.get("c")).expect("c");
        assert_eq!(text.get(c.span.clone()), Some("é"));
        assert_eq!(root.get("d").and_then(Node::text), Some("two\nlines\n"));
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let kind = |text: &str| tree(&format!("k: {text}")).get("k").expect("k").describe();
        assert_eq!(kind("yes"), "text");
        assert_eq!(kind("2026-03-17"), "text");
        assert_eq!(kind("1.5e3"), "a number");
        assert_eq!(kind("0x1f"), "a number");
        assert_eq!(kind("1.2.3"), "text");
        assert_eq!(kind("[]"), "a list");
        assert_eq!(kind(".inf"), "text");
        assert_eq!(kind("!!str 5"), "text");
        assert_eq!(kind("~"), "nothing");
    }

    #[test]
    fn anchors_aliases_and_merges_are_followed() {
        let root = tree("a: &x { p: 1, q: 2 }\nb: *x\nc: { <<: *x, q: 3 }\n");
        assert!(root.get("b").and_then(|b| b.get("p")).is_some());
        let c = root.get("c").expect("c");
        assert_eq!(c.entries().len(), 2);
        assert!(matches!(&c.get("q").expect("q").kind, Kind::Number(n) if n.as_u64() == Some(3)));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
        for level in 1..9 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
        }
        let (_, problems) = parse(&text);
        assert!(problems.iter().any(|p| p.message.contains("more than")), "{problems:?}");
    }
}
