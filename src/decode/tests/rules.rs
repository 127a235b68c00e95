//! One table test a sentence of DESIGN §4.

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::*;
use crate::spec::table::{Case, MinorUnits, TimeUnit, Zone};

fn cases(field: impl Fn() -> Field, cases: &[(&str, &str)]) {
    for (value, wanted) in cases {
        assert_eq!(read(field(), value), *wanted, "{value}");
    }
}

fn minor() -> DecimalRules {
    DecimalRules { integers: Some(MinorUnits::Digits(2)), ..DecimalRules::default() }
}

/// "A JSON integer means minor units where `integers: minor`, with the exponent 2, or `minor_digits: N`; else major
/// units. A number with `.` or `e` is major units."
#[test]
fn decimal_numbers() {
    cases(
        || Field { decimal: minor(), ..field("x", decimal(18, 2)) },
        &[
            ("38000", "380.00"),
            ("-5", "-0.05"),
            ("0", "0.00"),
            ("-0", "0.00"),
            ("380.0", "380.00"),
            ("380.25", "380.25"),
            ("1e2", "100.00"),
            ("1.5E-1", "0.15"),
            ("0e999999999999999999999", "0.00"),
            ("1e99999999999999999999", "out_of_range"),
            ("9007199254740993", "90071992547409.93"),
            ("\"380\"", "380.00"),
        ],
    );
    cases(|| field("x", decimal(18, 2)), &[("38000", "38000.00"), ("1.2", "1.20")]);
    let three =
        || DecimalRules { integers: Some(MinorUnits::Digits(3)), ..DecimalRules::default() };
    cases(|| Field { decimal: three(), ..field("x", decimal(18, 3)) }, &[("38001", "38.001")]);
}

/// "or `currency: <field>` for the ISO 4217 exponent (JPY 0, INR 2, KWD 3)"
#[test]
fn decimal_currency() {
    let amount = Field {
        decimal: DecimalRules { integers: Some(MinorUnits::Currency(1)), ..minor() },
        ..required(field("amount", decimal(18, 4)))
    };
    let currency = Field { default: Some("\"INR\"".to_owned()), ..field("currency", STRING) };
    let body = r#"[{"amount":500,"currency":"JPY"},{"currency":"INR","amount":500},{"amount":500,"currency":"KWD"},
        {"amount":500,"currency":"kwd"},{"amount":500},{"amount":12345,"currency":"CLF"},
        {"amount":500,"currency":"ZZZ"},{"amount":5.5,"currency":"ZZZ"},{"amount":500,"currency":7},
        {"amount":500,"currency":"\u004aPY"}]"#;
    let (_, decoded) = decode(table(vec![amount, currency]), body);
    let amounts: Vec<String> = (0..8).map(|row| shown(&decoded, 0, row)).collect();
    let wanted =
        ["500.0000", "5.0000", "0.5000", "0.5000", "5.0000", "1.2345", "5.5000", "500.0000"];
    assert_eq!(amounts, wanted);
    assert_eq!(decoded.rejects.len(), 2);
    assert_eq!(decoded.rejects[0].code, "invalid");
    assert_eq!(decoded.rejects[0].field.as_deref(), Some("amount"));
    assert_eq!(
        decoded.rejects[0].message,
        "amount: `500` is in minor units of a currency that is not in ISO 4217"
    );
}

