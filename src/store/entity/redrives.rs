//! What was done about rejects: one row an attempt, in vain or not.

use sea_orm::entity::prelude::*;
use sea_orm::{Order, QueryOrder};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "redrives")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub reject_id: i64,
    pub at: ChronoDateTimeUtc,
    /// Who did it.
    pub by: String,
    /// What was sent through instead of the reject's own value.
    pub edited: Option<Vec<u8>>,
    /// `stored`, or the reason for which it was rejected once more.
    pub outcome: String,
    /// Why it was rejected once more.
    pub detail: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The redrives of a reject, in the order in which they happened.
pub fn of_reject(id: i64) -> Select<Entity> {
    Entity::find()
        .filter(Column::RejectId.eq(id))
        .order_by(Column::Id, Order::Asc)
}
