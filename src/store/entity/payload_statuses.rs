//! The event table of payloads: one row a status, in one partition a UTC day of `date`.

mod query;

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use super::{payloads, services, sources, statuses};

pub use query::StatusQuery;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payload_statuses")]
pub struct Model {
    /// Breaks ties between equal dates. Unique by its sequence, not by an index.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub payload_id: i64,
    pub service_id: i32,
    pub source_id: Option<i32>,
    pub status_id: i32,
    pub status_msg: Option<String>,
    /// When it happened.
    pub date: ChronoDateTimeUtc,
    /// When it was stored.
    pub created_at: ChronoDateTimeUtc,
    /// The Kafka partition it came from; absent for rows of the Go tracker.
    pub origin_partition: Option<i32>,
    /// The Kafka offset it came from; absent for rows of the Go tracker.
    pub origin_offset: Option<i64>,
}

impl Model {
    /// Kafka partition and offset.
    pub fn origin(&self) -> Option<(i32, i64)> {
        self.origin_partition.zip(self.origin_offset)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "payloads::Entity",
        from = "Column::PayloadId",
        to = "payloads::Column::Id"
    )]
    Payload,
    #[sea_orm(
        belongs_to = "services::Entity",
        from = "Column::ServiceId",
        to = "services::Column::Id"
    )]
    Service,
    #[sea_orm(
        belongs_to = "sources::Entity",
        from = "Column::SourceId",
        to = "sources::Column::Id"
    )]
    Source,
    #[sea_orm(
        belongs_to = "statuses::Entity",
        from = "Column::StatusId",
        to = "statuses::Column::Id"
    )]
    Status,
}

impl ActiveModelBehavior for ActiveModel {}

/// The time a payload spent at one service with one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Visit {
    pub service_id: i32,
    pub source_id: Option<i32>,
    /// Date of the first status.
    pub first: ChronoDateTimeUtc,
    /// Date of the last status.
    pub last: ChronoDateTimeUtc,
}

impl From<&Model> for Visit {
    fn from(status: &Model) -> Self {
        Self {
            service_id: status.service_id,
            source_id: status.source_id,
            first: status.date,
            last: status.date,
        }
    }
}

/// Offsets of one Kafka partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origins {
    pub partition: i32,
    pub from: i64,
    /// The first that is none of them.
    pub until: i64,
    /// Only what was stored after this.
    pub after: Option<ChronoDateTimeUtc>,
}

/// All statuses of these payloads.
pub fn of_payloads(ids: impl IntoIterator<Item = i64>) -> Select<Entity> {
    let ids: Vec<i64> = ids.into_iter().collect();
    Entity::find().filter(match ids[..] {
        // A plan for any number of ids is made for ten of them.
        [id] => Column::PayloadId.eq(id),
        _ => Column::PayloadId.eq_any(ids),
    })
}
