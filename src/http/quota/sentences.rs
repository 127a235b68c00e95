//! What is understood of an API's quota, in sentences for a person.

use reqwest::header::HeaderMap;

use crate::http::quota::read;
use crate::http::quota::told::{Policy, Reset, Told};
use crate::window::show;

/// One sentence a quota and a policy.
pub(in crate::http) fn sentences(headers: &HeaderMap) -> Vec<String> {
    let reading = read(headers);
    reading.told.iter().map(told).chain(reading.policies.iter().map(policy)).collect()
}

fn told(quota: &Told) -> String {
    let of = quota.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let period = quota.period.map(|period| format!(" a period of {} s", period.as_secs_f64()));
    let reset = match quota.reset {
        Some(Reset::In(wait)) => format!(", all again in {} s", wait.as_secs_f64()),
        Some(Reset::At(instant)) => {
            format!(", all again at {} by the server's clock", show(instant))
        }
        None => ", not said when there are more".to_owned(),
    };
    let name = quota.name.trim_end_matches('-');
    let period = period.unwrap_or_default();
    format!("understood of {name}: {}{of} requests{period} left{reset}", quota.remaining)
}

fn policy(policy: &Policy) -> String {
    let period = policy.period.as_secs_f64();
    format!("understood of {}: {} requests in any {period} s", policy.name, policy.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_becomes_a_sentence() {
        let of = |headers: &[(&'static str, &'static str)]| {
            let pairs = headers
                .iter()
                .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")));
            sentences(&pairs.collect()).join("\n")
        };
        insta::assert_snapshot!(of(&[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "14"),
        ]), @"understood of x-ratelimit: 7 of 100 requests left, all again in 14 s");
        insta::assert_snapshot!(of(&[
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "1773748800"),
        ]), @"understood of x-ratelimit: 7 requests left, all again at 2026-03-17T12:00:00Z by the server's clock");
        insta::assert_snapshot!(of(&[("ratelimit-policy", "\"burst\";q=10;w=1")]), @"understood of burst: 10 requests in any 1 s");
        assert_eq!(of(&[("x-ratelimit-remaining", "soon")]), "");
    }
}
