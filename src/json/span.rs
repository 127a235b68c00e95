//! Where one JSON value stands in a text, and what it looks like.

use std::fmt;
use std::ops::Range;

/// The kinds of JSON values (RFC 8259 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Null, Self::Bool, Self::Number, Self::String, Self::Array, Self::Object];

    /// The kind of a value's JSON text.
    pub fn of(raw: &str) -> Self {
        match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Number,
        }
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// What a value looks like: its kind, with integers told from other numbers; or that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// No value stands there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number without fraction and exponent.
    Integer,
    /// A number with either.
    Fraction,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Form {
    /// All of them, by [`Form::code`].
    pub const ALL: [Self; 8] = [
        Self::Absent,
        Self::Null,
        Self::Bool,
        Self::Integer,
        Self::Fraction,
        Self::String,
        Self::Array,
        Self::Object,
    ];

    /// Its number, 0 to 7.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Its kind; `None` where there is no value.
    pub const fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Absent => return None,
            Self::Null => Kind::Null,
            Self::Bool => Kind::Bool,
            Self::Integer | Self::Fraction => Kind::Number,
            Self::String => Kind::String,
            Self::Array => Kind::Array,
            Self::Object => Kind::Object,
        })
    }
}

const FORM_SHIFT: u32 = 29;
const ESCAPED: u32 = 1 << 28;
/// The longest value that a span can hold, in bytes: 16 times the largest record.
const LENGTH: u32 = ESCAPED - 1;

/// Where a value stands: eight bytes, as there is one for every field of every record of a page.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    /// The form in the three highest bits, then whether a string in it has an escape, then the length.
    rest: u32,
}

impl Span {
    /// No value.
    pub const NONE: Self = Self { start: 0, rest: 0 };

    /// The value of `form` from `start` to `end`; [`Span::NONE`] where that is beyond 4 GiB, or longer than
    /// 256 MiB.
    #[inline]
    pub fn new(form: Form, start: usize, end: usize, escaped: bool) -> Self {
        let (Ok(first), Ok(length)) =
            (u32::try_from(start), u32::try_from(end.wrapping_sub(start)))
        else {
            return Self::NONE;
        };
        if length > LENGTH {
            return Self::NONE;
        }
        let flag = if escaped { ESCAPED } else { 0 };
        Self { start: first, rest: form.code() << FORM_SHIFT | flag | length }
    }

    /// What the value looks like.
    #[inline]
    pub fn form(self) -> Form {
        match self.code() {
            0 => Form::Absent,
            1 => Form::Null,
            2 => Form::Bool,
            3 => Form::Integer,
            4 => Form::Fraction,
            5 => Form::String,
            6 => Form::Array,
            _ => Form::Object,
        }
    }

    /// The number of its form, [`Form::code`].
    #[inline]
    pub fn code(self) -> u32 {
        self.rest >> FORM_SHIFT
    }

    /// Whether there is no value, or null.
    #[inline]
    pub fn is_nothing(self) -> bool {
        self.code() <= Form::Null.code()
    }

    /// Whether it is `""`.
    #[inline]
    pub fn is_empty_string(self) -> bool {
        self.rest & !ESCAPED == Form::String.code() << FORM_SHIFT | 2
    }

    /// Whether all look like the first.
    #[inline]
    pub fn are_alike(spans: &[Self]) -> bool {
        let first = spans.first().copied().unwrap_or_default();
        // All of them, without a way out: so the compiler makes it a few vector instructions.
        spans.iter().fold(0, |odd, span| odd | (span.rest ^ first.rest)) >> FORM_SHIFT == 0
    }

    /// Whether a string in it has an escape.
    #[inline]
    pub fn is_escaped(self) -> bool {
        self.rest & ESCAPED != 0
    }

    /// Its length in bytes; 0 where there is no value.
    #[inline]
    pub fn len(self) -> usize {
        (self.rest & LENGTH) as usize
    }

    /// Whether there is no value.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The place behind it.
    #[inline]
    pub fn end(self) -> usize {
        self.start as usize + self.len()
    }

    /// Its bytes' places.
    #[inline]
    pub fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len()
    }

    /// Its text; `None` where there is no value.
    #[inline]
    pub fn of(self, text: &str) -> Option<&str> {
        text.get(self.range()).filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = if self.is_escaped() { ", escaped" } else { "" };
        write!(f, "{:?}({:?}{escaped})", self.form(), self.range())
    }
}
