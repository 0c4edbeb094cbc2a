//! The services an upload passes through, and how each writes its messages.

use chrono::{DateTime, SecondsFormat, Utc};

/// How a service writes an instant.
#[derive(Clone, Copy, Debug)]
pub enum DateStyle {
    /// Go's RFC 3339 with nanoseconds: `2026-08-21T09:14:07.228334117Z`.
    Nanoseconds,
    /// Python's `isoformat()` without a zone: `2026-08-21T09:14:08.219543`.
    Naive,
    /// Python's `str()`: `2026-08-21 09:14:10.412233`.
    Blank,
    /// Ruby's `iso8601`: `2026-08-21T10:01:02+00:00`.
    Offset,
}

impl DateStyle {
    pub fn write(self, at: DateTime<Utc>) -> String {
        match self {
            Self::Nanoseconds => at.to_rfc3339_opts(SecondsFormat::Nanos, true),
            Self::Naive => at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            Self::Blank => at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
            Self::Offset => at.to_rfc3339_opts(SecondsFormat::Secs, false),
        }
    }
}

/// A service that reports statuses.
#[derive(Debug)]
pub struct Producer {
    pub service: &'static str,
    pub source: Option<&'static str>,
    pub date: DateStyle,
    /// Whether its messages carry the account number beside the organisation.
    pub knows_account: bool,
}

const fn producer(service: &'static str, date: DateStyle) -> Producer {
    Producer {
        service,
        source: None,
        date,
        knows_account: false,
    }
}

pub const INGRESS: Producer = Producer {
    knows_account: true,
    ..producer("ingress", DateStyle::Nanoseconds)
};
pub const PUPTOO: Producer = Producer {
    knows_account: true,
    ..producer("puptoo", DateStyle::Naive)
};
pub const YUPTOO: Producer = producer("yuptoo", DateStyle::Naive);
pub const INVENTORY: Producer = producer("inventory-mq-service", DateStyle::Naive);
pub const STORAGE_BROKER: Producer = producer("storage-broker", DateStyle::Naive);
pub const PATCHMAN: Producer = producer("patchman", DateStyle::Nanoseconds);
pub const VULNERABILITY: Producer = producer("vulnerability", DateStyle::Blank);
pub const ADVISOR: Producer = Producer {
    source: Some("insights-client"),
    knows_account: true,
    ..producer("insights-advisor-service", DateStyle::Naive)
};
pub const COMPLIANCE: Producer = Producer {
    source: Some("compliance-inventory"),
    ..producer("compliance", DateStyle::Offset)
};
