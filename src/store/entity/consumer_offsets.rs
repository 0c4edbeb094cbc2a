//! Where each topic-partition goes on, and what became of everything before.

use sea_orm::entity::prelude::*;
use sea_orm::{Order, QueryOrder};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consumer_offsets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub topic: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub partition: i32,
    pub first_offset: i64,
    pub next_offset: i64,
    pub stored: i64,
    pub rejected: i64,
    /// Offsets without a message: transaction markers, what compaction removed, gaps.
    pub skipped: i64,
    /// Of those skipped, how many the log no longer held.
    pub gap: i64,
    pub updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// All of them, by topic and partition.
pub fn all() -> Select<Entity> {
    Entity::find()
        .order_by(Column::Topic, Order::Asc)
        .order_by(Column::Partition, Order::Asc)
}
