//! The table of a schema file.

use std::collections::HashMap;

use serde_json::Value;

use crate::spec::declared::table as declared;
use crate::spec::document::{Document, Place};
use crate::spec::resolve::drift;
use crate::spec::resolve::field::{Siblings, field};
use crate::spec::resolve::values::{name, size};
use crate::spec::table::{
    Compression, DriftPolicy, EXTRACTED_AT, Field, FieldType, ParquetOptions, Scalar, Table,
};
use crate::spec::yaml::Kind;
use crate::spec::{schema_json, shape};

/// Letters that a slip of the pen may get wrong.
const SLIP: usize = 2;

/// Checks `document` as a schema file: the table, unless something is wrong.
pub(crate) fn table(document: &mut Document) -> Option<Table> {
    let value = shape::check(document, &schema_json::table_schema())?;
    let mut written = read::<declared::TableFile>(document, value)?;
    declare_version(&mut written);
    let resolved = resolve(document, &written);
    if resolved.is_none() && document.is_clean() {
        document.error(&Place::root(), "the file is wrong in a way that has no message yet");
    }
    resolved.filter(|_| document.is_clean())
}

/// A `version_by` that names no field is the record's key of that name, and becomes a timestamp column: without it
/// nobody could see which version won. A near miss of a field's name is a slip, not a new column.
fn declare_version(written: &mut declared::TableFile) {
    let Some(version) = &written.version_by else { return };
    let plain = version.starts_with(|c: char| c.is_ascii_alphabetic())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let fields = written.fields.get_or_insert_default();
    let slip = |field: &declared::Field| {
        field.name.as_deref().is_some_and(|name| strsim::levenshtein(name, version) <= SLIP)
    };
    if !plain || written.primary_key.is_none() || fields.iter().any(slip) {
        return;
    }
    let field = serde_json::json!({ "name": version, "type": "timestamp" });
    fields.extend(serde_json::from_value::<declared::Field>(field));
}

/// Reads what has the right shape. Where something was left out, what remains may be unreadable: that is said already.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    document: &mut Document,
    value: Value,
) -> Option<T> {
    match serde_json::from_value(value) {
        Ok(read) => Some(read),
        Err(error) => {
            if document.is_clean() {
                document.error(&Place::root(), format!("the file is wrong: {error}"));
            }
            None
        }
    }
}

fn resolve(document: &mut Document, written: &declared::TableFile) -> Option<Table> {
    let root = Place::root();
    let table_name = written.table.as_deref();
    let table_name = table_name.and_then(|text| name(document, &root.key("table"), text));
    let partition_column = partition_column(document, &root.key("partition_column"), written);
    let raw_column = raw_column(document, &root.key("raw_column"), written);
    let drift = drift::policy(document, &root.key("drift"), written.drift.as_ref());
    let own = (partition_column.as_str(), raw_column.as_deref());
    let fields = fields(document, &root.key("fields"), written, own, drift);
    let parquet = parquet(document, &root.key("parquet"), written.parquet.as_ref());
    let fields = fields?;
    let keys = references(document, &fields, written);
    let (primary_key, version_by, partition_by) = keys?;
    Some(Table {
        file: document.file().to_owned(),
        name: table_name?,
        primary_key,
        version_by,
        partition_by,
        partition_column,
        raw_column,
        reject_limit: written.reject_limit.unwrap_or(0.05),
        drift,
        fields: fields.into_iter().collect::<Option<_>>()?,
        parquet: parquet?,
    })
}

fn partition_column(
    document: &mut Document,
    place: &Place,
    written: &declared::TableFile,
) -> String {
    let column = written.partition_column.as_deref().unwrap_or("date");
    let first = column.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if !first || !column.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        document
            .error(place, format!("`{column}` is no name for a partition"))
            .hint("start with a letter, go on with letters, digits and `_`: readers skip `_…`");
    }
    column.to_owned()
}

fn raw_column(
    document: &mut Document,
    place: &Place,
    written: &declared::TableFile,
) -> Option<String> {
    let node = document.at(place);
    if node.is_some_and(|node| matches!(node.kind, Kind::Null)) {
        return None;
    }
    let column = written.raw_column.as_deref().unwrap_or("_raw");
    if column.trim().is_empty() || column.chars().any(char::is_control) {
        document.error(place, "no name for a column").hint("write `raw_column: null` for none");
    } else if column.eq_ignore_ascii_case(EXTRACTED_AT) {
        document.error(place, format!("`{column}` is the name of lakeward's own column"));
    }
    Some(column.to_owned())
}

/// The fields, each `None` where it is wrong; `None` where there are none at all.
fn fields(
    document: &mut Document,
    place: &Place,
    written: &declared::TableFile,
    (partition_column, raw_column): (&str, Option<&str>),
    drift: DriftPolicy,
) -> Option<Vec<Option<Field>>> {
    let all = written.fields.as_ref()?;
    let siblings = Siblings {
        drift,
        names: all.iter().map(|field| field.name.as_deref().unwrap_or_default()).collect(),
        types: all.iter().map(|field| field.r#type.as_deref().unwrap_or_default()).collect(),
    };
    let own = [
        (Some(partition_column), "the partition column"),
        (raw_column, "the raw column"),
        (Some(EXTRACTED_AT), "lakeward's own column"),
    ];
    let mut folded: HashMap<String, &str> = HashMap::new();
    for (index, name) in siblings.names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        let at = place.item(index).key("name");
        let before = folded.get(&name.to_lowercase()).copied();
        folded.entry(name.to_lowercase()).or_insert(name);
        match before {
            Some(other) if other == *name => {
                document.error(&at, format!("a second field with the name `{name}`"));
            }
            Some(other) => {
                document
                    .error(&at, format!("`{name}` and `{other}` differ only in letter case"))
                    .hint("Spark and DuckDB take them for one column");
            }
            None => {}
        }
        for (_, what) in
            own.iter().filter(|(taken, _)| taken.is_some_and(|taken| same_column(taken, name)))
        {
            document
                .error(&at, format!("a field must not be called like {what}, `{name}`"))
                .hint("rename the field, and keep the API's name with `from`");
        }
    }
    let each = all.iter().enumerate();
    Some(each.map(|(index, one)| field(document, &place.item(index), one, &siblings)).collect())
}

