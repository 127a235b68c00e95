//! The house rules of DESIGN §9, held by a test: layers, import paths, circles, module docs, file length, names.
//!
//! The sources are read as tokens, not as lines, so that a `use` tree, an inline path, `super::` and a
//! path inside a macro call are all seen, and comments and strings are not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The table of layers: a module imports from layers with a lower number and from its own folder.
/// `main.rs` (8) and `lib.rs` stand above all of them.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["error", "redact", "clock", "json"]),
    (1, &["window", "page", "spec"]),
    (2, &["decode", "http"]),
    (3, &["drift", "lake"]),
    (4, &["manifest"]),
    (5, &["run"]),
    (6, &["webhook"]),
    (7, &["cli"]),
];

/// Plain values that the rest of their layer is made of, and may import.
const VALUES: &[&str] = &["window", "page"];

/// The most lines that a file has before its tests.
const MOST_LINES: usize = 400;

/// Names that say nothing about what is inside.
const SAYING_NOTHING: &[&str] = &["util", "common", "helper", "manager", "process"];

#[test]
fn the_sources_keep_the_rules_of_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = read_below(&root, &root);
    assert!(sources.len() > 10, "the sources were not found under {}", root.display());
    let broken = check(&sources);
    assert!(broken.is_empty(), "\n\n{}\n", broken.join("\n"));
}

fn read_below(root: &Path, dir: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources.extend(read_below(root, &path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

/// Every broken rule as a line that says where, what, and what to do. `sources` are paths under
/// `src/` and texts.
fn check(sources: &[(String, String)]) -> Vec<String> {
    let files: Vec<SourceFile> =
        sources.iter().map(|(path, text)| SourceFile::read(path, text)).collect();
    let modules: BTreeMap<Vec<String>, String> =
        files.iter().map(|file| (file.module.clone(), file.path.clone())).collect();
    let mut broken = Vec::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((_, text), file) in sources.iter().zip(&files) {
        broken.extend(check_text(file, text));
        for import in file.imports(&modules) {
            if let Some(message) = check_import(file, &import) {
                broken.push(message);
            }
            let to = file_of(&import.path, &modules).filter(|to| **to != file.path);
            if let Some(to) = to.filter(|_| !import.in_tests && file.layer().is_some()) {
                edges.entry(file.path.clone()).or_default().insert(to.clone());
            }
        }
    }
    // Each circle once: the edge that closes it is taken out, and the search begins again.
    while let Some(circle) = find_circle(&edges) {
        broken.push(format!(
            "src/{}: imports in a circle: {}; move what both need into a file of its own below them",
            circle[0],
            circle.join(" -> ")
        ));
        let [.., last, first] = circle.as_slice() else { break };
        edges.get_mut(last).map(|to| to.remove(first));
    }
    broken.dedup();
    broken
}

/// The rules on a file's text alone.
fn check_text(file: &SourceFile, text: &str) -> Vec<String> {
    let path = &file.path;
    let mut broken = Vec::new();
    if !text.starts_with("//!") {
        broken.push(format!("src/{path}:1: has no module doc; begin the file with a `//!` line that says what it is for"));
    }
    let lines = lines_before_tests(text);
    if lines > MOST_LINES && !file.is_test {
        broken.push(format!(
            "src/{path}: has {lines} lines before its tests, more than {MOST_LINES}; split it along what it does"
        ));
    }
    let words = path.trim_end_matches(".rs").split(['/', '_']).map(str::to_owned);
    let of_types = file.types.iter().flat_map(|name| camel_words(name));
    for word in words.chain(of_types) {
        if let Some(name) = SAYING_NOTHING.iter().find(|name| word.starts_with(**name)) {
            broken.push(format!(
                "src/{path}: `{word}` in a file or type name; say what it does instead of `{name}`"
            ));
        }
    }
    broken
}

/// The rules on one import.
fn check_import(file: &SourceFile, import: &Import) -> Option<String> {
    let (path, line) = (&file.path, import.line);
    let (own, own_layer) = (file.module.first()?, file.layer());
    let Some(own_layer) = own_layer else {
        return file.is_under_a_module().then(|| {
            format!("src/{path}: the module `{own}` has no layer; add it to LAYERS in tests/it/layers.rs and to DESIGN §9")
        });
    };
    let target = import.path.first().map_or("", String::as_str);
    let is_value = layer_of(target) == Some(own_layer)
        && VALUES.contains(&target)
        && !VALUES.contains(&own.as_str());
    if target == own || is_value {
        return None;
    }
    match layer_of(target) {
        None => Some(format!(
            "src/{path}:{line}: imports `crate::{}` from the crate root; import it from the module that owns it",
            import.path.join("::")
        )),
        Some(layer) if layer > own_layer => Some(format!(
            "src/{path}:{line}: imports `{target}` (layer {layer}) upward from `{own}` (layer {own_layer}); \
             move the type down, or pass the value in"
        )),
        Some(layer) if layer == own_layer => Some(format!(
            "src/{path}:{line}: imports `{target}` sideways from `{own}` (both layer {layer}); \
             meet in a layer below, or in run/"
        )),
        Some(_) => None,
    }
}

fn layer_of(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|two| two[0].trim() == "#[cfg(test)]" && two[1].trim_start().starts_with("mod "));
    tests.unwrap_or(lines.len())
}

fn camel_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_uppercase() => word.push(letter),
            _ => words.push(letter.to_lowercase().collect()),
        }
    }
    words
}

