//! The columns that a sample's records suggest, and which of them are key, partition and version.

use std::collections::HashMap;

use crate::cli::sample::envelope::pointer;
use crate::cli::sample::names::{folded, is_one};
use crate::cli::sample::tree::Tree;
use crate::cli::sample::values::Values;

/// Records that are looked at.
const MOST: usize = 10_000;

/// Columns at most: an object with free keys must not become a table.
const MOST_COLUMNS: usize = 500;

/// A column as it may be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Its type as a schema file writes it.
    pub(crate) kind: String,
    /// The JSON Pointer of its value in a record.
    pub(crate) from: String,
    /// Whether every record has it.
    pub(crate) required: bool,
    /// The values that are known, of an enumeration.
    pub(crate) known: Vec<String>,
    /// A sentence for who reads the file.
    pub(crate) note: Option<String>,
}

/// A table as it may be declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The columns in the order of their first appearance.
    pub(crate) columns: Vec<Column>,
    /// The field that identifies a record.
    pub(crate) primary_key: Option<String>,
    /// The field whose date is the partition.
    pub(crate) partition_by: Option<String>,
    /// The field that says which version is later.
    pub(crate) version_by: Option<String>,
    /// Keys that became no column.
    pub(crate) left_out: usize,
}

/// One key of the records.
struct Key {
    tokens: Vec<String>,
    values: Values,
}

/// Tells columns from records. Of `rows` all values are strings. `stream` is the table's name.
pub(crate) fn tell(records: &[Tree], rows: bool, stream: &str) -> Columns {
    let records: Vec<&Tree> = records.iter().take(MOST).filter(|record| record.is_map()).collect();
    let mut keys: Vec<Key> = Vec::new();
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    for record in &records {
        for (tokens, value) in fields(record) {
            let place = *places.entry(tokens).or_insert_with_key(|tokens| {
                keys.push(Key { tokens: tokens.clone(), values: Values::default() });
                keys.len() - 1
            });
            if let Some(key) = keys.get_mut(place) {
                key.values.see(value, rows);
            }
        }
    }
    let left_out = keys.len().saturating_sub(MOST_COLUMNS);
    keys.truncate(MOST_COLUMNS);
    let count = records.len() as u64;
    let mut names = Names::default();
    let columns = keys.iter().map(|key| {
        let last = key.tokens.last().map(String::as_str).unwrap_or_default();
        let told = key.values.told(last, rows);
        Column {
            name: names.give(last),
            kind: told.kind,
            from: pointer(&key.tokens),
            required: false,
            known: Vec::new(),
            note: told.note,
        }
    });
    let mut table = Columns { columns: columns.collect(), left_out, ..Columns::default() };
    let whole = |at: usize| {
        keys.get(at).is_some_and(|key| key.values.present == count && key.values.empty == 0)
    };
    let unique =
        |at: usize| whole(at) && keys.get(at).is_some_and(|key| key.values.is_unique(count));
    table.choose(stream, whole, unique);
    table
}

/// A record's fields: its keys, and those of `attributes` where an API wraps them in that.
fn fields(record: &Tree) -> Vec<(Vec<String>, &Tree)> {
    let mut found = Vec::new();
    for (key, value) in record.entries() {
        if value.is_map() && is_one(key, &["attributes"]) {
            let inner = value.entries().iter();
            found.extend(inner.map(|(inner, value)| (vec![key.clone(), inner.clone()], value)));
        } else {
            found.push((vec![key.clone()], value));
        }
    }
    found
}

