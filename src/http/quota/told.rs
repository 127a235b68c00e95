//! What a response tells of quotas, as plain values.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// One quota as a response tells of it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::http) struct Told {
    /// Tells the quotas of an API apart.
    pub(in crate::http) name: String,
    /// Requests in a period.
    pub(in crate::http) limit: Option<u64>,
    /// Requests that are left of them.
    pub(in crate::http) remaining: u64,
    /// When the next period begins.
    pub(in crate::http) reset: Option<Reset>,
    /// How long a period is.
    pub(in crate::http) period: Option<Duration>,
}

/// When a quota's next period begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::http) enum Reset {
    /// After this long.
    In(Duration),
    /// At this instant of the server's clock.
    At(DateTime<Utc>),
}

/// A quota of which only the rule is known: so many requests in any period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Policy {
    /// Tells the policies of an API apart.
    pub(in crate::http) name: String,
    /// Requests in a period.
    pub(in crate::http) limit: u64,
    /// How long a period is.
    pub(in crate::http) period: Duration,
}

/// What a response tells of quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::http) struct Reading {
    /// Quotas with what is left of them.
    pub(in crate::http) told: Vec<Told>,
    /// Policies of which nothing else is told.
    pub(in crate::http) policies: Vec<Policy>,
}
