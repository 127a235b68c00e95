//! JSON with its keys in the order given, compact or indented, with or without escapes for what is not ASCII.

/// A value; scalars are kept as their text.
pub(super) enum Json {
    /// A number, `true`, `false`, `null`.
    Raw(String),
    /// A string, not yet escaped.
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

/// How a value is written.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) pretty: bool,
    pub(super) ascii: bool,
}

impl Json {
    pub(super) fn null() -> Self {
        Self::raw("null")
    }

    pub(super) fn raw(text: impl Into<String>) -> Self {
        Self::Raw(text.into())
    }

    pub(super) fn number(number: u64) -> Self {
        Self::Raw(number.to_string())
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn write(&self, layout: Layout) -> Vec<u8> {
        let mut out = String::new();
        self.append(&mut out, layout, 0);
        out.into_bytes()
    }

    fn append(&self, out: &mut String, layout: Layout, depth: usize) {
        match self {
            Self::Raw(text) => out.push_str(text),
            Self::Text(text) => quote(out, text, layout.ascii),
            Self::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    separate(out, layout, n, depth + 1);
                    item.append(out, layout, depth + 1);
                }
                end(out, layout, items.len(), depth, ']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (key, value)) in members.iter().enumerate() {
                    separate(out, layout, n, depth + 1);
                    quote(out, key, layout.ascii);
                    out.push_str(if layout.pretty { ": " } else { ":" });
                    value.append(out, layout, depth + 1);
                }
                end(out, layout, members.len(), depth, '}');
            }
        }
    }
}

fn separate(out: &mut String, layout: Layout, before: usize, depth: usize) {
    if before > 0 {
        out.push(',');
    }
    indent(out, layout, depth);
}

fn end(out: &mut String, layout: Layout, members: usize, depth: usize, bracket: char) {
    if members > 0 {
        indent(out, layout, depth);
    }
    out.push(bracket);
}

fn indent(out: &mut String, layout: Layout, depth: usize) {
    if layout.pretty {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
}

fn quote(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            _ if letter.is_ascii() || !ascii => out.push(letter),
            _ => {
                let mut units = [0; 2];
                let units = letter.encode_utf16(&mut units);
                out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    out.push('"');
}