/// The file that holds what `path` names: that of the longest prefix that is a module.
fn file_of<'a>(path: &[String], modules: &'a BTreeMap<Vec<String>, String>) -> Option<&'a String> {
    (1..=path.len()).rev().find_map(|length| modules.get(&path[..length]))
}

/// One circle, if there is any: its files in order, the first again at the end.
fn find_circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'a>(
        file: &'a String,
        edges: &'a BTreeMap<String, BTreeSet<String>>,
        done: &mut BTreeSet<&'a String>,
        trail: &mut Vec<&'a String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = trail.iter().position(|seen| *seen == file) {
            return Some(trail[start..].iter().copied().chain([file]).cloned().collect());
        }
        if !done.insert(file) {
            return None;
        }
        trail.push(file);
        for next in edges.get(file).into_iter().flatten() {
            if let Some(circle) = visit(next, edges, done, trail) {
                return Some(circle);
            }
        }
        trail.pop();
        None
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|file| visit(file, edges, &mut done, &mut Vec::new()))
}

/// A name in an import, as a path from the crate's root.
struct Import {
    path: Vec<String>,
    line: usize,
    in_tests: bool,
}

/// A source file, as tokens.
struct SourceFile {
    /// Under `src/`.
    path: String,
    /// Its module's path from the crate's root; empty for `lib.rs` and `main.rs`.
    module: Vec<String>,
    /// Whether it is `tests.rs` or under `tests/`.
    is_test: bool,
    /// The types that it declares.
    types: Vec<String>,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

impl SourceFile {
    fn read(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let mut module: Vec<String> =
            path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let types = tokens
            .windows(2)
            .filter(|two| {
                matches!(two[0].text.as_str(), "struct" | "enum" | "trait" | "type" | "union")
                    && is_name(&two[1].text)
            })
            .map(|two| two[1].text.clone())
            .collect();
        let is_test = path.ends_with("tests.rs") || path.contains("tests/");
        Self { path: path.to_owned(), module, is_test, types, tokens }
    }

    fn layer(&self) -> Option<u8> {
        layer_of(self.module.first()?)
    }

    fn is_under_a_module(&self) -> bool {
        !self.module.is_empty()
    }

