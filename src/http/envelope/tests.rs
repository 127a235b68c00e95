//! What a body says, pointer by pointer, and what it must not be.

use super::*;
use crate::json::keys::Keys;

/// A plan that notes the values at `slots` as cursors.
fn plan(records: &str, slots: &[&str]) -> Plan {
    let parse = |text: &str| Pointer::parse(text).expect(text);
    let records = parse(records);
    let mut outline = Outline::of_records(records.tokens());
    let mut note = |slot: &&str| {
        let pointer = parse(slot);
        Slot { index: outline.note(pointer.tokens()), pointer }
    };
    let cursors = slots.iter().map(&mut note).collect();
    let mut keys = Keys::new(Paths::default());
    keys.seal();
    Plan {
        format: Format::Json,
        counted: false,
        scanner: Scanner::new(outline, keys),
        idle: Mutex::default(),
        records,
        error: None,
        total: None,
        has_more: None,
        cursors,
    }
}

fn scan(plan: &Plan, body: &str) -> Envelope {
    plan.scan(&Bytes::from(body.to_owned())).expect(body)
}

fn records(plan: &Plan, body: &str) -> Vec<String> {
    let spans = plan.records(&scan(plan, body)).expect(body);
    spans.into_iter().map(|span| body[span].to_owned()).collect()
}

fn cursor(body: &str, pointers: &[&str]) -> Result<Option<String>> {
    let plan = plan("/items", pointers);
    plan.cursor(&scan(&plan, body))
}

