//! A status row of `/payloads/{request_id}`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::params::Choice;
use crate::api::render::Instant;
use crate::store::entity::payloads;

/// How much of a status is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    #[default]
    All,
    /// service, status, inventory_id, date, status_msg
    Brief,
    /// service, status, date
    Terse,
}

impl Choice for Verbosity {
    const ALLOWED: &'static [(&'static str, Self)] =
        &[("0", Self::All), ("1", Self::Brief), ("2", Self::Terse)];
}

/// One status; what is absent, or not asked for, is left out. account, org_id, inventory_id and
/// system_id are the payload's, on every row.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct StatusRow {
    /// The payload's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 4711)]
    id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "puptoo")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "inventory")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "540155")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1979710")]
    org_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "5b1c4f0a-9d3e-4b7f-8a6c-2e1d0f9b8c7a")]
    inventory_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "c0ffee00-1234-4321-8abc-0123456789ab")]
    system_id: Option<String>,
    /// When it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "success")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "payload unpacked")]
    status_msg: Option<String>,
    /// When it happened.
    #[schema(value_type = Instant)]
    date: Option<Instant>,
}

/// A status with names for ids, before it is sorted and shown.
#[derive(Clone, Debug)]
pub struct Named {
    /// The status's own id.
    pub row: i64,
    pub service: Option<String>,
    pub source: Option<String>,
    pub status: Option<String>,
    pub status_msg: Option<String>,
    pub date: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub payload: payloads::Model,
}

impl Named {
    pub fn shown(self, verbosity: Verbosity) -> StatusRow {
        let terse = StatusRow {
            service: self.service,
            status: self.status,
            date: Some(Instant(self.date)),
            ..StatusRow::default()
        };
        let payload = self.payload;
        match verbosity {
            Verbosity::Terse => terse,
            Verbosity::Brief => StatusRow {
                inventory_id: present(payload.inventory_id),
                status_msg: self.status_msg,
                ..terse
            },
            Verbosity::All => StatusRow {
                id: Some(payload.id),
                source: self.source,
                account: present(payload.account),
                org_id: present(payload.org_id),
                request_id: Some(payload.request_id),
                inventory_id: present(payload.inventory_id),
                system_id: present(payload.system_id),
                created_at: Some(Instant(self.created_at)),
                status_msg: self.status_msg,
                ..terse
            },
        }
    }
}

/// The Go tracker stored `''` for absent.
fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
