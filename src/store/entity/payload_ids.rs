//! Every host id ever named for a payload; the payload's own row keeps only the last.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Query, SelectStatement};

/// What an id stands for (`payload_ids.kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Kind {
    #[sea_orm(num_value = 1)]
    Inventory,
    #[sea_orm(num_value = 2)]
    System,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payload_ids")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub value: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Kind,
    #[sea_orm(primary_key, auto_increment = false)]
    pub payload_id: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// All host ids of these payloads.
pub fn of_payloads(ids: impl IntoIterator<Item = i64>) -> Select<Entity> {
    Entity::find().filter(Column::PayloadId.eq_any(ids))
}

/// The ids of the payloads that ever named a host by one of `values`, as a subquery.
pub(super) fn payloads_naming(kind: Kind, values: Vec<String>) -> SelectStatement {
    Query::select()
        .column(Column::PayloadId)
        .from(Entity)
        .and_where(Column::Kind.eq(kind))
        .and_where(Column::Value.eq_any(values))
        .take()
}
