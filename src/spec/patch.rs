//! A schema file with proposed lines worked in: only what they change is written anew, comments and order stay.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::spec::check::table_of;
use crate::spec::document::Document;
use crate::spec::yaml::{self, Entry, Kind, Node};

/// Keys of a field that a proposal without them takes away. The others it names, or leaves as they are.
const TAKEN_AWAY: [&str; 12] = [
    "on_invalid",
    "known",
    "min",
    "max",
    "case",
    "integers",
    "minor_digits",
    "currency",
    "round",
    "decimal_mark",
    "unit",
    "assume_zone",
];
/// Keys that a field has whatever its type.
const OF_ANY_TYPE: [&str; 4] = ["from", "required", "drift", "pii"];

/// The file at `path` with the proposed lines in it: each a field (`- { name: … }`), or a `drift` key of the table.
///
/// # Errors
/// `Config` where the file is wrong before, or would be after: both with what is wrong. `Usage` where it is written in a
/// way that a part of it cannot be changed.
pub fn patched(path: &Path, lines: &[&str]) -> Result<String> {
    let document =
        Document::read(path).map_err(|unread| Error::new(ErrorKind::Config, unread.to_string()))?;
    let text = document.text().to_owned();
    table_of(Document::parse(path, text.clone()))?;
    let Some(root) = document.tree() else { return Ok(text) };
    let mut proposed = Proposed::default();
    for line in lines {
        proposed.take(line);
    }
    let mut edits = Edits { text: &text, edits: Vec::new() };
    edits.fields(root, &proposed).ok_or_else(|| {
        Error::new(ErrorKind::Usage, "the schema file is written in a way that cannot be patched")
            .with("file", path.display())
            .hint("an alias or a merge stands where a field is to change: write the lines in by hand, `lakeward drift` prints them")
    })?;
    let patched = edits.applied();
    table_of(Document::parse(path, patched.clone())).map_err(|error| {
        Error::new(ErrorKind::Config, "the proposed lines do not go together")
            .hint("`lakeward drift` prints them one by one: choose among them")
            .caused_by(error)
    })?;
    Ok(patched)
}

/// Keys of a field, or of a `drift` key, with their values as YAML text.
type Keys = BTreeMap<String, String>;

/// What the lines propose.
#[derive(Default)]
struct Proposed {
    /// By field, each line for itself.
    fields: Vec<(String, Vec<Keys>)>,
    table: Keys,
}

impl Proposed {
    /// Takes in a line.
    fn take(&mut self, line: &str) {
        let (Some(root), _) = yaml::parse(line) else { return };
        let texts = |node: &Node| -> Keys {
            let text = |entry: &Entry| line.get(entry.value.span.clone()).unwrap_or_default();
            node.entries().iter().map(|entry| (entry.key.clone(), text(entry).to_owned())).collect()
        };
        let Kind::List(items) = &root.kind else {
            if let Some(drift) = root.get("drift") {
                self.table.extend(texts(drift));
            }
            return;
        };
        for item in items {
            let Some(name) = item.get("name").and_then(Node::text) else { continue };
            match self.fields.iter_mut().find(|(known, _)| known == name) {
                Some((_, lines)) => lines.push(texts(item)),
                None => self.fields.push((name.to_owned(), vec![texts(item)])),
            }
        }
    }
}

/// Several lines for one field as one: of two types the wider one stands (text holds what a number does, JSON what text
/// does), with its own keys; what each line changes of the others is kept, and lists are joined.
fn merged(item: &Node, lines: &[Keys]) -> Option<Keys> {
    // The first of the widest.
    let widest = lines.iter().rev().max_by_key(|keys| rank(keys))?;
    let mut merged = widest.clone();
    for keys in lines {
        let same_type = keys.get("type") == widest.get("type");
        for (key, text) in keys {
            let fits = same_type || OF_ANY_TYPE.contains(&key.as_str());
            if !fits || is_declared(item, key, text) {
                continue;
            }
            let joined = match merged.get(key) {
                Some(own) if key == "known" => joined(own, text),
                Some(own) if is_declared(item, key, own) => text.clone(),
                Some(own) => own.clone(),
                None => text.clone(),
            };
            merged.insert(key.clone(), joined);
        }
    }
    Some(merged)
}

/// Whether a field has this value already, written or by default.
fn is_declared(item: &Node, key: &str, text: &str) -> bool {
    let name = || item.get("name").and_then(Node::text).unwrap_or_default();
    match item.get(key) {
        Some(value) => same(value, text),
        None => key == "from" && text.strip_prefix('/') == Some(name()),
    }
}

