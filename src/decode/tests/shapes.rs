//! The shape: what is counted, what is bounded, how it is resumed, and `discard_row`.

use super::*;
use crate::decode::shape::Shape;
use crate::decode::sighting::Place;
use crate::json::span::Kind;

#[test]
fn observes_declared_fields() {
    let status = Field {
        known: vec!["paid".into()],
        case: Some(crate::spec::table::Case::Lower),
        ..field("status", STRING)
    };
    let count = from(field("n", FieldType::Scalar(Scalar::Int32)), &["/n", "/m"]);
    let table = Table { primary_key: vec![0], ..table(vec![field("id", STRING), status, count]) };
    let body = r#"[{"id":"a","status":"PAID","n":1},{"id":"b","status":"void","n":null,"m":2},{"id":"c","n":"x"},{"id":"d","status":"","n":""},
        {"id":"e","status":"void","n":[1]}]"#;
    let (decoder, _) = decode(table, body);
    let [_, status, count] = &decoder.shape().fields[..] else { panic!("three fields") };
    assert_eq!((status.present, status.absent.count, status.empty), (4, 1, 1));
    assert_eq!(status.unknown.count, 3);
    assert_eq!(status.unknown.first_seen, Some(Place { page: 1, index: 1, key: Some("b".into()) }));
    assert_eq!(status.unknown_values[0].value, "void");
    assert_eq!(status.unknown_values[0].count, 2);
    assert_eq!((count.present, count.null, count.empty, count.nulled.count), (4, 0, 1, 2));
    assert_eq!(count.pointers[1].answered.count, 1);
    assert_eq!(count.nulled.samples, ["\"x\"", "[1]"]);
    let kinds: Vec<_> = count.kinds.seen().map(|(kind, s)| (kind, s.count)).collect();
    assert_eq!(kinds, [(Kind::Number, 2), (Kind::String, 1), (Kind::Array, 1)]);
}

/// "a path not declared and not under a `json` field", "the topmost undeclared path only", "`*` for array items"
#[test]
fn observes_undeclared_paths() {
    let fields = vec![
        from(field("kind", STRING), &["/card/kind"]),
        field("notes", FieldType::Json),
        from(field("city", STRING), &["/notes/address/city"]),
        from(field("sku", STRING), &["/items/0/sku"]),
    ];
    let body = r#"[{"card":{"kind":"x","emi":{"months":3}},"notes":{"a":1,"address":{"zip":1}},"items":[{"sku":"s","qty":2},{"other":1}],"upi":"v"},
        {"card":"gone","notes":{},"items":[],"upi":null},{"card":null},{"card":[]},{"items":7}]"#;
    let (decoder, _) = decode(table(fields), body);
    let shape = decoder.shape();
    let paths: Vec<_> =
        shape.undeclared.iter().map(|p| (p.path.as_str(), p.kinds.count())).collect();
    assert_eq!(
        paths,
        [("/upi", 2), ("/card/emi", 1), ("/items/*/qty", 1), ("/card", 1), ("/items", 1)]
    );
    assert_eq!(shape.undeclared[0].kinds.string.samples, ["\"v\""]);
    assert_eq!((shape.fields[0].absent.count, shape.fields[0].null), (3, 1));
}

/// Notations of one column: an integer of minor units, major units as a number or a text, a comma that nobody declared.
#[test]
fn observes_how_amounts_are_written() {
    use crate::spec::table::MinorUnits;
    let amount = || field("a", FieldType::Scalar(Scalar::Decimal { precision: 18, scale: 2 }));
    let seen = |field: Field, amounts: &[&str]| {
        let records: Vec<String> =
            amounts.iter().cycle().take(60).map(|amount| format!("{{\"a\":{amount}}}")).collect();
        let (decoder, _) = decode(table(vec![field]), &format!("[{}]", records.join(",")));
        let units = &decoder.shape().fields[0].units;
        let counts: Vec<_> = units.seen().map(|(unit, sighting)| (unit, sighting.count)).collect();
        (units.first.clone().unwrap_or_default(), counts)
    };
    let mut minor = amount();
    minor.decimal.integers = Some(MinorUnits::Digits(2));
    let all = ["38000", "null", "\"380.00\"", "380.0", "\"1.234,50\""];
    assert_eq!(
        seen(minor, &all),
        (
            "minor_units".into(),
            vec![("minor_units", 12), ("major_units", 24), ("decimal_comma", 12)]
        )
    );
    let major = ["380", "380.5", "\"1,234.50\"", "\"380\""];
    assert_eq!(seen(amount(), &major), ("major_units".into(), vec![("major_units", 45)]));
    let commas = ["\"12,50\"", "\"13\""];
    assert_eq!(
        seen(amount(), &commas),
        ("decimal_comma".into(), vec![("decimal_comma", 30)]),
        "a whole number has no mark"
    );
    let mut comma = amount();
    comma.decimal.decimal_mark = Some(',');
    assert_eq!(
        seen(comma, &["\"1.234,50\"", "\"7\""]),
        ("major_units".into(), vec![("major_units", 30)])
    );
}

