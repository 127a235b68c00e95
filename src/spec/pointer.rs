//! JSON Pointers (RFC 6901), parsed once.

use std::fmt;

/// A JSON Pointer: the empty one is the whole document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    /// Parses `""` or `/a/b~1c/0`.
    ///
    /// # Errors
    /// What is wrong with the text, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self { tokens: Vec::new() });
        }
        let rest = text.strip_prefix('/').ok_or("it must start with `/`")?;
        let tokens = rest.split('/').map(unescape).collect::<Result<_, _>>()?;
        Ok(Self { tokens })
    }

    /// The pointer of one top-level key.
    pub fn key(name: &str) -> Self {
        Self { tokens: vec![name.to_owned()] }
    }

    /// The unescaped reference tokens, outermost first.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }
}

fn unescape(token: &str) -> Result<String, &'static str> {
    let mut text = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => match chars.next() {
                Some('0') => text.push('~'),
                Some('1') => text.push('/'),
                _ => return Err("`~` must be followed by 0 or 1"),
            },
            c => text.push(c),
        }
    }
    Ok(text)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_escapes_and_shows_them_again() {
        let pointer = Pointer::parse("/a~1b/~0c/0").expect("pointer");
        assert_eq!(pointer.tokens(), ["a/b", "~c", "0"]);
        assert_eq!(pointer.to_string(), "/a~1b/~0c/0");
        assert_eq!(Pointer::parse("").expect("root").tokens().len(), 0);
        assert!(Pointer::parse("a").is_err());
        assert!(Pointer::parse("/a~2").is_err());
    }
}
