//! What the API says of its quota.
//!
//! The headers are shown as they came, and behind them what a run would make of them.

/// A header that speaks of a quota.
const PREFIXES: [&str; 6] =
    ["x-ratelimit", "x-rate-limit", "ratelimit", "rate-limit", "retry-after", "x-quota"];

/// The quota headers of a response, one a line, and what is `understood` of them.
pub(super) fn told(headers: &[(String, String)], understood: &[String]) -> Vec<String> {
    let speaks = |name: &str| {
        let name = name.to_ascii_lowercase();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || name.contains("ratelimit")
    };
    headers
        .iter()
        .filter(|(name, _)| speaks(name))
        .map(|(name, value)| format!("{name}: {value}"))
        .chain(understood.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_headers_are_told_from_others() {
        let headers = ["X-RateLimit-Limit", "RateLimit", "Retry-After", "Content-Type", "Date"];
        let headers = headers.map(|name| (name.to_owned(), "1".to_owned()));
        let wanted = ["X-RateLimit-Limit: 1", "RateLimit: 1", "Retry-After: 1"];
        assert_eq!(told(&headers, &[]), wanted);
    }
}