/// "`count` (records concerned)": two items of an array are one record.
#[test]
fn array_items_count_once_a_record() {
    let fields = vec![
        from(field("a", STRING), &["/items/0/sku"]),
        from(field("b", STRING), &["/items/1/sku"]),
    ];
    let body = r#"[{"items":[{"sku":"s","qty":2},{"sku":"t","qty":3}]},{"items":["x","y"]}]"#;
    let (decoder, _) = decode(table(fields), body);
    let paths = decoder.shape().undeclared.iter();
    let paths: Vec<_> = paths.map(|p| (p.path.as_str(), p.kinds.count())).collect();
    assert_eq!(paths, [("/items/*/qty", 1), ("/items/*", 1)]);
}

/// "Paths are capped at 1,000 a window, so that an object with free keys cannot flood the report."
#[test]
fn free_keys_are_capped() {
    let records: Vec<String> =
        (0..1_500).map(|n| format!("{{\"x\":\"a\",\"key{n}\":1}}")).collect();
    let long = format!("{{\"{}\":1}}", "k".repeat(300));
    let (decoder, decoded) =
        decode(table(vec![field("x", STRING)]), &format!("[{},{long}]", records.join(",")));
    assert_eq!(decoded.batch.num_rows(), 1_501);
    assert_eq!(decoder.shape().undeclared.len(), 1_000);
    assert_eq!(decoder.shape().uncounted, 501);
}

#[test]
fn a_resumed_shape_is_that_of_one_run() {
    let pages = [
        r#"[{"x":1,"u":2,"y":{"z":1}},{"x":"a","v":null}]"#,
        r#"[{"v":1,"x":null},{"u":{},"x":true,"w":0,"t":1773705600000}]"#,
        r#"[{"t":1773705600,"w":1,"u":0}]"#,
    ];
    let fields =
        || table(vec![field("x", FieldType::Scalar(Scalar::Int32)), field("t", TIMESTAMP)]);
    let mut whole = decoder(fields(), None);
    let mut scanner = scanner(&fields());
    let mut saved =
        Shape { fields: decoder(fields(), None).shape().fields.clone(), ..Shape::default() };
    for (n, body) in (1..).zip(pages) {
        let page = Page { number: n, ..page_by(&mut scanner, body) };
        whole.decode(&page).expect("decoded");
        let mut part = decoder(fields(), None);
        part.resume(
            serde_json::from_str(&serde_json::to_string(&saved).expect("saved")).expect("loaded"),
        );
        part.decode(&page).expect("decoded");
        saved = part.shape().clone();
    }
    assert_eq!(&saved, whole.shape());
    assert_eq!(saved.fields[1].units.first.as_deref(), Some("ms"));
}

/// `discard_row`: the record with the drift goes to the dead letters, each kind under a code of its own.
#[test]
fn discard_row() {
    let fields = || {
        let status = Field { known: vec!["a".into()], ..field("s", STRING) };
        vec![status, field("n", FieldType::Scalar(Scalar::Int32)), field("t", TIMESTAMP)]
    };
    let clean = r#"{"s":"a","n":1,"t":1773705600}"#;
    let discard = DriftAction::DiscardRow;
    type Set = fn(&mut DriftPolicy, DriftAction);
    let kinds: [(&str, Set, &str); 5] = [
        ("drift_new_field", |p, a| p.new_field = a, r#"{"s":"a","n":1,"t":1,"u":5}"#),
        ("drift_type_changed", |p, a| p.type_changed = a, r#"{"s":"a","n":"1","t":1}"#),
        ("drift_new_value", |p, a| p.new_value = a, r#"{"s":"b","n":1,"t":1}"#),
        ("drift_invalid_value", |p, a| p.invalid_value = a, r#"{"s":"a","n":1.5,"t":1}"#),
        ("drift_mixed_units", |p, a| p.mixed_units = a, r#"{"s":"a","n":1,"t":1773705600000}"#),
    ];
    for (code, set, record) in kinds {
        let mut strict = table(fields());
        set(&mut strict.drift, discard);
        for field in &mut strict.fields {
            set(&mut field.drift, discard);
        }
        let (_, decoded) = decode(strict, &format!("[{clean},{record},{clean}]"));
        assert_eq!(decoded.rejects.len(), 1, "{code}");
        assert_eq!(decoded.rejects[0].code, code);
        assert_eq!(decoded.records, [0, 2]);
        let (_, decoded) = decode(table(fields()), &format!("[{clean},{record},{clean}]"));
        assert_eq!(decoded.records, [0, 1, 2], "{code}");
    }
}
