//! Bad files and what is said about them.

use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::spec::auth::{Auth, KeyPlace};
use crate::spec::pagination::{CursorFrom, Pagination};
use crate::spec::source::Format;
use crate::spec::table::{FieldType, MinorUnits, OnInvalid, Scalar, Zone};

/// A good schema file, which the source files here refer to as `t.yaml`.
const TABLE: &str = "version: 1\ntable: t\nfields:\n  - { name: id, type: string }\n  - { name: at, type: timestamp }\n";

/// A source file with `extra` among its keys.
fn source(extra: &str) -> String {
    format!(
        "version: 1\nsource: a\nbase_url: https://example.com\nstreams:\n  s: {{ schema: t.yaml, path: /s, records: /items }}\n{extra}\n"
    )
}

/// A source file with `extra` among the keys of its stream.
fn stream(extra: &str) -> String {
    format!(
        "version: 1\nsource: a\nbase_url: https://example.com\nstreams:\n  s:\n    schema: t.yaml\n    path: /s\n    records: /items\n    {extra}\n"
    )
}

/// A schema file with `extra` among its keys.
fn table(extra: &str) -> String {
    format!("{TABLE}{extra}\n")
}

/// A schema file with `extra` among its fields.
fn field(extra: &str) -> String {
    format!("{TABLE}  - {extra}\n")
}

/// All that is said about a file of this `text`.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("t.yaml"), TABLE).expect("table");
    let file = folder.path().join("f.yaml");
    std::fs::write(&file, text).expect("file");
    let shown: Vec<String> = check(&file).iter().map(ToString::to_string).collect();
    let shown = shown.join("\n").replace(&format!("{}/", folder.path().display()), "");
    assert!(!shown.contains("hunter2"), "a secret is repeated: {shown}");
    assert!(!shown.is_empty(), "nothing is wrong with {text}");
    shown
}

