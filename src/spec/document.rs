//! A file, its tree, and what is found wrong with it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::redact::REDACTED;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::masking;
use crate::spec::yaml::{self, Kind, Node};

/// Bytes of a file at most: a source file is written by hand.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Where a value stands: the keys and indexes that lead to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place(Vec<String>);

impl Place {
    /// The whole file.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    /// The item `index` of a list.
    pub(crate) fn item(&self, index: usize) -> Self {
        // The mark tells an index from a key that is a number, such as a status.
        self.key(&format!("[{index}"))
    }

    /// Whether it is an item of a list.
    pub(crate) fn is_item(&self) -> bool {
        self.0.last().and_then(|key| index_of(key)).is_some()
    }
}

fn index_of(key: &str) -> Option<usize> {
    key.strip_prefix('[')?.parse().ok()
}

/// Something wrong, before it is known which bytes may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    span: Range<usize>,
    message: String,
    nearest: Option<String>,
    hint: Option<String>,
}

impl Finding {
    /// Adds the nearest of `names` to `wrong`, if one is near.
    pub(crate) fn nearest<'n>(
        &mut self,
        wrong: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> &mut Self {
        self.nearest = crate::spec::diagnostic::nearest(wrong, names).map(str::to_owned);
        self
    }

    /// Adds what is meant.
    pub(crate) fn meant(&mut self, name: impl Into<String>) -> &mut Self {
        self.nearest = Some(name.into());
        self
    }

    /// Adds what to do about it.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A file that could be read, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Document {
    file: PathBuf,
    text: String,
    root: Option<Node>,
    findings: Vec<Finding>,
    masked: Vec<Range<usize>>,
}