/// The items of two lists, those of the first first.
fn joined(one: &str, other: &str) -> String {
    let (Some(a), Some(b)) = (yaml::parse(one).0, yaml::parse(other).0) else {
        return one.to_owned();
    };
    let (Kind::List(a), Kind::List(b)) = (&a.kind, &b.kind) else { return one.to_owned() };
    let new = b.iter().filter(|item| !a.iter().any(|own| equal(own, item)));
    let texts = a.iter().filter_map(|item| one.get(item.span.clone()));
    let texts = texts.chain(new.filter_map(|item| other.get(item.span.clone())));
    format!("[{}]", texts.collect::<Vec<_>>().join(", "))
}

fn rank(keys: &Keys) -> u8 {
    match keys.get("type").map(String::as_str) {
        Some("json") => 2,
        Some("string") => 1,
        _ => 0,
    }
}

struct Edits<'a> {
    text: &'a str,
    edits: Vec<(Range<usize>, String)>,
}

impl Edits<'_> {
    /// `None` where something that is to change stands somewhere else, behind an alias.
    fn fields(&mut self, root: &Node, proposed: &Proposed) -> Option<()> {
        let list = root.entry("fields")?;
        let Kind::List(items) = &list.value.kind else { return None };
        let mut new = Vec::new();
        for (name, lines) in &proposed.fields {
            let own = |item: &&Node| item.get("name").and_then(Node::text) == Some(name);
            match items.iter().find(own) {
                Some(item) => self.field(&list.value, item, &merged(item, lines)?)?,
                None => new.extend(lines.first()),
            }
        }
        if let Some(last) = items.last() {
            self.new_fields(&list.value, last, &new)?;
        }
        if !proposed.table.is_empty() {
            match root.entry("drift") {
                Some(drift) => self.keys(&drift.value, &proposed.table),
                None => {
                    let line = self.line_start(list.span.start);
                    self.edits
                        .push((line..line, format!("drift: {{ {} }}\n", flow(&proposed.table))));
                }
            }
        }
        Some(())
    }

    /// Changes a declared field.
    fn field(&mut self, list: &Node, item: &Node, keys: &Keys) -> Option<()> {
        let inside =
            |span: &Range<usize>| list.span.start <= span.start && span.end <= list.span.end;
        let own = item.entries().iter().all(|entry| {
            item.span.start <= entry.span.start && entry.value.span.end <= item.span.end
        });
        if !inside(&item.span) || !own {
            return None;
        }
        let wanted = keys.iter().filter(|(key, text)| !is_declared(item, key, text));
        self.keys(item, &wanted.map(|(key, text)| (key.clone(), text.clone())).collect());
        for (at, entry) in item.entries().iter().enumerate() {
            if TAKEN_AWAY.contains(&entry.key.as_str()) && !keys.contains_key(&entry.key) {
                self.take_away(item, at);
            }
        }
        Some(())
    }

    /// Gives a mapping these values: in place where the key is there, else at its end.
    fn keys(&mut self, map: &Node, keys: &Keys) {
        let mut new = BTreeMap::new();
        for (key, text) in keys {
            match map.entry(key) {
                Some(entry) if same(&entry.value, text) => {}
                Some(entry) if self.goes_on(&entry.value, text) => {}
                Some(entry) => self.edits.push((entry.value.span.clone(), text.clone())),
                None => {
                    new.insert(key.clone(), text.clone());
                }
            }
        }
        if new.is_empty() {
            return;
        }
        let last = map.entries().last().map_or(map.span.end, |entry| entry.value.span.end);
        if self.is_flow(map) {
            self.edits.push((last..last, format!(", {}", flow(&new))));
            return;
        }
        let first = map.entries().first().map_or(map.span.start, |entry| entry.span.start);
        let indent = " ".repeat(first - self.line_start(first));
        let end = self.line_end(last);
        let lines: String =
            new.iter().map(|(key, text)| format!("\n{indent}{key}: {text}")).collect();
        self.edits.push((end..end, lines));
    }

    /// Adds the items that a list has more than before, where it has all of those; else does nothing.
    fn goes_on(&mut self, list: &Node, text: &str) -> bool {
        let (Kind::List(items), Some(Node { kind: Kind::List(all), .. })) =
            (&list.kind, yaml::parse(text).0)
        else {
            return false;
        };
        let more = all.get(items.len()..).unwrap_or_default();
        let begins = items.len() < all.len() && items.iter().zip(&all).all(|(a, b)| equal(a, b));
        let Some(last) = items.last().filter(|_| begins) else { return false };
        let written = more.iter().filter_map(|item| text.get(item.span.clone()));
        if self.is_flow(list) {
            let more: String = written.map(|item| format!(", {item}")).collect();
            self.edits.push((last.span.end..last.span.end, more));
            return true;
        }
        let Some(indent) = self.dash_indent(last.span.start) else { return false };
        let end = self.line_end(last.span.end);
        let more: String = written.map(|item| format!("\n{indent}- {item}")).collect();
        self.edits.push((end..end, more));
        true
    }

    /// Takes a key and its value out of a mapping, whose first key is another.
    fn take_away(&mut self, map: &Node, at: usize) {
        let entries = map.entries();
        let (Some(entry), Some(before)) =
            (entries.get(at), at.checked_sub(1).and_then(|at| entries.get(at)))
        else {
            return;
        };
        let span = if self.is_flow(map) {
            before.value.span.end..entry.value.span.end
        } else {
            // With the line break before it: what comes after may be inserted at its end.
            let before = self.line_start(entry.span.start).saturating_sub(1);
            let broken = self.text.get(..before).is_some_and(|text| text.ends_with('\r'));
            before - usize::from(broken)..self.line_end(entry.value.span.end)
        };
        self.edits.push((span, String::new()));
    }

    fn new_fields(&mut self, list: &Node, last: &Node, new: &[&Keys]) -> Option<()> {
        if last.span.end > list.span.end {
            return None;
        }
        let line = |keys: &&Keys| format!("{{ {} }}", flow(keys));
        if self.is_flow(list) {
            let fields: String = new.iter().map(|keys| format!(", {}", line(keys))).collect();
            self.edits.push((last.span.end..last.span.end, fields));
            return Some(());
        }
        let indent = self.dash_indent(last.span.start)?;
        let end = self.line_end(last.span.end);
        let fields: String = new.iter().map(|keys| format!("\n{indent}- {}", line(keys))).collect();
        self.edits.push((end..end, fields));
        Some(())
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text.get(node.span.start..).is_some_and(|text| text.starts_with(['{', '[']))
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
    }

    /// What stands before the dash of the item that begins here: on its line, or on one above with comments between.
    fn dash_indent(&self, at: usize) -> Option<String> {
        let mut lines = self.text.get(..at)?.lines().rev();
        let line = lines.find(|line| line.trim_start().starts_with('-'))?;
        Some(" ".repeat(line.len() - line.trim_start().len()))
    }

    /// Where the line of this place ends, before its line break.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let line = rest.get(..rest.find('\n').unwrap_or(rest.len())).unwrap_or_default();
        at + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The text with all edits. Those at one place stay in their order.
    fn applied(mut self) -> String {
        self.edits.sort_by_key(|(span, _)| (span.start, span.end));
        let ends_in_two = self.text.contains("\r\n");
        let (mut patched, mut at) = (String::with_capacity(self.text.len()), 0);
        for (span, text) in &self.edits {
            patched.push_str(self.text.get(at..span.start).unwrap_or_default());
            match ends_in_two {
                true => patched.push_str(&text.replace('\n', "\r\n")),
                false => patched.push_str(text),
            }
            at = at.max(span.end);
        }
        patched.push_str(self.text.get(at..).unwrap_or_default());
        patched
    }
}

