//! JSON as a tree that keeps the order of keys and the text of numbers.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::tape::MAX_DEPTH;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    /// `null`, and what is nested deeper than a record may be.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object in its order; of a key that stands twice the last value.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads one JSON value; a leading byte order mark is skipped.
    ///
    /// # Errors
    /// What is wrong with the JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self::of(serde_json::from_str(text)?, MAX_DEPTH)
    }

    fn of(raw: &RawValue, depth: u32) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        let Some(deeper) = depth.checked_sub(1) else { return Ok(Self::Null) };
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let Entries(entries) = serde_json::from_str(text)?;
                let mut map: Vec<(String, Self)> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let value = Self::of(value, deeper)?;
                    match map.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => *known = value,
                        None => map.push((key, value)),
                    }
                }
                Self::Map(map)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let items = items.into_iter().map(|item| Self::of(item, deeper));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }

    /// The value of a key of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The entries of an object.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    /// The items of an array.
    pub(crate) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The value at the pointer of these reference tokens.
    pub(crate) fn at(&self, tokens: &[String]) -> Option<&Self> {
        tokens.iter().try_fold(self, |tree, token| match tree {
            Self::List(items) => items.get(token.parse::<usize>().ok()?),
            _ => tree.get(token),
        })
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&self) -> Option<u64> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    /// Whether it is an object.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    /// What kind of value it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }
}

/// An object's entries, its values unread.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_number_text_and_the_last_of_a_key() {
        let tree = Tree::parse("\u{feff}{\"b\": 1.50, \"a\": [null, \"x\"], \"b\": 2e3}").unwrap();
        let keys: Vec<&str> = tree.entries().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a"]);
        assert_eq!(tree.get("b"), Some(&Tree::Number("2e3".to_owned())));
        assert_eq!(tree.at(&["a".to_owned(), "1".to_owned()]), Some(&Tree::Text("x".to_owned())));
        assert!(Tree::parse("{").is_err() && Tree::parse("1 2").is_err());
    }

    #[test]
    fn what_is_too_deep_is_left_out() {
        let text = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(Tree::parse(&text).is_ok());
    }
}
