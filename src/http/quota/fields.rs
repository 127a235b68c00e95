//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), structured fields (RFC 9651).
//!
//! - From draft 08 on: `RateLimit: "burst";r=8;t=1, "daily";r=900;t=3600` and
//!   `RateLimit-Policy: "burst";q=10;w=1, "daily";q=1000;w=86400`.
//! - Draft 07: `RateLimit: limit=10, remaining=8, reset=1` and `RateLimit-Policy: 10;w=1`.
//! - Before: `RateLimit-Limit: 10, 10;w=1`, which `quota` reads and whose periods are read here.

use std::time::Duration;

use reqwest::header::HeaderMap;
use sfv::{BareItem, Dictionary, Item, List, ListEntry, Parser};

use crate::http::quota::told::{Policy, Reading, Reset, Told};

/// Adds what the fields tell to what `told` already has.
pub(super) fn read(headers: &HeaderMap, mut told: Vec<Told>) -> Reading {
    let whole = |name: &str| {
        let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        lines.collect::<Vec<_>>().join(", ")
    };
    let mut policies: Vec<Policy> =
        list(&whole("ratelimit-policy")).iter().filter_map(policy).collect();
    policies.extend(list(&whole("ratelimit-limit")).iter().filter_map(policy));
    policies.dedup_by(|a, b| (a.limit, a.period) == (b.limit, b.period));
    let field = whole("ratelimit");
    told.extend(dictionary(&field));
    told.extend(list(&field).iter().filter_map(item));
    let alone = policies.len() == 1 && told.len() == 1;
    policies.retain(|policy| !take_over(policy, &mut told, alone));
    Reading { told, policies }
}

/// Gives the quota that `policy` rules its limit and period; false where there is none.
fn take_over(policy: &Policy, told: &mut [Told], alone: bool) -> bool {
    let mut ruled = false;
    for quota in told {
        let named = quota.name == policy.name;
        if named || alone || quota.limit == Some(policy.limit) {
            quota.limit = quota.limit.or(Some(policy.limit));
            quota.period = quota.period.or(Some(policy.period));
            ruled = true;
        }
    }
    ruled
}

fn list(text: &str) -> Vec<Item> {
    let entries = Parser::new(text).parse::<List>().unwrap_or_default();
    let items = entries.into_iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => Some(item),
        ListEntry::InnerList(_) => None,
    });
    items.collect()
}

/// A member of `RateLimit-Policy` that counts requests.
fn policy(item: &Item) -> Option<Policy> {
    let unit = item.params.get("qu").and_then(text);
    if unit.is_some_and(|unit| unit != "requests") {
        return None;
    }
    let limit = whole(&item.bare_item).or_else(|| whole(item.params.get("q")?))?;
    let period = Duration::from_secs(whole(item.params.get("w")?)?);
    let name = name(item).unwrap_or_else(|| format!("{limit} in {} s", period.as_secs()));
    (limit > 0 && !period.is_zero()).then_some(Policy { name, limit, period })
}

/// A member of `RateLimit` since draft 08.
fn item(item: &Item) -> Option<Told> {
    let seconds = item.params.get("t").and_then(whole);
    Some(Told {
        name: name(item)?,
        limit: None,
        remaining: whole(item.params.get("r")?)?,
        reset: seconds.map(|seconds| Reset::In(Duration::from_secs(seconds))),
        period: None,
    })
}

/// `RateLimit` of draft 07.
fn dictionary(text: &str) -> Option<Told> {
    let members = Parser::new(text).parse::<Dictionary>().ok()?;
    let number = |key: &str| match members.get(key)? {
        ListEntry::Item(item) => whole(&item.bare_item),
        ListEntry::InnerList(_) => None,
    };
    let limit = number("limit");
    (limit != Some(0)).then_some(())?;
    Some(Told {
        name: "ratelimit".to_owned(),
        limit,
        remaining: number("remaining")?,
        reset: number("reset").map(|seconds| Reset::In(Duration::from_secs(seconds))),
        period: None,
    })
}

fn name(item: &Item) -> Option<String> {
    text(&item.bare_item).map(str::to_owned)
}

fn text(item: &BareItem) -> Option<&str> {
    match item {
        BareItem::String(text) => Some(text.as_str()),
        BareItem::Token(token) => Some(token.as_str()),
        _ => None,
    }
}

/// A whole number; below nothing is nothing.
fn whole(item: &BareItem) -> Option<u64> {
    match item {
        BareItem::Integer(number) => Some(u64::try_from(i64::from(*number)).unwrap_or(0)),
        _ => None,
    }
}
