//! Messages that did not become statuses, whole, each with why.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, NullOrdering};
use sea_orm::{
    Condition, DerivePartialModel, JoinType, Order, QueryOrder, QuerySelect, QueryTrait,
};

use super::query::Span;
use crate::status::Reason;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rejects")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    /// Absent for a tombstone.
    pub value: Option<Vec<u8>>,
    /// As [`Reason::as_str`] gives it.
    pub reason: String,
    /// One sentence that names the field, what was found and what is allowed.
    pub detail: String,
    /// With what code the database refused it, if it did.
    pub sqlstate: Option<String>,
    /// What could be read of it.
    pub service: Option<String>,
    /// What could be read of it, in canonical form.
    pub request_id: Option<String>,
    /// Kafka's timestamp; absent in rows from before there was the column.
    pub produced_at: Option<ChronoDateTimeUtc>,
    /// When it was stored here.
    pub received_at: ChronoDateTimeUtc,
    /// When it became a status after all.
    pub redriven_at: Option<ChronoDateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A reject without its bytes, of which a page of a thousand could hold a gigabyte.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Summary {
    pub id: i64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub reason: String,
    pub detail: String,
    pub sqlstate: Option<String>,
    pub service: Option<String>,
    pub request_id: Option<String>,
    pub produced_at: Option<ChronoDateTimeUtc>,
    pub received_at: ChronoDateTimeUtc,
    pub redriven_at: Option<ChronoDateTimeUtc>,
}

/// Which rejects are looked for; what is absent does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// In lower case.
    pub service: Option<String>,
    pub reason: Option<Reason>,
    /// Any of these.
    pub request_ids: Option<Vec<String>>,
    pub partition: Option<i32>,
    /// Only those that became statuses after all, or only the others.
    pub redriven: Option<bool>,
    pub received: Span,
}

impl Wanted {
    /// All of them, in no order.
    pub fn all(&self) -> Select<Entity> {
        let mut some = Entity::find().received_within(&self.received);
        if let Some(service) = &self.service {
            some = some.of_service(service);
        }
        if let Some(reason) = self.reason {
            some = some.for_reason(reason);
        }
        if let Some(ids) = &self.request_ids {
            some = some.requested_as(ids.clone());
        }
        if let Some(partition) = self.partition {
            some = some.of_partition(partition);
        }
        if let Some(redriven) = self.redriven {
            some = some.redriven(redriven);
        }
        some
    }

    /// Those from which the `most` newest can be taken, the newest first: in the order of an index.
    pub fn newest(&self, most: u64) -> Select<Entity> {
        let all = self.all();
        if self.service.is_some() && self.reason.is_none() && self.request_ids.is_none() {
            all.newest_of_each_reason(most).newest_first()
        } else if self.reason.is_some() || self.request_ids.is_some() || self.partition.is_some() {
            all.newest_of_few_first()
        } else {
            all.newest_first()
        }
    }
}

/// The words a query on rejects is said in.
trait RejectQuery: Sized {
    fn of_service(self, service: &str) -> Self;
    fn for_reason(self, reason: Reason) -> Self;
    /// Whose request id is one of these.
    fn requested_as(self, ids: Vec<String>) -> Self;
    fn of_partition(self, partition: i32) -> Self;
    fn received_within(self, span: &Span) -> Self;
    fn redriven(self, redriven: bool) -> Self;
    /// By the time they were stored, ties by row id: for all of them, those of some time, or redriven.
    fn newest_first(self) -> Self;
    /// The same for those of a service and reason, of a reason, or of a partition: in the order that
    /// only their indexes have.
    fn newest_of_few_first(self) -> Self;
    /// Of each reason the `most` newest, which hold the `most` newest of all.
    ///
    /// For one service without a reason: the index on (service, reason, received_at) has no order by
    /// time for it, but has one for each of the few reasons.
    fn newest_of_each_reason(self, most: u64) -> Self;
}

impl RejectQuery for Select<Entity> {
    fn of_service(self, service: &str) -> Self {
        self.filter(Column::Service.eq(service))
    }

    fn for_reason(self, reason: Reason) -> Self {
        self.filter(Column::Reason.eq(reason.as_str()))
    }

    fn requested_as(self, ids: Vec<String>) -> Self {
        self.filter(Column::RequestId.eq_any(ids))
    }

    fn of_partition(self, partition: i32) -> Self {
        self.filter(Column::Partition.eq(partition))
    }

    fn received_within(self, span: &Span) -> Self {
        self.filter(span.bounding(Column::ReceivedAt))
    }

    fn redriven(self, redriven: bool) -> Self {
        self.filter(if redriven {
            Column::RedrivenAt.is_not_null()
        } else {
            Column::RedrivenAt.is_null()
        })
    }

    fn newest_first(self) -> Self {
        self.order_by(Column::ReceivedAt, Order::Desc)
            .order_by(Column::Id, Order::Desc)
    }

    fn newest_of_few_first(self) -> Self {
        self.order_by_with_nulls(Column::ReceivedAt, Order::Desc, NullOrdering::Last)
            .order_by(Column::Id, Order::Desc)
    }

    fn newest_of_each_reason(self, most: u64) -> Self {
        let reasons = Alias::new("reasons");
        // What PostgreSQL calls the only column of VALUES.
        let reason = Expr::col((reasons.clone(), Alias::new("column1")));
        let newest = self
            .filter(Expr::col(Column::Reason.as_column_ref()).eq(reason))
            .newest_of_few_first()
            .limit(most);
        let mut of_each = Entity::find();
        QuerySelect::query(&mut of_each)
            .from_clear()
            .from_values(Reason::ALL.map(Reason::as_str), reasons)
            .join_lateral(
                JoinType::InnerJoin,
                newest.into_query(),
                Entity,
                Condition::all(),
            );
        of_each
    }
}
