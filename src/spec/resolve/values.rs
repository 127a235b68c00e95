//! Values that several keys share: names, lengths of time, sizes, pointers, headers, templates.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::spec::declared::source::Size;
use crate::spec::document::{Document, Place};
use crate::spec::pointer::Pointer;
use crate::spec::size::parse_size;
use crate::spec::template::{Template, TemplateValue};
use crate::window::parse_duration;

/// Longer than any run, and far from where clocks overflow.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What a name may be made of.
pub(super) const NAME_HINT: &str = "use up to 100 letters, digits, `_` and `-`";

/// Whether `text` can be a part of paths; without dots, which part a window's name.
pub(super) fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= 100 && text.chars().all(legal)
}

/// A name that becomes a part of paths.
pub(super) fn name(document: &mut Document, place: &Place, text: &str) -> Option<String> {
    if is_name(text) {
        return Some(text.to_owned());
    }
    document.error(place, format!("`{text}` is no name for a path")).hint(NAME_HINT);
    None
}

/// A length of time, or its default.
pub(super) fn duration(
    document: &mut Document,
    place: &Place,
    text: Option<&str>,
    default: Duration,
) -> Option<Duration> {
    let Some(text) = text else { return Some(default) };
    match parse_duration(text) {
        Ok(length) if length <= LONGEST => return Some(length),
        Ok(_) => document.error(place, format!("`{text}` is longer than a year")),
        Err(error) => {
            let hint = error.hint_text().unwrap_or_default().to_owned();
            document.error(place, error.message().to_owned()).hint(hint)
        }
    };
    None
}

/// A length of time over zero, or its default.
pub(super) fn timeout(
    document: &mut Document,
    place: &Place,
    text: Option<&str>,
    default: Duration,
) -> Option<Duration> {
    let length = duration(document, place, text, default)?;
    if length.is_zero() {
        document.error(place, "no time at all: it must be over zero");
        return None;
    }
    Some(length)
}

/// A number of bytes over zero, or its default.
pub(super) fn size(
    document: &mut Document,
    place: &Place,
    size: Option<&Size>,
    default: u64,
) -> Option<u64> {
    let (bytes, shown) = match size {
        None => return Some(default),
        Some(Size::Bytes(bytes)) => (Some(*bytes), bytes.to_string()),
        Some(Size::Text(text)) => (parse_size(text), text.clone()),
    };
    if bytes.is_none_or(|bytes| bytes == 0) {
        document
            .error(place, format!("`{shown}` is no size"))
            .hint("write a number and a unit: 512KiB, 64MiB, 1GiB or 100MB");
        return None;
    }
    bytes
}

/// A JSON Pointer.
pub(super) fn pointer(document: &mut Document, place: &Place, text: &str) -> Option<Pointer> {
    match Pointer::parse(text) {
        Ok(pointer) => Some(pointer),
        Err(why) => {
            let finding = document.error(place, format!("`{text}` is no JSON Pointer: {why}"));
            let path = text.trim_start_matches(['$', '.']).replace('.', "/");
            if !text.starts_with('/') && Pointer::parse(&format!("/{path}")).is_ok() {
                finding.meant(format!("/{path}"));
            }
            None
        }
    }
}

/// A JSON Pointer that need not be there.
#[expect(clippy::option_option, reason = "absent is fine, wrong is not")]
pub(super) fn optional_pointer(
    document: &mut Document,
    place: &Place,
    text: Option<&str>,
) -> Option<Option<Pointer>> {
    text.map_or(Some(None), |text| pointer(document, place, text).map(Some))
}

/// The name of a header (RFC 9110, section 5.1).
pub(super) fn header_name(document: &mut Document, place: &Place, text: &str) -> Option<String> {
    if is_token(text) {
        return Some(text.to_owned());
    }
    document
        .error(place, format!("`{text}` is no header name"))
        .hint("use letters, digits and `-`");
    None
}

/// Whether `text` is a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.len() <= 200 && text.chars().all(legal)
}

/// A parameter's name.
pub(super) fn param_name(
    document: &mut Document,
    place: &Place,
    text: Option<&str>,
    default: &str,
) -> Option<String> {
    match text {
        None => Some(default.to_owned()),
        Some("") => {
            document.error(place, "the name of a parameter is empty");
            None
        }
        Some(text) => Some(text.to_owned()),
    }
}

/// A text that can be a header's value (RFC 9110, section 5.5).
pub(super) fn is_header_value(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || (' '..='~').contains(&c))
}

/// A template.
pub(super) fn template(document: &mut Document, place: &Place, text: &str) -> Option<Template> {
    let wrong = match Template::check(text) {
        Ok(template) => return Some(template),
        Err(wrong) => wrong,
    };
    let name = wrong.name.as_deref().unwrap_or_default();
    let span = document.at(place).map_or(0..0, |node| node.span.clone());
    // Points at the name inside of the text, where it is found as it was written.
    let text = document.written(&span);
    let first = text.find("{{").or_else(|| text.find("{%")).unwrap_or_default();
    let at = text.get(first..).and_then(|rest| rest.find(name)).map(|at| at + first);
    let at = at.filter(|_| !name.is_empty());
    let finding = match at {
        Some(at) => document.report(span.start + at..span.start + at + name.len(), wrong.message),
        None => document.error(place, format!("the template is wrong: {}", wrong.message)),
    };
    if let Some(nearest) = wrong.nearest {
        finding.meant(nearest);
    }
    None
}

/// A value whose strings are templates.
pub(super) fn template_value(
    document: &mut Document,
    place: &Place,
    value: &Value,
) -> Option<TemplateValue> {
    Some(match value {
        Value::String(text) => TemplateValue::Text(template(document, place, text)?),
        Value::Array(items) => {
            let items = items
                .iter()
                .enumerate()
                .map(|(index, item)| template_value(document, &place.item(index), item))
                .collect::<Vec<_>>();
            TemplateValue::List(items.into_iter().collect::<Option<_>>()?)
        }
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| {
                    Some((key.clone(), template_value(document, &place.key(key), value)?))
                })
                .collect::<Vec<_>>();
            TemplateValue::Map(entries.into_iter().collect::<Option<_>>()?)
        }
        plain => TemplateValue::Plain(plain.clone()),
    })
}

/// A path relative to the document's folder.
pub(super) fn path(document: &mut Document, place: &Place, text: &str) -> Option<PathBuf> {
    if text.is_empty() {
        document.error(place, "the path is empty");
        return None;
    }
    let folder = document.file().parent().map(PathBuf::from).unwrap_or_default();
    Some(folder.join(text))
}