#[test]
fn records_are_their_exact_text() {
    let body =
        "\u{feff}{ \"data\": {\"items\" : [ {\"a\": 1.0} ,\n[2], \"x\\u00e9\", null ,-0.0e1] } }";
    let spans = records(&plan("/data/items", &[]), body);
    assert_eq!(spans, ["{\"a\": 1.0}", "[2]", "\"x\\u00e9\"", "null", "-0.0e1"]);
    assert_eq!(records(&plan("", &[]), " [1, {}] "), ["1", "{}"]);
    assert_eq!(records(&plan("/1/x", &[]), "[0, {\"x\": [7]}]"), ["7"]);
    assert!(records(&plan("/items", &[]), "{\"items\": null}").is_empty());
    assert!(records(&plan("/items", &[]), "{\"items\": []}").is_empty());
    assert_eq!(records(&plan("/a~1b/\u{e9}", &[]), r#"{"a\/b": {"\u00e9": [1]}}"#), ["1"]);
}

#[test]
fn of_a_key_that_comes_twice_the_last_counts_as_a_whole() {
    assert_eq!(records(&plan("/items", &[]), r#"{"items": [1], "items": [2, 3]}"#), ["2", "3"]);
    let body = r#"{"p": {"next": "a"}, "items": [], "p": {"other": 1}}"#;
    assert_eq!(cursor(body, &["/p/next"]).expect("cursor"), None);
    let plan = plan("/d/items", &[]);
    assert!(plan.records(&scan(&plan, r#"{"d": {"items": [1]}, "d": 7}"#)).is_err());
}

#[test]
fn records_that_are_missing_or_no_array_are_explained() {
    let explain = |records: &str, body: &str| {
        let plan = plan(records, &[]);
        let error = plan.records(&scan(&plan, body)).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::Api);
        format!("{error} / {}", error.hint_text().unwrap_or_default())
    };
    insta::assert_snapshot!(
        [
            explain("/items", r#"{"item": [], "count": 0}"#),
            explain("/data/items", r#"{"data": {"Items": []}}"#),
            explain("/data/items/x", r#"{"other": 1}"#),
            explain("/data/items", r#"{"data": [1]}"#),
            explain("/items", "[]"),
            explain("/items", "{}"),
            explain("/items", r#"{"items": {"a": 1}}"#),
            explain("/items", r#"{"items": "none"}"#),
            explain("/items", r#"{"items": 3}"#),
            explain("/items", r#"{"items": false}"#),
            explain("", r#"{"items": [], "count": 1}"#),
        ]
        .join("\n"),
        @"
        records `/items` is not in the body / the body has the keys count, item; did you mean `item`?
        records `/data/items` is not in the body / `/data` has the keys Items; did you mean `Items`?
        records `/data/items/x` is not in the body / the body has the keys other
        records `/data/items` is not in the body / `/data` is an array, not an object
        records `/items` is not in the body / the body is an array, not an object
        records `/items` is not in the body / the body is an empty object
        records `/items` is an object, not an array / `records` is the JSON Pointer of the array of records in a page
        records `/items` is a string, not an array / `records` is the JSON Pointer of the array of records in a page
        records `/items` is a number, not an array / `records` is the JSON Pointer of the array of records in a page
        records `/items` is a bool, not an array / `records` is the JSON Pointer of the array of records in a page
        the body is an object, not an array of records / `records` is the JSON Pointer of the array of records in a page; the body has the keys count, items
        "
    );
}

#[test]
fn a_cursor_is_a_string_or_a_number() {
    for (body, expected) in [
        (r#"{"a": "x\u0041\/", "items": []}"#, Some("xA/")),
        (r#"{"a": 12345678901234567890123}"#, Some("12345678901234567890123")),
        (r#"{"a": -1.50}"#, Some("-1.50")),
        (r#"{"a": ""}"#, None),
        (r#"{"a": null}"#, None),
        (r"{}", None),
        (r"[]", None),
        (r#"{"a": null, "b": "y"}"#, Some("y")),
        (r#"{"a": "", "b": 7}"#, Some("7")),
        (r#"{"b": "y", "a": "x"}"#, Some("x")),
    ] {
        assert_eq!(cursor(body, &["/a", "/b"]).expect(body).as_deref(), expected, "{body}");
    }
    for body in [r#"{"a": {}}"#, r#"{"a": []}"#, r#"{"a": true}"#, r#"{"a": "\ud800"}"#] {
        assert_eq!(cursor(body, &["/a"]).expect_err(body).kind(), ErrorKind::Api);
    }
}

#[test]
fn pointers_may_meet_and_reach_into_arrays() {
    let body = r#"{"links": [{"rel": "self"}, {"href": "u"}], "items": [{"id": 9}]}"#;
    assert_eq!(cursor(body, &["/links/1/href"]).expect("href").as_deref(), Some("u"));
    assert_eq!(cursor(body, &["/links/01/href"]).expect("none"), None);
    assert_eq!(cursor(body, &["/items/0/id"]).expect("id").as_deref(), Some("9"));
    let both = plan("/items", &["/page/next", "/page"]);
    let envelope = scan(&both, r#"{"page": {"next": "n"}}"#);
    assert_eq!(both.cursor(&envelope).expect("next").as_deref(), Some("n"));
}

#[test]
fn has_more_is_strictly_a_bool() {
    let more = |body: &str| {
        let mut plan = plan("/items", &["/more"]);
        plan.has_more = plan.cursors.pop();
        plan.has_more(&scan(&plan, body))
    };
    assert_eq!(more(r#"{"more": true}"#).expect("bool"), Some(true));
    assert_eq!(more(r#"{"more": false}"#).expect("bool"), Some(false));
    assert_eq!(more(r#"{"more": null}"#).expect("null"), None);
    assert_eq!(more("{}").expect("absent"), None);
    for body in [r#"{"more": "true"}"#, r#"{"more": 1}"#, r#"{"more": []}"#] {
        let error = more(body).expect_err(body);
        assert!(error.message().contains("neither true nor false"), "{error}");
    }
}

#[test]
fn an_error_is_what_is_neither_null_false_nor_empty() {
    let reports = |body: &str| {
        let mut plan = plan("/items", &["/error"]);
        plan.error = plan.cursors.pop();
        plan.reports_error(&scan(&plan, body)).is_some()
    };
    for body in ["{}", r#"{"error": null}"#, r#"{"error": false}"#, r#"{"error": ""}"#] {
        assert!(!reports(body), "{body}");
    }
    for body in [r#"{"error": "x"}"#, r#"{"error": {"code": 1}}"#, r#"{"error": 0}"#] {
        assert!(reports(body), "{body}");
    }
}

#[test]
fn totals_are_counts() {
    for (text, total) in [
        ("12", Total::Count(12)),
        ("\"12\"", Total::Count(12)),
        (" 0 ", Total::Count(0)),
        ("-1", Total::Odd("-1".into())),
        ("1.5", Total::Odd("1.5".into())),
        ("{}", Total::Odd("{}".into())),
    ] {
        assert_eq!(Total::read(text), total);
    }
}

#[test]
fn the_last_record_names_the_cursor() {
    let of = |record: &str| {
        let pointer = Pointer::parse("/a/id").expect("pointer");
        token_of_record(&Bytes::from(record.to_owned()), &pointer)
    };
    assert_eq!(of(r#"{"a": {"id": "x1"}}"#).expect("id"), "x1");
    assert_eq!(of(r#"{"a": {"id": 10}}"#).expect("id"), "10");
    for record in ["{}", "3", r#"{"a": {"id": null}}"#, r#"{"a": {"id": ""}}"#, r#"{"a": []}"#] {
        assert!(of(record).expect_err(record).message().contains("/a/id"));
    }
}

#[test]
fn only_strict_json_passes() {
    let plan = plan("/items", &["/a"]);
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{\"items\": []",
        b"{\"items\": []} x",
        b"{\"items\": [],}",
        b"{\"items\": [1,]}",
        b"{'items': []}",
        b"{\"items\": [01]}",
        b"{\"items\": [NaN]}",
        b"{\"items\": [+1]}",
        b"{\"items\": [.5]}",
        b"{\"items\": [\"\x01\"]}",
        b"{\"items\": [\"\\x\"]}",
        b"{\"items\": [\"\\u12\"]}",
        b"{\"it\x01ems\": []}",
        b"{\"items\": [\"\xff\"]}",
        b"{\"other\": \"\xff\"}",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"// comment\n{}",
        b"<html>",
    ] {
        let text = String::from_utf8_lossy(body).into_owned();
        assert!(plan.scan(&Bytes::copy_from_slice(body)).is_err(), "{text}");
    }
    scan(&plan, r#"{"\ud800": "\udc00", "items": ["\ud800"], "n": 1e999}"#);
}

#[test]
fn deep_nesting_is_skipped_without_the_stack() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let plan = plan("/items", &["/a"]);
    let body = format!(r#"{{"x": {deep}, "items": [{deep}], "a": "c"}}"#);
    let envelope = scan(&plan, &body);
    assert_eq!(plan.records(&envelope).expect("records").len(), 1);
    assert_eq!(plan.cursor(&envelope).expect("cursor").as_deref(), Some("c"));
}

proptest::proptest! {
    #[test]
    fn the_scan_agrees_with_serde_json(items in proptest::collection::vec(".{0,12}", 0..8), next in ".{0,8}") {
        let body = serde_json::json!({"p": {"next": next, "z": items}, "items": items}).to_string();
        let plan = plan("/items", &["/p/next"]);
        let expected: Vec<String> = items.iter().map(|i| serde_json::json!(i).to_string()).collect();
        proptest::prop_assert_eq!(records(&plan, &body), expected);
        let expected = (!next.is_empty()).then_some(next);
        proptest::prop_assert_eq!(plan.cursor(&scan(&plan, &body)).expect("cursor"), expected);
    }
}
