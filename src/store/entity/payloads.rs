//! One row per request id: who sent it, when it was first seen, which days its statuses lie on.

use std::collections::{BTreeSet, HashMap};

use sea_orm::entity::prelude::*;
use sea_orm::{Order, QueryOrder, QuerySelect};

use super::payload_ids::{self, Kind};
use super::query::{Place, Span, sort_by_text};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payloads")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub request_id: String,
    pub account: Option<String>,
    /// The last one named; `payload_ids` has them all.
    pub inventory_id: Option<String>,
    /// The last one named; `payload_ids` has them all.
    pub system_id: Option<String>,
    /// The earliest date of its statuses.
    pub created_at: ChronoDateTimeUtc,
    pub org_id: Option<String>,
    /// UTC day of its earliest status; absent: unknown, look everywhere.
    pub first_day: Option<ChronoDate>,
    /// UTC day of its latest status; absent: unknown, look everywhere.
    pub last_day: Option<ChronoDate>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The request ids of payloads, by their ids.
///
/// # Errors
/// Whatever the database answers.
pub async fn request_ids<C: ConnectionTrait>(
    ids: impl IntoIterator<Item = i64>,
    db: &C,
) -> Result<HashMap<i64, String>, DbErr> {
    let ids: BTreeSet<i64> = ids.into_iter().collect();
    let pairs = Entity::find()
        .select_only()
        .columns([Column::Id, Column::RequestId])
        .filter(Column::Id.eq_any(ids));
    Ok(pairs.into_tuple().all(db).await?.into_iter().collect())
}

/// The payloads with these ids.
pub fn with_ids(ids: impl IntoIterator<Item = i64>) -> Select<Entity> {
    Entity::find().filter(Column::Id.eq_any(ids))
}

/// The words that narrow a query to some payloads, or to what belongs to them.
pub trait OfPayloads: Sized {
    /// Whose request id is one of these.
    fn requested_as(self, ids: Vec<String>) -> Self;
    /// Which ever named a host by one of these ids.
    fn naming(self, kind: Kind, ids: Vec<String>) -> Self;
    fn of_account(self, account: &str) -> Self;
    fn of_org(self, org_id: &str) -> Self;
}

impl OfPayloads for Select<Entity> {
    fn requested_as(self, ids: Vec<String>) -> Self {
        self.filter(Column::RequestId.eq_any(ids))
    }

    fn naming(self, kind: Kind, ids: Vec<String>) -> Self {
        self.filter(Column::Id.in_subquery(payload_ids::payloads_naming(kind, ids)))
    }

    fn of_account(self, account: &str) -> Self {
        self.filter(Column::Account.eq(account))
    }

    fn of_org(self, org_id: &str) -> Self {
        self.filter(Column::OrgId.eq(org_id))
    }
}

/// The other words a query on payloads is said in.
pub trait PayloadQuery: Sized {
    fn created_within(self, span: &Span) -> Self;
    /// What comes after a payload in the order of `created_at`.
    fn created_after(self, place: &Place, order: &Order) -> Self;
    /// By `column`, absent values last, ties by row id in the same direction.
    fn sorted_by(self, column: Column, order: Order) -> Self;
}

impl PayloadQuery for Select<Entity> {
    fn created_within(self, span: &Span) -> Self {
        self.filter(span.bounding(Column::CreatedAt))
    }

    fn created_after(self, place: &Place, order: &Order) -> Self {
        self.filter(place.rest(Column::CreatedAt, Column::Id, order))
    }

    fn sorted_by(self, column: Column, order: Order) -> Self {
        let sorted = match column {
            Column::RequestId
            | Column::Account
            | Column::InventoryId
            | Column::SystemId
            | Column::OrgId => sort_by_text(self, column, order.clone()),
            // Never null, and said without NULLS LAST, which no index could serve backwards.
            Column::Id | Column::CreatedAt | Column::FirstDay | Column::LastDay => {
                self.order_by(column, order.clone())
            }
        };
        sorted.order_by(Column::Id, order)
    }
}