fn same_column(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

type Keys = (Vec<usize>, Option<usize>, Option<usize>);

/// The fields that other keys name.
fn references(
    document: &mut Document,
    fields: &[Option<Field>],
    written: &declared::TableFile,
) -> Option<Keys> {
    let root = Place::root();
    let all: Vec<&str> = written
        .fields
        .iter()
        .flatten()
        .map(|field| field.name.as_deref().unwrap_or_default())
        .collect();
    let primary_key = primary_key(document, &root.key("primary_key"), fields, written, &all);
    let one = |document: &mut Document,
               key: &str,
               text: Option<&String>,
               fits: fn(Scalar) -> bool,
               wanted: &str| {
        let Some(name) = text else { return Some(None) };
        let place = Place::root().key(key);
        let index = reference(document, &place, key, name, &all)?;
        let fits = |field: &Field| matches!(field.kind, FieldType::Scalar(scalar) if fits(scalar));
        if fields.get(index).and_then(Option::as_ref).is_some_and(|field| !fits(field)) {
            document.error(&place, format!("the field `{name}` is {wanted}"));
        }
        Some(Some(index))
    };
    let is_time = |scalar| matches!(scalar, Scalar::Timestamp | Scalar::Date);
    let is_ordered = |scalar| !matches!(scalar, Scalar::String | Scalar::Bool);
    let version_by = one(
        document,
        "version_by",
        written.version_by.as_ref(),
        is_ordered,
        "neither a time nor a number",
    );
    let partition_by = one(
        document,
        "partition_by",
        written.partition_by.as_ref(),
        is_time,
        "neither a timestamp nor a date",
    );
    let version_by = version_by?;
    if version_by.is_some() && written.primary_key.is_none() {
        let message = "`version_by` says nothing without `primary_key`";
        document.key_error(&Place::root(), "version_by", message);
    }
    Some((primary_key, version_by, partition_by?))
}

fn primary_key(
    document: &mut Document,
    at: &Place,
    fields: &[Option<Field>],
    written: &declared::TableFile,
    all: &[&str],
) -> Vec<usize> {
    let names: Vec<(Place, &str)> = match &written.primary_key {
        None => Vec::new(),
        Some(declared::OneOrMore::One(name)) => vec![(at.clone(), name)],
        Some(declared::OneOrMore::More(names)) => {
            names.iter().enumerate().map(|(index, name)| (at.item(index), name.as_str())).collect()
        }
    };
    let mut primary_key = Vec::new();
    for (place, name) in &names {
        let Some(index) = reference(document, place, "primary_key", name, all) else { continue };
        if primary_key.contains(&index) {
            document.error(place, format!("`{name}` is in the primary key twice"));
        }
        primary_key.push(index);
        let scalar = |field: &Field| matches!(field.kind, FieldType::Scalar(_));
        if fields.get(index).and_then(Option::as_ref).is_some_and(|field| !scalar(field)) {
            let message = format!("the field `{name}` cannot identify a record: it is no scalar");
            document.error(place, message);
        }
    }
    primary_key
}

fn reference(
    document: &mut Document,
    place: &Place,
    key: &str,
    name: &str,
    all: &[&str],
) -> Option<usize> {
    let index = all.iter().position(|known| *known == name && !name.is_empty());
    if index.is_none() {
        document
            .error(place, format!("`{key}` names `{name}`, which is no field"))
            .nearest(name, all.iter().copied());
    }
    index
}

fn parquet(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Parquet>,
) -> Option<ParquetOptions> {
    let written = written.cloned().unwrap_or_default();
    let usual = ParquetOptions::default();
    let codec = written.compression.as_deref();
    let codec = codec.map_or(Some(usual.compression), |codec| {
        compression(document, &place.key("compression"), codec)
    });
    let group = written.row_group.as_ref();
    let group = group.map(|group| size(document, &place.key("row_group"), Some(group), 0));
    let file = written.target_file.as_ref();
    let file = size(document, &place.key("target_file"), file, usual.target_file_bytes);
    let open_partitions = written.open_partitions.unwrap_or(usual.open_partitions);
    if open_partitions == 0 {
        document.error(&place.key("open_partitions"), "one partition is open at least");
        return None;
    }
    Some(ParquetOptions {
        compression: codec?,
        row_group: group.map_or(Some(None), |group| group.map(Some))?,
        target_file_bytes: file?,
        open_partitions,
    })
}

fn compression(document: &mut Document, place: &Place, text: &str) -> Option<Compression> {
    match text {
        "none" | "uncompressed" => return Some(Compression::Uncompressed),
        "snappy" => return Some(Compression::Snappy),
        "zstd" => return Some(Compression::Zstd(1)),
        _ => {}
    }
    let level = text.strip_prefix("zstd(").and_then(|rest| rest.strip_suffix(')'));
    let level = level.and_then(|level| level.trim().parse::<i32>().ok());
    if let Some(level @ 1..=22) = level {
        return Some(Compression::Zstd(level));
    }
    document
        .error(place, format!("`{text}` is no codec"))
        .nearest(text, ["zstd", "snappy", "none"])
        .hint("one of zstd(1) to zstd(22), snappy, none");
    None
}