    /// Every path that leads to another place of this crate, from `use` trees and inline.
    fn imports(&self, modules: &BTreeMap<Vec<String>, String>) -> Vec<Import> {
        let mut imports = Vec::new();
        // The inline modules around a token, as (name, is test, depth of braces inside).
        let mut around: Vec<(String, bool, usize)> = Vec::new();
        let (mut depth, mut at) = (0, 0);
        while at < self.tokens.len() {
            let text = self.tokens[at].text.as_str();
            match text {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if around.last().is_some_and(|(_, _, inside)| *inside > depth) {
                        around.pop();
                    }
                }
                "mod" if self.text(at + 2) == "{" => {
                    let test = at >= 7 && self.is_cfg_test(at - 7);
                    around.push((self.text(at + 1).to_owned(), test, depth + 1));
                    at += 1;
                }
                // Not the `use<'a>` of an opaque type.
                "use" if self.text(at + 1) != "<" => {
                    let end = self.end_of_use(at);
                    let line = self.tokens[at].line;
                    let mut leaves = Vec::new();
                    self.use_tree(at + 1, end, &[], &mut leaves);
                    for path in leaves {
                        self.resolve(&path, &around, modules, line, &mut imports);
                    }
                    at = end;
                }
                _ if self.starts_path(at) => {
                    let mut path = vec![text.to_owned()];
                    while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
                        path.push(self.text(at + 2).to_owned());
                        at += 2;
                    }
                    self.resolve(&path, &around, modules, self.tokens[at].line, &mut imports);
                }
                _ => {}
            }
            at += 1;
        }
        imports
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    /// Whether `#[cfg(test)]` begins at a token.
    fn is_cfg_test(&self, at: usize) -> bool {
        let wanted = ["#", "[", "cfg", "(", "test", ")", "]"];
        wanted.iter().enumerate().all(|(index, text)| self.text(at + index) == *text)
    }

    /// Whether a name begins an inline path of two names at least.
    fn starts_path(&self, at: usize) -> bool {
        let follows = at > 0 && matches!(self.text(at - 1), "::" | ".");
        is_name(self.text(at)) && self.text(at + 1) == "::" && !follows
    }

    fn end_of_use(&self, at: usize) -> usize {
        (at..self.tokens.len()).find(|at| self.text(*at) == ";").unwrap_or(self.tokens.len())
    }

    /// The full paths of a `use` tree between two tokens.
    fn use_tree(
        &self,
        mut at: usize,
        end: usize,
        prefix: &[String],
        leaves: &mut Vec<Vec<String>>,
    ) {
        let mut path = prefix.to_vec();
        let mut is_leaf = false;
        while at < end {
            match self.text(at) {
                "{" => {
                    let close = self.closing(at, end);
                    self.use_tree(at + 1, close, &path, leaves);
                    is_leaf = false;
                    at = close;
                }
                "," => {
                    if is_leaf {
                        leaves.push(path);
                    }
                    path = prefix.to_vec();
                    is_leaf = false;
                }
                "as" => at += 1,
                "::" => {}
                "self" if !path.is_empty() => is_leaf = true,
                name => {
                    path.push(name.to_owned());
                    is_leaf = true;
                }
            }
            at += 1;
        }
        if is_leaf {
            leaves.push(path);
        }
    }

