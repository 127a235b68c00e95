//! Properties with oracles: rust_decimal for decimals, serde_json for numbers and strings, chrono for instants.

use std::str::FromStr;

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{FixedOffset, SecondsFormat, Utc};
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::*;

const SCALE: u32 = 4;

fn one(field: Field, value: &str) -> Decoded {
    decode(table(vec![field]), &format!("[{{\"x\": {value} }}]")).1
}

fn decimal_of(rounded: bool, value: &str) -> Option<i128> {
    let rules = DecimalRules { round_half_even: rounded, ..DecimalRules::default() };
    let decoded = one(Field { decimal: rules, ..field("x", decimal(38, 4)) }, value);
    decoded.batch.column(0).as_primitive::<Decimal128Type>().iter().next().flatten()
}

fn unscaled(decimal: Decimal) -> i128 {
    let mut decimal = decimal;
    decimal.rescale(SCALE);
    decimal.mantissa()
}

/// Notations of one number: sign, digits, fraction, exponent; as a JSON number and as a string.
fn notation() -> impl Strategy<Value = String> {
    ("-?", "0|[1-9][0-9]{0,14}", proptest::option::of("[0-9]{1,9}"), proptest::option::of(-6i32..7))
        .prop_map(|(sign, whole, fraction, exponent)| {
            let fraction = fraction.map(|f| format!(".{f}")).unwrap_or_default();
            let exponent = exponent.map(|e| format!("e{e}")).unwrap_or_default();
            format!("{sign}{whole}{fraction}{exponent}")
        })
}

fn oracle(text: &str) -> Decimal {
    if text.contains('e') { Decimal::from_scientific(text) } else { Decimal::from_str(text) }
        .expect("in rust_decimal's range")
}

/// A whole part with its digits grouped by threes.
fn grouped(whole: &str, mark: char) -> String {
    let mut text = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

/// A JSON value of any depth.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof!["[a-e]", "x", "y", ".{0,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn space(seed: &mut u32, out: &mut String) {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    out.push_str(["", "", " ", "\n", "\t \r\n"][(*seed >> 24) as usize % 5]);
}

