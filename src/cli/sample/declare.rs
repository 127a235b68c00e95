//! What was guessed, in the words of a source file.

use crate::cli::sample::envelope::TotalAt;
use crate::cli::sample::paging::Paging;
use crate::spec::scalar::yaml;

impl Paging {
    /// Its `type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Page { .. } => "page",
            Self::Offset { .. } => "offset",
            Self::Cursor { .. } | Self::LastRecord { .. } => "cursor",
            Self::NextUrl { .. } => "next_url",
            Self::LinkHeader => "link_header",
        }
    }

    /// The value of `pagination`.
    pub(crate) fn declared(&self) -> String {
        let mut keys = vec![format!("type: {}", self.kind())];
        let mut add = |key: &str, value: String| keys.push(format!("{key}: {value}"));
        let more = match self {
            Self::None | Self::LinkHeader => None,
            Self::NextUrl { next } => {
                add("next", yaml(next));
                None
            }
            Self::Page { param, first, size, has_more } => {
                add("param", yaml(param));
                add("first", first.to_string());
                if let Some((param, size)) = size {
                    add("size_param", yaml(param));
                    add("size", size.to_string());
                }
                has_more.as_ref()
            }
            Self::Offset { param, limit_param, limit, has_more } => {
                add("param", yaml(param));
                if let (Some(param), Some(limit)) = (limit_param, limit) {
                    add("limit_param", yaml(param));
                    add("limit", limit.to_string());
                }
                has_more.as_ref()
            }
            Self::Cursor { cursor, param, has_more } => {
                add("cursor", yaml(cursor));
                add("param", yaml(param));
                has_more.as_ref()
            }
            Self::LastRecord { field, param, has_more } => {
                add("cursor", format!("{{ last_record: {} }}", yaml(field)));
                add("param", yaml(param));
                has_more.as_ref()
            }
        };
        if let Some(pointer) = more {
            add("has_more", yaml(pointer));
        }
        format!("{{ {} }}", keys.join(", "))
    }
}

impl TotalAt {
    /// The value of `total`.
    pub(crate) fn declared(&self) -> String {
        match self {
            Self::Pointer(pointer) => yaml(pointer),
            Self::Header(name) => format!("{{ header: {} }}", yaml(name)),
        }
    }
}