impl Columns {
    /// Chooses key, partition and version among columns that are `whole` (never null or empty) and `unique`, by index.
    pub(crate) fn choose(
        &mut self,
        stream: &str,
        whole: impl Fn(usize) -> bool,
        unique: impl Fn(usize) -> bool,
    ) {
        let stream = folded(stream);
        let one = stream.strip_suffix('s').unwrap_or(&stream).to_owned();
        let keys = [
            "id",
            &format!("{one}id"),
            &format!("{stream}id"),
            "uuid",
            "gid",
            "guid",
            "key",
            "sid",
        ]
        .map(str::to_owned);
        let name = |at: usize| self.columns.get(at).map(|c| c.name.clone()).unwrap_or_default();
        let find = |names: &[String], fits: &dyn Fn(usize) -> bool| {
            names.iter().find_map(|wanted| {
                (0..self.columns.len()).find(|at| folded(&name(*at)) == *wanted && fits(*at))
            })
        };
        let is = |at: usize, kinds: &[&str]| {
            self.columns.get(at).is_some_and(|column| kinds.contains(&column.kind.as_str()))
        };
        let identifies = |at: usize| unique(at) && is(at, &["string", "int64", "int32"]);
        let key = find(&keys, &identifies);
        let times = [
            "createdat",
            "created",
            "createdon",
            "createddate",
            "creationdate",
            "createdtime",
            "datecreated",
            "creationtime",
            "timestamp",
            "occurredat",
            "eventtime",
            "orderdate",
            "date",
            "time",
            "updatedat",
        ]
        .map(str::to_owned);
        let dated = |at: usize| whole(at) && is(at, &["timestamp", "date"]);
        let any = || (0..self.columns.len()).find(|at| dated(*at));
        let partition = find(&times, &dated).or_else(any);
        let versions = [
            "updatedat",
            "updated",
            "modifiedat",
            "lastmodified",
            "modified",
            "updatedon",
            "lastupdated",
            "modifiedon",
            "dateupdated",
        ]
        .map(str::to_owned);
        let version = find(&versions, &|at| whole(at) && is(at, &["timestamp"]));
        let version = version.filter(|_| key.is_some());
        for at in [key, partition].into_iter().flatten() {
            if let Some(column) = self.columns.get_mut(at) {
                column.required = true;
            }
        }
        let name = |at: usize| self.columns.get(at).map(|column| column.name.clone());
        self.primary_key = key.and_then(name);
        self.partition_by = partition.and_then(name);
        self.version_by = version.and_then(name);
    }
}

/// Names of columns, each given once.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// A name for the key `key` that no reader stumbles over and that is neither taken nor lakeward's own.
    pub(crate) fn give(&mut self, key: &str) -> String {
        let legal = |c: char| c.is_alphanumeric() || c == '_';
        let name: String = key.chars().take(100).map(|c| if legal(c) { c } else { '_' }).collect();
        let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let name = if begins { name } else { format!("f_{name}") };
        let own = ["date", "_raw", "_extracted_at"];
        let is_taken = |name: &String| {
            let name = name.to_lowercase();
            own.contains(&name.as_str()) || self.0.contains(&name)
        };
        let numbered = (2_u32..).map(|n| format!("{name}_{n}"));
        let renamed = own.contains(&name.to_lowercase().as_str()).then(|| format!("{name}_value"));
        let candidates = std::iter::once(name.clone()).chain(renamed).chain(numbered);
        let free = { candidates }.find(|name| !is_taken(name)).unwrap_or_default();
        self.0.push(free.to_lowercase());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &str, stream: &str) -> Columns {
        tell(Tree::parse(records).expect(records).items(), false, stream)
    }

    #[test]
    fn key_partition_and_version_are_told() {
        let table = of(
            r#"[{"id": "a", "date": "2026-03-17", "created_at": 1773705600, "updated_at": "2026-03-17T00:00:00Z"},
                {"id": "b", "date": "2026-03-18", "created_at": 1773705601, "updated_at": "2026-03-17T00:00:00Z"}]"#,
            "payments",
        );
        assert_eq!(table.primary_key.as_deref(), Some("id"));
        assert_eq!(table.partition_by.as_deref(), Some("created_at"));
        assert_eq!(table.version_by.as_deref(), Some("updated_at"));
        let shown: Vec<_> = table
            .columns
            .iter()
            .map(|column| {
                format!("{} {} {} {}", column.name, column.kind, column.from, column.required)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "id string /id true",
                "date_value date /date false",
                "created_at timestamp /created_at true",
                "updated_at timestamp /updated_at false"
            ]
        );
    }

    #[test]
    fn a_key_is_whole_and_unique() {
        assert_eq!(of(r#"[{"id": 1}, {"id": 1}]"#, "x").primary_key, None);
        assert_eq!(of(r#"[{"id": 1}, {"a": 1}]"#, "x").primary_key, None);
        assert_eq!(of(r#"[{"id": ""}]"#, "x").primary_key, None);
        assert_eq!(of(r#"[{"order_id": 7}]"#, "orders").primary_key.as_deref(), Some("order_id"));
        assert_eq!(of(r#"[{"at": null, "created_at": "soon"}]"#, "x").partition_by, None);
    }

    #[test]
    fn names_are_legal_and_unique() {
        let table = of(r#"[{"a-b": 1, "a b": 2, "A_B": 3, "1": 4, "": 5, "_RAW": 6}]"#, "x");
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a_b", "a_b_2", "A_B_3", "f_1", "f_", "_RAW_value"]);
        let inner = of(r#"[{"id": "1", "attributes": {"id": "x", "name": "y"}}]"#, "x");
        let from: Vec<_> = inner.columns.iter().map(|column| column.from.as_str()).collect();
        assert_eq!(from, ["/id", "/attributes/id", "/attributes/name"]);
    }
}
