//! The schema file as it is written (DESIGN §4).

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::spec::declared::source::Size;

/// A schema file of lakeward: one table, its columns, and what each of them accepts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lakeward schema file")]
pub(crate) struct TableFile {
    /// The version of this file's format, which is 1.
    #[schemars(required, extend("const" = 1))]
    #[expect(dead_code, reason = "the shape's check holds it to its constant")]
    pub(crate) version: Option<u64>,
    /// The table's name, the folder under the lake, made of letters, digits, `_` and `-`.
    #[schemars(required, regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub(crate) table: Option<String>,
    /// The fields whose values identify a record; of one key one row survives in a window.
    pub(crate) primary_key: Option<OneOrMore>,
    /// The field that says which of two versions of a record is later. A name that is no field is the record's key of that name, and becomes a timestamp column. Default the one seen last.
    pub(crate) version_by: Option<String>,
    /// The timestamp or date field whose UTC date is the partition.
    pub(crate) partition_by: Option<String>,
    /// The partition's name in paths. Default date.
    pub(crate) partition_column: Option<String>,
    /// The column of the record's exact JSON text; null for none. Default _raw.
    pub(crate) raw_column: Option<String>,
    /// The largest share of rejected records that a window may have, from 0 to 1. Default 0.05.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) reject_limit: Option<f64>,
    /// What each kind of drift leads to. Default warn.
    pub(crate) drift: Option<Drift>,
    /// How data files are written.
    pub(crate) parquet: Option<Parquet>,
    /// The columns in order.
    #[schemars(required, length(min = 1))]
    pub(crate) fields: Option<Vec<Field>>,
}

/// One text or a list of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    /// One.
    One(String),
    /// Several, in order.
    More(Vec<String>),
}

/// What each kind of drift leads to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drift {
    /// A path that is not declared. Default warn.
    pub(crate) new_field: Option<DriftAction>,
    /// A declared path that is absent. Default warn.
    pub(crate) missing_field: Option<DriftAction>,
    /// A JSON kind that is not natural for the type. Default warn.
    pub(crate) type_changed: Option<DriftAction>,
    /// A value that is not among the known ones. Default warn.
    pub(crate) new_value: Option<DriftAction>,
    /// One path in place of another. Default warn.
    pub(crate) renamed: Option<DriftAction>,
    /// A value that was invalid and became null. Default warn.
    pub(crate) invalid_value: Option<DriftAction>,
    /// Two time units in one column. Default warn.
    pub(crate) mixed_units: Option<DriftAction>,
    /// A share of nulls that is far from that of earlier windows. Default warn.
    pub(crate) null_rate: Option<DriftAction>,
    /// Numbers that are many times larger or smaller than in earlier windows. Default warn.
    pub(crate) range_moved: Option<DriftAction>,
    /// A number of records that is far from that of earlier windows. Default warn.
    pub(crate) row_count: Option<DriftAction>,
    /// How values are shown in reports. Default full.
    pub(crate) samples: Option<Samples>,
}

/// What drift of one field leads to, where it is not as for the table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldDrift {
    /// It is absent.
    pub(crate) missing_field: Option<DriftAction>,
    /// A JSON kind that is not natural for its type.
    pub(crate) type_changed: Option<DriftAction>,
    /// A value that is not among the known ones.
    pub(crate) new_value: Option<DriftAction>,
    /// Another path in place of its own.
    pub(crate) renamed: Option<DriftAction>,
    /// A value that was invalid and became null.
    pub(crate) invalid_value: Option<DriftAction>,
    /// Two time units.
    pub(crate) mixed_units: Option<DriftAction>,
    /// A share of nulls that is far from that of earlier windows.
    pub(crate) null_rate: Option<DriftAction>,
    /// Numbers that are many times larger or smaller than in earlier windows.
    pub(crate) range_moved: Option<DriftAction>,
    /// How its values are shown in reports. Default as the table says; of personal values redacted.
    pub(crate) samples: Option<Samples>,
}

