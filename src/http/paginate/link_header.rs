//! `type: link_header`: `Link: <…>; rel="next"`, RFC 8288.

use reqwest::header::LINK;

use super::turn::{Next, Turn};

pub(super) fn advance(turn: &Turn<'_>) -> Option<Next> {
    turn.headers
        .get_all(LINK)
        .iter()
        .find_map(|value| next_target(&String::from_utf8_lossy(value.as_bytes())))
        .map(Next::Link)
}

/// The target of the first link with the relation `next` in one header's value.
///
/// Relations are compared without case, and `rel` may list several (RFC 8288 §3.3); a second `rel` of a
/// link is ignored (§3.3), and so is a link with an `anchor`, which speaks of another page (§3.2).
/// What cannot be read is skipped up to the next link (Appendix B.2).
pub fn next_target(value: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, mut after) = after.split_once('>')?;
        let mut relation: Option<String> = None;
        let mut anchored = false;
        while let Some((name, value, left)) = parameter(after) {
            after = left;
            if name.eq_ignore_ascii_case("rel") {
                relation.get_or_insert(value);
            } else if name.eq_ignore_ascii_case("anchor") {
                anchored = true;
            }
        }
        let is_next = relation.is_some_and(|rel| {
            rel.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next"))
        });
        if is_next && !anchored {
            return Some(target.trim().to_owned());
        }
        rest = after;
    }
    None
}

/// The next `; name=value` of a link, and what is left; `None` where the link ends.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start().strip_prefix(';')?.trim_start();
    let end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, after) = text.split_at_checked(end)?;
    let name = name.trim();
    let Some(value) = after.strip_prefix('=') else {
        return Some((name, String::new(), after));
    };
    let value = value.trim_start();
    if let Some(quoted) = value.strip_prefix('"') {
        let (value, left) = unquote(quoted);
        return Some((name, value, left));
    }
    let end = value.find([';', ',']).unwrap_or(value.len());
    let (value, left) = value.split_at_checked(end)?;
    Some((name, value.trim().to_owned(), left))
}

/// A quoted string (RFC 9110 §5.6.4) behind its opening quote, and what is left behind the closing one.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_relation_is_found_however_it_is_written() {
        for (value, target) in [
            (r#"<https://h/a?page=2>; rel="next""#, Some("https://h/a?page=2")),
            (r#"</a?p=1>; rel="prev", </a?p=3>; rel="next", </a?p=9>; rel="last""#, Some("/a?p=3")),
            (r"</a?p=2>;rel=next", Some("/a?p=2")),
            (r"</a>; REL = NEXT ;x", Some("/a")),
            (r#"</a>; rel="last next""#, Some("/a")),
            (r#"</a,b;c>; title="x, <y>; rel=\"next\"" ; rel="last", </d>; rel=next"#, Some("/d")),
            (r#"</a>; title="next"; rel="prev""#, None),
            (r#"</a>; rel="prev"; rel="next""#, None),
            (r#"</a>; rel="nextish""#, None),
            (r##"</a>; rel="next"; anchor="#x", </b>; rel="next""##, Some("/b")),
            (r#"garbage, </b>; rel="next""#, Some("/b")),
            (r"</a>; crossorigin; rel=next", Some("/a")),
            (r#"</a>; title*=UTF-8''x; rel="next""#, Some("/a")),
            (r#"<>; rel="next""#, Some("")),
            (r#"</a>; rel="next"#, Some("/a")),
            ("</a; rel=next", None),
            ("", None),
            (";=,<", None),
        ] {
            assert_eq!(next_target(value).as_deref(), target, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_is_too_odd(value in "[<>;=,\"\\\\ a-crelnxt\u{e9}]{0,40}") {
            let _ = next_target(&value);
        }
    }
}
