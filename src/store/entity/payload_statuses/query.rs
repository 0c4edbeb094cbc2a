//! The words a query on statuses is said in.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{
    Condition, Iterable, JoinType, Order, QueryOrder, QuerySelect, QueryTrait, SelectModel,
    Selector,
};

use super::{Column, Entity, Origins, Relation, Visit};
use crate::store::entity::payload_ids::{self, Kind};
use crate::store::entity::payloads::OfPayloads;
use crate::store::entity::query::{Place, Span, sort_by_text};
use crate::store::entity::{payloads, services, sources, statuses};

/// A message as it is shown among many. Its length is known without reading it. The rows come in the order
/// of the subquery, which is all that is around them: a window without an order sorts nothing.
const SHORTENED: &str = "
CASE WHEN octet_length(status_msg) <= 1000
       OR sum(octet_length(status_msg)) OVER (ROWS UNBOUNDED PRECEDING) <= 4 * 1024 * 1024
     THEN status_msg
     ELSE left(status_msg, 1000) || '... [' || octet_length(status_msg)
          || ' bytes, shortened: ask for fewer statuses]' END";

/// The payloads that [`StatusQuery::of_each`] looks up.
const EACH: &str = "each";
const EACH_ID: &str = "payload_id";
const EACH_START: &str = "first";
const EACH_END: &str = "last";

/// What an instant can be at all (RFC 3339).
const FIRST_DATE: DateTime<Utc> = at_midnight(1, 1, 1);
const LAST_DATE: DateTime<Utc> = at_midnight(9999, 12, 31);

const fn at_midnight(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(day) => day.and_time(NaiveTime::MIN).and_utc(),
        None => DateTime::UNIX_EPOCH,
    }
}

/// Beside those of [`OfPayloads`].
pub trait StatusQuery: Sized {
    fn of_service(self, id: i32) -> Self;
    fn of_source(self, id: i32) -> Self;
    fn of_status(self, id: i32) -> Self;
    fn saying(self, status_msg: &str) -> Self;
    fn dated_within(self, span: &Span) -> Self;
    fn stored_within(self, span: &Span) -> Self;

    /// From any of these. No index has the origin: something else has to narrow it.
    fn coming_from(self, origins: &[Origins]) -> Self;
    /// By Kafka partition and offset.
    fn in_order_of_origin(self) -> Self;
    /// What comes after a row in the order of dates.
    fn dated_after(self, place: &Place, order: &Order) -> Self;
    /// What comes after a row in the order of storing.
    fn stored_after(self, place: &Place, order: &Order) -> Self;

    /// The same, found without regard to the order it is wanted in. For a plan that has to do for any dates
    /// the planner takes a few days for a two hundredth of them, and would rather read their index on date.
    fn set_apart(self) -> Self;
    /// The rows in their order, with no more than 4 MiB of messages in full, the first ones, and of each of the
    /// others up to 1,000 characters: a message may have a mebibyte, and no answer should have a thousand.
    fn shortened(self) -> Self;
    /// The `most` latest by date, latest first, ties by row id.
    fn newest(self, most: u64) -> Self;
    /// Of each status name the first `most` by date in `order`, which hold the first `most` of all.
    ///
    /// For one service without a status: the index on (service_id, status_id, date) has no order
    /// by date for it, but has one for each of the few names.
    fn first_of_each_status(self, most: u64, order: Order) -> Self;
    /// Of these payloads, one after the other, each within its own dates: the other partitions are left out,
    /// and no index but that of payloads is used.
    fn of_each(self, payloads: impl IntoIterator<Item = (i64, Span)>) -> Self;
    /// One row a service and source instead of one a status.
    fn visits(self) -> Selector<SelectModel<Visit>>;
    fn sorted_by_date(self, order: Order) -> Self;
    fn sorted_by_stored(self, order: Order) -> Self;
    fn sorted_by_status_msg(self, order: Order) -> Self;
    fn sorted_by_service(self, order: Order) -> Self;
    fn sorted_by_source(self, order: Order) -> Self;
    fn sorted_by_status(self, order: Order) -> Self;
    fn sorted_by_request(self, order: Order) -> Self;
}