fn examples() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["examples/sources", "examples/schemas", "schemas"];
    let files =
        folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("folder"));
    let mut files: Vec<_> = files.map(|entry| entry.expect("entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

#[test]
fn all_examples_pass() {
    let files = examples();
    assert!(files.len() >= 10);
    for file in files {
        let found: Vec<String> = check(&file).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

fn write(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("t.yaml"), TABLE).expect("table");
    let file = folder.path().join("f.yaml");
    std::fs::write(&file, text).expect("file");
    (folder, file)
}

#[test]
fn defaults_are_those_of_the_design() {
    let (folder, file) = write(&source(""));
    let source = Source::load(&file).expect("source");
    assert!(matches!(source.auth, Auth::None));
    assert_eq!(source.http.timeout.as_secs(), 30);
    assert_eq!(source.http.connect_timeout.as_secs(), 10);
    assert_eq!(source.http.max_page_bytes, 64 << 20);
    assert!(source.http.user_agent.starts_with("lakeward/"));
    assert_eq!((source.retry.max_attempts, source.retry.max_wait.as_secs()), (5, 60));
    assert_eq!((source.rate_limit.per_second, source.rate_limit.share), (None, (1, 1)));
    assert_eq!(source.rate_limit.max_wait.as_secs(), 900);
    assert_eq!(source.checkpoint_every.as_secs(), 30);
    let stream = source.find_stream("s").expect("stream");
    assert!(matches!(stream.pagination, Pagination::None));
    assert_eq!(stream.table.file, folder.path().join("t.yaml"));
    assert_eq!(stream.table.raw_column.as_deref(), Some("_raw"));
    assert_eq!(stream.table.partition_column, "date");
    let error = source.find_stream("ss").expect_err("no such stream");
    assert_eq!(error.to_string(), "the source `a` has no stream `ss`, did you mean `s`?");
}

#[test]
fn what_is_written_is_what_is_meant() {
    let extra = "auth: { type: api_key, query: k, value: { file: key.txt } }\nheaders: { B: x, A: '{{ window.date }}' }";
    let (folder, file) = write(&source(extra));
    let source = Source::load(&file).expect("source");
    let Auth::ApiKey { place, value } = &source.auth else { panic!("{:?}", source.auth) };
    assert_eq!(*place, KeyPlace::Query("k".to_owned()));
    std::fs::write(folder.path().join("key.txt"), "s3cret\n").expect("key");
    assert!(value.resolve().is_ok(), "a secret's path is relative to the file");
    let names: Vec<&str> = source.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["B", "A"], "file order");
    let (_folder, file) = write(&stream(
        "params: { a: ['{{ window.start | unix }}', 2], b: true }\n    on_status: { 404: empty }\n    total: { header: X-Total }\n    pagination: { type: cursor, cursor: { last_record: /id }, param: after }",
    ));
    let source = Source::load(&file).expect("source");
    let stream = source.find_stream("s").expect("stream");
    assert_eq!(stream.params.first().map(|(key, _)| key.as_str()), Some("a"));
    assert!(stream.on_status.contains_key(&404));
    let Pagination::Cursor(by) = &stream.pagination else { panic!("{:?}", stream.pagination) };
    assert!(matches!(&by.cursor, CursorFrom::LastRecord(pointer) if pointer.to_string() == "/id"));
}

#[test]
fn fields_are_what_is_meant() {
    let (_folder, file) = write(
        "version: 1\ntable: t\nraw_column: null\nprimary_key: a\nfields:\n  - { name: a, type: 'decimal( 20 ,3 )', integers: minor, currency: c, required: true, on_invalid: null, min: 0.1, max: 12345678901234567890.5 }\n  - { name: c, type: string, case: lower, known: [INR], default: 1.50 }\n  - { name: t, type: timestamp, assume_zone: \"-03:30\" }\n  - { name: l, type: list(int64), default: [1, '2'] }\n  - { name: d, type: 'decimal(38, 0)', default: 99999999999999999999999999999999999999 }\n",
    );
    let table = Table::load(&file).expect("table");
    let [a, c, t, l, d] = table.fields.as_slice() else { panic!("{:?}", table.fields) };
    assert_eq!(table.raw_column, None);
    assert_eq!(table.primary_key, [0]);
    assert_eq!(a.kind, FieldType::Scalar(Scalar::Decimal { precision: 20, scale: 3 }));
    assert_eq!(a.decimal.integers, Some(MinorUnits::Currency(1)));
    assert_eq!(a.on_invalid, OnInvalid::Null, "an unquoted null is the word");
    assert_eq!(a.max.map(|max| max.to_string()).as_deref(), Some("12345678901234567890.5"));
    assert_eq!(c.known, ["inr"], "compared after `case`");
    assert_eq!(c.default.as_deref(), Some("1.50"), "the digits that were written");
    assert_eq!(t.time.assume_zone, Some(Zone::Offset(-12_600)));
    assert_eq!(l.default.as_deref(), Some("[1,\"2\"]"));
    assert_eq!(d.default.as_deref(), Some("99999999999999999999999999999999999999"));
    assert_eq!(d.from.first().map(ToString::to_string).as_deref(), Some("/d"));
}

#[test]
fn fingerprints_change_with_the_rows_only() {
    let of = |text: &str| {
        let (_folder, file) = write(text);
        let source = Source::load(&file).expect("source");
        source.fingerprint(source.find_stream("s").expect("stream"))
    };
    let plain = of(&source(""));
    assert_eq!(plain.len(), 32);
    assert_eq!(
        plain,
        of(&source("http: { timeout: 5s }\nauth: { type: bearer, token: { env: A } }"))
    );
    assert_ne!(plain, of(&stream("params: { a: 1 }")));
    let paged = |extra: &str| {
        of(&stream(&format!("total: /n\n    pagination: {{ type: page }}\n    {extra}")))
    };
    assert_eq!(paged(""), paged("concurrency: 8"));
    let listed = |extra: &str| of(&stream(extra).replace("records: /items", "records: \"\""));
    assert_eq!(listed(""), listed("format: json"));
    assert_ne!(listed(""), listed("format: csv"));
    assert_ne!(listed("format: ndjson"), listed("format: csv"));
    assert_eq!(paged(""), paged("conditional: true"));
    let of = |text: &str| {
        let (_folder, file) = write(text);
        Table::load(&file).expect("table").fingerprint()
    };
    let plain = of(TABLE);
    assert_eq!(
        plain,
        of(&table("reject_limit: 1\ndrift: { new_field: fail }\nparquet: { compression: none }"))
    );
    assert_ne!(plain, of(&table("raw_column: null")));
    assert_ne!(plain, of(&field("{ name: x, type: string }")));
}

#[test]
fn one_error_holds_all_that_is_wrong() {
    let (folder, file) = write(&stream("clip: nope\n    method: PUT"));
    let error = Source::load(&file).expect_err("wrong");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("2 errors in the source and schema files\n"));
    std::fs::write(
        folder.path().join("t.yaml"),
        "version: 1\ntable: t\nfields: [{ name: a, type: b }]\n",
    )
    .expect("table");
    let error = Source::load(&file).expect_err("wrong").to_string();
    assert!(error.contains("t.yaml:3:27: `b` is no type"), "{error}");
    assert!(error.contains("f.yaml:10:13: `PUT` is no value of `method`"), "{error}");
    assert!(!error.contains("clip"), "a field of a table that is wrong is not missed: {error}");
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("folder");
    let said = |name: &str| {
        let found = check(&folder.path().join(name));
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        shown.join("\n").replace(&format!("{}", folder.path().display()), "DIR")
    };
    assert_snapshot!(said("none.yaml"), @"DIR/none.yaml: could not read the file: No such file or directory (os error 2)");
    assert_snapshot!(said("."), @"DIR/.: could not read the file: it is a directory");
    std::fs::write(folder.path().join("bytes.yaml"), b"version: 1\nsource: \xff\n").expect("file");
    assert_snapshot!(said("bytes.yaml"), @r"
    DIR/bytes.yaml: not UTF-8 from byte 19 (line 2) on
      hint: save the file as UTF-8
    ");
}

#[test]
fn a_slip_of_the_finger_shows_no_secret() {
    let bases = [
        source("auth: { type: bearer, token: hunter2secret }"),
        source("auth:\n  type: api_key\n  header: X-Key\n  value:\n    hunter2secret\n"),
    ];
    for base in bases {
        for at in base.find("auth:").expect("auth")..base.len() {
            for slip in ["", ",", "\"", "\n"] {
                let text = format!("{}{slip}{}", &base[..at], &base[at + 1..]);
                let (_folder, file) = write(&text);
                for found in check(&file) {
                    let shown = found.to_string();
                    assert!(!shown.contains("hunter2secret"), "{text}\n{shown}");
                }
            }
        }
    }
}

/// A good file with one of its parts taken out, doubled, or put in the place of another.
fn mutated() -> impl Strategy<Value = String> {
    let texts: Vec<String> =
        examples().iter().map(|file| std::fs::read_to_string(file).expect("example")).collect();
    let cut = (0..texts.len(), any::<[prop::sample::Index; 3]>(), 0..6_u8, "\\PC{0,6}");
    cut.prop_map(move |(text, at, how, insert)| {
        let chars: Vec<char> = texts[text].chars().collect();
        let mut at = at.map(|index| index.index(chars.len()));
        at.sort_unstable();
        let part = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
        let (before, one, two, after) =
            (part(0, at[0]), part(at[0], at[1]), part(at[1], at[2]), part(at[2], chars.len()));
        match how {
            0 => format!("{before}{two}{after}"),
            1 => format!("{before}{two}{one}{after}"),
            2 => format!("{before}{insert}{one}{two}{after}"),
            3 => format!("{before}{one}{insert}{after}"),
            4 => before,
            _ => format!(
                "{before}{}{one}{two}{after}",
                ["\t", "\r\n", ": ", "- ", "\u{0}", "}"][at[0] % 6]
            ),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn loading_never_panics(text in mutated()) {
        let (_folder, file) = write(&text);
        for found in check(&file) {
            let shown = found.to_string();
            prop_assert!(shown.len() < 4_000, "{shown}");
        }
        let _ = Source::load(&file);
        let _ = Table::load(&file);
    }
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    assert_snapshot!(said(&source("strems: {}")), @r#"
    f.yaml:6:1: unknown key `strems`, did you mean `streams`?
      6 | strems: {}
        | ^^^^^^
      hint: known here: version, source, base_url, auth, headers, http, rate_limit, retry, checkpoint_every, streams, webhooks
    "#);
    assert_snapshot!(said(&source("http: { timeot: 5s, tls_verify: false }")), @r#"
    f.yaml:6:9: unknown key `timeot`, did you mean `timeout`?
      6 | http: { timeot: 5s, tls_verify: false }
        |         ^^^^^^
      hint: known here: timeout, connect_timeout, ca_bundle, client_cert, proxy, proxy_auth, max_page_bytes, allow_hosts, user_agent
    f.yaml:6:21: unknown key `tls_verify`
      6 | http: { timeot: 5s, tls_verify: false }
        |                     ^^^^^^^^^^
      hint: certificates are always verified: name a private CA's in http.ca_bundle
    "#);
    assert_snapshot!(said(&stream("pagination: { type: cursor, cursr: /next }")), @r#"
    f.yaml:9:33: unknown key `cursr`, did you mean `cursor`?
      9 |     pagination: { type: cursor, cursr: /next }
        |                                 ^^^^^
      hint: known here: type, cursor, param, in, has_more
    "#);
    assert_snapshot!(said(&stream("total: { heder: X-Total }")), @r#"
    f.yaml:9:14: unknown key `heder`, did you mean `header`?
      9 |     total: { heder: X-Total }
        |              ^^^^^
      hint: known here: header
    "#);
    assert_snapshot!(said(&stream("pagination: { type: cursor, cursor: { last_recrd: /id } }")), @r#"
    f.yaml:9:43: unknown key `last_recrd`, did you mean `last_record`?
      9 |     pagination: { type: cursor, cursor: { last_recrd: /id } }
        |                                           ^^^^^^^^^^
      hint: known here: header, last_record
    "#);
    assert_snapshot!(said(&table("drift: { new_feld: warn }")), @r#"
    f.yaml:6:10: unknown key `new_feld`, did you mean `new_field`?
      6 | drift: { new_feld: warn }
        |          ^^^^^^^^
      hint: known here: new_field, missing_field, type_changed, new_value, renamed, invalid_value, mixed_units, null_rate, range_moved, row_count, samples
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, form: /x }")), @r#"
    f.yaml:6:30: unknown key `form`, did you mean `from`?
      6 |   - { name: x, type: string, form: /x }
        |                              ^^^^
      hint: known here: name, type, from, required, on_invalid, default, known, case, min, max, integers, minor_digits, currency, round, decimal_mark, unit, assume_zone, drift, pii
    "#);
}

#[test]
fn wrong_types_and_values() {
    assert_snapshot!(said(&source("http: { timeout: 30 }")), @r#"
    f.yaml:6:18: `timeout` wants text such as `30s`, not a number
      6 | http: { timeout: 30 }
        |                  ^^
    "#);
    assert_snapshot!(said(&source("retry: { max_attempts: many }")), @r#"
    f.yaml:6:24: `max_attempts` wants a whole number, not text
      6 | retry: { max_attempts: many }
        |                        ^^^^
    "#);
    assert_snapshot!(said(&source("headers:")), @r#"
    f.yaml:6:1: `headers` has no value: it wants a mapping
      6 | headers:
        | ^^^^^^^
    "#);
    assert_snapshot!(said(&stream("method: PSOT")), @r#"
    f.yaml:9:13: `PSOT` is no value of `method`, did you mean `POST`?
      9 |     method: PSOT
        |             ^^^^
      hint: one of GET, POST
    "#);
    assert_snapshot!(said(&stream("total: 5")), @r#"
    f.yaml:9:12: `total` wants text or a mapping, not a number
      9 |     total: 5
        |            ^
    "#);
    assert_snapshot!(said(&stream("pagination: { type: curser }")), @r#"
    f.yaml:9:25: `curser` is no value of `type`, did you mean `cursor`?
      9 |     pagination: { type: curser }
        |                         ^^^^^^
      hint: one of none, page, offset, cursor, next_url, link_header
    "#);
    assert_snapshot!(said(&stream("pagination: { size: 5 }")), @r#"
    f.yaml:9:17: the key `type` is missing
      9 |     pagination: { size: 5 }
        |                 ^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&stream("pagination: cursor")), @r#"
    f.yaml:9:17: `pagination` wants a mapping with a `type`, not text
      9 |     pagination: cursor
        |                 ^^^^^^
    "#);
    assert_snapshot!(said(&stream("params: { a: { b: 1 } }")), @r#"
    f.yaml:9:18: `a` wants text, a number, true or false or a list, not a mapping
      9 |     params: { a: { b: 1 } }
        |                  ^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, required: yes }")), @r#"
    f.yaml:6:40: `required` wants true or false, not text
      6 |   - { name: x, type: string, required: yes }
        |                                        ^^^
    "#);
    assert_snapshot!(said(&field("just_a_name")), @r#"
    f.yaml:6:5: an item of `fields` wants a mapping, not text
      6 |   - just_a_name
        |     ^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, on_invalid: nul }")), @r#"
    f.yaml:6:42: `nul` is no value of `on_invalid`, did you mean `null`?
      6 |   - { name: x, type: string, on_invalid: nul }
        |                                          ^^^
      hint: one of reject, null
    "#);
}

#[test]
fn missing_keys() {
    assert_snapshot!(said("version: 1\nsource: a\n"), @r#"
    f.yaml:1:1: the key `streams` is missing
      1 | version: 1
        | ^^^^^^^
    f.yaml:1:1: the key `base_url` is missing
      1 | version: 1
        | ^^^^^^^
    "#);
    assert_snapshot!(said("version: 1\ntable: t\nfields:\n  - type: string\n"), @r#"
    f.yaml:4:5: the key `name` is missing
      4 |   - type: string
        |     ^^^^
    "#);
    assert_snapshot!(said("version: 2\ntable: t\nfields: []\n"), @r#"
    f.yaml:1:10: `version` must be 1
      1 | version: 2
        |          ^
    f.yaml:3:9: `fields` is empty
      3 | fields: []
        |         ^^
    "#);
}

#[test]
fn secrets_in_urls_and_headers_are_found_and_masked() {
    let found = [
        stream("params: {}").replace("path: /s", "path: '/s?api_key=hunter2secret'"),
        source("headers: { X-Access-Token: hunter2secret }"),
        source("headers: { Private-Token: hunter2secret }"),
        source("headers: { X-Acme-ApiKey: hunter2secret }"),
        source("").replace(
            "base_url: https://example.com",
            "base_url: https://example.com?access_token=hunter2secret",
        ),
    ];
    for text in found {
        assert!(text.contains("hunter2secret"), "{text}");
        let said = said(&text);
        assert!(said.contains("[redacted]") && !said.contains("hunter2secret"), "{said}");
    }
    let plain = "headers: { X-Token-Type: jwt, Idempotency-Key: a, X-Any-Token: '{{ cursor }}', X: 'a b' }\nzz: 1";
    assert!(!said(&source(plain)).contains("secret"));
}

#[test]
fn literal_secrets_are_never_repeated() {
    assert_snapshot!(said(&source("auth: { type: bearer, token: hunter2secret }")), @r#"
    f.yaml:6:30: the secret `token` is written into the file
      6 | auth: { type: bearer, token: [redacted] }
        |                              ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    "#);
    assert_snapshot!(said(&source("auth:\n  type: basic\n  username: hunter2secret\n  password:\n    - hunter2secret\n")), @r#"
    f.yaml:8:13: the secret `username` is written into the file
      8 |   username: [redacted]
        |             ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    f.yaml:10:5: the secret `password` is written into the file
      10 |     [redacted]
         |     ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    "#);
    assert_snapshot!(said(&source("auth: { type: api_key, header: X-Key, value: { evn: hunter2secret } }")), @r#"
    f.yaml:6:46: the secret `value` has an unknown key, did you mean `env`?
      6 | auth: { type: api_key, header: X-Key, value: [redacted] }
        |                                              ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    "#);
    assert_snapshot!(said(&source("auth: { type: api_key, header: X-Key, value: { env: 'hunter2 secret' } }")), @r#"
    f.yaml:6:53: this is no name of an environment variable
      6 | auth: { type: api_key, header: X-Key, value: { env: [redacted] } }
        |                                                     ^^^^^^^^^^
      hint: write the name of the variable that holds the secret, not the secret
    "#);
    assert_snapshot!(said(&source("auth: { type: api_key, header: X-Key, vlaue: hunter2secret }")), @r#"
    f.yaml:6:39: unknown key `vlaue`, did you mean `value`?
      6 | auth: { type: api_key, header: X-Key, vlaue: [redacted] }
        |                                       ^^^^^
      hint: known here: type, header, query, value
    "#);
    assert_snapshot!(said(&source("auth: hunter2secret")), @r#"
    f.yaml:6:7: `auth` wants a mapping with a `type`, not text
      6 | auth: [redacted]
        |       ^^^^^^^^^^
    "#);
    assert_snapshot!(said(&source("auth: { type: bearer, token: \"hunter2secret\n  more\" , tokn: 1 }")), @r#"
    f.yaml:6:30: the secret `token` is written into the file
      6 | auth: { type: bearer, token: [redacted]
        |                              ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    f.yaml:7:11: unknown key `tokn`, did you mean `token`?
      7 | [redacted] , tokn: [redacted] }
        |              ^^^^
      hint: known here: type, token
    "#);
    assert_snapshot!(said(&source("headers: { Authorization: Bearer hunter2secret }")), @r#"
    f.yaml:6:27: the secret `Authorization` is written into the file
      6 | headers: { Authorization: [redacted] }
        |                           ^^^^^^^^^^
      hint: declare it under `auth`, where it is named as { env: NAME } or { file: PATH }
    "#);
    assert_snapshot!(said(&source("http: { proxy: 'http://me:hunter2secret@proxy:3128' }")), @r#"
    f.yaml:6:16: `proxy` has credentials in it, which a source file must not hold
      6 | http: { proxy: [redacted] }
        |                ^^^^^^^^^^
      hint: name them in http.proxy_auth: { username: { env: PROXY_USER }, password: { env: PROXY_PASSWORD } }
    "#);
    assert_snapshot!(said(&source("http: { proxy: 'http://proxy', proxy_auth: { username: hunter2secret, password: { env: P } } }")), @r#"
    f.yaml:6:56: the secret `username` is written into the file
      6 | http: { proxy: 'http://proxy', proxy_auth: { username: [redacted], password: { env: P } } }
        |                                                        ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    "#);
    assert_snapshot!(said(&stream("params: { api_key: hunter2secret, page: '{{ nope }}' }")), @r#"
    f.yaml:9:24: the secret `api_key` is written into the file
      9 |     params: { api_key: [redacted], page: '{{ nope }}' }
        |                        ^^^^^^^^^^
      hint: declare it as auth: { type: api_key, query: NAME, value: { env: NAME } }; if it is no secret, write its value as a template: "{{ 'text' }}"
    f.yaml:9:49: undefined name `nope`
      9 |     params: { api_key: [redacted], page: '{{ nope }}' }
        |                                              ^^^^
    "#);
    assert_snapshot!(said(&source("auth: { type: bearer, token: hunter2secret")), @r#"
    f.yaml:6:7: not YAML: unclosed bracket '{'
      6 | auth:[redacted]
        |      ^^^^^^^^^^
    "#);
    assert_snapshot!(said(&source("auth:\n  type: bearer\n  token: \"hunter2secret\n")), @r#"
    f.yaml:8:10: not YAML: unclosed quote
      8 |   token:[redacted]
        |         ^^^^^^^^^^
    "#);
    assert_snapshot!(said(&source("auth: { type: bearer, token: {env: A} }\nauth: { type: bearer, token: hunter2secret }")), @r#"
    f.yaml:7:1: the key `auth` stands here twice
      7 | auth:[redacted]
        | ^^^^
    "#);
}

#[test]
fn auth_that_is_wrong() {
    assert_snapshot!(said(&source("auth: { type: oauth2_client_credentials, token_url: ftp://x, client_id: { env: A }, client_secret: hunter2 }")), @r#"
    f.yaml:6:53: `token_url` must be http or https, not ftp
      6 | auth: { type: oauth2_client_credentials, token_url: ftp://x, client_id: { env: A }, client_secret: [redacted] }
        |                                                     ^^^^^^^
      hint: write it whole: https://auth.example.com/oauth/token
    f.yaml:6:100: the secret `client_secret` is written into the file
      6 | auth: { type: oauth2_client_credentials, token_url: ftp://x, client_id: { env: A }, client_secret: [redacted] }
        |                                                                                                    ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    "#);
    assert_snapshot!(said(&source("auth: { type: jwt_bearer, token_url: https://x/t, private_key: { env: A }, algorithm: ES256, claims: { exp: 1, iss: { env: a b } } }")), @r#"
    f.yaml:6:104: the claim `exp` is set by lakeward
      6 | …//x/t, private_key: { env: A }, algorithm: ES256, claims: { exp: [redacted], iss: { env: [redacted] } } }
        |                                                              ^^^
    f.yaml:6:124: this is no name of an environment variable
      6 | …}, algorithm: ES256, claims: { exp: [redacted], iss: { env: [redacted] } } }
        |                                                              ^^^^^^^^^^
      hint: write the name of the variable that holds the secret, not the secret
    "#);
    assert_snapshot!(said(&source("auth: { type: jwt_bearer, token_url: http://x/t, private_key: { env: A }, algorithm: ES256 }")), @r#"
    f.yaml:6:38: `token_url` is http, though `base_url` is https
      6 | auth: { type: jwt_bearer, token_url: http://x/t, private_key: { env: A }, algorithm: ES256 }
        |                                      ^^^^^^^^^^
      hint: what it is sent could be read on the way: write it with https
    "#);
    assert_snapshot!(said(&source("auth: { type: oauth2_refresh_token, token_url: https://x/t, client_id: { env: A }, client_secret: { env: B }, refresh_token: { env: C } }")), @r#"
    f.yaml:6:7: the key `token_store` is missing
      6 | auth: { type: oauth2_refresh_token, token_url: https://x/t, client_id: { env: A }, client_secret: { env: B }, refresh_to…
        |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&source("auth: { type: jwt_login, token_url: https://x/t, body: { user: me, password: hunter2, code: { envv: A } } }")), @r#"
    f.yaml:6:78: the secret `password` is written into the file
      6 | …token_url: https://x/t, body: { user: [redacted], password: [redacted], code: { [redacted]: [redacted] } } }
        |                                                              ^^^^^^^^^^
      hint: write { env: NAME } or { file: PATH }
    f.yaml:6:93: `code` is no place of a secret
      6 | …/x/t, body: { user: [redacted], password: [redacted], code: { [redacted]: [redacted] } } }
        |                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: write { env: NAME } or { file: PATH }, or a plain value
    "#);
    assert_snapshot!(said(&source("auth: { type: jwt_bearer, token_url: https://x/t, private_key: { env: A }, algorithm: RS512 }")), @r#"
    f.yaml:6:87: `RS512` is no value of `algorithm`
      6 | auth: { type: jwt_bearer, token_url: https://x/t, private_key: { env: A }, algorithm: RS512 }
        |                                                                                       ^^^^^
      hint: one of RS256, ES256, HS256
    "#);
    assert_snapshot!(said(&source("auth: { type: hmac, secret: { env: A }, string_to_sign: \"{{ window.date }}{{ signature }}\", headers: { X-Time: \"{{ timestamp }}\" } }")), @r#"
    f.yaml:6:57: the template `{{ window.date }}{{ signature }}` failed: undefined value
      6 | auth: { type: hmac, secret: { env: A }, string_to_sign: "{{ window.date }}{{ signature }}", headers: { X-Time: [redacted…
        |                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: known here: timestamp, method, path, query, body
    f.yaml:6:102: no header carries the signature
      6 | …tring_to_sign: "{{ window.date }}{{ signature }}", headers: { X-Time: [redacted] } }
        |                                                              ^^^^^^^^^^^^^^^^^^^^^^
      hint: add one, such as X-Signature: "{{ signature }}"
    "#);
    assert_snapshot!(said(&source("auth: { type: aws_sigv4, region: eu west, service: s3 }")), @r#"
    f.yaml:6:34: `eu west` is no name of letters, digits and `-`
      6 | auth: { type: aws_sigv4, region: eu west, service: s3 }
        |                                  ^^^^^^^
    "#);
    assert_snapshot!(said(&source("auth: { type: baerer, token: { env: A } }")), @r#"
    f.yaml:6:15: `baerer` is no value of `type`, did you mean `bearer`?
      6 | auth: { type: baerer, token: { env: A } }
        |               ^^^^^^
      hint: one of none, api_key, bearer, basic, oauth2_client_credentials, oauth2_refresh_token, jwt_login, jwt_bearer, hmac, aws_sigv4
    "#);
    assert_snapshot!(said(&source("auth: { type: api_key, value: { env: A } }")), @r#"
    f.yaml:6:7: where does the key go? `header` or `query` is missing
      6 | auth: { type: api_key, value: { env: A } }
        |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: add header: X-API-Key, or query: api_key
    "#);
    assert_snapshot!(said(&source("auth: { type: api_key, header: A, query: b, value: { env: A } }")), @r#"
    f.yaml:6:35: the key goes to `header` or to `query`, not to both
      6 | auth: { type: api_key, header: A, query: b, value: { env: A } }
        |                                   ^^^^^
    "#);
    assert_snapshot!(said(&source("auth: { type: api_key, header: 'X Key', value: { env: A, file: b } }")), @r#"
    f.yaml:6:32: `X Key` is no header name
      6 | auth: { type: api_key, header: 'X Key', value: [redacted] }
        |                                ^^^^^^^
      hint: use letters, digits and `-`
    f.yaml:6:48: the secret `value` wants one key: env or file
      6 | auth: { type: api_key, header: 'X Key', value: [redacted] }
        |                                                ^^^^^^^^^^
      hint: name where it is found: { env: NAME } or { file: PATH }
    "#);
}

#[test]
fn urls_headers_and_limits() {
    assert_snapshot!(said("version: 1\nsource: a.b\nbase_url: ftp://example.com\nstreams: {}\n"), @r#"
    f.yaml:2:9: `a.b` is no name for a path
      2 | source: a.b
        |         ^^^
      hint: use up to 100 letters, digits, `_` and `-`
    f.yaml:3:11: `base_url` must be http or https, not ftp
      3 | base_url: ftp://example.com
        |           ^^^^^^^^^^^^^^^^^
    f.yaml:4:10: there are no streams
      4 | streams: {}
        |          ^^
    "#);
    assert_snapshot!(said("version: 1\nsource: a\nbase_url: https://u:hunter2secret@example.com\nstreams: { 'x.y': { schema: t.yaml, path: /a, records: '' } }\n"), @r#"
    f.yaml:3:11: `base_url` has credentials in it: declare them under `auth`
      3 | base_url: [redacted]
        |           ^^^^^^^^^^
    f.yaml:4:12: `x.y` is no name for a path
      4 | streams: { 'x.y': { schema: t.yaml, path: /a, records: '' } }
        |            ^^^^^
      hint: use up to 100 letters, digits, `_` and `-`
    "#);
    assert_snapshot!(said("version: 1\nsource: a\nbase_url: https://example.com/v1?x=1\nstreams: { s: { schema: t.yaml, path: a, records: '' } }\n"), @r#"
    f.yaml:3:11: `base_url` has a query: declare it under `params`
      3 | base_url: https://example.com/v1?x=1
        |           ^^^^^^^^^^^^^^^^^^^^^^^^^^
    f.yaml:4:39: `path` must start with `/`: it is appended to the base URL as it is, did you mean `/a`?
      4 | streams: { s: { schema: t.yaml, path: a, records: '' } }
        |                                       ^
    "#);
    assert_snapshot!(said("version: 1\nsource: a\nbase_url: example.com\nstreams: { s: { schema: none.yaml, path: /a, records: '' } }\n"), @r#"
    f.yaml:3:11: `base_url` is no URL: relative URL without a base
      3 | base_url: example.com
        |           ^^^^^^^^^^^
      hint: write it with its scheme: https://api.example.com/v1
    f.yaml:4:25: the schema file none.yaml: could not read the file: No such file or directory (os error 2)
      4 | streams: { s: { schema: none.yaml, path: /a, records: '' } }
        |                         ^^^^^^^^^
    "#);
    assert_snapshot!(said(&source("headers: { 'X Y': a, X-Z: \"a\\nb\", Host: x, x-a: a, X-A: b, User-Agent: me }")), @r#"
    f.yaml:6:12: `X Y` is no header name
      6 | headers: { 'X Y': a, X-Z: "a\nb", Host: x, x-a: a, X-A: b, User-Agent: me }
        |            ^^^^^
      hint: use letters, digits and `-`
    f.yaml:6:27: the header `X-Z` has a line break or a character outside of ASCII in it
      6 | headers: { 'X Y': a, X-Z: "a\nb", Host: x, x-a: a, X-A: b, User-Agent: me }
        |                           ^^^^^^
    f.yaml:6:35: the header `Host` is set by lakeward
      6 | headers: { 'X Y': a, X-Z: "a\nb", Host: x, x-a: a, X-A: b, User-Agent: me }
        |                                   ^^^^
    f.yaml:6:52: the header `X-A` stands here twice
      6 | headers: { 'X Y': a, X-Z: "a\nb", Host: x, x-a: a, X-A: b, User-Agent: me }
        |                                                    ^^^
    f.yaml:6:60: the user agent is declared as `http.user_agent`
      6 | headers: { 'X Y': a, X-Z: "a\nb", Host: x, x-a: a, X-A: b, User-Agent: me }
        |                                                            ^^^^^^^^^^
    "#);
    assert_snapshot!(said(&source("http: { proxy: 'ftp://proxy', client_cert: { cert: none.pem } }")), @r#"
    f.yaml:6:16: `proxy` is no URL of http, https, socks5 or socks5h
      6 | http: { proxy: 'ftp://proxy', client_cert: { cert: none.pem } }
        |                ^^^^^^^^^^^^^
      hint: write it with its scheme: http://proxy.example.com:3128
    f.yaml:6:52: could not read none.pem: No such file or directory (os error 2)
      6 | http: { proxy: 'ftp://proxy', client_cert: { cert: none.pem } }
        |                                                    ^^^^^^^^
    "#);
    assert_snapshot!(said(&source("http: { client_cert: { cert: t.yaml } }").replace("https:", "http:")), @r#"
    f.yaml:6:22: `client_cert` is shown to nobody: `base_url` is http
      6 | http: { client_cert: { cert: t.yaml } }
        |                      ^^^^^^^^^^^^^^^^
      hint: write base_url with https
    "#);
    assert_snapshot!(said(&source("http: { proxy_auth: { username: { env: U }, password: { env: P } } }")), @r#"
    f.yaml:6:21: `proxy_auth` has no `proxy` beside it
      6 | http: { proxy_auth: { username: { env: U }, password: { env: P } } }
        |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: a proxy that HTTPS_PROXY names has its credentials there
    "#);
    assert_snapshot!(said(&source("http: { timeout: 0s, connect_timeout: 10x, max_page_bytes: 64mb, ca_bundle: none.pem, allow_hosts: ['https://x/'] }")), @r#"
    f.yaml:6:18: no time at all: it must be over zero
      6 | http: { timeout: 0s, connect_timeout: 10x, max_page_bytes: 64mb, ca_bundle: none.pem, allow_hosts: ['https://x/'] }
        |                  ^^
    f.yaml:6:39: `10x` is not a length of time
      6 | http: { timeout: 0s, connect_timeout: 10x, max_page_bytes: 64mb, ca_bundle: none.pem, allow_hosts: ['https://x/'] }
        |                                       ^^^
      hint: write a number and a unit: 500ms, 30s, 15m, 6h or 2d
    f.yaml:6:60: `64mb` is no size
      6 | http: { timeout: 0s, connect_timeout: 10x, max_page_bytes: 64mb, ca_bundle: none.pem, allow_hosts: ['https://x/'] }
        |                                                            ^^^^
      hint: write a number and a unit: 512KiB, 64MiB, 1GiB or 100MB
    f.yaml:6:77: could not read none.pem: No such file or directory (os error 2)
      6 | http: { timeout: 0s, connect_timeout: 10x, max_page_bytes: 64mb, ca_bundle: none.pem, allow_hosts: ['https://x/'] }
        |                                                                             ^^^^^^^^
    f.yaml:6:101: `https://x/` is no host
      6 | http: { timeout: 0s, connect_timeout: 10x, max_page_bytes: 64mb, ca_bundle: none.pem, allow_hosts: ['https://x/'] }
        |                                                                                                     ^^^^^^^^^^^^
      hint: write the bare host, such as files.example.com
    "#);
    assert_snapshot!(said(&source("rate_limit: { per_second: 0, per_minute: .inf, reserve: 1, share: 2/3, max_wait: 400d }")), @r#"
    f.yaml:6:27: `per_second` must be over 0 and at most 1,000,000
      6 | rate_limit: { per_second: 0, per_minute: .inf, reserve: 1, share: 2/3, max_wait: 400d }
        |                           ^
    f.yaml:6:42: `per_minute` wants a number, not text
      6 | rate_limit: { per_second: 0, per_minute: .inf, reserve: 1, share: 2/3, max_wait: 400d }
        |                                          ^^^^
    f.yaml:6:57: `reserve` must be at least 0 and below 1
      6 | rate_limit: { per_second: 0, per_minute: .inf, reserve: 1, share: 2/3, max_wait: 400d }
        |                                                         ^
    f.yaml:6:67: `2/3` is no share
      6 | rate_limit: { per_second: 0, per_minute: .inf, reserve: 1, share: 2/3, max_wait: 400d }
        |                                                                   ^^^
      hint: write 1/N, where N runs share the limits: 1/2
    f.yaml:6:82: `400d` is longer than a year
      6 | rate_limit: { per_second: 0, per_minute: .inf, reserve: 1, share: 2/3, max_wait: 400d }
        |                                                                                  ^^^^
    "#);
    assert_snapshot!(said(&source("retry: { max_attempts: 0 }\ncheckpoint_every: soon")), @r#"
    f.yaml:6:24: `max_attempts` must be at least 1
      6 | retry: { max_attempts: 0 }
        |                        ^
    f.yaml:7:19: `soon` is not a length of time
      7 | checkpoint_every: soon
        |                   ^^^^
      hint: write a number and a unit: 500ms, 30s, 15m, 6h or 2d
    "#);
}

#[test]
fn templates() {
    assert_snapshot!(said(&stream("params: { from: \"{{ windw.start | unix }}\", to: \"{{ window.ned }}\" }")), @r#"
    f.yaml:9:25: undefined name `windw`, did you mean `window`?
      9 |     params: { from: "{{ windw.start | unix }}", to: "{{ window.ned }}" }
        |                         ^^^^^
    f.yaml:9:57: undefined name `window.ned`, did you mean `window.end`?
      9 |     params: { from: "{{ windw.start | unix }}", to: "{{ window.ned }}" }
        |                                                         ^^^^^^^^^^
    "#);
    assert_snapshot!(said(&stream("params: { from: \"{{ window.start | unixx }}\", to: [\"{{ window.end\"] }")), @r#"
    f.yaml:9:40: undefined filter `unixx`, did you mean `unix`?
      9 |     params: { from: "{{ window.start | unixx }}", to: ["{{ window.end"] }
        |                                        ^^^^^
    f.yaml:9:56: the template is wrong: unexpected end of input, expected end of variable block
      9 |     params: { from: "{{ window.start | unixx }}", to: ["{{ window.end"] }
        |                                                        ^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&stream("method: POST\n    body: { q: { at: [\"{{ now }}\"] } }")), @r#"
    f.yaml:10:27: undefined name `now`
      10 |     body: { q: { at: ["{{ now }}"] } }
         |                           ^^^
    "#);
    assert_snapshot!(said(&source("headers: { X-Day: \"{{ day }}\" }")), @r#"
    f.yaml:6:23: undefined name `day`
      6 | headers: { X-Day: "{{ day }}" }
        |                       ^^^
    "#);
}

#[test]
fn lines_have_no_envelope() {
    let lines = |extra: &str| stream(extra).replace("records: /items", "records: \"\"");
    let format = |extra: &str| {
        let (_folder, file) = write(&lines(extra));
        Source::load(&file).expect(extra).find_stream("s").expect("stream").format
    };
    assert_eq!(format(""), Format::Json);
    assert_eq!(format("format: json\n    total: /n"), Format::Json);
    assert_eq!(
        format("format: ndjson\n    total: { header: X-N }\n    pagination: { type: page }"),
        Format::Ndjson
    );
    let cursor = "format: csv\n    pagination: { type: cursor, cursor: { last_record: /id } }";
    assert_eq!(format(cursor), Format::Csv);
    assert_snapshot!(said(&stream("format: csv")), @r#"
    f.yaml:8:14: `records` must be "" with `format: csv`
      8 |     records: /items
        |              ^^^^^^
      hint: every line is a record; what lies deeper is reached by the `from` of a field
    "#);
    assert_snapshot!(said(&lines("format: ndjson\n    error: /error\n    total: /n")), @r"
    f.yaml:10:12: `error` stands beside the records, where `format: ndjson` has nothing
      10 |     error: /error
         |            ^^^^^^
      hint: leave it out: a line that is no record is an error
    f.yaml:11:12: `total` stands beside the records, where `format: ndjson` has nothing
      11 |     total: /n
         |            ^^
      hint: name a header: total: { header: X-Total-Count }
    ");
    let cursor = "format: csv\n    pagination: { type: cursor, cursor: /c, has_more: /m }";
    assert_snapshot!(said(&lines(cursor)), @r"
    f.yaml:10:41: the cursor stands beside the records, where `format: csv` has nothing
      10 |     pagination: { type: cursor, cursor: /c, has_more: /m }
         |                                         ^^
      hint: name a header or a field: cursor: { header: X-Next } or { last_record: /id }
    f.yaml:10:55: `has_more` stands beside the records, where `format: csv` has nothing
      10 |     pagination: { type: cursor, cursor: /c, has_more: /m }
         |                                                       ^^
      hint: leave it out: no cursor ends the stream
    ");
    assert_snapshot!(said(&lines("format: csv\n    pagination: { type: next_url }")), @r"
    f.yaml:10:17: a next URL stands beside the records, where `format: csv` has nothing
      10 |     pagination: { type: next_url }
         |                 ^^^^^^^^^^^^^^^^^^
      hint: page by link_header, page, offset or a cursor in a header
    ");
    assert_snapshot!(said(&stream("format: tsv")), @r"
    f.yaml:9:13: `tsv` is no value of `format`, did you mean `csv`?
      9 |     format: tsv
        |             ^^^
      hint: one of json, ndjson, csv
    ");
}

#[test]
fn concurrency_needs_pages_that_are_known_ahead() {
    let concurrency = |extra: &str| {
        let (_folder, file) = write(&stream(extra));
        Source::load(&file).expect(extra).find_stream("s").expect("stream").concurrency
    };
    assert_eq!(concurrency("total: /n"), 1);
    assert_eq!(concurrency("concurrency: 1"), 1);
    assert_eq!(
        concurrency(
            "total: { header: X-N }\n    pagination: { type: offset }\n    concurrency: 64"
        ),
        64
    );
    for pagination in ["none", "cursor, cursor: /c", "next_url", "link_header"] {
        let extra =
            format!("total: /n\n    pagination: {{ type: {pagination} }}\n    concurrency: 2");
        let said = said(&stream(&extra));
        assert!(
            said.starts_with("f.yaml:11:18: `concurrency` needs `pagination` of type"),
            "{said}"
        );
        assert!(said.contains("hint: windows are fetched side by side with --jobs"), "{said}");
    }
    assert_snapshot!(said(&stream("pagination: { type: page }\n    concurrency: 8")), @r#"
    f.yaml:10:18: `concurrency` needs `total`: else nobody knows how many pages follow
      10 |     concurrency: 8
         |                  ^
      hint: total names where the API says how many records there are, such as /total or { header: X-Total-Count }
    "#);
    for wrong in ["0", "65", "-1", "1.5", "many"] {
        let extra =
            format!("total: /n\n    pagination: {{ type: page }}\n    concurrency: {wrong}");
        assert!(said(&stream(&extra)).starts_with("f.yaml:11:18: "), "{wrong}");
    }
}

#[test]
fn conditional_needs_a_get() {
    let (_folder, file) = write(&stream("conditional: true"));
    let source = Source::load(&file).expect("source");
    assert!(source.find_stream("s").expect("stream").conditional);
    assert_snapshot!(said(&stream("method: POST\n    conditional: true")), @r#"
    f.yaml:10:18: `conditional` needs `method: GET`: the answer to a POST has no validator
      10 |     conditional: true
         |                  ^^^^
      hint: leave it out: a refresh then fetches the window anew
    "#);
    assert!(said(&stream("conditional: maybe")).starts_with("f.yaml:9:18: "));
}

#[test]
fn streams() {
    assert_snapshot!(said(&stream("clip: att")), @r#"
    f.yaml:9:11: `clip: att` is no field of the table `t`, did you mean `at`?
      9 |     clip: att
        |           ^^^
    "#);
    assert_snapshot!(said(&stream("clip: id")), @r#"
    f.yaml:9:11: the field `id` is neither a timestamp nor a date
      9 |     clip: id
        |           ^^
      hint: rows are clipped by the time they carry
    "#);
    assert_snapshot!(said(&stream("body: { a: 1 }")), @r#"
    f.yaml:9:11: a GET request has no body
      9 |     body: { a: 1 }
        |           ^^^^^^^^
      hint: add `method: POST`, or use `params`
    "#);
    assert_snapshot!(said(&stream("on_status: { 99: empty, 404: emty, soon: empty }")), @r#"
    f.yaml:9:18: `99` is no HTTP status: a number from 200 to 599 is wanted
      9 |     on_status: { 99: empty, 404: emty, soon: empty }
        |                  ^^
    f.yaml:9:34: `emty` is no value of `404`, did you mean `empty`?
      9 |     on_status: { 99: empty, 404: emty, soon: empty }
        |                                  ^^^^
      hint: one of empty
    f.yaml:9:40: `soon` is no HTTP status: a number from 200 to 599 is wanted
      9 |     on_status: { 99: empty, 404: emty, soon: empty }
        |                                        ^^^^
    "#);
    assert_snapshot!(said(&stream("error: \"\"")), @r#"
    f.yaml:9:12: `error` is empty: every body would be an error
      9 |     error: ""
        |            ^^
    "#);
    assert_snapshot!(said(&stream("total: pagination.total")), @r#"
    f.yaml:9:12: `pagination.total` is no JSON Pointer: it must start with `/`, did you mean `/pagination/total`?
      9 |     total: pagination.total
        |            ^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&stream("pagination: { type: page, size: 100 }")), @r#"
    f.yaml:9:37: `size` is sent to nobody: `size_param` is missing
      9 |     pagination: { type: page, size: 100 }
        |                                     ^^^
      hint: size_param names the query parameter, such as `per_page`
    "#);
    assert_snapshot!(said(&stream("pagination: { type: page, size_param: n, short_page_ends: true }")), @r#"
    f.yaml:9:43: `size_param` without `size` has nothing to send
      9 |     pagination: { type: page, size_param: n, short_page_ends: true }
        |                                           ^
    "#);
    assert_snapshot!(said(&stream("pagination: { type: offset, limit: 0, short_page_ends: true }")), @r#"
    f.yaml:9:40: `limit` must be at least 1
      9 |     pagination: { type: offset, limit: 0, short_page_ends: true }
        |                                        ^
    f.yaml:9:60: `short_page_ends` needs `limit`: else no page is short
      9 |     pagination: { type: offset, limit: 0, short_page_ends: true }
        |                                                            ^^^^
    "#);
    assert_snapshot!(said(&stream("pagination: { type: cursor, cursor: [], in: body }")), @r#"
    f.yaml:9:41: the list of pointers is empty
      9 |     pagination: { type: cursor, cursor: [], in: body }
        |                                         ^^
    f.yaml:9:49: a cursor in the body needs `method: POST`
      9 |     pagination: { type: cursor, cursor: [], in: body }
        |                                                 ^^^^
    "#);
    assert_snapshot!(said(&stream("pagination: { type: cursor, cursor: [/a, b.c], in: header, param: 'a b' }")), @r#"
    f.yaml:9:46: `b.c` is no JSON Pointer: it must start with `/`, did you mean `/b/c`?
      9 |     pagination: { type: cursor, cursor: [/a, b.c], in: header, param: 'a b' }
        |                                              ^^^
    f.yaml:9:71: `a b` is no header name
      9 |     pagination: { type: cursor, cursor: [/a, b.c], in: header, param: 'a b' }
        |                                                                       ^^^^^
      hint: use letters, digits and `-`
    "#);
}

#[test]
fn references_between_fields() {
    assert_snapshot!(said(&table("primary_key: [idd, id, id]\nversion_by: id\npartition_by: id")), @r#"
    f.yaml:6:15: `primary_key` names `idd`, which is no field, did you mean `id`?
      6 | primary_key: [idd, id, id]
        |               ^^^
    f.yaml:6:24: `id` is in the primary key twice
      6 | primary_key: [idd, id, id]
        |                        ^^
    f.yaml:7:13: the field `id` is neither a time nor a number
      7 | version_by: id
        |             ^^
    f.yaml:8:15: the field `id` is neither a timestamp nor a date
      8 | partition_by: id
        |               ^^
    "#);
    assert_snapshot!(said(&table("partition_by: when\npartition_column: _day")), @r#"
    f.yaml:6:15: `partition_by` names `when`, which is no field
      6 | partition_by: when
        |               ^^^^
    f.yaml:7:19: `_day` is no name for a partition
      7 | partition_column: _day
        |                   ^^^^
      hint: start with a letter, go on with letters, digits and `_`: readers skip `_…`
    "#);
    assert_snapshot!(said(&table("raw_column: id")), @r#"
    f.yaml:4:13: a field must not be called like the raw column, `id`
      4 |   - { name: id, type: string }
        |             ^^
      hint: rename the field, and keep the API's name with `from`
    "#);
    assert_snapshot!(said(&table("partition_column: at")), @r#"
    f.yaml:5:13: a field must not be called like the partition column, `at`
      5 |   - { name: at, type: timestamp }
        |             ^^
      hint: rename the field, and keep the API's name with `from`
    "#);
    assert_snapshot!(said(&field("{ name: ID, type: string }")), @r#"
    f.yaml:6:13: `ID` and `id` differ only in letter case
      6 |   - { name: ID, type: string }
        |             ^^
      hint: Spark and DuckDB take them for one column
    "#);
    assert_snapshot!(said(&field("{ name: id, type: string }")), @r#"
    f.yaml:6:13: a second field with the name `id`
      6 |   - { name: id, type: string }
        |             ^^
    "#);
    assert_snapshot!(said(&field("{ name: _extracted_at, type: timestamp }")), @r#"
    f.yaml:6:13: a field must not be called like lakeward's own column, `_extracted_at`
      6 |   - { name: _extracted_at, type: timestamp }
        |             ^^^^^^^^^^^^^
      hint: rename the field, and keep the API's name with `from`
    "#);
    assert_snapshot!(said(&field("{ name: _raw, type: string }")), @r#"
    f.yaml:6:13: a field must not be called like the raw column, `_raw`
      6 |   - { name: _raw, type: string }
        |             ^^^^
      hint: rename the field, and keep the API's name with `from`
    "#);
    assert_snapshot!(said(&field("{ name: date, type: date }")), @r#"
    f.yaml:6:13: a field must not be called like the partition column, `date`
      6 |   - { name: date, type: date }
        |             ^^^^
      hint: rename the field, and keep the API's name with `from`
    "#);
    assert_snapshot!(said(&field("{ name: x, type: 'decimal(9, 2)', integers: minor, currency: idd }")), @r#"
    f.yaml:6:66: `currency: idd` is no field, did you mean `id`?
      6 |   - { name: x, type: 'decimal(9, 2)', integers: minor, currency: idd }
        |                                                                  ^^^
    "#);
}

#[test]
fn types_and_their_keys() {
    assert_snapshot!(said(&field("{ name: x, type: strng }")), @r#"
    f.yaml:6:22: `strng` is no type, did you mean `string`?
      6 |   - { name: x, type: strng }
        |                      ^^^^^
      hint: one of string, bool, int32, int64, float64, date, timestamp, json, decimal(p, s), list(T)
    "#);
    assert_snapshot!(said(&field("{ name: x, type: varchar }")), @r#"
    f.yaml:6:22: `varchar` is no type, did you mean `string`?
      6 |   - { name: x, type: varchar }
        |                      ^^^^^^^
      hint: one of string, bool, int32, int64, float64, date, timestamp, json, decimal(p, s), list(T)
    "#);
    assert_snapshot!(said(&field("{ name: x, type: 'decimal(39, 2)' }")), @r#"
    f.yaml:6:22: `decimal(39, 2)`: the precision must be from 1 to 38
      6 |   - { name: x, type: 'decimal(39, 2)' }
        |                      ^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: 'decimal(4, 5)' }")), @r#"
    f.yaml:6:22: `decimal(4, 5)`: the scale must not be over the precision
      6 |   - { name: x, type: 'decimal(4, 5)' }
        |                      ^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: decimal(18) }")), @r#"
    f.yaml:6:22: `decimal(18)`: a decimal has a precision and a scale, as in decimal(18, 2)
      6 |   - { name: x, type: decimal(18) }
        |                      ^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: list(json) }")), @r#"
    f.yaml:6:22: `json` is no type that a list can hold
      6 |   - { name: x, type: list(json) }
        |                      ^^^^^^^^^^
      hint: one of string, bool, int32, int64, float64, date, timestamp, json, decimal(p, s), list(T)
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, min: 1, unit: s, integers: minor }")), @r#"
    f.yaml:6:30: `min` is for a number, not for string
      6 |   - { name: x, type: string, min: 1, unit: s, integers: minor }
        |                              ^^^
    f.yaml:6:38: `unit` is for a timestamp, not for string
      6 |   - { name: x, type: string, min: 1, unit: s, integers: minor }
        |                                      ^^^^
    f.yaml:6:47: `integers` is for a decimal, not for string
      6 |   - { name: x, type: string, min: 1, unit: s, integers: minor }
        |                                               ^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: json, known: [a], case: lower, assume_zone: UTC }")), @r#"
    f.yaml:6:28: `known` is for a string, not for json
      6 |   - { name: x, type: json, known: [a], case: lower, assume_zone: UTC }
        |                            ^^^^^
    f.yaml:6:40: `case` is for a string, not for json
      6 |   - { name: x, type: json, known: [a], case: lower, assume_zone: UTC }
        |                                        ^^^^
    f.yaml:6:53: `assume_zone` is for a timestamp, not for json
      6 |   - { name: x, type: json, known: [a], case: lower, assume_zone: UTC }
        |                                                     ^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: 'decimal(9, 2)', minor_digits: 3, decimal_mark: ';' }")), @r#"
    f.yaml:6:39: `minor_digits` says nothing without `integers: minor`
      6 |   - { name: x, type: 'decimal(9, 2)', minor_digits: 3, decimal_mark: ';' }
        |                                       ^^^^^^^^^^^^
    f.yaml:6:70: `;` is no value of `decimal_mark`, did you mean `.`?
      6 |   - { name: x, type: 'decimal(9, 2)', minor_digits: 3, decimal_mark: ';' }
        |                                                                      ^^^
      hint: one of ., ,
    "#);
    assert_snapshot!(said(&field("{ name: x, type: int64, min: 5, max: 1 }")), @r#"
    f.yaml:6:34: `min` 5 is over `max` 1
      6 |   - { name: x, type: int64, min: 5, max: 1 }
        |                                  ^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: timestamp, unit: sec, assume_zone: Asia/Kolkatta }")), @r#"
    f.yaml:6:39: `sec` is no value of `unit`
      6 |   - { name: x, type: timestamp, unit: sec, assume_zone: Asia/Kolkatta }
        |                                       ^^^
      hint: one of s, ms, us, ns
    f.yaml:6:57: `Asia/Kolkatta` is no time zone, did you mean `Asia/Kolkata`?
      6 |   - { name: x, type: timestamp, unit: sec, assume_zone: Asia/Kolkatta }
        |                                                         ^^^^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, from: [data.x, /y~2] }")), @r#"
    f.yaml:6:37: `data.x` is no JSON Pointer: it must start with `/`, did you mean `/data/x`?
      6 |   - { name: x, type: string, from: [data.x, /y~2] }
        |                                     ^^^^^^
    f.yaml:6:45: `/y~2` is no JSON Pointer: `~` must be followed by 0 or 1
      6 |   - { name: x, type: string, from: [data.x, /y~2] }
        |                                             ^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, from: [] }")), @r#"
    f.yaml:6:36: the list of pointers is empty
      6 |   - { name: x, type: string, from: [] }
        |                                    ^^
    "#);
}

#[test]
fn defaults() {
    assert_snapshot!(said(&field("{ name: x, type: int32, default: 3000000000 }")), @r#"
    f.yaml:6:38: the default is no value of the type int32: it is not from -2147483648 to 2147483647
      6 |   - { name: x, type: int32, default: 3000000000 }
        |                                      ^^^^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: bool, default: maybe }")), @r#"
    f.yaml:6:37: the default is no value of the type bool: true or false is wanted
      6 |   - { name: x, type: bool, default: maybe }
        |                                     ^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: 'decimal(5, 2)', default: 1.005 }")), @r#"
    f.yaml:6:48: the default is no value of the type decimal(5, 2): it has more than 2 fraction digits
      6 |   - { name: x, type: 'decimal(5, 2)', default: 1.005 }
        |                                                ^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: 'decimal(5, 2)', default: \"1,234\" }")), @r#"
    f.yaml:6:48: the default is no value of the type decimal(5, 2): a number is wanted
      6 |   - { name: x, type: 'decimal(5, 2)', default: "1,234" }
        |                                                ^^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: date, default: today }")), @r#"
    f.yaml:6:37: the default is no value of the type date: a date such as "2026-03-17" is wanted
      6 |   - { name: x, type: date, default: today }
        |                                     ^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: timestamp, default: noon }")), @r#"
    f.yaml:6:42: the default is no value of the type timestamp: an instant such as "2026-03-17T00:00:00Z" is wanted
      6 |   - { name: x, type: timestamp, default: noon }
        |                                          ^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: list(int64), default: [1, a] }")), @r#"
    f.yaml:6:44: the default is no value of the type list(int64): a whole number is wanted
      6 |   - { name: x, type: list(int64), default: [1, a] }
        |                                            ^^^^^^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: int64, min: 1, default: 0 }")), @r#"
    f.yaml:6:46: the default is no value of the type int64: it is under `min` 1
      6 |   - { name: x, type: int64, min: 1, default: 0 }
        |                                              ^
    "#);
    assert_snapshot!(said(&field("{ name: x, type: string, default: }")), @r#"
    f.yaml:6:30: `default` has no value: it wants text, a number, true or false, a list or a mapping
      6 |   - { name: x, type: string, default: }
        |                              ^^^^^^^
    "#);
}

#[test]
fn file_options() {
    assert_snapshot!(said(&table("parquet: { compression: zstd(40), row_group: 0, target_file: big }")), @r#"
    f.yaml:6:25: `zstd(40)` is no codec
      6 | parquet: { compression: zstd(40), row_group: 0, target_file: big }
        |                         ^^^^^^^^
      hint: one of zstd(1) to zstd(22), snappy, none
    f.yaml:6:46: `0` is no size
      6 | parquet: { compression: zstd(40), row_group: 0, target_file: big }
        |                                              ^
      hint: write a number and a unit: 512KiB, 64MiB, 1GiB or 100MB
    f.yaml:6:62: `big` is no size
      6 | parquet: { compression: zstd(40), row_group: 0, target_file: big }
        |                                                              ^^^
      hint: write a number and a unit: 512KiB, 64MiB, 1GiB or 100MB
    "#);
    assert_snapshot!(said(&table("reject_limit: 1.5")), @r#"
    f.yaml:6:15: `reject_limit` must be at most 1
      6 | reject_limit: 1.5
        |               ^^^
    "#);
}

#[test]
fn yaml_itself() {
    assert_snapshot!(said(""), @r#"
    f.yaml:1:1: the file is empty
      1 | 
        | ^
    "#);
    assert_snapshot!(said("- a\n"), @r#"
    f.yaml:1:1: the file wants a mapping, not a list
      1 | - a
        | ^
    "#);
    assert_snapshot!(said("version: 1\ntable: t\nfields:\n  - name: a\n\ttype: b\n"), @r#"
    f.yaml:4:11: not YAML: while scanning a plain scalar, found a tab
      4 |   - name: a
        |           ^
    "#);
    assert_snapshot!(said("version: 1\nsource: [a\nbase_url: b\n"), @r#"
    f.yaml:3:9: not YAML: illegal placement of ':' indicator
      3 | base_url: b
        |         ^
    "#);
    assert_snapshot!(said("version: 1\ntable: t\ntable: u\nfields:\n  - { name: a, type: string, type: int64 }\n"), @r#"
    f.yaml:3:1: the key `table` stands here twice
      3 | table: [redacted]
        | ^^^^^
    f.yaml:5:30: the key `type` stands here twice
      5 |   - { name: a, type: string, type: [redacted] }
        |                              ^^^^
    "#);
    assert_snapshot!(said("version: 1\ntable: !secret t\nfields: []\n---\na: b\n"), @r#"
    f.yaml:2:8: a YAML tag means nothing here
      2 | table: !secret t
        |        ^
    f.yaml:3:9: `fields` is empty
      3 | fields: []
        |         ^^
    f.yaml:4:1: a second document: one file declares one thing
      4 | ---
        | ^^^
    "#);
    assert_snapshot!(said("a: *b\n"), @r#"
    f.yaml:1:4: not YAML: while parsing node, found unknown anchor
      1 | a: *b
        |    ^
    "#);
    assert_snapshot!(said("? [a]\n: b\n"), @r#"
    f.yaml:1:1: the key `version` is missing
      1 | ? [a]
        | ^
    f.yaml:1:1: the key `source` is missing
      1 | ? [a]
        | ^
    f.yaml:1:1: the key `streams` is missing
      1 | ? [a]
        | ^
    f.yaml:1:1: the key `base_url` is missing
      1 | ? [a]
        | ^
    f.yaml:1:3: a key must be text, not a list
      1 | ? [a]
        |   ^^^
    "#);
}

#[test]
fn a_version_that_no_field_declares_becomes_a_timestamp_column() {
    let dir = tempfile::tempdir().unwrap();
    let load = |version: &str| {
        let file = dir.path().join("table.yaml");
        let keys = format!("primary_key: [id]\nversion_by: {version}\n");
        let fields =
            "fields:\n  - { name: id, type: string }\n  - { name: created_at, type: timestamp }\n";
        std::fs::write(&file, format!("version: 1\ntable: payments\n{keys}{fields}")).unwrap();
        Table::load(&file)
    };
    let table = load("updated_at").unwrap();
    let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "created_at", "updated_at"]);
    assert_eq!(table.version_by, Some(2));
    let slip = load("creatd_at").unwrap_err().to_string();
    assert!(slip.contains("did you mean `created_at`"), "{slip}");
}

/// A source file with webhooks, `extra` among the keys of one.
fn webhooks(extra: &str) -> String {
    source(&format!(
        "webhooks:\n  w:\n    path: /w\n    signature: {{ type: razorpay, secrets: [{{ env: A }}, {{ file: b }}] }}\n    events: {{ payment.*: {{ stream: s, record: /payload }} }}\n{extra}"
    ))
}

/// The same with another signature.
fn signed(signature: &str) -> String {
    webhooks("").replace("{ type: razorpay, secrets: [{ env: A }, { file: b }] }", signature)
}

#[test]
fn webhooks_are_what_is_meant() {
    use crate::spec::webhook::{OnOther, Signature, ValueFrom};
    let (folder, file) = write(&webhooks(""));
    let source = Source::load(&file).expect("source");
    let [webhook] = source.webhooks.as_slice() else { panic!("{:?}", source.webhooks) };
    assert_eq!((webhook.name.as_str(), webhook.path.as_str()), ("w", "/w"));
    assert_eq!(webhook.dedupe_for.as_secs(), 7 * 86_400);
    assert_eq!(webhook.on_other, OnOther::Keep);
    assert_eq!(webhook.event_id, ValueFrom::Header(vec!["X-Razorpay-Event-Id".to_owned()]));
    assert!(matches!(&webhook.event_type, ValueFrom::Body(at) if at.to_string() == "/event"));
    let Signature::Razorpay { secrets } = &webhook.signature else { panic!("{webhook:?}") };
    let paths = [
        crate::spec::auth::SecretRef::Env("A".to_owned()),
        crate::spec::auth::SecretRef::File(folder.path().join("b")),
    ];
    assert_eq!(*secrets, paths);
    let (_folder, file) = write(&webhooks(
        "    event_id: /id\n    event_type: { header: X-Type }\n    on_other: ignore\n    dedupe_for: 1h",
    ));
    let source = Source::load(&file).expect("source");
    let webhook = source.webhooks.first().expect("webhook");
    assert_eq!(webhook.event_type, ValueFrom::Header(vec!["X-Type".to_owned()]));
    assert_eq!((webhook.on_other, webhook.dedupe_for.as_secs()), (OnOther::Ignore, 3_600));
    for kind in ["stripe", "shopify", "github", "standard_webhooks"] {
        let (_folder, file) =
            write(&signed(&format!("{{ type: {kind}, secrets: [{{ env: A }}] }}")));
        Source::load(&file).expect(kind);
    }
}

#[test]
fn the_most_specific_pattern_of_events_wins() {
    let (_folder, file) = write(&webhooks("").replace(
        "{ payment.*: { stream: s, record: /payload } }",
        "{ '*': { stream: s, record: /a }, payment.*: { stream: s, record: /b }, payment.captured: { stream: s, record: /c }, '*.failed': { stream: s, record: /d }, '*.faile?': { stream: s } }",
    ));
    let source = Source::load(&file).expect("source");
    let webhook = source.webhooks.first().expect("webhook");
    let to = |kind: &str| webhook.route(kind).expect(kind).record.to_string();
    assert_eq!(to("payment.captured"), "/c");
    assert_eq!(to("payment.refunded"), "/b");
    assert_eq!(to("payment.failed"), "/b", "more characters than `*.failed`");
    assert_eq!(to("order.failed"), "/d");
    assert_eq!(to("order.paid"), "/a");
}

#[test]
fn a_source_may_be_of_webhooks_alone() {
    let text = webhooks("").replace("base_url: https://example.com\n", "");
    let text = text.replace("schema: t.yaml, path: /s, records: /items", "schema: t.yaml");
    let (_folder, file) = write(&text);
    let source = Source::load(&file).expect("source");
    assert!(source.base_url.is_none());
    assert_eq!(source.base_url().expect_err("none").kind(), ErrorKind::Usage);
    let polled = said(&text.replace("webhooks:", "webhook:"));
    assert!(polled.contains("the key `base_url` is missing"), "{polled}");
    let both = said(&text.replace("source: a\n", "source: a\nbase_url: https://example.com\n"));
    assert!(
        both.contains("the key `path` is missing") && both.contains("`records` is missing"),
        "{both}"
    );
    let misspelt = said(&source_without_base());
    assert_eq!(misspelt.matches("base_url").count(), 2, "told once, with its name: {misspelt}");
}

fn source_without_base() -> String {
    source("").replace("base_url: https", "base_ur: https")
}

#[test]
fn what_is_wrong_with_webhooks_is_told_where_it_stands() {
    let hmac = "{ type: hmac, secrets: [{ env: A }], header: X-S, ";
    for (text, wanted) in [
        (
            webhooks("").replace("stream: s", "stream: ss"),
            "f.yaml:10:36: there is no stream `ss`, did you mean `s`?",
        ),
        (
            webhooks("").replace("path: /w", "path: w"),
            "`path` must start with `/`, did you mean `/w`?",
        ),
        (
            webhooks("").replace("path: /w", "path: /metrics"),
            "`/metrics` is answered by lakeward itself",
        ),
        (webhooks("").replace("path: /w", "path: /w?a=1"), "`/w?a=1` is no path of a URL"),
        (
            webhooks("").replace("razorpay", "razorpy"),
            "`razorpy` is no value of `type`, did you mean `razorpay`?",
        ),
        (webhooks("    event_ids: /id"), "unknown key `event_ids`, did you mean `event_id`?"),
        (
            webhooks("    event_id: id"),
            "`id` is no JSON Pointer: it must start with `/`, did you mean `/id`?",
        ),
        (webhooks("    event_id: ''"), "`event_id` is empty"),
        (webhooks("    event_type: { header: 'a b' }"), "`a b` is no header name"),
        (webhooks("    dedupe_for: 0s"), "no time at all"),
        (webhooks("    on_other: drop"), "`drop` is no value of `on_other`"),
        (
            webhooks("")
                .replace("events: { payment.*: { stream: s, record: /payload } }", "events: {}"),
            "there are no events",
        ),
        (webhooks("").replace("    path: /w\n", ""), "the key `path` is missing"),
        (
            webhooks(
                "  v:\n    path: /w\n    signature: { type: github, secrets: [{ env: A }] }\n    events: { '*': { stream: s } }",
            ),
            "`/w` is the path of the webhook `w` too",
        ),
        (signed("{ type: stripe, secrets: [] }"), "`secrets` is empty"),
        (signed("{ type: stripe, secrets: [hunter2] }"), "is written into the file"),
        (
            signed("{ type: stripe, secrets: [{ env: hunter2-x }] }"),
            "this is no name of an environment variable",
        ),
        (
            signed("{ type: github, secrets: [{ env: A }], tolerance: 5m }"),
            "unknown key `tolerance`",
        ),
        (signed("{ type: stripe, secrets: [{ env: A }], tolerance: 5 min }"), "5 min"),
        (signed(&format!("{hmac}}}")), "the key `event_id` is missing"),
        (
            signed(&format!("{hmac}string_to_sign: '{{{{ timestamp }}}}.{{{{ body }}}}' }}")),
            "and `timestamp` where that is declared",
        ),
        (
            signed(&format!("{hmac}string_to_sign: '{{{{ method }}}}' }}")),
            "`string_to_sign` does not hold the body",
        ),
        (
            signed(&format!(
                "{hmac}timestamp: {{ header: X-T }}, string_to_sign: '{{{{ body }}}}' }}"
            )),
            "`string_to_sign` does not hold the timestamp",
        ),
        (signed(&format!("{hmac}timestamp: {{ header: X-T }} }}")), "the time is not signed"),
        (signed(&format!("{hmac}tolerance: 5m }}")), "`tolerance` has no `timestamp` beside it"),
        (signed(&format!("{hmac}algorithm: md5 }}")), "`md5` is no value of `algorithm`"),
    ] {
        let found = said(&text);
        assert!(found.contains(wanted), "wanted `{wanted}`: {found}\n{text}");
    }
}
