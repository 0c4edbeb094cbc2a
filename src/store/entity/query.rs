use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sea_orm::sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, NullOrdering, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, Order, QuerySelect, QueryTrait,
    Select,
};

/// Bounds on an instant; an absent one does not bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub lt: Option<DateTime<Utc>>,
    pub lte: Option<DateTime<Utc>>,
    pub gt: Option<DateTime<Utc>>,
    pub gte: Option<DateTime<Utc>>,
}

impl Span {
    /// From the beginning of the UTC day `first` until the beginning of `after`.
    pub fn of_days(first: Option<NaiveDate>, after: Option<NaiveDate>) -> Self {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Self {
            gte: first.map(midnight),
            lt: after.map(midnight),
            ..Self::default()
        }
    }

    /// The latest instant the bounds let through, or a little more.
    pub fn end(&self) -> Option<DateTime<Utc>> {
        [self.lt, self.lte].into_iter().flatten().min()
    }

    /// The earliest instant the bounds let through, or a little less.
    pub fn start(&self) -> Option<DateTime<Utc>> {
        [self.gt, self.gte].into_iter().flatten().max()
    }

    /// What both let through.
    pub fn within(&self, other: &Self) -> Self {
        let least = |one: Option<_>, other| [one, other].into_iter().flatten().min();
        let most = |one: Option<_>, other| [one, other].into_iter().flatten().max();
        Self {
            lt: least(self.lt, other.lt),
            lte: least(self.lte, other.lte),
            gt: most(self.gt, other.gt),
            gte: most(self.gte, other.gte),
        }
    }

    /// Whether there may be an instant that both let through.
    pub fn meets(&self, other: &Self) -> bool {
        let both = self.within(other);
        both.start()
            .zip(both.end())
            .is_none_or(|(start, end)| start <= end)
    }

    /// Whether the bounds let an instant through.
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.lt.is_none_or(|lt| at < lt)
            && self.lte.is_none_or(|lte| at <= lte)
            && self.gt.is_none_or(|gt| at > gt)
            && self.gte.is_none_or(|gte| at >= gte)
    }

    pub(super) fn bounding(&self, column: impl ColumnTrait) -> Condition {
        Condition::all()
            .add_option(self.lt.map(|at| column.lt(at)))
            .add_option(self.lte.map(|at| column.lte(at)))
            .add_option(self.gt.map(|at| column.gt(at)))
            .add_option(self.gte.map(|at| column.gte(at)))
    }
}

/// Where a row stands in a list by time, whose ties are broken by row id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub at: DateTime<Utc>,
    pub id: i64,
}

impl Place {
    /// What comes after it in `order`. The bound on the time alone stands apart: it is what an index, and
    /// which partitions are read, can be bounded by.
    pub(super) fn rest(
        &self,
        time: impl ColumnTrait,
        id: impl ColumnTrait,
        order: &Order,
    ) -> Condition {
        let (at_all, later, tie) = match order {
            Order::Asc => (time.gte(self.at), time.gt(self.at), id.gt(self.id)),
            _ => (time.lte(self.at), time.lt(self.at), id.lt(self.id)),
        };
        Condition::all().add(at_all).add(later.or(tie))
    }
}

/// How many rows match, counted no further than a cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capped {
    /// The number of matches, or the cap.
    pub count: u64,
    /// There are more than `count`.
    pub capped: bool,
}

/// Counts the rows of `select`, giving up at `cap`: a true count of millions takes a hundred times
/// as long as a page of them.
///
/// # Errors
/// Whatever the database answers.
pub async fn count_capped<E, C>(select: Select<E>, cap: u64, db: &C) -> Result<Capped, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let one = select
        .select_only()
        .expr(Expr::cust("1"))
        .limit(cap.saturating_add(1));
    let counted = Query::select()
        .expr_as(Func::count(Expr::col(Asterisk)), Alias::new("count"))
        .from_subquery(one.into_query(), Alias::new("matches"))
        .take();
    let row = db.query_one(&counted).await?;
    let found: i64 = match row {
        Some(row) => row.try_get("", "count")?,
        None => 0,
    };
    let found = u64::try_from(found).unwrap_or(0);
    Ok(Capped {
        count: Ord::min(found, cap),
        capped: found > cap,
    })
}

/// What a text column sorts by: its bytes whatever the database's collation, `''` as absent.
fn text_key(column: impl ColumnTrait) -> SimpleExpr {
    Expr::cust_with_expr(
        "nullif($1, '') COLLATE \"C\"",
        Expr::col(column.as_column_ref()),
    )
}

/// Sorts by a text column, absent values last in either direction.
pub(super) fn sort_by_text<E: EntityTrait>(
    mut select: Select<E>,
    column: impl ColumnTrait,
    order: Order,
) -> Select<E> {
    QuerySelect::query(&mut select).order_by_expr_with_nulls(
        text_key(column),
        order,
        NullOrdering::Last,
    );
    select
}
