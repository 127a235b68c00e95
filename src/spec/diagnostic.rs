//! What is wrong with a file, where, and what was probably meant.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::redact::REDACTED;

/// Characters of a line that are shown at most.
const SHOWN: usize = 120;

/// One thing that is wrong with a source or schema file; shows itself with the offending line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, from 1; 0 when the file could not be read at all.
    pub line: usize,
    /// The column in characters, from 1; 0 when the file could not be read at all.
    pub column: usize,
    /// What is wrong; lower case, without a full stop and without any secret.
    pub message: String,
    /// The nearest valid name.
    pub nearest: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    excerpt: Option<Excerpt>,
}

/// The offending line, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    caret: usize,
    width: usize,
}

impl Diagnostic {
    /// About a file as a whole, such as one that cannot be read.
    pub(crate) fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            nearest: None,
            hint: None,
            excerpt: None,
        }
    }

    /// About the bytes `span` of `text`; the bytes in `masked` are not shown.
    pub(crate) fn at(
        file: &Path,
        text: &str,
        span: &Range<usize>,
        masked: &[Range<usize>],
        message: impl Into<String>,
    ) -> Self {
        let start = floor(text, span.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text.get(start..).and_then(|rest| rest.find('\n'));
        let line_end = line_end.map_or(text.len(), |at| start + at);
        let column = text.get(line_start..start).unwrap_or_default().chars().count() + 1;
        Self {
            line: before.matches('\n').count() + 1,
            column,
            excerpt: Some(Excerpt::new(text, line_start..line_end, span, masked)),
            ..Self::whole(file, message)
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Excerpt {
    fn new(text: &str, line: Range<usize>, span: &Range<usize>, masked: &[Range<usize>]) -> Self {
        let mut shown: Vec<char> = Vec::new();
        let mut caret = None;
        let mut end = 0;
        let mut inside = false;
        for (at, c) in text.get(line.clone()).unwrap_or_default().char_indices() {
            let at = line.start + at;
            let hidden = masked.iter().any(|range| range.contains(&at));
            if at >= span.start && caret.is_none() {
                let back = if hidden && inside { REDACTED.len() } else { 0 };
                caret = Some(shown.len().saturating_sub(back));
            }
            if hidden && !inside {
                shown.extend(REDACTED.chars());
            } else if !hidden && c != '\r' {
                shown.push(if c.is_control() { ' ' } else { c });
            }
            inside = hidden;
            if at < span.end {
                end = shown.len();
            }
        }
        let caret = caret.unwrap_or(shown.len());
        let width = end.saturating_sub(caret).max(1);
        Self::fit(&shown, caret, width)
    }

    /// Cuts a long line to the part around the caret.
    fn fit(shown: &[char], caret: usize, width: usize) -> Self {
        let from = if caret > SHOWN / 2 && shown.len() > SHOWN { caret - SHOWN / 2 } else { 0 };
        let cut = |from: usize| shown.iter().skip(from).take(SHOWN).collect::<String>();
        let mut line = cut(from);
        let mut caret = caret - from;
        if from > 0 {
            line.insert(0, '…');
            caret += 1;
        }
        if shown.len() > from + SHOWN {
            line.push('…');
        }
        let width = width.min(line.chars().count().saturating_sub(caret)).max(1);
        Self { line: line.trim_end().to_owned(), caret, width }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(name) = &self.nearest {
            write!(f, ", did you mean `{name}`?")?;
        }
        if let Some(excerpt) = &self.excerpt {
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            let caret = " ".repeat(excerpt.caret);
            write!(f, "\n  {number} | {}", excerpt.line)?;
            write!(f, "\n  {margin} | {caret}{}", "^".repeat(excerpt.width))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// The greatest character boundary of `text` that is not after `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The nearest of `names` to `wrong`, if one is near enough to be meant.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    let length = lower.chars().count().min(200);
    let allowed = (length / 3).max(1);
    names
        .into_iter()
        .filter(|name| !name.is_empty() && name.len() < 200 && lower.len() < 400)
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_what_is_masked_and_points_at_it() {
        let text = "auth: { token: sk_live_1, x: é, y: 1 }\n";
        let secret = text.find("sk_live_1").expect("secret");
        let range = secret..secret + 9;
        let wrong = text.find("y:").expect("y");
        let masked = [range.clone()];
        let at = |span| Diagnostic::at(Path::new("s.yaml"), text, span, &masked, "wrong");
        insta::assert_snapshot!(at(&range), @r"
        s.yaml:1:16: wrong
          1 | auth: { token: [redacted], x: é, y: 1 }
            |                ^^^^^^^^^^
        ");
        insta::assert_snapshot!(at(&(wrong..wrong + 1)), @r"
        s.yaml:1:33: wrong
          1 | auth: { token: [redacted], x: é, y: 1 }
            |                                  ^
        ");
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = Diagnostic::at(Path::new("s"), &text, &(500..501), &[], "w").to_string();
        assert!(shown.len() < 400, "{shown}");
        assert!(shown.contains('X'));
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("strems", ["streams", "source"]), Some("streams"));
        assert_eq!(nearest("colour", ["streams", "source"]), None);
        assert_eq!(nearest("Path", ["path"]), Some("path"));
    }
}
