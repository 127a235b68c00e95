//! Fingerprints: whether two declarations give the same rows.
//!
//! Built from named parts and not from a dump of the types, so that a new key with its old meaning as default
//! changes no fingerprint.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::spec::pagination::{CursorFrom, CursorPlace, Pagination};
use crate::spec::pointer::Pointer;
use crate::spec::source::{Format, OnStatus, Source, Stream, TotalFrom};
use crate::spec::table::{Case, Field, MinorUnits, OnInvalid, Table, TimeUnit, Zone};

impl Source {
    /// A fingerprint of what decides the stream's records: the requests and how their answers are read,
    /// not credentials, limits or timeouts. 32 hex digits.
    pub fn fingerprint(&self, stream: &Stream) -> String {
        of_stream(self, stream)
    }
}

impl Table {
    /// A fingerprint of what decides the typed rows, not of drift policy, reject limit or file options.
    /// 32 hex digits.
    pub fn fingerprint(&self) -> String {
        of_table(self)
    }

    /// How the fields are read by which rows are told apart: those of `primary_key`, then `version_by`.
    pub fn key_rules(&self) -> Vec<Value> {
        let fields = self.primary_key.iter().chain(&self.version_by);
        fields.filter_map(|at| self.fields.get(*at)).map(|one| field(one, self)).collect()
    }
}

fn of_stream(source: &Source, stream: &Stream) -> String {
    let params: Vec<Value> =
        stream.params.iter().map(|(key, value)| json!([key, value.source()])).collect();
    let headers: Vec<Value> =
        source.headers.iter().map(|(key, value)| json!([key, value.source()])).collect();
    let on_status: Map<String, Value> = stream
        .on_status
        .iter()
        .map(|(status, OnStatus::Empty)| (status.to_string(), json!("empty")))
        .collect();
    let mut decides = json!({
        "name": stream.name,
        "base_url": source.base_url.as_ref().map_or("", |url| url.as_str()),
        "path": stream.path.source(),
        "params": params,
        "headers": headers,
        "method": stream.method.as_str(),
        "body": stream.body.as_ref().map(|body| body.source()),
        "records": stream.records.to_string(),
        "total": stream.total.as_ref().map(total),
        "clip": stream.clip,
        "on_status": on_status,
        "error": stream.error.as_ref().map(Pointer::to_string),
        "pagination": pagination(&stream.pagination),
    });
    // Absent where it is what it was before there was a choice, so that no window of then begins anew.
    if let (Some(decides), true) = (decides.as_object_mut(), stream.format != Format::Json) {
        decides.insert("format".to_owned(), json!(stream.format.key()));
    }
    hash(&decides)
}

fn of_table(table: &Table) -> String {
    let named = |index: &usize| table.fields.get(*index).map(|field| field.name.as_str());
    hash(&json!({
        "table": table.name,
        "primary_key": table.primary_key.iter().map(named).collect::<Vec<_>>(),
        "version_by": table.version_by.as_ref().and_then(named),
        "partition_by": table.partition_by.as_ref().and_then(named),
        "partition_column": table.partition_column,
        "raw_column": table.raw_column,
        "fields": table.fields.iter().map(|one| field(one, table)).collect::<Vec<_>>(),
    }))
}

/// The first 128 bits of SHA-256, in hex.
fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn total(total: &TotalFrom) -> Value {
    match total {
        TotalFrom::Body(pointer) => json!(pointer.to_string()),
        TotalFrom::Header(name) => json!({ "header": name.to_ascii_lowercase() }),
    }
}

fn pagination(pagination: &Pagination) -> Value {
    let shown = |pointer: &Option<Pointer>| pointer.as_ref().map(Pointer::to_string);
    match pagination {
        Pagination::None => json!({ "type": "none" }),
        Pagination::LinkHeader => json!({ "type": "link_header" }),
        Pagination::NextUrl { next } => json!({ "type": "next_url", "next": next.to_string() }),
        Pagination::Page(by) => json!({
            "type": "page",
            "param": by.param,
            "first": by.first,
            "size_param": by.size_param,
            "size": by.size,
            "has_more": shown(&by.has_more),
            "short_page_ends": by.short_page_ends,
        }),
        Pagination::Offset(by) => json!({
            "type": "offset",
            "param": by.param,
            "limit_param": by.limit_param,
            "limit": by.limit,
            "has_more": shown(&by.has_more),
            "short_page_ends": by.short_page_ends,
        }),
        Pagination::Cursor(by) => json!({
            "type": "cursor",
            "cursor": match &by.cursor {
                CursorFrom::Body(pointers) => json!(texts(pointers)),
                CursorFrom::Header(name) => json!({ "header": name.to_ascii_lowercase() }),
                CursorFrom::LastRecord(pointer) => json!({ "last_record": pointer.to_string() }),
            },
            "param": by.param,
            "in": match by.place {
                CursorPlace::Query => "query",
                CursorPlace::Body => "body",
                CursorPlace::Header => "header",
            },
            "has_more": shown(&by.has_more),
        }),
    }
}

fn texts(pointers: &[Pointer]) -> Vec<String> {
    pointers.iter().map(Pointer::to_string).collect()
}

fn field(field: &Field, table: &Table) -> Value {
    let integers = field.decimal.integers.as_ref().map(|minor| match minor {
        MinorUnits::Digits(digits) => json!(digits),
        MinorUnits::Currency(index) => json!(table.fields.get(*index).map(|field| &field.name)),
    });
    json!({
        "name": field.name,
        "type": field.kind.to_string(),
        "from": texts(&field.from),
        "required": field.required,
        "on_invalid": match field.on_invalid {
            OnInvalid::Reject => "reject",
            OnInvalid::Null => "null",
        },
        "default": field.default,
        "case": field.case.map(|case| match case {
            Case::Lower => "lower",
            Case::Upper => "upper",
        }),
        "min": field.min.map(|min| min.normalize().to_string()),
        "max": field.max.map(|max| max.normalize().to_string()),
        "integers": integers,
        "round_half_even": field.decimal.round_half_even,
        "decimal_mark": field.decimal.decimal_mark,
        "unit": field.time.unit.map(|unit| match unit {
            TimeUnit::Seconds => "s",
            TimeUnit::Millis => "ms",
            TimeUnit::Micros => "us",
            TimeUnit::Nanos => "ns",
        }),
        "assume_zone": field.time.assume_zone.map(|zone| match zone {
            Zone::Offset(seconds) => json!(seconds),
            Zone::Named(name) => json!(name.name()),
        }),
    })
}