impl Document {
    /// Reads a file and its YAML.
    ///
    /// # Errors
    /// Why it could not be read as text.
    pub(crate) fn read(file: &Path) -> Result<Self, Box<Diagnostic>> {
        let wrong = |message: String| Box::new(Diagnostic::whole(file, message));
        let bytes =
            read_bytes(file).map_err(|error| wrong(format!("could not read the file: {error}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(wrong(format!("larger than {} MiB", MAX_BYTES / 1024 / 1024)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..valid).unwrap_or_default();
            let line = before.iter().filter(|b| **b == b'\n').count() + 1;
            wrong(format!("not UTF-8 from byte {valid} (line {line}) on"))
                .hint("save the file as UTF-8")
        })?;
        Ok(Self::parse(file, text))
    }

    /// Reads the YAML of a file.
    pub(crate) fn parse(file: &Path, text: String) -> Self {
        let (root, problems) = yaml::parse(&text);
        let mut masked = match &root {
            Some(root) => masking::secrets(root),
            None => masking::secrets_of_lines(&text),
        };
        masked.extend(problems.iter().filter_map(|problem| problem.hidden.clone()));
        if !problems.is_empty() {
            // The tree may lack what was not understood.
            masked.extend(masking::secrets_of_lines(&text));
        }
        let mut document = Self { file: file.to_owned(), text, root, findings: Vec::new(), masked };
        let silent = problems.is_empty();
        for problem in problems {
            document.report(problem.span, problem.message);
        }
        if silent && document.root.is_none() {
            document.report(0..0, "the file is empty");
        }
        document
    }

    /// The file's text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The tree, unless the file is empty or no YAML.
    pub(crate) fn tree(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// Takes the tree out, to walk it while findings are added.
    pub(crate) fn take_tree(&mut self) -> Option<Node> {
        self.root.take()
    }

    /// Puts the tree back.
    pub(crate) fn put_tree(&mut self, root: Node) {
        self.root = Some(root);
    }

    /// The text that was written at `span`.
    pub(crate) fn written(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The value at `place`.
    pub(crate) fn at(&self, place: &Place) -> Option<&Node> {
        let mut node = self.root.as_ref()?;
        for key in &place.0 {
            node = match &node.kind {
                Kind::List(items) => items.get(index_of(key)?)?,
                _ => node.get(key)?,
            };
        }
        Some(node)
    }

    /// Whether anything is wrong so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Reports something about `span`.
    pub(crate) fn report(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.findings.push(Finding { span, message: message.into(), nearest: None, hint: None });
        let last = self.findings.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "just pushed")]
        &mut self.findings[last]
    }

    /// Reports something about the value at `place`, or what is nearest around it.
    pub(crate) fn error(&mut self, place: &Place, message: impl Into<String>) -> &mut Finding {
        let span = self.span(place);
        self.report(span, message)
    }

    /// Reports something about the key `key` of the mapping at `place`.
    pub(crate) fn key_error(
        &mut self,
        place: &Place,
        key: &str,
        message: impl Into<String>,
    ) -> &mut Finding {
        let entry = self.at(place).and_then(|node| node.entry(key));
        let span = entry.map_or_else(|| self.span(place), |entry| entry.span.clone());
        self.report(span, message)
    }

    /// Reports that the mapping at `place` lacks the key `name`, unless it is there, or is there misspelt and was told.
    pub(crate) fn missing(&mut self, place: &Place, name: &str) {
        let Some(node) = self.at(place) else { return };
        let is_meant = |key: &str| crate::spec::diagnostic::nearest(key, [name]).is_some();
        if !node.entries().iter().any(|entry| is_meant(&entry.key)) {
            let span = self.beginning(node);
            self.report(span, format!("the key `{name}` is missing"));
        }
    }

    /// Where a reader looks for a key that a mapping lacks: at its first one.
    pub(crate) fn beginning(&self, node: &Node) -> Range<usize> {
        match node.entries().first() {
            Some(first) if !self.written(&node.span).starts_with('{') => first.span.clone(),
            _ => node.span.clone(),
        }
    }

    /// How much is wrong so far.
    pub(crate) fn found(&self) -> usize {
        self.findings.len()
    }

    /// Hides `span` in every message.
    pub(crate) fn mask(&mut self, span: Range<usize>) {
        self.masked.push(span);
    }

    fn span(&self, place: &Place) -> Range<usize> {
        let Some(mut node) = self.root.as_ref() else { return 0..0 };
        let mut span = node.span.start..node.span.start;
        for key in &place.0 {
            let next = match &node.kind {
                Kind::List(items) => {
                    index_of(key).and_then(|at| items.get(at)).map(|n| (n, n.span.clone()))
                }
                _ => node.entry(key).map(|entry| (&entry.value, entry.span.clone())),
            };
            let Some((value, key_span)) = next else { break };
            node = value;
            span = if matches!(node.kind, Kind::Null) { key_span } else { node.span.clone() };
        }
        span
    }

    /// Everything that is wrong, in file order.
    pub(crate) fn diagnostics(mut self) -> Vec<Diagnostic> {
        let mut findings = std::mem::take(&mut self.findings);
        findings.sort_by_key(|finding| finding.span.start);
        // A message that quotes what is masked in its line would undo the masking.
        let secrets: Vec<String> =
            self.masked.iter().flat_map(|span| secret_texts(self.written(span))).collect();
        let show = |finding: Finding| {
            let Finding { span, mut message, nearest, hint } = finding;
            for secret in secrets.iter().filter(|secret| secret.len() > 3) {
                message = message.replace(secret, REDACTED);
            }
            let mut shown = Diagnostic::at(&self.file, &self.text, &span, &self.masked, message);
            shown.nearest = nearest;
            shown.hint = hint;
            shown
        };
        findings.into_iter().map(show).collect()
    }
}

/// What may be quoted of a value, told from how it is written: as it stands, and with its lines folded.
fn secret_texts(written: &str) -> [String; 2] {
    let bare = written.trim().trim_matches(['"', '\'']);
    [bare.to_owned(), bare.split_whitespace().collect::<Vec<_>>().join(" ")]
}

fn read_bytes(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let opened = std::fs::File::open(file)?;
    if opened.metadata()?.is_dir() {
        return Err(std::io::Error::other("it is a directory"));
    }
    let mut bytes = Vec::new();
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
