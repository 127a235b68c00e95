//! The schema file: the declared table, its columns and what each accepts (DESIGN §4).

use std::fmt;
use std::path::PathBuf;

use rust_decimal::Decimal;

use crate::spec::pointer::Pointer;

/// The column of the instant at which a row was extracted, lakeward's own: the raw column stands behind it.
pub const EXTRACTED_AT: &str = "_extracted_at";

/// A declared table, checked: names are unique and every reference is a field.
#[derive(Clone, Debug)]
pub struct Table {
    /// The file it was read from.
    pub file: PathBuf,
    /// Its name, the folder under the lake.
    pub name: String,
    /// Fields whose values identify a record; indexes into `fields`. May be empty.
    pub primary_key: Vec<usize>,
    /// The field that says which version of a record is later.
    pub version_by: Option<usize>,
    /// The timestamp or date field whose UTC date is the partition.
    pub partition_by: Option<usize>,
    /// The partition's name in paths. Default `date`.
    pub partition_column: String,
    /// The column of the record's exact JSON text.
    pub raw_column: Option<String>,
    /// The largest share of rejects that a window may have. Default 0.05.
    pub reject_limit: f64,
    /// What each kind of drift leads to.
    pub drift: DriftPolicy,
    /// The columns, in declared order.
    pub fields: Vec<Field>,
    /// How data files are written.
    pub parquet: ParquetOptions,
}

/// One declared column.
#[derive(Clone, Debug)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub kind: FieldType,
    /// Where its value stands in a record: the first that is present and not null.
    pub from: Vec<Pointer>,
    /// Whether a record without it is rejected.
    pub required: bool,
    /// What an invalid value leads to. Default reject where required, else null.
    pub on_invalid: OnInvalid,
    /// Stands in for missing and null, as JSON text (`"INR"`, `0`, `true`).
    pub default: Option<String>,
    /// The expected values of a string, compared after `case`.
    pub known: Vec<String>,
    /// Letter case that a string is brought to.
    pub case: Option<Case>,
    /// The least valid number.
    pub min: Option<Decimal>,
    /// The greatest valid number.
    pub max: Option<Decimal>,
    /// How decimals read integers, marks and rounding.
    pub decimal: DecimalRules,
    /// How timestamps read numbers and local times.
    pub time: TimeRules,
    /// What drift of this field leads to, where it is not as for the table.
    pub drift: DriftPolicy,
    /// Whether its values are personal: no report holds a sample of them unless `drift.samples` is full.
    pub pii: bool,
}

/// A column's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// One of the scalar types.
    Scalar(Scalar),
    /// The subtree's exact JSON text.
    Json,
    /// A list of scalars.
    List(Scalar),
}

/// As a schema file names it.
impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => scalar.fmt(f),
            Self::Json => f.write_str("json"),
            Self::List(scalar) => write!(f, "list({scalar})"),
        }
    }
}

/// The scalar types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// UTF-8 text.
    String,
    /// True or false.
    Bool,
    /// 32-bit signed.
    Int32,
    /// 64-bit signed.
    Int64,
    /// IEEE 754 double.
    Float64,
    /// Exact decimal.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// A calendar day.
    Date,
    /// Microseconds since the epoch, UTC.
    Timestamp,
}

/// As a schema file names it.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Decimal { precision, scale } => {
                return write!(f, "decimal({precision}, {scale})");
            }
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        })
    }
}

/// What an invalid value leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// The record goes to the dead letters.
    Reject,
    /// The value becomes null and is counted.
    Null,
}

/// Letter case that a string is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
}

/// How a decimal reads its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecimalRules {
    /// What a JSON integer means; `None` is major units.
    pub integers: Option<MinorUnits>,
    /// Round half to even instead of refusing more fraction digits than the scale.
    pub round_half_even: bool,
    /// The decimal mark of strings, where the text alone is ambiguous.
    pub decimal_mark: Option<char>,
}

/// The exponent of minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MinorUnits {
    /// A fixed number of digits. Default 2.
    Digits(u8),
    /// The ISO 4217 exponent of the currency in this field (an index into `fields`).
    Currency(usize),
}

/// How a timestamp reads its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeRules {
    /// The unit of numbers; `None` tells it by magnitude.
    pub unit: Option<TimeUnit>,
    /// The zone of local times; `None` is UTC.
    pub assume_zone: Option<Zone>,
}

/// The zone of a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Seconds east of UTC, declared as `+05:30`.
    Offset(i32),
    /// An IANA zone, declared as `Asia/Kolkata`.
    Named(chrono_tz::Tz),
}

/// The unit of a numeric timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// What each kind of drift leads to, and how values are shown in its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriftPolicy {
    /// An undeclared path.
    pub new_field: DriftAction,
    /// A declared path that is absent.
    pub missing_field: DriftAction,
    /// A JSON kind that is not natural for the type.
    pub type_changed: DriftAction,
    /// A value outside `known`.
    pub new_value: DriftAction,
    /// One path in place of another.
    pub renamed: DriftAction,
    /// A value nulled by `on_invalid`.
    pub invalid_value: DriftAction,
    /// Two time units in one column.
    pub mixed_units: DriftAction,
    /// A share of nulls that is far from that of earlier windows.
    pub null_rate: DriftAction,
    /// Numbers many times larger or smaller than in earlier windows.
    pub range_moved: DriftAction,
    /// A number of records that is far from that of earlier windows.
    pub row_count: DriftAction,
    /// How values are shown.
    pub samples: Samples,
}

/// Everything is reported, and shown as it came.
impl Default for DriftPolicy {
    fn default() -> Self {
        let warn = DriftAction::Warn;
        Self {
            new_field: warn,
            missing_field: warn,
            type_changed: warn,
            new_value: warn,
            renamed: warn,
            invalid_value: warn,
            mixed_units: warn,
            null_rate: warn,
            range_moved: warn,
            row_count: warn,
            samples: Samples::Full,
        }
    }
}

/// How values are shown in reports, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Samples {
    /// Not at all.
    None,
    /// Letters as `x` and digits as `0`.
    Redacted,
    /// As they came.
    Full,
}

/// What a kind of drift leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftAction {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetOptions {
    /// The codec and level.
    pub compression: Compression,
    /// Bytes of a row group, before compression, where declared.
    pub row_group: Option<u64>,
    /// Bytes at which a data file is closed. Default 512 MiB.
    pub target_file_bytes: u64,
    /// Partitions of a window whose files may be open at once. Default 32.
    pub open_partitions: u16,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Zstd(1),
            row_group: None,
            target_file_bytes: 512 << 20,
            open_partitions: 32,
        }
    }
}

impl ParquetOptions {
    /// Bytes of a row group, before compression: 128 MiB unless declared.
    pub fn row_group_bytes(&self) -> u64 {
        self.row_group.unwrap_or(128 << 20)
    }
}

/// The codec of data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// None.
    Uncompressed,
    /// Snappy.
    Snappy,
    /// Zstandard at a level from 1 to 22.
    Zstd(i32),
}
