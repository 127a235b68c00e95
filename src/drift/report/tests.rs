//! Findings from decoded records: one test a kind, with and without earlier windows.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;

use super::*;
use crate::decode::{DecodeOptions, Decoder};
use crate::json::outline::Outline;
use crate::json::scanner::Scanner;
use crate::json::tape::Paths;
use crate::page::Page;
use crate::spec::keys::record_keys;
use crate::spec::pointer::Pointer;
use crate::spec::table::{
    Compression, DecimalRules, DriftPolicy, Field, FieldType, OnInvalid, ParquetOptions, Scalar,
    TimeRules,
};

const STRING: FieldType = FieldType::Scalar(Scalar::String);
const INT: FieldType = FieldType::Scalar(Scalar::Int64);

fn field(name: &str, kind: FieldType, from: &[&str]) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        from: from.iter().map(|text| Pointer::parse(text).expect("pointer")).collect(),
        required: false,
        on_invalid: OnInvalid::Null,
        default: None,
        known: Vec::new(),
        case: None,
        min: None,
        max: None,
        decimal: DecimalRules::default(),
        time: TimeRules::default(),
        drift: DriftPolicy::default(),
        pii: false,
    }
}

fn table(fields: Vec<Field>) -> Table {
    Table {
        file: PathBuf::from("t.yaml"),
        name: "t".to_owned(),
        primary_key: vec![0],
        version_by: None,
        partition_by: None,
        partition_column: "date".to_owned(),
        raw_column: None,
        reject_limit: 0.05,
        drift: DriftPolicy::default(),
        fields,
        parquet: ParquetOptions {
            compression: Compression::Uncompressed,
            row_group: Some(1 << 27),
            open_partitions: 32,
            target_file_bytes: 1 << 29,
        },
    }
}

/// The table with this policy, for itself and for every field.
fn under(table: &Table, drift: DriftPolicy) -> Table {
    let fields = table.fields.iter().cloned().map(|field| Field { drift, ..field });
    Table { drift, fields: fields.collect(), ..table.clone() }
}

fn shape(table: &Table, body: &str) -> Shape {
    let keys = record_keys(table, Paths::default()).0;
    let body = Bytes::copy_from_slice(body.as_bytes());
    let found = Scanner::new(Outline::of_records(&[]), keys).scan(&body).expect("JSON");
    let page = Page::scanned(1, body, found);
    let options = DecodeOptions { extracted_at: DateTime::UNIX_EPOCH, clip: None };
    let mut decoder = Decoder::new(Arc::new(table.clone()), options).expect("decoder");
    decoder.decode(&page).expect("decoded");
    decoder.shape().clone()
}

fn window() -> Window {
    "20260317T000000Z_20260318T000000Z".parse().expect("window")
}

fn compare(table: &Table, body: &str, earlier: Option<&str>) -> DriftReport {
    let earlier = earlier.map(|body| Past {
        window: "20260316T000000Z_20260317T000000Z".parse().expect("window"),
        profile: Arc::new(Profile::of(table, &shape(table, body))),
    });
    report(table, &shape(table, body), window(), "f00d", earlier.as_slice())
}

/// `kind path count` of every finding.
fn brief(report: &DriftReport) -> Vec<String> {
    let line = |f: &Finding| format!("{} {} {}", f.kind.name(), f.path, f.count);
    report.findings.iter().map(line).collect()
}

fn id() -> Field {
    field("id", STRING, &["/id"])
}

