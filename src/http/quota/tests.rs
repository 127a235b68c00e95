//! Headers as APIs send them.

use reqwest::header::{HeaderName, HeaderValue};

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("name");
        (name, HeaderValue::from_str(value).expect("value"))
    };
    let mut map = HeaderMap::new();
    for line in lines {
        let (name, value) = pair(line);
        map.append(name, value);
    }
    map
}

/// What is read, a quota a line.
fn shown(lines: &[(&str, &str)]) -> String {
    let reading = read(&headers(lines));
    let told = reading.told.iter().map(|told| {
        let reset = match told.reset {
            None => "?".to_owned(),
            Some(Reset::In(wait)) => format!("in {wait:?}"),
            Some(Reset::At(at)) => format!("at {}", at.format("%Y-%m-%dT%H:%M:%S%.fZ")),
        };
        let limit = told.limit.map_or_else(|| "?".to_owned(), |limit| limit.to_string());
        let period = told.period.map(|period| format!(" of {period:?}")).unwrap_or_default();
        format!("{}/{limit}{period}, {reset}", told.remaining)
    });
    let policies = reading.policies.iter().map(|p| format!("{} in {:?}", p.limit, p.period));
    told.chain(policies).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_common_dialect_in_its_variants() {
    let with = |reset: &str| {
        shown(&[
            ("X-RateLimit-Limit", "100"),
            ("X-RateLimit-Remaining", "7"),
            ("X-RateLimit-Reset", reset),
        ])
    };
    assert_eq!(with("1773792000"), "7/100, at 2026-03-18T00:00:00Z");
    assert_eq!(with("1773792000.25"), "7/100, at 2026-03-18T00:00:00.250Z");
    assert_eq!(with("1773792000250"), "7/100, at 2026-03-18T00:00:00.250Z");
    assert_eq!(with("30"), "7/100, in 30s");
    assert_eq!(with("0.5"), "7/100, in 500ms");
    assert_eq!(with("-3"), "7/100, in 0ns");
    assert_eq!(with("2026-03-18T05:30:00+05:30"), "7/100, at 2026-03-18T00:00:00Z");
    assert_eq!(with("Wed, 18 Mar 2026 00:00:00 GMT"), "7/100, at 2026-03-18T00:00:00Z");
    for garbage in ["soon", "", "NaN", "inf", "1e400", "99999999999999999999999999"] {
        assert_eq!(with(garbage), "7/100, ?", "{garbage}");
    }
    let used = [("X-Rate-Limit-Limit", "100"), ("X-Rate-Limit-Used", "93")];
    assert_eq!(shown(&used), "7/100, ?");
    let after = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "1.5")];
    assert_eq!(shown(&after), "0/?, in 1.5s");
    let kong = [("X-RateLimit-Limit-Minute", "60"), ("X-RateLimit-Remaining-Minute", "59")];
    assert_eq!(shown(&kong), "59/60 of 60s, ?");
}

#[test]
fn the_fields_of_every_draft() {
    let named = [
        ("RateLimit-Policy", "\"burst\";q=10;w=1, \"daily\";q=1000;w=86400;pk=:cHNk:"),
        ("RateLimit", "\"burst\";r=8;t=1, \"daily\";r=900;t=3600"),
    ];
    assert_eq!(shown(&named), "8/10 of 1s, in 1s; 900/1000 of 86400s, in 3600s");
    let one_told = [
        ("RateLimit-Policy", "\"burst\";q=10;w=1"),
        ("RateLimit-Policy", "\"daily\";q=1000;w=86400"),
        ("RateLimit", "\"burst\";r=8;t=1"),
    ];
    assert_eq!(shown(&one_told), "8/10 of 1s, in 1s; 1000 in 86400s");
    let draft_7 = [("RateLimit-Policy", "10;w=1"), ("RateLimit", "limit=10, remaining=8, reset=1")];
    assert_eq!(shown(&draft_7), "8/10 of 1s, in 1s");
    let draft_6 = [
        ("RateLimit-Limit", "10, 10;w=1"),
        ("RateLimit-Remaining", "8"),
        ("RateLimit-Reset", "1"),
        ("RateLimit-Policy", "10;w=1"),
    ];
    assert_eq!(shown(&draft_6), "8/10 of 1s, in 1s");
    let bytes = [("RateLimit-Policy", "\"size\";q=10;w=1;qu=\"content-bytes\"")];
    assert_eq!(shown(&bytes), "");
    assert_eq!(shown(&[("RateLimit-Policy", "100;w=60")]), "100 in 60s");
    assert_eq!(shown(&[("RateLimit", "default;r=5")]), "5/?, ?");
}

#[test]
fn what_says_nothing_sure_holds_nothing_back() {
    for lines in [
        [("X-RateLimit-Limit", "100"), ("X-RateLimit-Reset", "30")],
        [("X-RateLimit-Limit", "0"), ("X-RateLimit-Remaining", "0")],
        [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "unlimited")],
        [("RateLimit", "\"a\";r=x;t=1"), ("RateLimit-Policy", ";;;")],
        [("RateLimit", "limit=0, remaining=0, reset=0"), ("Content-Type", "x/y")],
        [("RateLimit", "(\"a\" \"b\");r=1"), ("RateLimit-Policy", "\"a\";q=-5;w=0")],
    ] {
        assert_eq!(shown(&lines), "", "{lines:?}");
    }
    let negative = [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "-1")];
    assert_eq!(shown(&negative), "0/100, ?");
}
