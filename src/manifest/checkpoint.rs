//! Where a rerun goes on: the cursor, and the staged objects that belong to exactly the pages before it.

use serde::{Deserialize, Serialize};

use crate::page::{Cursor, Position, Validator};

/// The staged objects beside the data files that a resume needs, as paths relative to the lake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// The key index, for finding duplicates across files.
    pub keys: Vec<String>,
    /// The dead letters so far.
    pub rejects: Vec<String>,
    /// The shape seen so far, for drift.
    pub shape: Vec<String>,
}

impl Parts {
    /// Every path.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().chain(&self.rejects).chain(&self.shape).map(String::as_str)
    }
}

/// Where a rerun goes on: everything before it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What to ask for next; `null` after the last page.
    pub next: Option<Cursor>,
    /// Pages behind the checkpoint.
    pub pages: u64,
    /// Fingerprints of bodies and cursors, so that a loop is found across resumes too.
    #[serde(with = "hex_words")]
    pub seen: Vec<u64>,
    /// Records behind the checkpoint.
    #[serde(default)]
    pub records: u64,
    /// The last total that the API named.
    #[serde(default)]
    pub api_total: Option<u64>,
    /// What else is staged.
    #[serde(default)]
    pub parts: Parts,
    /// By what the pages behind the checkpoint can be asked for again; only of a `conditional` stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validators: Vec<Validator>,
}

impl Checkpoint {
    /// Before the first page.
    pub fn start() -> Self {
        Self::at(Position::start(), Vec::new(), Parts::default())
    }

    /// After the page that `position` follows.
    pub fn at(position: Position, seen: Vec<u64>, parts: Parts) -> Self {
        let Position { next, pages, records, total } = position;
        Self { next, pages, seen, records, api_total: total, parts, validators: Vec::new() }
    }

    /// The position that the stream of pages goes on from.
    pub fn position(&self) -> Position {
        Position {
            next: self.next.clone(),
            pages: self.pages,
            records: self.records,
            total: self.api_total,
        }
    }
}

/// 64-bit fingerprints as hex text, because JSON readers keep only 53 bits of a number.
mod hex_words {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(words: &[u64], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(words.iter().map(|word| format!("{word:016x}")))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
        Vec::<String>::deserialize(from)?
            .iter()
            .map(|text| u64::from_str_radix(text, 16).map_err(D::Error::custom))
            .collect()
    }
}