impl OfPayloads for Select<Entity> {
    fn requested_as(self, ids: Vec<String>) -> Self {
        let requested = payloads::Column::RequestId.eq_any(ids);
        self.filter(Column::PayloadId.in_subquery(payloads_where(requested)))
    }

    fn naming(self, kind: Kind, ids: Vec<String>) -> Self {
        self.filter(Column::PayloadId.in_subquery(payload_ids::payloads_naming(kind, ids)))
    }

    fn of_account(self, account: &str) -> Self {
        let of_account = payloads::Column::Account.eq(account);
        self.filter(Column::PayloadId.in_subquery(payloads_where(of_account)))
    }

    fn of_org(self, org_id: &str) -> Self {
        let of_org = payloads::Column::OrgId.eq(org_id);
        self.filter(Column::PayloadId.in_subquery(payloads_where(of_org)))
    }
}

impl StatusQuery for Select<Entity> {
    fn of_service(self, id: i32) -> Self {
        self.filter(Column::ServiceId.eq(id))
    }

    fn of_source(self, id: i32) -> Self {
        self.filter(Column::SourceId.eq(id))
    }

    fn of_status(self, id: i32) -> Self {
        self.filter(Column::StatusId.eq(id))
    }

    fn saying(self, status_msg: &str) -> Self {
        self.filter(Column::StatusMsg.eq(status_msg))
    }

    fn dated_within(self, span: &Span) -> Self {
        self.filter(span.bounding(Column::Date))
    }

    fn stored_within(self, span: &Span) -> Self {
        self.filter(span.bounding(Column::CreatedAt))
    }

    fn coming_from(self, origins: &[Origins]) -> Self {
        let any = origins.iter().fold(Condition::any(), |any, origins| {
            let these = Condition::all()
                .add(Column::OriginPartition.eq(origins.partition))
                .add(Column::OriginOffset.gte(origins.from))
                .add(Column::OriginOffset.lt(origins.until))
                .add_option(origins.after.map(|at| Column::CreatedAt.gt(at)));
            any.add(these)
        });
        self.filter(any)
    }

    fn in_order_of_origin(self) -> Self {
        self.order_by(Column::OriginPartition, Order::Asc)
            .order_by(Column::OriginOffset, Order::Asc)
    }

    fn dated_after(self, place: &Place, order: &Order) -> Self {
        self.filter(place.rest(Column::Date, Column::Id, order))
    }

    fn stored_after(self, place: &Place, order: &Order) -> Self {
        self.filter(place.rest(Column::CreatedAt, Column::Id, order))
    }

    fn set_apart(self) -> Self {
        // Which keeps the planner from joining it with what is around it.
        let apart = self.offset(0).into_query();
        let mut rows = Entity::find();
        QuerySelect::query(&mut rows)
            .from_clear()
            .from_subquery(apart, Entity);
        rows
    }

    fn shortened(self) -> Self {
        let mut rows = Entity::find()
            .select_only()
            .columns(Column::iter().filter(|column| !matches!(column, Column::StatusMsg)))
            .expr_as(Expr::cust(SHORTENED), Column::StatusMsg.to_string());
        QuerySelect::query(&mut rows)
            .from_clear()
            .from_subquery(self.into_query(), Entity);
        rows
    }

    fn newest(self, most: u64) -> Self {
        self.sorted_by_date(Order::Desc).limit(most)
    }

    fn first_of_each_status(self, most: u64, order: Order) -> Self {
        let of_status = Expr::col(Column::StatusId.as_column_ref())
            .equals(statuses::Column::Id.as_column_ref());
        let first = self.filter(of_status).sorted_by_date(order).limit(most);
        let mut of_each = Entity::find();
        QuerySelect::query(&mut of_each)
            .from_clear()
            .from(statuses::Entity)
            .join_lateral(
                JoinType::InnerJoin,
                first.into_query(),
                Entity,
                Condition::all(),
            );
        of_each
    }

