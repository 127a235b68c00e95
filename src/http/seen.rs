//! What a window has seen: fingerprints by which a loop is found, across resumes too.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The kinds of things that are known again. Each has its own seed, so that they share one set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The body of a page with at least one record.
    Body,
    /// A cursor token.
    Token,
    /// A next URL, without credentials.
    Url,
    /// Headers that page or count.
    Beside,
}

impl Sight {
    /// 64 bits of `bytes`: among a million pages two collide in less than one window of ten million.
    pub(super) fn fingerprint(self, bytes: &[u8]) -> u64 {
        let seed = match self {
            Self::Body => 1,
            Self::Token => 2,
            Self::Url => 3,
            Self::Beside => 4,
        };
        xxh3_64_with_seed(bytes, seed)
    }
}

/// The fingerprints of a window so far.
#[derive(Clone, Debug)]
pub(super) struct Seen(HashSet<u64>);

impl Seen {
    /// What a checkpoint remembers.
    pub(super) fn new(known: Vec<u64>) -> Self {
        Self(known.into_iter().collect())
    }

    /// Notes a fingerprint; false when it was there already.
    pub(super) fn insert(&mut self, fingerprint: u64) -> bool {
        self.0.insert(fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_do_not_meet() {
        let mut seen = Seen::new(vec![Sight::Token.fingerprint(b"a")]);
        assert!(!seen.insert(Sight::Token.fingerprint(b"a")));
        assert!(seen.insert(Sight::Url.fingerprint(b"a")));
        assert!(seen.insert(Sight::Body.fingerprint(b"a")));
        assert!(!seen.insert(Sight::Body.fingerprint(b"a")));
    }
}