/// Keys and values in one line, those first that a reader looks for first.
fn flow(keys: &Keys) -> String {
    let first = ["name", "type", "from", "required"];
    let place = |key: &str| first.iter().position(|one| *one == key).unwrap_or(first.len());
    let mut ordered: Vec<_> = keys.iter().collect();
    ordered.sort_by_key(|(key, _)| place(key));
    ordered.iter().map(|(key, text)| format!("{key}: {text}")).collect::<Vec<_>>().join(", ")
}

/// Whether a value is what the text says, however either is written.
fn same(node: &Node, text: &str) -> bool {
    yaml::parse(text).0.is_some_and(|other| equal(node, &other))
}

fn equal(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        // One pointer may be written as a list of one.
        (Kind::List(a), _) => matches!(a.as_slice(), [only] if equal(only, other)),
        (_, Kind::List(b)) => matches!(b.as_slice(), [only] if equal(one, only)),
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|entry| other.get(&entry.key).is_some_and(|b| equal(&entry.value, b)))
        }
        (Kind::Text(a), Kind::Text(b)) => a == b || (a.contains('(') && tight(a) == tight(b)),
        (Kind::Number(a), Kind::Number(b)) => a == b,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Null, Kind::Null) => true,
        _ => false,
    }
}

/// A type such as `decimal(18, 2)` without its spaces.
fn tight(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Orders.
version: 1
table: orders
fields:   # in order
  - { name: id, type: string, required: true }  # the key
  # Money.
  - name: amount   # paise
    type: decimal(18,2)
    from: /amount
  - name: status
    type: string
    known:
      - paid       # in full
      - due
    case: lower
  - { name: n, type: int64, min: 0, max: 9 }
# The end.
";

    fn patch(file: &str, lines: &[&str]) -> Result<String> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("orders.yaml");
        std::fs::write(&path, file).expect("written");
        patched(&path, lines)
    }

    #[test]
    fn only_what_is_proposed_changes() {
        let lines = [
            "- { name: upi_ref, type: string, from: /upi_ref }",
            "- { name: amount, type: \"decimal(18, 2)\", from: [/paise, /amount] }",
            "- { name: status, type: string, from: /status, case: lower, known: [paid, due, \"void\"] }",
            "- { name: n, type: string, from: /n }",
            "- { name: id, type: string, from: /id, required: false }",
            "drift: { mixed_units: ignore }",
        ];
        insta::assert_snapshot!(patch(FILE, &lines).expect("patched"), @r#"
        # Orders.
        version: 1
        table: orders
        drift: { mixed_units: ignore }
        fields:   # in order
          - { name: id, type: string, required: false }  # the key
          # Money.
          - name: amount   # paise
            type: decimal(18,2)
            from: [/paise, /amount]
          - name: status
            type: string
            known:
              - paid       # in full
              - due
              - "void"
            case: lower
          - { name: n, type: string }
          - { name: upi_ref, type: string, from: /upi_ref }
        # The end.
        "#);
        assert_eq!(patch(FILE, &[]).expect("patched"), FILE);
    }

    #[test]
    fn two_lines_for_one_field_are_one_change() {
        let lines = [
            "- { name: status, type: json, from: /status }",
            "- { name: status, type: string, from: /status, case: lower, known: [paid, due, x] }",
        ];
        let patched = patch(FILE, &lines).expect("patched");
        assert!(patched.contains("  - name: status\n    type: json\n  - { name: n"), "{patched}");
        let turned = [lines[1], lines[0]];
        assert_eq!(patch(FILE, &turned).expect("patched"), patched);
    }

    #[test]
    fn line_ends_are_those_of_the_file() {
        let lines = [
            "- { name: upi_ref, type: string, from: /upi_ref }",
            "drift: { mixed_units: ignore }",
            "- { name: status, type: json, from: /status }",
        ];
        let patched = patch(&FILE.replace('\n', "\r\n"), &lines).expect("patched");
        assert_eq!(patched.matches('\n').count(), patched.matches("\r\n").count(), "{patched:?}");
        assert_eq!(patched.replace("\r\n", "\n"), patch(FILE, &lines).expect("patched"));
    }

    #[test]
    fn what_each_line_changes_is_kept() {
        let lines = [
            "- { name: status, type: string, from: [/state, /status], case: lower, known: [paid, due] }",
            "- { name: status, type: string, from: /status, case: lower, known: [paid, due, x] }",
            "- { name: status, type: string, from: /status, case: lower, known: [paid, due, y] }",
        ];
        let patched = patch(FILE, &lines).expect("patched");
        for line in ["    from: [/state, /status]", "      - due\n      - x\n      - y\n"] {
            assert!(patched.contains(line), "{line} in\n{patched}");
        }
        let zoned = "version: 1\ntable: t\nfields:\n-  # a - b\n  name: at\n  type: timestamp\n  assume_zone: Asia/Kolkata\n";
        let lines =
            ["- { name: at, type: json, from: /at }", "- { name: b, type: bool, from: /b }"];
        assert_eq!(
            patch(zoned, &lines).expect("patched"),
            "version: 1\ntable: t\nfields:\n-  # a - b\n  name: at\n  type: json\n- { name: b, type: bool, from: /b }\n"
        );
    }

    #[test]
    fn lists_and_tables_in_one_line_take_new_ones_too() {
        let file = "{ version: 1, table: t, drift: { new_field: warn }, fields: [ { name: id, type: string } ] }";
        let lines =
            ["- { name: b, type: bool, from: /b }", "drift: { new_field: ignore, samples: none }"];
        assert_eq!(
            patch(file, &lines).expect("patched"),
            "{ version: 1, table: t, drift: { new_field: ignore, samples: none }, fields: [ { name: id, type: string }, { name: b, type: bool, from: /b } ] }"
        );
    }

    #[test]
    fn what_cannot_be_patched_says_so() {
        let wrong = patch("version: 1\ntable: t\nfields: 3\n", &[]).expect_err("wrong before");
        assert_eq!(wrong.kind(), ErrorKind::Config);
        let aliased = "version: 1\ntable: t\nfields:\n  - &one { name: id, type: string }\n  - { <<: *one, name: b }\n";
        let error = patch(aliased, &["- { name: b, type: int64, from: /b }"]).expect_err("aliased");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        let clash = patch(FILE, &["- { name: ID, type: string, from: /ID }"]).expect_err("clash");
        assert_eq!(clash.kind(), ErrorKind::Config, "{clash}");
    }
}