    fn of_each(self, payloads: impl IntoIterator<Item = (i64, Span)>) -> Self {
        let (ids, dates): (Vec<_>, Vec<_>) = payloads.into_iter().unzip();
        // No absent ones: an array has none, and the server finds a payload's partition in less than half the
        // time where its bounds are of the column's own type and need no `coalesce`.
        let starts = dates
            .iter()
            .map(|dates| dates.start().unwrap_or(FIRST_DATE));
        let ends = dates.iter().map(|dates| dates.end().unwrap_or(LAST_DATE));
        let unnest = |array: Expr| Func::cust("unnest").arg(array);
        let each = Query::select()
            .expr_as(unnest(Expr::val(ids)), EACH_ID)
            .expr_as(unnest(Expr::val(starts.collect::<Vec<_>>())), EACH_START)
            .expr_as(unnest(Expr::val(ends.collect::<Vec<_>>())), EACH_END)
            .take();
        let of = |column: &'static str| Expr::col((Alias::new(EACH), Alias::new(column)));
        let date = || Expr::col(Column::Date.as_column_ref());
        let its_own = self
            .filter(Expr::col(Column::PayloadId.as_column_ref()).eq(of(EACH_ID)))
            .filter(date().gte(of(EACH_START)))
            .filter(date().lte(of(EACH_END)))
            // As in `set_apart`.
            .offset(0);
        let mut of_each = Entity::find();
        QuerySelect::query(&mut of_each)
            .from_clear()
            .from_subquery(each, EACH)
            .join_lateral(
                JoinType::InnerJoin,
                its_own.into_query(),
                Entity,
                Condition::all(),
            );
        of_each
    }

    fn visits(self) -> Selector<SelectModel<Visit>> {
        self.select_only()
            .columns([Column::ServiceId, Column::SourceId])
            .column_as(Column::Date.min(), "first")
            .column_as(Column::Date.max(), "last")
            .group_by(Column::ServiceId)
            .group_by(Column::SourceId)
            .into_model()
    }

    fn sorted_by_date(self, order: Order) -> Self {
        self.order_by(Column::Date, order.clone())
            .order_by(Column::Id, order)
    }

    fn sorted_by_stored(self, order: Order) -> Self {
        self.order_by(Column::CreatedAt, order.clone())
            .order_by(Column::Id, order)
    }

    fn sorted_by_status_msg(self, order: Order) -> Self {
        sort_by_text(self, Column::StatusMsg, order.clone()).order_by(Column::Id, order)
    }

    fn sorted_by_service(self, order: Order) -> Self {
        let named = self.join(JoinType::LeftJoin, Relation::Service.def());
        sort_by_text(named, services::Column::Name, order.clone()).order_by(Column::Id, order)
    }

    fn sorted_by_source(self, order: Order) -> Self {
        let named = self.join(JoinType::LeftJoin, Relation::Source.def());
        sort_by_text(named, sources::Column::Name, order.clone()).order_by(Column::Id, order)
    }

    fn sorted_by_status(self, order: Order) -> Self {
        let named = self.join(JoinType::LeftJoin, Relation::Status.def());
        sort_by_text(named, statuses::Column::Name, order.clone()).order_by(Column::Id, order)
    }

    fn sorted_by_request(self, order: Order) -> Self {
        let of_payload = self.join(JoinType::LeftJoin, Relation::Payload.def());
        sort_by_text(of_payload, payloads::Column::RequestId, order.clone())
            .order_by(Column::Id, order)
    }
}

fn payloads_where(condition: Expr) -> SelectStatement {
    Query::select()
        .column(payloads::Column::Id)
        .from(payloads::Entity)
        .and_where(condition)
        .take()
}
