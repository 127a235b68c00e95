use std::path::PathBuf;

use crate::spec::table::{Compression, DriftAction, DriftPolicy, ParquetOptions, Scalar, Table};
use crate::spec::table::{DecimalRules, Field, FieldType, OnInvalid, TimeRules};

/// A table of the fields `id`, `part`, `version` (which tests of one module may read otherwise) and
/// `created_at`, by index.
pub(super) fn table(
    primary_key: Vec<usize>,
    version_by: Option<usize>,
    partition_by: Option<usize>,
) -> Table {
    let warn = DriftAction::Warn;
    let field = |name: &str, scalar| Field {
        name: name.to_owned(),
        kind: FieldType::Scalar(scalar),
        from: Vec::new(),
        required: false,
        on_invalid: OnInvalid::Null,
        default: None,
        known: Vec::new(),
        case: None,
        min: None,
        max: None,
        decimal: DecimalRules::default(),
        time: TimeRules::default(),
    };
    Table {
        file: PathBuf::from("t.yaml"),
        name: "t".to_owned(),
        primary_key,
        version_by,
        partition_by,
        partition_column: "date".to_owned(),
        raw_column: Some("_raw".to_owned()),
        reject_limit: 0.05,
        drift: DriftPolicy {
            new_field: warn,
            missing_field: warn,
            type_changed: warn,
            new_value: warn,
            renamed: warn,
            invalid_value: warn,
            mixed_units: warn,
        },
        fields: vec![
            field("id", Scalar::String),
            field("part", Scalar::Int64),
            field("version", Scalar::Int64),
            field("created_at", Scalar::Timestamp),
        ],
        parquet: ParquetOptions {
            compression: Compression::Zstd(1),
            row_group_bytes: 128 << 20,
            target_file_bytes: 512 << 20,
        },
    }
}
