//! What the API is asked.

use super::fill::Keys;

/// A route with one kind of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Payload,
    Explain,
    ExplainInventory,
    PayloadsOfInventory,
    StatusesOfSystem,
    Payloads,
    PayloadsOfOrg,
    Statuses,
    StatusesOfService,
    StatusesOfServiceAndStatus,
    StatusesOfOrg,
    StatusesStoredLately,
    Trace,
    Stats,
    Failures,
    Stuck,
    Rejects,
    Producers,
    Accounting,
    StatusesNextPage,
    StatusesAsCsv,
    TraceForChrome,
    Reject,
    ArchiveLink,
    KibanaLink,
}

impl Question {
    pub const ALL: [Self; 25] = [
        Self::Payload,
        Self::Explain,
        Self::ExplainInventory,
        Self::PayloadsOfInventory,
        Self::StatusesOfSystem,
        Self::Payloads,
        Self::PayloadsOfOrg,
        Self::Statuses,
        Self::StatusesOfService,
        Self::StatusesOfServiceAndStatus,
        Self::StatusesOfOrg,
        Self::StatusesStoredLately,
        Self::Trace,
        Self::Stats,
        Self::Failures,
        Self::Stuck,
        Self::Rejects,
        Self::Producers,
        Self::Accounting,
        Self::StatusesNextPage,
        Self::StatusesAsCsv,
        Self::TraceForChrome,
        Self::Reject,
        Self::ArchiveLink,
        Self::KibanaLink,
    ];

    /// What is asked while messages are stored, beside [`Question::Payload`]: what people and dashboards
    /// ask about payloads.
    pub const OTHERS: &'static [Self] = Self::ALL.split_at(1).1.split_at(11).0;

    /// As the report names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Payload => "/payloads/{id}",
            Self::Explain => "/explain/{request_id}",
            Self::ExplainInventory => "/explain/{inventory_id}",
            Self::PayloadsOfInventory => "/payloads?inventory_id",
            Self::StatusesOfSystem => "/statuses?system_id",
            Self::Payloads => "/payloads",
            Self::PayloadsOfOrg => "/payloads?org_id",
            Self::Statuses => "/statuses",
            Self::StatusesOfService => "/statuses?service",
            Self::StatusesOfServiceAndStatus => "/statuses?service&status",
            Self::StatusesOfOrg => "/statuses?org_id",
            Self::StatusesStoredLately => "/statuses?created_at_gte",
            Self::Trace => "/payloads/{id}/trace",
            Self::Stats => "/stats",
            Self::Failures => "/failures",
            Self::Stuck => "/stuck",
            Self::Rejects => "/rejects",
            Self::Producers => "/producers",
            Self::Accounting => "/accounting",
            Self::StatusesNextPage => "/statuses?cursor",
            Self::StatusesAsCsv => "/statuses?format=csv",
            Self::TraceForChrome => "/payloads/{id}/trace?format=chrome",
            Self::Reject => "/rejects/{id}",
            Self::ArchiveLink => "/payloads/{id}/archiveLink",
            Self::KibanaLink => "/payloads/{id}/kibanaLink",
        }
    }

    /// Path and query below the mount. `second_page`: the cursor of the statuses after the first ten.
    pub fn path(self, keys: &Keys, second_page: &str, number: usize) -> String {
        let (key, service) = (keys.payload(number), number % 9);
        match self {
            Self::Payload => format!("/payloads/{}", key.request_id),
            Self::Explain => format!("/explain/{}", key.request_id),
            Self::ExplainInventory => format!("/explain/{}", key.inventory_id),
            Self::PayloadsOfInventory => format!("/payloads?inventory_id={}", key.inventory_id),
            Self::StatusesOfSystem => format!("/statuses?system_id={}", key.system_id),
            Self::Payloads => "/payloads".to_owned(),
            Self::PayloadsOfOrg => format!("/payloads?org_id={}", key.org_id),
            Self::Statuses => "/statuses".to_owned(),
            Self::StatusesOfService => format!("/statuses?service=service-{service}"),
            Self::StatusesOfServiceAndStatus => {
                format!("/statuses?service=service-{service}&status=success")
            }
            Self::StatusesOfOrg => format!("/statuses?org_id={}", key.org_id),
            Self::StatusesStoredLately => {
                let since = chrono::Utc::now() - chrono::TimeDelta::minutes(15);
                let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                format!("/statuses?created_at_gte={since}")
            }
            Self::Trace => format!("/payloads/{}/trace", key.request_id),
            Self::Stats | Self::Failures | Self::Stuck => self.name().to_owned(),
            Self::Rejects | Self::Producers | Self::Accounting => self.name().to_owned(),
            Self::StatusesNextPage => format!("/statuses?cursor={second_page}"),
            Self::StatusesAsCsv => self.name().to_owned(),
            Self::TraceForChrome => format!("/payloads/{}/trace?format=chrome", key.request_id),
            Self::Reject => format!("/rejects/{}", keys.reject(number)),
            Self::ArchiveLink => format!("/payloads/{}/archiveLink", key.request_id),
            Self::KibanaLink => format!("/payloads/{}/kibanaLink", key.request_id),
        }
    }
}
