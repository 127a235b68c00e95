//! What a response's status leads to: one pure function over DESIGN §3's classes.

use std::collections::BTreeMap;

use crate::spec::source::OnStatus;

/// What a status leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The body holds a page.
    Page,
    /// A page without records.
    Empty,
    /// A redirect.
    Follow,
    /// The credentials are refused: exit 3 (a renewable credential is renewed once before that).
    Credentials,
    /// The permission is refused: exit 3.
    Permission,
    /// Expected to pass: retried, then exit 5.
    Passing,
    /// Refused for good: exit 4.
    Refused,
}

/// The class of `status`; what the stream declares in `on_status` comes first.
pub(super) fn classify(status: u16, on_status: &BTreeMap<u16, OnStatus>) -> Class {
    match on_status.get(&status) {
        Some(OnStatus::Empty) => return Class::Empty,
        None => {}
    }
    match status {
        204 | 205 => Class::Empty,
        200..=299 => Class::Page,
        // Not asked for: only a conditional request may be answered by it.
        304 => Class::Refused,
        300..=399 => Class::Follow,
        401 => Class::Credentials,
        403 => Class::Permission,
        408 | 425 | 429 => Class::Passing,
        501 | 505 => Class::Refused,
        500..=599 => Class::Passing,
        _ => Class::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status from 100 to 599, as runs of one class.
    fn table(on_status: &BTreeMap<u16, OnStatus>) -> String {
        let mut runs: Vec<(u16, u16, Class)> = Vec::new();
        for status in 100..=599 {
            let class = classify(status, on_status);
            match runs.last_mut() {
                Some((_, last, of)) if *of == class => *last = status,
                _ => runs.push((status, status, class)),
            }
        }
        runs.iter().map(|(first, last, class)| format!("{first}-{last} {class:?}\n")).collect()
    }

    #[test]
    fn every_status_has_its_class() {
        insta::assert_snapshot!(table(&BTreeMap::new()), @"
        100-199 Refused
        200-203 Page
        204-205 Empty
        206-299 Page
        300-303 Follow
        304-304 Refused
        305-399 Follow
        400-400 Refused
        401-401 Credentials
        402-402 Refused
        403-403 Permission
        404-407 Refused
        408-408 Passing
        409-424 Refused
        425-425 Passing
        426-428 Refused
        429-429 Passing
        430-499 Refused
        500-500 Passing
        501-501 Refused
        502-504 Passing
        505-505 Refused
        506-599 Passing
        ");
    }

    #[test]
    fn on_status_comes_first() {
        let declared = BTreeMap::from([(404, OnStatus::Empty), (503, OnStatus::Empty)]);
        assert_eq!(classify(404, &declared), Class::Empty);
        assert_eq!(classify(503, &declared), Class::Empty);
        assert_eq!(classify(410, &declared), Class::Refused);
    }
}