#[test]
fn clean_records_have_no_findings() {
    let table = table(vec![id(), field("n", INT, &["/n"])]);
    let report = compare(&table, r#"[{"id":"a","n":1},{"id":"b","n":null},{"id":"c"}]"#, None);
    assert_eq!((report.findings.len(), report.worst(), report.records), (0, None, 3));
    assert_eq!(compare(&table, "[]", None).findings, []);
}

#[test]
fn new_field() {
    let table = table(vec![id()]);
    let body =
        r#"[{"id":"a"},{"id":"b","UPI-ref":{"x":1}},{"id":"c","UPI-ref":"s","fee":1.25,"n":3}]"#;
    let report = compare(&table, body, None);
    assert_eq!(brief(&report), ["new_field /UPI-ref 2", "new_field /fee 1", "new_field /n 1"]);
    let finding = &report.findings[0];
    assert_eq!(
        serde_json::to_value(&finding.observed).expect("json").to_string(),
        r#"{"object":1,"string":1}"#
    );
    let first = finding.first_seen.as_ref().expect("place");
    assert_eq!((first.page, first.index, first.key.as_deref()), (1, 1, Some("b")));
    assert_eq!(finding.suggestion, "- { name: upi_ref, type: json, from: /UPI-ref }");
    assert_eq!(
        report.findings[1].suggestion,
        r#"- { name: fee, type: "decimal(38, 9)", from: /fee }"#
    );
    assert_eq!(report.findings[2].suggestion, "- { name: n, type: int64, from: /n }");
    assert_eq!(
        report.lines()[0],
        "warn new_field /UPI-ref in 2 records (66.7 %): expected nothing declared, saw object 1, string 1"
    );
}

/// Of a page that was cut, and came whole the second time.
#[test]
fn what_was_not_told_apart_is_a_new_field_too() {
    let table = table(vec![id()]);
    let mut of = shape(&table, r#"[{"id":"a"},{"id":"b"}]"#);
    of.uncounted = 3;
    let report_of = |of: &Shape| report(&table, of, window(), "f00d", &[]);
    assert_eq!(brief(&report_of(&of)), ["new_field /* 2"]);
    // Where as many are reported as may be, they say enough.
    let keys: Vec<String> = (0..1_001).map(|n| format!("\"k{n}\":1")).collect();
    let of = shape(&table, &format!("[{{\"id\":\"a\",{}}}]", keys.join(",")));
    assert_eq!((of.uncounted, report_of(&of).findings.len()), (1, 1_000));
}

#[test]
fn missing_field() {
    let required =
        Field { required: true, on_invalid: OnInvalid::Reject, ..field("r", INT, &["/r"]) };
    let fields = vec![id(), required, field("o", INT, &["/o"]), field("f", INT, &["/f", "/g"])];
    let table = table(fields);
    let body = r#"[{"id":"a","r":1,"g":1},{"id":"b","g":2}]"#;
    let report = compare(&table, body, None);
    // Required and absent; of the optional one nothing says that it was there before.
    assert_eq!(brief(&report), ["missing_field /r 1"]);
    assert_eq!(
        report.findings[0].suggestion,
        "- { name: r, type: int64, from: /r, required: false }"
    );
    // Never there: not missing now.
    assert_eq!(brief(&compare(&table, body, Some(body))), ["missing_field /r 1"]);
    let full = r#"[{"id":"a","r":1,"g":1,"o":1}]"#;
    assert_eq!(
        brief(&compare(&table, body, Some(full))),
        ["missing_field /o 2", "missing_field /r 1"]
    );
}

#[test]
fn type_changed() {
    let json = field("j", FieldType::Json, &["/j"]);
    let table = table(vec![
        id(),
        field("n", INT, &["/n"]),
        json,
        field("t", FieldType::Scalar(Scalar::Timestamp), &["/t"]),
    ]);
    let body = r#"[{"id":"a","n":"5","j":1,"t":1},{"id":7,"n":5,"j":{},"t":"2026-03-17"}]"#;
    let report = compare(&table, body, None);
    assert_eq!(brief(&report), ["type_changed /id 1", "type_changed /n 1"]);
    assert_eq!(report.findings[1].samples, ["\"5\""]);
    assert_eq!(report.findings[1].expected, "number for int64");
    assert_eq!(
        report.findings[1].suggestion,
        "- { name: n, type: string, from: /n, drift: { type_changed: ignore } }"
    );
    let numbers = r#"[{"id":"a","n":5,"j":1,"t":1}]"#;
    let report = compare(&table, body, Some(numbers));
    assert_eq!(brief(&report), ["type_changed /id 1", "type_changed /n 1", "type_changed /t 1"]);
}

#[test]
fn new_and_invalid_values_and_mixed_units() {
    let status = Field { known: vec!["paid".into()], ..field("s", STRING, &["/s"]) };
    let time = field("t", FieldType::Scalar(Scalar::Timestamp), &["/t"]);
    let table = table(vec![id(), status, time, field("n", INT, &["/n"])]);
    let body = r#"[{"id":"a","s":"paid","t":1,"n":1},{"id":"b","s":"on hold","t":1773705600000,"n":1.5},{"id":"c","s":"on hold","t":5}]"#;
    let report = compare(&table, body, None);
    assert_eq!(brief(&report), ["invalid_value /n 1", "new_value /s 2", "mixed_units /t 1"]);
    assert_eq!(
        report.findings[1].suggestion,
        r#"- { name: s, type: string, from: /s, known: [paid, "on hold"] }"#
    );
    assert_eq!(report.findings[1].expected, "one of paid");
    assert_eq!(report.findings[2].samples, ["1773705600000"]);
}

/// Cents beside rupees is money a hundred times too large or too small: it is said, also where each value is read right.
#[test]
fn amounts_in_two_units() {
    use crate::spec::table::MinorUnits;
    let decimal = FieldType::Scalar(Scalar::Decimal { precision: 18, scale: 2 });
    let mut amount = field("amount", decimal, &["/amount"]);
    amount.decimal.integers = Some(MinorUnits::Digits(2));
    let table = table(vec![id(), amount]);
    let cents = r#"[{"id":"a","amount":38000},{"id":"b","amount":100}]"#;
    assert_eq!(brief(&compare(&table, cents, None)), [""; 0]);
    let both =
        r#"[{"id":"a","amount":38000},{"id":"b","amount":"380.00"},{"id":"c","amount":1.5}]"#;
    let report = compare(&table, both, None);
    assert_eq!(brief(&report), ["mixed_units /amount 2"]);
    let finding = &report.findings[0];
    assert_eq!(finding.expected, "one unit, minor_units as in the first record");
    assert_eq!(finding.samples, ["\"380.00\"", "1.5"]);
    let rupees = r#"[{"id":"a","amount":380.5}]"#;
    let report = compare(&table, rupees, Some(cents));
    assert_eq!(brief(&report), ["mixed_units /amount 1"]);
    assert_eq!(report.findings[0].expected, "minor_units as in earlier windows");
}

/// "One finding a kind and path": several columns may read one path.
#[test]
fn one_finding_a_kind_and_path() {
    let fields =
        vec![id(), field("n", INT, &["/x"]), field("b", FieldType::Scalar(Scalar::Bool), &["/x"])];
    let report = compare(&table(fields), r#"[{"id":"a","x":[1]},{"id":"b","x":5}]"#, None);
    assert_eq!(brief(&report), ["type_changed /x 2", "invalid_value /x 2"]);
    let suggestion = &report.findings[0].suggestion;
    assert_eq!(suggestion.lines().count(), 2, "{suggestion}");
}

/// "`suggestion` (the YAML lines that would accept it)": pasted, the file is valid and nothing else has changed.
#[test]
fn suggestions_are_whole_fields() {
    const SCHEMA: &str = r#"version: 1
table: t
primary_key: id
partition_by: at
drift: { renamed: ignore, missing_field: fail }
fields:
- { name: id, type: string, from: /id, required: true }
- { name: amount, type: "decimal(18, 2)", from: [/amount, "/a b"], required: true, default: 0, min: 0, max: 1000, integers: minor, currency: currency, round: half_even, decimal_mark: "," }
- { name: currency, type: string, from: /currency, default: INR, case: upper, known: [INR] }
- { name: at, type: timestamp, from: /at, on_invalid: reject, assume_zone: "+05:30" }
"#;
    let folder = tempfile::tempdir().expect("folder");
    let load = |text: &str| {
        let file = folder.path().join("t.yaml");
        std::fs::write(&file, text).expect("written");
        Table::load(&file).unwrap_or_else(|error| panic!("{text}\n{error}"))
    };
    let table = load(SCHEMA);
    let body = r#"[{"id":"a","amount":true,"currency":"usd","at":1,"currency ":1,"date":2,"_raw":{},"x_y":1,"x y":"s"},
        {"id":7,"amount":[1],"at":1773705600000,"big":12345678901234567890},
        {"id":{},"at":true}, {}]"#;
    let report = compare(&table, body, None);
    let of = |kind: &str, path: &str| {
        let found = report.findings.iter().find(|f| f.kind.name() == kind && f.path == path);
        found
            .map(|f| f.suggestion.clone())
            .unwrap_or_else(|| panic!("{kind} {path}: {:?}", brief(&report)))
    };
    assert_eq!(
        of("new_value", "/currency"),
        "- { name: currency, type: string, from: /currency, default: \"INR\", case: upper, known: [INR, USD] }"
    );
    assert_eq!(
        of("type_changed", "/amount"),
        "- { name: amount, type: json, from: [/amount, \"/a b\"], required: true, default: 0 }"
    );
    assert_eq!(
        of("missing_field", "/id"),
        "- { name: id, type: string, from: /id, required: false }"
    );
    assert_eq!(
        of("mixed_units", "/at"),
        "- { name: at, type: timestamp, from: /at, on_invalid: reject, assume_zone: \"+05:30\", drift: { mixed_units: ignore } }"
    );
    assert_eq!(of("new_field", "/date"), "- { name: date_2, type: int64, from: /date }");
    assert_eq!(of("new_field", "/x y"), "- { name: x_y_2, type: string, from: \"/x y\" }");
    assert_eq!(of("new_field", "/big"), "- { name: big, type: \"decimal(38, 9)\", from: /big }");
    for finding in report.findings.iter().filter(|f| f.path != "/id") {
        let line = &finding.suggestion;
        let name = line.split([':', ',']).nth(1).unwrap_or_default();
        let start =
            if line.starts_with("- ") { format!("- {{ name:{name},") } else { "drift:".to_owned() };
        let kept = SCHEMA.lines().filter(|old| !old.starts_with(&start));
        let mut lines: Vec<&str> = kept.collect();
        lines.insert(if line.starts_with("- ") { lines.len() } else { 4 }, line);
        load(&(lines.join("\n") + "\n"));
    }
}

#[test]
fn renamed_without_and_with_earlier_windows() {
    let fields = vec![
        id(),
        field("created_at", INT, &["/created_at"]),
        field("m", STRING, &["/m", "/way/m"]),
    ];
    let table = table(fields);
    let old = r#"[{"id":"a","created_at":1,"m":"x"},{"id":"b","created_at":2,"m":"y"}]"#;
    let new = r#"[{"id":"a","createdAt":1,"extra":5,"m":"x"},{"id":"b","createdAt":2,"m":"y"}]"#;
    for earlier in [None, Some(old)] {
        let report = compare(&table, new, earlier);
        assert_eq!(brief(&report), ["renamed /created_at 2", "new_field /extra 1"]);
        assert_eq!(
            report.findings[0].suggestion,
            "- { name: created_at, type: int64, from: [/createdAt, /created_at] }"
        );
    }
    // Of another kind, or already there before: no renaming.
    let text = r#"[{"id":"a","createdAt":"x","m":"x"}]"#;
    assert_eq!(
        brief(&compare(&table, text, Some(old))),
        ["new_field /createdAt 1", "missing_field /created_at 1"]
    );
    // A fallback that takes over is drift only against earlier windows.
    let fallback =
        r#"[{"id":"a","created_at":1,"way":{"m":"x"}},{"id":"b","created_at":2,"way":{"m":"y"}}]"#;
    assert_eq!(brief(&compare(&table, fallback, None)), [""; 0]);
    let report = compare(&table, fallback, Some(old));
    assert_eq!(brief(&report), ["renamed /m 2"]);
    assert_eq!(report.findings[0].observed.get("/way/m"), Some(&2));
}

#[test]
fn severities_follow_the_policy() {
    let created = Field { required: true, ..field("created_at", INT, &["/created_at"]) };
    let table = table(vec![id(), created]);
    let mut drift = DriftPolicy::default();
    let body = r#"[{"id":"a","createdAt":1}]"#;
    drift.missing_field = DriftAction::Fail;
    let report = compare(&under(&table, drift), body, None);
    // A weaker finding of a renaming hides no stronger one.
    assert_eq!(brief(&report), ["missing_field /created_at 1", "renamed /created_at 1"]);
    assert_eq!(report.worst(), Some(DriftAction::Fail));
    drift.renamed = DriftAction::Ignore;
    drift.missing_field = DriftAction::Ignore;
    assert_eq!(brief(&compare(&under(&table, drift), body, None)), ["new_field /createdAt 1"]);
    drift.new_field = DriftAction::Ignore;
    assert_eq!(compare(&under(&table, drift), body, None).worst(), None);
}

#[test]
fn reports_round_trip() {
    let table = table(vec![id(), field("n", INT, &["/n"])]);
    let report = compare(&table, r#"[{"id":"a","n":"x","u":[1]},{"id":null,"n":true}]"#, None);
    assert!(report.findings.len() >= 3);
    let text = serde_json::to_string_pretty(&report).expect("text");
    assert!(text.contains(r#""severity": "warn""#) && text.contains(r#""kind": "new_field""#));
    assert_eq!(serde_json::from_str::<DriftReport>(&text).expect("report"), report);
}

#[test]
fn the_schema_of_reports_in_schemas_is_current() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/drift.schema.json");
    let wanted = format!("{:#}\n", report_schema());
    if std::env::var_os("LAKEWARD_UPDATE").is_some() {
        std::fs::write(&file, &wanted).expect("write the schema");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "stale: run `LAKEWARD_UPDATE=1 cargo test --lib -- the_schema_of_reports`"
    );
}

#[test]
fn personal_values_are_redacted_and_others_may_be() {
    let shy =
        DriftPolicy { samples: crate::spec::table::Samples::Redacted, ..DriftPolicy::default() };
    let hidden = |field: Field| Field { drift: shy, pii: true, ..field };
    let status = Field { known: vec!["paid".into()], ..hidden(field("s", STRING, &["/s"])) };
    let table = table(vec![hidden(id()), status, field("n", INT, &["/n"])]);
    let body = r#"[{"id":"a7","s":"Jane Roe","n":"x9","u":"y8"}]"#;
    let report = compare(&table, body, None);
    let text = serde_json::to_string(&report).expect("text");
    assert!(!text.contains("Jane") && !text.contains("a7"), "{text}");
    assert!(text.contains("xxxx xxx") && text.contains("x0"), "{text}");
    // Another is shown as it came; one that is not declared may be a personal one under a new name.
    assert!(text.contains("x9") && !text.contains("y8"), "{text}");
}

#[test]
fn the_fixture_of_version_1_stays_readable_and_a_later_one_is_told() {
    let fixture = include_str!("../../../tests/fixtures/drift-v1.json");
    let report = DriftReport::decode(fixture.as_bytes()).expect("decode");
    assert_eq!((report.table.as_str(), report.findings.len()), ("payments", 6));
    let again = serde_json::to_string(&report).expect("text");
    assert_eq!(DriftReport::decode(again.as_bytes()).expect("again"), report);
    let later = fixture.replacen("\"version\": 1", "\"version\": 2", 1);
    let error = DriftReport::decode(later.as_bytes()).expect_err("a later format");
    assert!(error.to_string().contains("it has format 2"), "{error}");
    assert!(DriftReport::decode(&fixture.as_bytes()[..fixture.len() / 2]).is_err());
}