    fn closing(&self, open: usize, end: usize) -> usize {
        let mut depth = 0;
        for at in open..end {
            match self.text(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        end
    }

    /// Adds what `path` names, if that is in this crate and outside this file's inline modules.
    fn resolve(
        &self,
        path: &[String],
        around: &[(String, bool, usize)],
        modules: &BTreeMap<Vec<String>, String>,
        line: usize,
        imports: &mut Vec<Import>,
    ) {
        let mut base: Vec<String> = self.module.clone();
        base.extend(around.iter().map(|(name, _, _)| name.clone()));
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("crate") => {
                base.clear();
                rest = &path[1..];
            }
            Some("self") => rest = &path[1..],
            Some("super") => {
                while rest.first().is_some_and(|name| name == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            Some(name) => {
                let mut child = base.clone();
                child.push(name.to_owned());
                if !modules.contains_key(&child) {
                    return;
                }
            }
            None => return,
        }
        base.extend(rest.iter().cloned());
        let in_tests = self.is_test || around.iter().any(|(_, test, _)| *test);
        imports.push(Import { path: base, line, in_tests });
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs with their lines; comments, strings, characters, lifetimes and
/// numbers are left out.
fn tokens(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < letters.len() {
        let begin = at;
        let next = letters.get(at + 1).copied().unwrap_or(' ');
        match letters[at] {
            '/' if next == '/' => {
                at = (at..letters.len()).find(|i| letters[*i] == '\n').unwrap_or(letters.len());
            }
            '/' if next == '*' => at = end_of_comment(&letters, at),
            '"' => at = end_of_string(&letters, at),
            'b' | 'c' if next == '"' => at = end_of_string(&letters, at + 1),
            'r' | 'b' | 'c' if raw_string(&letters, at).is_some() => {
                at = raw_string(&letters, at).unwrap_or(at + 1);
            }
            '\'' => at = end_of_quote(&letters, at),
            c if c.is_alphabetic() || c == '_' => {
                let in_word = |c: &char| c.is_alphanumeric() || *c == '_';
                let length = letters[at..].iter().take_while(|c| in_word(c)).count();
                tokens.push(Token { text: letters[at..at + length].iter().collect(), line });
                at += length;
            }
            c if c.is_ascii_digit() => {
                at +=
                    letters[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
            }
            ':' if next == ':' => {
                tokens.push(Token { text: "::".to_owned(), line });
                at += 2;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token { text: c.to_string(), line });
                }
                at += 1;
            }
        }
        line += letters[begin..at.min(letters.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of_comment(letters: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < letters.len() {
        match (letters[at], letters.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(letters: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < letters.len() && letters[at] != '"' {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of a raw string that begins here (`r"`, `r#"`, `br#"`), if one does.
fn raw_string(letters: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    if matches!(letters[at], 'b' | 'c') {
        at += 1;
    }
    if letters.get(at) != Some(&'r') {
        return None;
    }
    let hashes = letters[at + 1..].iter().take_while(|c| **c == '#').count();
    if letters.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = at + 2 + hashes;
    let length = letters[body..].windows(close.len()).position(|window| window == close)?;
    Some(body + length + close.len())
}

/// The end of a character (`'a'`, `'\n'`) or of a lifetime (`'a`).
fn end_of_quote(letters: &[char], start: usize) -> usize {
    match (letters.get(start + 1), letters.get(start + 2)) {
        (Some('\\'), _) => {
            let close = letters.iter().skip(start + 3).position(|c| *c == '\'');
            close.map_or(letters.len(), |length| start + 3 + length + 1)
        }
        (Some(_), Some('\'')) => start + 3,
        _ => start + 1,
    }
}

mod tests {
    use super::*;

    fn broken(sources: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<(String, String)> = sources
            .iter()
            .map(|(path, text)| ((*path).to_owned(), format!("//! Doc.\n{text}")))
            .collect();
        check(&sources)
    }

    #[track_caller]
    fn breaks(sources: &[(&str, &str)], wanted: &str) {
        let broken = broken(sources);
        assert!(broken.len() == 1 && broken[0].contains(wanted), "wanted `{wanted}`: {broken:#?}");
    }

    #[test]
    fn good_sources_pass() {
        let good = [
            ("lib.rs", "pub mod error;\npub use crate::error::Error;\npub use crate::cli::run;"),
            ("main.rs", "use lakeward::cli::run;\nfn main() {}"),
            ("error.rs", "pub struct Error;\nmod tests { use super::*; }"),
            ("spec/mod.rs", "pub mod source;"),
            ("spec/source.rs", "use crate::error::Error;\nuse crate::spec::table::Table;"),
            ("spec/table.rs", "use crate::error::{self, Error};\nuse crate::window::Window;"),
            ("window.rs", "use std::fmt;"),
            ("decode/mod.rs", "use crate::spec::{source::Source, table::Table as T};\nmod number;"),
            (
                "decode/number.rs",
                "// crate::cli::x\nconst A: &str = \"crate::cli\";\nfn f() { 'a'; }",
            ),
            (
                "run/plan.rs",
                "mod a { fn f<'a>() -> impl X + use<'a> { 1 } }\nuse crate::error::Error;",
            ),
            ("run/mod.rs", "fn f() { let x = crate::decode::g(); \"it's\"; }"),
            ("decode/tests.rs", "use super::*;\nuse crate::decode::number::f;"),
        ];
        assert_eq!(broken(&good), Vec::<String>::new());
    }

    #[test]
    fn upward_imports_break() {
        breaks(
            &[("error.rs", "use crate::page::Page;"), ("page.rs", "")],
            "src/error.rs:2: imports `page` (layer 1) upward",
        );
        breaks(&[("spec/a.rs", "fn f() { crate::run::go(); }")], "imports `run` (layer 5) upward");
        breaks(
            &[("spec/a.rs", "use super::super::lake::Lake;")],
            "imports `lake` (layer 3) upward",
        );
        breaks(&[("decode/a.rs", "macro_call!(crate::run::X);")], "imports `run` (layer 5) upward");
        breaks(
            &[("lake/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::run::X;\n}")],
            "src/lake/a.rs:4: ",
        );
    }

    #[test]
    fn sideways_imports_break() {
        breaks(
            &[("decode/a.rs", "use crate::{error::Error, http::client::Client};")],
            "imports `http` sideways from `decode`",
        );
        breaks(&[("error.rs", "use crate::redact::Secret;")], "sideways");
        breaks(&[("window.rs", "use crate::page::Page;")], "sideways");
        breaks(&[("page.rs", "use crate::spec::source::Source;")], "sideways");
    }

    #[test]
    fn imports_from_the_crate_root_break() {
        breaks(&[("run/a.rs", "use crate::Error;")], "imports `crate::Error` from the crate root");
        breaks(&[("error.rs", "use super::*;")], "imports `crate::*` from the crate root");
    }

    #[test]
    fn a_module_without_a_layer_breaks() {
        breaks(&[("extra.rs", "use crate::error::Error;")], "the module `extra` has no layer");
    }

    #[test]
    fn circles_break() {
        breaks(
            &[
                ("spec/a.rs", "use crate::spec::b::B;"),
                ("spec/b.rs", "use super::c::C;"),
                ("spec/c.rs", "fn f() { crate::spec::a::g() }"),
            ],
            "in a circle: spec/a.rs -> spec/b.rs -> spec/c.rs -> spec/a.rs",
        );
        breaks(
            &[("spec/mod.rs", "mod a;\npub use a::A;"), ("spec/a.rs", "use super::B;")],
            "in a circle: spec/a.rs -> spec/mod.rs -> spec/a.rs",
        );
        let tests = "#[cfg(test)]\nmod tests { use super::B; use crate::spec::b::X; }";
        assert!(broken(&[("spec/a.rs", tests), ("spec/b.rs", "use super::a::A;")]).is_empty());
    }

    #[test]
    fn missing_docs_long_files_and_empty_names_break() {
        let plain = |path: &str, text: String| check(&[(path.to_owned(), text)]);
        assert!(
            plain("error.rs", "use std::fmt;".to_owned())[0]
                .contains("src/error.rs:1: has no module doc")
        );
        let lines = |n: usize| format!("//! Doc.{}", "\n//".repeat(n - 1));
        assert!(plain("error.rs", lines(400)).is_empty());
        assert!(plain("error.rs", lines(401))[0].contains("401 lines before its tests"));
        let with_tests =
            format!("{}\n#[cfg(test)]\nmod tests {{{}\n}}", lines(400), "\n".repeat(900));
        assert!(plain("error.rs", with_tests).is_empty());
        assert!(plain("decode/tests.rs", lines(900)).is_empty());
        breaks(&[("lake/file_utils.rs", "")], "`utils` in a file or type name");
        breaks(&[("lake/helpers/a.rs", "")], "`helpers`");
        breaks(&[("lake/a.rs", "pub(crate) struct LeaseManager;")], "`manager`");
        breaks(&[("lake/a.rs", "enum Processor {}")], "`processor`");
    }

    #[test]
    fn tokens_leave_out_what_is_not_code() {
        let text = "a /* x /* y */ z */ 'b' '\\'' &'c d r#\"e\" crate::x\"# b\"f\\\"\" 0x1f g::h";
        let words: Vec<String> = tokens(text).into_iter().map(|token| token.text).collect();
        assert_eq!(words, ["a", "&", "c", "d", "g", "::", "h"]);
    }
}