/// "A string is major units: an optional sign, digits, at most one decimal mark. With both `.` and `,` the later is the
/// decimal mark and the other groups by threes. A single `,` followed by one or two digits is a decimal mark; by three
/// digits it is ambiguous and invalid, unless `decimal_mark` is declared."
#[test]
fn decimal_strings() {
    cases(
        || field("x", decimal(18, 4)),
        &[
            (r#""380.00""#, "380.0000"),
            (r#""-12""#, "-12.0000"),
            (r#""+12.5""#, "12.5000"),
            (r#""007.5""#, "7.5000"),
            (r#"".5""#, "0.5000"),
            (r#""1,234.56""#, "1234.5600"),
            (r#""1.234,56""#, "1234.5600"),
            (r#""1,234,567.8""#, "1234567.8000"),
            (r#""1.234.567,8""#, "1234567.8000"),
            (r#""1,234,567""#, "invalid"),
            (r#""1.234.567""#, "invalid"),
            (r#""12,5""#, "12.5000"),
            (r#""12,50""#, "12.5000"),
            (r#""1,234""#, "invalid"),
            (r#""1,2345""#, "invalid"),
            (r#""1.234""#, "1.2340"),
            (r#""12,34,567.00""#, "invalid"),
            (r#""1234,567.00""#, "invalid"),
            (r#""1,23.4.5""#, "invalid"),
            (r#"",123,456.0""#, "invalid"),
            (r#""1.2.3""#, "invalid"),
            (r#""1e2""#, "invalid"),
            (r#""₹5""#, "invalid"),
            (r#"" 5""#, "invalid"),
            (r#""NaN""#, "invalid"),
            (r#""-""#, "invalid"),
            (r#"".""#, "invalid"),
            (r#""--5""#, "invalid"),
            (r#""3\u0038\u002e5""#, "38.5000"),
        ],
    );
    let mark = |c| {
        move || Field {
            decimal: DecimalRules { decimal_mark: Some(c), ..DecimalRules::default() },
            ..field("x", decimal(18, 4))
        }
    };
    cases(
        mark(','),
        &[(r#""1,234""#, "1.2340"), (r#""1.234""#, "1234.0000"), (r#""1.23""#, "invalid")],
    );
    cases(
        mark('.'),
        &[(r#""1,234""#, "1234.0000"), (r#""1.234""#, "1.2340"), (r#""1,23""#, "invalid")],
    );
}

/// Digits times a power of ten may pass an `i128` where both are inside it: on every row, also those that are read the
/// usual way.
#[test]
fn decimals_beyond_sixteen_bytes_are_out_of_range_on_every_row() {
    for scale in 0..=38 {
        for text in
            ["716040596874097654", "-425948367184", "7", "\"12345678.5\"", "\"-99999999999999999\""]
        {
            let exact = text.trim_matches('"').replace('.', "");
            let places =
                usize::from(scale) - usize::from(text.contains('.')).min(usize::from(scale));
            let inexact = text.contains('.') && scale == 0;
            let wanted = format!("{exact}{}", "0".repeat(places)).parse::<i128>().ok();
            let wanted = wanted.filter(|value| !inexact && value.unsigned_abs() < 10_u128.pow(38));
            let table = table(vec![field("x", decimal(38, scale))]);
            let body = vec![format!("{{\"x\": {text}}}"); 200].join(",");
            let (_, decoded) = decode(table, &format!("[{body}]"));
            let column = decoded.batch.column(0).as_primitive::<Decimal128Type>();
            let found: Vec<Option<i128>> = column.iter().collect();
            assert_eq!(found, vec![wanted; 200], "{text} at scale {scale}");
        }
    }
}

/// "More fraction digits than `s` are invalid unless `round: half_even` (trailing zeros never matter). Out of range,
/// NaN, bool, object, array: invalid."
#[test]
fn decimal_limits() {
    cases(
        || field("x", decimal(5, 2)),
        &[
            ("1.239", "invalid"),
            ("1.2300000000000000000000000000000000000000000000000000000000000", "1.23"),
            (r#""1.230""#, "1.23"),
            ("999.99", "999.99"),
            ("1000", "out_of_range"),
            ("-1000", "out_of_range"),
            ("true", "invalid"),
            ("{}", "invalid"),
            ("[]", "invalid"),
        ],
    );
    let round = || DecimalRules { round_half_even: true, ..DecimalRules::default() };
    cases(
        || Field { decimal: round(), ..field("x", decimal(5, 2)) },
        &[
            ("1.235", "1.24"),
            ("1.225", "1.22"),
            ("1.2250000000000000000000000000000000000000000000000000001", "1.23"),
            ("-0.005", "0.00"),
            ("-0.015", "-0.02"),
            ("999.995", "out_of_range"),
            ("1e-400", "0.00"),
        ],
    );
    let nines = "9".repeat(38);
    cases(
        || field("x", decimal(38, 0)),
        &[(&nines, &nines), (&format!("{nines}9"), "out_of_range")],
    );
    let bounds = || Field {
        min: Some(Decimal::new(5, 3)),
        max: Some("79228162514264337593543950335".parse().expect("max")),
        ..field("x", decimal(38, 2))
    };
    cases(
        bounds,
        &[
            ("0", "out_of_range"),
            ("0.01", "0.01"),
            ("79228162514264337593543950335", "79228162514264337593543950335.00"),
            ("79228162514264337593543950335.01", "out_of_range"),
            ("-99999999999999999999999999999999999", "out_of_range"),
        ],
    );
}

/// "a number, or a string that is one, up to 1e10 in magnitude is seconds, up to 1e14 milliseconds, up to 1e17
/// microseconds, beyond that nanoseconds, unless `unit` is declared; fractions keep microseconds"
#[test]
fn timestamp_numbers() {
    cases(
        || field("x", TIMESTAMP),
        &[
            ("1773705600", "2026-03-17T00:00:00Z"),
            ("\"1773705600\"", "2026-03-17T00:00:00Z"),
            ("1773705600000", "2026-03-17T00:00:00Z"),
            ("1773705600000001", "2026-03-17T00:00:00.000001Z"),
            ("1773705600000001999", "2026-03-17T00:00:00.000001Z"),
            ("1773705600.25", "2026-03-17T00:00:00.250Z"),
            ("1773705600.0000019", "2026-03-17T00:00:00.000001Z"),
            ("-0.0000001", "1969-12-31T23:59:59.999999Z"),
            ("1.7737056e9", "2026-03-17T00:00:00Z"),
            ("10000000000", "2286-11-20T17:46:40Z"),
            ("10000000001", "1970-04-26T17:46:40.001Z"),
            ("100000000000000", "5138-11-16T09:46:40Z"),
            ("100000000000001", "1973-03-03T09:46:40.000001Z"),
            ("100000000000000000", "5138-11-16T09:46:40Z"),
            ("100000000000000001", "1973-03-03T09:46:40Z"),
            ("-10000000000", "1653-02-10T06:13:20Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1e30", "out_of_range"),
            ("true", "invalid"),
            ("[]", "invalid"),
        ],
    );
    let unit = |unit| {
        move || Field {
            time: TimeRules { unit: Some(unit), assume_zone: None },
            ..field("x", TIMESTAMP)
        }
    };
    cases(unit(TimeUnit::Millis), &[("1773705600", "1970-01-21T12:41:45.600Z")]);
    cases(
        unit(TimeUnit::Seconds),
        &[("1773705600000", "out_of_range"), ("\"5\"", "1970-01-01T00:00:05Z")],
    );
    cases(unit(TimeUnit::Nanos), &[("-1", "1969-12-31T23:59:59.999999Z")]);
}

/// "ISO 8601 with offset or `Z`; without one UTC, or `assume_zone`; a date alone is midnight UTC."
#[test]
fn timestamp_text() {
    cases(
        || field("x", TIMESTAMP),
        &[
            (r#""2026-03-17T05:30:00+05:30""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17T05:30:00+0530""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17T05:00+05""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17T00:00:00Z""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17t00:00:00z""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17 00:00:00""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17T00:00:00.1234567-00:00""#, "2026-03-17T00:00:00.123456Z"),
            (r#""1969-12-31T23:59:59.9999999Z""#, "1969-12-31T23:59:59.999999Z"),
            (r#""20260317T000000Z""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17""#, "2026-03-17T00:00:00Z"),
            (r#""2026-12-31T23:59:60Z""#, "2027-01-01T00:00:00Z"),
            (r#""2026\u002d03-17""#, "2026-03-17T00:00:00Z"),
            (r#""2026-02-29""#, "invalid"),
            (r#""2026-03-17T24:00:00Z""#, "invalid"),
            (r#""2026-03-17T00:00:00+24:00""#, "invalid"),
            (r#""2026-03-17T00:00:00.Z""#, "invalid"),
            (r#""2026-03-17T""#, "invalid"),
            (r#""2026-03-17T00:00:00Zx""#, "invalid"),
            (r#""0000-01-01""#, "invalid"),
            (r#""0001-01-01T00:00:00+01:00""#, "out_of_range"),
            (r#""yesterday""#, "invalid"),
        ],
    );
    let zone = |zone| {
        move || Field {
            time: TimeRules { unit: None, assume_zone: Some(zone) },
            ..field("x", TIMESTAMP)
        }
    };
    cases(
        zone(Zone::Offset(19_800)),
        &[
            (r#""2026-03-17T05:30:00""#, "2026-03-17T00:00:00Z"),
            (r#""2026-03-17T05:30:00Z""#, "2026-03-17T05:30:00Z"),
            (r#""2026-03-17""#, "2026-03-17T00:00:00Z"),
        ],
    );
    cases(
        zone(Zone::Named(Tz::Europe__Berlin)),
        &[
            (r#""2026-07-01T02:00:00""#, "2026-07-01T00:00:00Z"),
            (r#""2026-10-25T02:30:00""#, "2026-10-25T00:30:00Z"),
            (r#""2026-03-29T02:30:00""#, "invalid"),
        ],
    );
}

/// Dates: date strings, and timestamps by their UTC date.
#[test]
fn dates() {
    cases(
        || field("x", FieldType::Scalar(Scalar::Date)),
        &[
            (r#""2026-03-17""#, "2026-03-17"),
            (r#""20260317""#, "2026-03-17"),
            (r#""20261317""#, "invalid"),
            (r#""2026-03-17T02:00:00+05:30""#, "2026-03-16"),
            ("1773705600", "2026-03-17"),
            ("-1", "1969-12-31"),
            (r#""17/03/2026""#, "invalid"),
            ("false", "invalid"),
        ],
    );
}

/// "**bool**: true/false, "true"/"false"."
#[test]
fn bools() {
    cases(
        || field("x", FieldType::Scalar(Scalar::Bool)),
        &[
            ("true", "true"),
            (r#""false""#, "false"),
            (r#""tru\u0065""#, "true"),
            ("1", "invalid"),
            (r#""yes""#, "invalid"),
            ("[]", "invalid"),
        ],
    );
}

/// "**int**: integers, integral strings, 5.0; overflow is invalid."
#[test]
fn integers() {
    cases(
        || field("x", FieldType::Scalar(Scalar::Int32)),
        &[
            ("5", "5"),
            ("5.0", "5"),
            ("5e0", "5"),
            ("50e-1", "5"),
            (r#""5""#, "5"),
            (r#""-005""#, "-5"),
            (r#""+5""#, "5"),
            ("-0", "0"),
            ("2147483647", "2147483647"),
            ("-2147483648", "-2147483648"),
            ("2147483648", "out_of_range"),
            ("5.5", "invalid"),
            (r#""five""#, "invalid"),
            ("true", "invalid"),
        ],
    );
    cases(
        || field("x", FieldType::Scalar(Scalar::Int64)),
        &[
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "out_of_range"),
            ("1e40", "out_of_range"),
        ],
    );
    let bounds = || Field {
        min: Some(Decimal::new(15, 1)),
        max: Some(Decimal::new(25, 1)),
        ..field("x", FieldType::Scalar(Scalar::Int64))
    };
    cases(bounds, &[("1", "out_of_range"), ("2", "2"), ("3", "out_of_range")]);
}

#[test]
fn floats() {
    let bounds = || Field {
        min: Some(Decimal::new(-5, 1)),
        ..field("x", FieldType::Scalar(Scalar::Float64))
    };
    cases(
        bounds,
        &[
            ("0.1", "0.1"),
            (r#""1e3""#, "1000.0"),
            ("-0.6", "out_of_range"),
            ("1e999", "out_of_range"),
            (r#""NaN""#, "invalid"),
            (r#""inf""#, "invalid"),
            ("true", "invalid"),
        ],
    );
}

/// "**string**: strings; numbers and bools as their JSON text." `case`, and "Lone surrogates: U+FFFD".
#[test]
fn strings() {
    cases(
        || field("x", STRING),
        &[
            (r#""a\"\\\/\b\f\n\r\tb""#, "a\"\\/\u{8}\u{c}\n\r\tb"),
            (r#""\u0939\ud83d\uDED2""#, "ह🛒"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""a\ude00\ud83dz\ud83d\ud83d\ude00""#, "a\u{fffd}\u{fffd}z\u{fffd}😀"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            ("1.50", "1.50"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("true", "true"),
            ("{}", "invalid"),
            ("[1]", "invalid"),
        ],
    );
    let case = |case| move || Field { case: Some(case), ..field("x", STRING) };
    cases(case(Case::Lower), &[(r#""CapTured""#, "captured"), (r#""ÄB""#, "äb")]);
    cases(case(Case::Upper), &[(r#""inr""#, "INR")]);
}

/// "`json` (the subtree's exact text), `list(T)` of a scalar T"
#[test]
fn json_and_lists() {
    cases(
        || field("x", FieldType::Json),
        &[
            (r#"{ "b" : 1.0, "a":[ ] }"#, r#"{ "b" : 1.0, "a":[ ] }"#),
            (r#""é\u00e9""#, r#""é\u00e9""#),
        ],
    );
    cases(
        || field("x", FieldType::List(Scalar::Decimal { precision: 9, scale: 2 })),
        &[
            (r#"[1, "2.5", null, ""]"#, "[1.00, 2.50, , ]"),
            ("[]", "[]"),
            ("[1, true]", "invalid"),
            ("5", "invalid"),
            ("{}", "invalid"),
        ],
    );
    let list = field("x", FieldType::List(Scalar::Int64));
    let body = r#"[{"x":[1,2]},{"x":[3,"x",4]},{"x":null},{"x":[5]}]"#;
    let (_, decoded) = decode(table(vec![list]), body);
    let lists: Vec<String> = (0..4).map(|row| shown(&decoded, 0, row)).collect();
    assert_eq!(lists, ["[1, 2]", "null", "null", "[5]"]);
    assert_eq!(decoded.nulled, 1);
}

/// "of several pointers the first that is present and not null is taken"
#[test]
fn fallbacks_and_nested_pointers() {
    let method =
        from(field("method", STRING), &["/method", "/payment_method/type", "/ways/0/a~1b"]);
    let body = r#"[{"method":"upi","payment_method":{"type":"card"}},{"method":null,"payment_method":{"type":"card"}},
        {"payment_method":{"type":null},"ways":[{"a/b":"x"},{"a/b":"y"}]},{"payment_method":null},{"payment_method":7}]"#;
    let (_, decoded) = decode(table(vec![method]), body);
    let methods: Vec<String> = (0..5).map(|row| shown(&decoded, 0, row)).collect();
    assert_eq!(methods, ["upi", "card", "x", "null", "null"]);
}

/// "`default` stands in for missing and null, not for invalid. An empty string is null for every type but `string`; a
/// required string must not be empty." "`on_invalid: reject | null`"
#[test]
fn nulls_defaults_and_invalid() {
    let count =
        Field { default: Some("7".to_owned()), ..field("n", FieldType::Scalar(Scalar::Int64)) };
    let body = r#"[{"n":1},{"n":null},{},{"n":""},{"n":"x"}]"#;
    let (_, decoded) = decode(table(vec![count.clone()]), body);
    let counts: Vec<String> = (0..5).map(|row| shown(&decoded, 0, row)).collect();
    assert_eq!(counts, ["1", "7", "7", "7", "null"]);
    assert_eq!(decoded.nulled, 1);

    let strict = Field { on_invalid: OnInvalid::Reject, ..count };
    let (_, decoded) = decode(table(vec![strict]), body);
    assert_eq!(decoded.rejects.len(), 1);
    assert_eq!(decoded.rejects[0].message, r#"n: `"x"` is not an integer"#);

    let (_, decoded) = decode(table(vec![field("s", STRING)]), r#"[{"s":""},{}]"#);
    assert_eq!((shown(&decoded, 0, 0), shown(&decoded, 0, 1)), (String::new(), "null".to_owned()));
    let (_, decoded) =
        decode(table(vec![required(field("s", STRING))]), r#"[{"s":""},{},{"s":null},{"s":"a"}]"#);
    let codes: Vec<&str> = decoded.rejects.iter().map(|reject| reject.code).collect();
    assert_eq!(codes, ["empty", "missing", "missing"]);
    assert_eq!(decoded.records, [3]);
    assert_eq!(read(field("t", TIMESTAMP), "\"\""), "missing");
}
