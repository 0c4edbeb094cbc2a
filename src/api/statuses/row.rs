//! A status as it is answered.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::csv::CsvRow;
use crate::api::names::NamesById;
use crate::api::render::Instant;
use crate::store::entity::payload_statuses;

/// One status of a payload. Absent text is `""`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    #[schema(example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d")]
    pub request_id: String,
    #[schema(example = "success")]
    pub status: String,
    /// The payload's id, in decimal digits.
    #[schema(example = "4711")]
    pub id: String,
    #[schema(example = "puptoo")]
    pub service: String,
    #[schema(example = "inventory")]
    pub source: String,
    #[schema(example = "payload unpacked")]
    pub status_msg: String,
    /// When it happened.
    pub date: Instant,
    /// When it was stored.
    pub created_at: Instant,
}

impl Status {
    /// A row of a payload with this request id.
    pub fn of(row: payload_statuses::Model, request_id: String, names: &NamesById) -> Self {
        Self {
            request_id,
            status: names.status(row.status_id).unwrap_or_default(),
            id: row.payload_id.to_string(),
            service: names.service(row.service_id).unwrap_or_default(),
            source: names.source(row.source_id).unwrap_or_default(),
            status_msg: row.status_msg.unwrap_or_default(),
            date: Instant(row.date),
            created_at: Instant(row.created_at),
        }
    }
}

impl CsvRow for Status {
    const NAME: &'static str = "statuses";
    const HEADER: &'static [&'static str] = &[
        "request_id",
        "status",
        "id",
        "service",
        "source",
        "status_msg",
        "date",
        "created_at",
    ];

    fn fields(&self) -> Vec<Cow<'_, str>> {
        vec![
            self.request_id.as_str().into(),
            self.status.as_str().into(),
            self.id.as_str().into(),
            self.service.as_str().into(),
            self.source.as_str().into(),
            self.status_msg.as_str().into(),
            self.date.to_string().into(),
            self.created_at.to_string().into(),
        ]
    }
}
