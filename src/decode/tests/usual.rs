//! The usual way against every field's whole rule, over generated schemas and records: the same rows, dead letters,
//! counts and observations.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::decode::shape::Shape;
use crate::spec::table::{Case, MinorUnits, TimeUnit, Zone};

/// A field of any type with any of the rules that its type has.
fn any_field(name: &'static str) -> impl Strategy<Value = Field> {
    let kind = prop_oneof![
        Just(STRING),
        Just(decimal(18, 2)),
        Just(decimal(38, 6)),
        Just(decimal(4, 0)),
        (1_u8..=38, 0_u8..=38)
            .prop_map(|(precision, scale)| decimal(precision, scale.min(precision))),
        Just(TIMESTAMP),
        Just(FieldType::Json),
        Just(FieldType::List(Scalar::Int32)),
        prop_oneof![
            Just(Scalar::Bool),
            Just(Scalar::Int32),
            Just(Scalar::Int64),
            Just(Scalar::Float64),
            Just(Scalar::Date)
        ]
        .prop_map(FieldType::Scalar),
    ];
    let pointers = prop_oneof![
        6 => Just(vec![format!("/{name}")]),
        2 => Just(vec![format!("/{name}"), "/deep/in/it".to_owned(), "/z".to_owned()]),
        1 => Just(vec!["/deep/in/it".to_owned()]),
    ];
    let decimal = (
        prop_oneof![
            Just(None),
            Just(Some(MinorUnits::Digits(2))),
            Just(Some(MinorUnits::Digits(7))),
            Just(Some(MinorUnits::Currency(0))),
        ],
        any::<bool>(),
        prop_oneof![3 => Just(None), 1 => Just(Some('.')), 1 => Just(Some(','))],
    );
    let time = prop_oneof![
        3 => Just(TimeRules::default()),
        1 => Just(TimeRules { unit: Some(TimeUnit::Millis), assume_zone: None }),
        1 => Just(TimeRules { unit: None, assume_zone: Some(Zone::Offset(19_800)) }),
    ];
    let known =
        prop_oneof![2 => Just(vec![]), 1 => Just(vec!["paid".to_owned(), "Open".to_owned()])];
    let case =
        prop_oneof![2 => Just(None), 1 => Just(Some(Case::Lower)), 1 => Just(Some(Case::Upper))];
    let bounds = prop_oneof![2 => Just((None, None)), 1 => Just((Some(Decimal::ZERO), Some(Decimal::from(5_000))))];
    let rest =
        (any::<bool>(), any::<bool>(), prop::option::weighted(0.2, Just("\"1\"".to_owned())));
    (kind, pointers, decimal, time, known, case, bounds, rest).prop_map(
        move |(
            kind,
            pointers,
            (integers, round_half_even, decimal_mark),
            time,
            known,
            case,
            (min, max),
            rest,
        )| {
            let (required, reject, default) = rest;
            let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
            Field {
                required,
                on_invalid: if reject { OnInvalid::Reject } else { OnInvalid::Null },
                default: default.filter(|_| !required),
                known,
                case,
                min,
                max,
                decimal: DecimalRules { integers, round_half_even, decimal_mark },
                time,
                ..from(field(name, kind), &pointers)
            }
        },
    )
}

fn any_table() -> impl Strategy<Value = Table> {
    let action = || prop_oneof![4 => Just(DriftAction::Warn), 1 => Just(DriftAction::DiscardRow)];
    let fields = (any_field("a"), any_field("b"), any_field("c"));
    (fields, action(), action()).prop_map(|((a, b, c), some, other)| {
        let currency = field("currency", STRING);
        let mut table = table(vec![currency, a, b, c]);
        table.primary_key = vec![1];
        table.drift.new_field = some;
        table.drift.type_changed = other;
        table.drift.mixed_units = some;
        table.drift.new_value = other;
        table.drift.invalid_value = some;
        table
    })
}

/// What APIs write, and what they write when they are wrong.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("null".to_owned()),
        1 => prop_oneof![Just("true".to_owned()), Just("false".to_owned()), Just("\"true\"".to_owned())],
        4 => "-?(0|[1-9][0-9]{0,19})",
        2 => "-?(0|[1-9][0-9]{0,5})\\.[0-9]{1,8}",
        1 => "(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,2}",
        2 => "\"[+-]?[0-9]{1,4}([.,][0-9]{1,3}){0,2}\"",
        2 => "\"-?[0-9]{1,18}(\\.[0-9]{1,18})?\"",
        2 => "1[0-9]{9}", 1 => "1[0-9]{12}", 1 => "1[0-9]{15}",
        2 => "\"20[0-9]{2}-0[1-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,7})?(Z|[+-]0[0-9]:30)?\"",
        1 => "\"20[0-9]{2}-?0[1-9]-?[0-3][0-9]\"",
        2 => prop_oneof![Just("\"paid\"".to_owned()), Just("\"OPEN\"".to_owned()), Just("\"\"".to_owned())],
        2 => "\"[A-Za-z0-9 é]{0,20}\"",
        1 => "\"[a-z]{0,9}(\\\\n|\\\\u00e9|\\\\ud83d\\\\ude00|\\\\ud800)[a-z]{0,9}\"",
        1 => prop_oneof![Just("[1,2]".to_owned()), Just("[]".to_owned()), Just("[1,\"x\"]".to_owned())],
        1 => prop_oneof![Just("{}".to_owned()), Just("{\"k\":\"\\ud800\"}".to_owned())],
    ]
}

fn record() -> impl Strategy<Value = String> {
    let member = |key: &'static str| {
        prop::option::weighted(0.9, value()).prop_map(move |v| v.map(|v| format!("\"{key}\":{v}")))
    };
    let currency = prop_oneof![4 => Just("\"INR\""), 2 => Just("\"JPY\""), 1 => Just("null"), 1 => Just("\"XX\"")];
    let deep = prop::option::weighted(0.5, value())
        .prop_map(|v| v.map(|v| format!("\"deep\":{{\"in\":{{\"it\":{v}}}}}")));
    (currency, member("a"), member("b"), member("c"), deep, prop::option::weighted(0.1, value()))
        .prop_map(|(currency, a, b, c, deep, new)| {
            let new = new.map(|v| format!("\"new\":{v}"));
            let members = [Some(format!("\"currency\":{currency}")), a, b, c, deep, new];
            format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(","))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_usual_way_comes_to_what_the_whole_rule_does(
        table in any_table(),
        pages in prop::collection::vec((prop::collection::vec(record(), 1..6), 1_usize..40), 1..5),
    ) {
        let mut scanner = scanner(&table);
        let (mut usual, mut plain) = (decoder(table.clone(), None), decoder(table.clone(), None).plain());
        for (records, times) in pages {
            // Repeated, so that enough is seen of every kind, and some blocks are full.
            let records: Vec<&str> = records.iter().map(String::as_str).collect();
            let page = page_by(&mut scanner, &format!("[{}]", vec![records.join(","); times].join(",")));
            let one = usual.decode(&page).expect("decoded");
            let two = plain.decode(&page).expect("decoded");
            prop_assert_eq!(one.batch, two.batch);
            prop_assert_eq!(one.records, two.records);
            prop_assert_eq!(one.rejects, two.rejects);
            prop_assert_eq!((one.outside, one.nulled), (two.outside, two.nulled));
            let seen: [&Shape; 2] = [usual.shape(), plain.shape()];
            prop_assert_eq!(seen[0], seen[1]);
        }
    }
}