/// How values are shown in reports.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Samples {
    /// Not at all.
    None,
    /// Letters as `x` and digits as `0`: length and punctuation remain.
    Redacted,
    /// As they came, 60 characters of them.
    Full,
}

/// What a kind of drift leads to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DriftAction {
    /// Not reported.
    Ignore,
    /// Reported.
    Warn,
    /// The record goes to the dead letters.
    DiscardRow,
    /// The window fails with exit 7.
    Fail,
}

/// How data files are written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parquet {
    /// The codec: `zstd(1)` to `zstd(22)`, `snappy` or `none`. Default zstd(1).
    pub(crate) compression: Option<String>,
    /// The size of a row group before compression. Default 128MiB, or 48MiB encoded over all open partitions of a window.
    pub(crate) row_group: Option<Size>,
    /// The size at which a data file is closed. Default 512MiB.
    pub(crate) target_file: Option<Size>,
    /// Partitions of a window whose files may be open at once. Where a page has rows of more, files are closed and begun
    /// again. Default 32.
    #[schemars(range(min = 1))]
    pub(crate) open_partitions: Option<u16>,
}

/// One column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// The column's name.
    #[schemars(required)]
    pub(crate) name: Option<String>,
    /// The type: string, bool, int32, int64, float64, decimal(p, s), date, timestamp, json or list(T).
    #[schemars(required, extend("examples" = ["string", "bool", "int32", "int64", "float64", "decimal(18, 2)", "date", "timestamp", "json", "list(string)"]))]
    pub(crate) r#type: Option<String>,
    /// The JSON Pointer of the value in a record, or a list of which the first present one is taken. Default /<name>.
    pub(crate) from: Option<OneOrMore>,
    /// Whether a record without it is rejected. Default false.
    pub(crate) required: Option<bool>,
    /// What an invalid value leads to. Default reject where required, else null.
    pub(crate) on_invalid: Option<OnInvalid>,
    /// What stands in for missing and null.
    pub(crate) default: Option<Value>,
    /// The expected values of a string; others are reported as drift.
    pub(crate) known: Option<Vec<String>>,
    /// The letter case that a string is brought to.
    pub(crate) case: Option<Case>,
    /// The least valid number.
    pub(crate) min: Option<Number>,
    /// The greatest valid number.
    pub(crate) max: Option<Number>,
    /// What a JSON integer of a decimal means. Default major.
    pub(crate) integers: Option<Integers>,
    /// The exponent of minor units. Default 2.
    #[schemars(range(min = 0, max = 38))]
    pub(crate) minor_digits: Option<u8>,
    /// The field whose ISO 4217 code gives the exponent of minor units.
    pub(crate) currency: Option<String>,
    /// How a decimal with more fraction digits than its scale is rounded. Default not at all: it is invalid.
    pub(crate) round: Option<Round>,
    /// The decimal mark of strings, where the text alone is ambiguous.
    pub(crate) decimal_mark: Option<DecimalMark>,
    /// The unit of numeric timestamps. Default told by magnitude.
    pub(crate) unit: Option<Unit>,
    /// The zone of times without one: an offset such as `+05:30` or a name such as `Asia/Kolkata`. Default UTC.
    pub(crate) assume_zone: Option<String>,
    /// What drift of this field leads to, where it is not as for the table.
    pub(crate) drift: Option<FieldDrift>,
    /// Whether its values are personal: reports show them redacted, and no manifest lists them. Default false.
    pub(crate) pii: Option<bool>,
}

/// What an invalid value leads to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnInvalid {
    /// The record goes to the dead letters.
    Reject,
    /// The value becomes null and is counted.
    Null,
}

/// A letter case.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Case {
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
}

/// What a JSON integer of a decimal means.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Integers {
    /// Cents, paise and the like.
    Minor,
    /// Dollars, rupees and the like.
    Major,
}

/// How a decimal is rounded.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Round {
    /// To the nearest, a tie to the even digit.
    HalfEven,
}

/// A decimal mark.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum DecimalMark {
    /// A point.
    #[serde(rename = ".")]
    Point,
    /// A comma.
    #[serde(rename = ",")]
    Comma,
}

/// The unit of a numeric timestamp.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}