/// Writes a value with whitespace wherever JSON allows it, chosen by `seed`.
fn spaced(value: &Value, seed: &mut u32, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                space(seed, out);
                spaced(item, seed, out);
                space(seed, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (n, (key, item)) in members.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                space(seed, out);
                out.push_str(&Value::from(key.as_str()).to_string());
                space(seed, out);
                out.push(':');
                space(seed, out);
                spaced(item, seed, out);
                space(seed, out);
            }
            out.push('}');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

fn wide_table() -> Table {
    table(vec![
        from(field("a", STRING), &["/a", "/b/c"]),
        field("b", FieldType::Json),
        from(field("c", decimal(18, 2)), &["/c", "/d/0/e"]),
        field("d", TIMESTAMP),
        field("e", FieldType::List(Scalar::Int32)),
        required(from(field("x", FieldType::Scalar(Scalar::Int64)), &["/x", "/y/x"])),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn decimals_equal_rust_decimal(text in notation()) {
        let exact = oracle(&text);
        let rounded = exact.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven);
        let fits = exact == rounded;
        prop_assert_eq!(decimal_of(false, &text), fits.then(|| unscaled(exact)));
        prop_assert_eq!(decimal_of(true, &text), Some(unscaled(rounded)));
        if !text.contains('e') {
            prop_assert_eq!(decimal_of(true, &format!("\"{text}\"")), Some(unscaled(rounded)));
        }
    }

    #[test]
    fn both_marks_mean_the_same(whole in "[1-9][0-9]{3,14}", fraction in "[0-9]{1,4}") {
        let plain = Some(unscaled(oracle(&format!("{whole}.{fraction}"))));
        for (group, mark) in [(',', '.'), ('.', ',')] {
            let text = format!("\"{}{mark}{fraction}\"", grouped(&whole, group));
            prop_assert_eq!(decimal_of(false, &text), plain, "{}", text);
        }
    }

    #[test]
    fn big_decimals_are_exact(value in -(10i128.pow(34) - 1)..10i128.pow(34)) {
        prop_assert_eq!(decimal_of(false, &value.to_string()), Some(value * 10_000));
    }

    #[test]
    fn any_string_is_a_decimal_or_invalid(text in "[-+0-9.,eE ]{0,14}") {
        let value = decimal_of(false, &format!("\"{text}\""));
        // Where both accept a text without commas, they agree.
        if let (Some(value), Ok(exact), false) = (value, Decimal::from_str(&text), text.contains(',')) {
            prop_assert_eq!(value, unscaled(exact));
        }
    }

    #[test]
    fn integers_and_floats_equal_serde_json(integer: i64, float: f64) {
        let decoded = one(field("x", FieldType::Scalar(Scalar::Int64)), &integer.to_string());
        prop_assert_eq!(decoded.batch.column(0).as_primitive::<Int64Type>().value(0), integer);
        prop_assume!(float.is_finite());
        let text = Value::from(float).to_string();
        let decoded = one(field("x", FieldType::Scalar(Scalar::Float64)), &text);
        let value = decoded.batch.column(0).as_primitive::<Float64Type>().value(0);
        prop_assert_eq!(value.to_bits(), text.parse::<f64>().expect("float").to_bits());
    }

    #[test]
    fn strings_equal_serde_json(text: String, escaped: bool) {
        let mut raw = Value::from(text.as_str()).to_string();
        if escaped {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
            raw = format!("\"{}\"", units.collect::<String>());
        }
        let decoded = one(field("x", STRING), &raw);
        prop_assert_eq!(decoded.batch.column(0).as_string::<i32>().value(0), text.as_str());
    }

    #[test]
    fn instants_equal_chrono(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000, east in -1_439i32..1_440) {
        let instant = DateTime::<Utc>::from_timestamp_micros(micros).expect("instant");
        let zone = FixedOffset::east_opt(east * 60).expect("zone");
        let local = instant.with_timezone(&zone);
        prop_assume!((1..=9999).contains(&chrono::Datelike::year(&local)));
        let read = |value: String| {
            let decoded = one(field("x", TIMESTAMP), &value);
            decoded.batch.column(0).as_primitive::<TimestampMicrosecondType>().iter().next().flatten()
        };
        for format in [SecondsFormat::Micros, SecondsFormat::AutoSi] {
            prop_assert_eq!(read(format!("\"{}\"", local.to_rfc3339_opts(format, false))), Some(micros));
        }
        prop_assert_eq!(read(format!("\"{}\"", local.format("%Y%m%d %H%M%S%.6f%z"))), Some(micros));
        let seconds = format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        if (0..10_000_000_000_000_000).contains(&micros) {
            prop_assert_eq!(read(seconds), Some(micros));
        }
    }

    #[test]
    fn any_records_add_up_and_keep_their_text(records in proptest::collection::vec(json(), 0..8), seed: u32) {
        let mut body = String::new();
        let mut seed = seed;
        spaced(&Value::from(records), &mut seed, &mut body);
        let page = page_of(&wide_table(), &body);
        let mut decoder = decoder(wide_table(), None);
        let decoded = decoder.decode(&page).expect("decoded");
        let rows = decoded.batch.num_rows();
        prop_assert_eq!(page.records.len(), rows + decoded.rejects.len());
        prop_assert_eq!(decoded.outside, 0);
        prop_assert_eq!(rows, decoded.records.len());
        prop_assert_eq!(decoder.shape().records, page.records.len() as u64);
        let raw = decoded.batch.column_by_name("_raw").expect("raw").as_string_view();
        for (row, record) in decoded.records.iter().enumerate() {
            prop_assert_eq!(raw.value(row), &body[page.records[*record as usize].clone()]);
        }
        for reject in &decoded.rejects {
            let span = page.records[usize::try_from(reject.index).expect("index")].clone();
            prop_assert_eq!(&reject.record[..], body[span].as_bytes());
        }
        let saved = serde_json::to_string(decoder.shape()).expect("saved");
        let again: crate::decode::shape::Shape = serde_json::from_str(&saved).expect("loaded");
        prop_assert_eq!(&again, decoder.shape());
    }
}
