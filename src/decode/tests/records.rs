//! Whole records: limits, clipping, the raw column, the schema, what a hostile API may send.

use arrow::array::AsArray;
use arrow::datatypes::DataType;

use super::*;

fn codes(decoded: &Decoded) -> Vec<&str> {
    decoded.rejects.iter().map(|reject| reject.code).collect()
}

/// "A record that is not an object is rejected."
#[test]
fn not_an_object() {
    let (_, decoded) = decode(table(vec![field("x", STRING)]), r#"[1,"a",null,[{}],{"x":"b"}]"#);
    assert_eq!(codes(&decoded), ["not_an_object"; 4]);
    assert_eq!(decoded.rejects[1].message, "`\"a\"` is not a JSON object");
    assert_eq!((decoded.rejects[3].page, decoded.rejects[3].index), (1, 3));
    assert_eq!(&decoded.rejects[3].record[..], b"[{}]");
    assert_eq!(decoded.records, [4]);
}

/// "Depth over 128 or a record over 16 MiB: the record is rejected."
#[test]
fn too_deep_and_too_large() {
    let nested =
        |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let body = format!("[{},{}]", nested(128), nested(129));
    let (_, decoded) = decode(table(vec![field("x", FieldType::Json)]), &body);
    assert_eq!(codes(&decoded), ["too_deep"]);
    assert_eq!(decoded.records, [0]);

    for undeclared in ["x", "y"] {
        let hostile = nested(200_000).replace("\"x\"", &format!("\"{undeclared}\""));
        let (_, decoded) =
            decode(table(vec![field("x", FieldType::Json)]), &format!("[{hostile}]"));
        assert_eq!(codes(&decoded), ["too_deep"]);
    }
    let unclosed = format!("[{{\"x\":{}", "{\"a\":".repeat(200_000));
    assert!(scanner(&table(vec![field("x", STRING)])).scan(&unclosed.into()).is_err());

    let brackets = format!(r#"[{{"x":"{}\"{}"}}]"#, "[{".repeat(400), "[".repeat(400));
    assert_eq!(decode(table(vec![field("x", STRING)]), &brackets).1.records, [0]);

    let fits = format!("[{{\"x\":\"{}\"}}]", "a".repeat(16 * 1024 * 1024 - 8));
    assert_eq!(decode(table(vec![field("x", STRING)]), &fits).1.records, [0]);
    let large = format!("[{{\"x\":\"{}\"}}]", "a".repeat(17 * 1024 * 1024));
    let (_, decoded) = decode(table(vec![field("x", STRING)]), &large);
    assert_eq!(codes(&decoded), ["too_large"]);
    assert!(decoded.rejects[0].message.len() < 100);
}

/// "A duplicate key: the last wins, counted. Lone surrogates: U+FFFD, counted."
#[test]
fn duplicates_and_surrogates() {
    let fields = || vec![from(field("x", STRING), &["/x/y"]), field("z", STRING)];
    let body = r#"[{"x":{"y":"a","y":"b"},"\u007a":"\ud800","z":"\ud800c","u":1,"u":2},{"x":{"y":1},"x":{}},{"z":"d","\udfff":0}]"#;
    let (decoder, decoded) = decode(table(fields()), body);
    assert_eq!((shown(&decoded, 0, 0), shown(&decoded, 1, 0)), ("b".into(), "\u{fffd}c".into()));
    assert_eq!(shown(&decoded, 0, 1), "null");
    let shape = decoder.shape();
    assert_eq!((shape.duplicate_keys, shape.surrogates), (4, 2));
}

/// Readers that take the raw column as JSON refuse lone surrogates; nothing else of the text changes.
#[test]
fn lone_surrogates_in_json_text() {
    let fields = vec![field("x", FieldType::Json)];
    let body = r#"[{"x" : "a\\ud800\ud83d\ude00\uD800\udfff"},{"u":"\udc00","x":["\ud800\u0041"]},{"x":"\ud83d\ude00\n"}]"#;
    let (_, decoded) = decode(table(fields), body);
    let raw = decoded.batch.column(2).as_string_view();
    assert_eq!(raw.value(0), r#"{"x" : "a\\ud800\ud83d\ude00\uD800\udfff"}"#);
    assert_eq!(raw.value(1), r#"{"u":"\ufffd","x":["\ufffd\u0041"]}"#);
    assert_eq!(raw.value(2), r#"{"x":"\ud83d\ude00\n"}"#);
    assert_eq!(shown(&decoded, 0, 1), r#"["\ufffd\u0041"]"#);
}

/// An escaped key is the key that it spells, and never another one.
#[test]
fn escaped_keys() {
    let keys = [r#"a\b"#, r#"q"t"#, "ü", "a/b", "tab\t"];
    let field = |key: &&str| from(field(key, STRING), &[&Pointer::key(key).to_string()]);
    let body = r#"[{"a\\b":"1","q\"t":"2","\u00fc":"3","a\/b":"4","tab\t":"5"},{"a\b":"x","ü":"y"},{"a\\b":"1","ü":"3"}]"#;
    let (decoder, decoded) = decode(table(keys.iter().map(field).collect()), body);
    let row = |row| (0..5).map(|column| shown(&decoded, column, row)).collect::<Vec<_>>();
    assert_eq!(row(0), ["1", "2", "3", "4", "5"]);
    assert_eq!(row(1), ["null", "null", "y", "null", "null"]);
    assert_eq!(row(2), ["1", "null", "3", "null", "null"]);
    assert_eq!(decoder.shape().undeclared[0].path, "/a\u{8}");
}

/// "JSON: strict RFC 8259."
#[test]
fn strict_json() {
    let bad: [&[u8]; 9] = [
        b"{\"x\":01}",
        b"{\"x\":1,}",
        b"{'x':1}",
        b"{\"x\":NaN}",
        b"{\"x\":1}x",
        b"{\"x\"",
        b"{\"a\tb\":1}",
        b"{\"x\":\"\xff\"}",
        b"{\"x\":\"\\x\"}",
    ];
    for text in bad {
        let body = [b"[", text, b"]"].concat();
        let scanned = scanner(&table(vec![field("x", STRING)])).scan(&body.into());
        assert!(scanned.is_err(), "{}", text.escape_ascii());
    }
}

/// "Declared columns come first in declared order, then `_extracted_at`, then the raw column, annotated as JSON"
#[test]
fn schema_and_raw() {
    let fields = vec![required(field("id", STRING)), field("notes", FieldType::Json)];
    let body = "[ {\"id\" :\t\"a\",\n \"notes\":{ \"k\": 1.10 }} , {\"id\":\"é\"}]";
    let (decoder, decoded) = decode(table(fields.clone()), body);
    let schema = decoder.schema();
    let names: Vec<_> =
        schema.fields().iter().map(|f| (f.name().as_str(), f.is_nullable())).collect();
    assert_eq!(names, [("id", false), ("notes", true), ("_extracted_at", false), ("_raw", false)]);
    let json = |n: usize| schema.field(n).extension_type_name() == Some("arrow.json");
    assert!(!json(0) && json(1) && !json(2) && json(3));
    assert_eq!(schema.field(3).data_type(), &DataType::Utf8View);
    assert_eq!(shown(&decoded, 2, 1), "2026-03-08T20:00:00Z");
    let raw = decoded.batch.column(3).as_string_view();
    assert_eq!(raw.value(0), "{\"id\" :\t\"a\",\n \"notes\":{ \"k\": 1.10 }}");
    assert_eq!(raw.value(1), "{\"id\":\"é\"}");
    assert_eq!(shown(&decoded, 1, 0), "{ \"k\": 1.10 }");

    let bare = Table { raw_column: None, ..table(fields) };
    assert_eq!(decode(bare, "[]").1.batch.num_columns(), 3);
}

/// "rows whose field lies outside the window are dropped and counted as `outside`"; a record is rejected first.
#[test]
fn clip() {
    let window: Window = "20260317T000000Z_20260318T000000Z".parse().expect("window");
    let fields = vec![
        field("t", TIMESTAMP),
        required(field("id", STRING)),
        field("n", FieldType::Scalar(Scalar::Int64)),
    ];
    let body = r#"[{"t":"2026-03-17","id":"a"},{"t":"2026-03-18","id":"b","n":"x"},{"t":"2026-03-18"},{"id":"c"},
        {"t":"2026-03-16T23:59:59.999999Z","id":"d"},{"t":"2026-03-17T23:59:59.999999Z","id":"e","n":"x"}]"#;
    let timed = table(fields);
    let page = page_of(&timed, body);
    let decoded = decoder(timed, Some(("t", window))).decode(&page).expect("decoded");
    assert_eq!(decoded.records, [0, 3, 5]);
    assert_eq!((decoded.outside, decoded.nulled), (2, 1));
    assert_eq!(codes(&decoded), ["missing"]);

    let days = vec![field("d", FieldType::Scalar(Scalar::Date))];
    let body = r#"[{"d":"2026-03-16"},{"d":"2026-03-17"},{"d":"2026-03-18"}]"#;
    let dated = table(days);
    let page = page_of(&dated, body);
    let decoded = decoder(dated, Some(("d", window))).decode(&page).expect("decoded");
    assert_eq!(decoded.records, [1]);

    let options =
        DecodeOptions { extracted_at: DateTime::UNIX_EPOCH, clip: Some(("s".into(), window)) };
    let error =
        Decoder::new(Arc::new(table(vec![field("s", STRING)])), options).err().expect("error");
    assert_eq!(error.kind(), crate::error::ErrorKind::Config);
}

#[test]
fn a_page_scanned_for_another_table_is_an_error() {
    let (one, two) = (table(vec![field("s", STRING)]), table(vec![]));
    let page = page_of(&two, r#"[{"s":"a"}]"#);
    assert!(decoder(one, None).decode(&page).is_err());
}

/// The yardstick's `mixed` profile: amounts in three notations, times in three, UTC dates.
#[test]
fn mixed_notations_land_exactly() {
    use crate::spec::table::MinorUnits;
    let minor = DecimalRules { integers: Some(MinorUnits::Digits(2)), ..DecimalRules::default() };
    let amount = Field { decimal: minor, ..required(field("amount", decimal(18, 2))) };
    let fields =
        vec![amount, required(field("created_at", TIMESTAMP)), field("notes", FieldType::Json)];
    let body = r#"[{"amount":38000,"created_at":1773705599,"notes":[]},{"amount":"380.00","created_at":1773705599000,"notes":{}},
        {"amount":380.0,"created_at":"2026-03-17T05:29:59+05:30","notes":{"a":1}},{"amount":9007199254740993,"created_at":1773705600}]"#;
    let (decoder, decoded) = decode(table(fields), body);
    let column = |column| (0..4).map(|row| shown(&decoded, column, row)).collect::<Vec<_>>();
    assert_eq!(column(0), ["380.00", "380.00", "380.00", "90071992547409.93"]);
    let late = "2026-03-16T23:59:59Z";
    assert_eq!(column(1), [late, late, late, "2026-03-17T00:00:00Z"]);
    assert_eq!(
        decoder.shape().fields[1].units.seen().map(|(unit, s)| (unit, s.count)).collect::<Vec<_>>(),
        [("s", 2), ("ms", 1)]
    );
}
