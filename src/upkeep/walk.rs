//! Deleting in small steps: an index is walked from where the last step stopped, so that no step
//! reads again what was deleted or is kept, and none holds a lock for long.
//!
//! A step first reads its rows without locking them, which brings them into memory, and then
//! deletes, in one call, those of them that have still expired.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, Postgres};
use tokio::time::sleep;

use super::event::{Deleted, Event, Table};
use super::round::Round;
use super::session::is_slow;
use super::stride::{MOST_ROWS, Stride};

/// A table whose rows expire one by one.
#[derive(Debug)]
pub(super) struct Walk {
    pub table: Table,
    /// The rows that go with one of its rows.
    pub dependents: Table,
    /// Rows after ($1, $2), at most $3, of those before $4: its time, its id, whether it has
    /// expired, and how many dependents it has.
    pub page: &'static str,
    /// Of the rows $1 deletes those that have expired by $2, and with them at most $3 dependents:
    /// how many of each, and the seconds it held their locks.
    pub expire: &'static str,
}

/// Where a walk is: the time and id of the last row it has seen.
type Place = (DateTime<Utc>, i64);

#[derive(Clone, Copy, Debug)]
struct Row {
    at: DateTime<Utc>,
    id: i64,
    expired: bool,
    dependents: i64,
}

/// What one step deletes.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    ids: Vec<i64>,
    /// Where the next one starts.
    end: Place,
    /// Whether rows are left beyond.
    more: bool,
}

impl Step {
    /// As much of a page as makes no more than `budget` rows with what depends on them, but at least
    /// one row. None where there is no row.
    fn of(page: &[Row], budget: usize) -> Option<Self> {
        let mut step = Self {
            ids: Vec::new(),
            end: page.first().map(|row| (row.at, row.id))?,
            more: page.len() == budget,
        };
        let mut rows = 0;
        for row in page {
            if row.expired {
                rows += 1 + usize::try_from(row.dependents).unwrap_or(0);
                if rows > budget && !step.ids.is_empty() {
                    step.more = true;
                    break;
                }
                step.ids.push(row.id);
            }
            step.end = (row.at, row.id);
        }
        Some(step)
    }
}

/// What a walk has done so far.
#[derive(Debug, Default)]
struct Sum {
    rows: u64,
    dependents: u64,
    steps: u64,
    longest: Duration,
}

impl Round<'_> {
    /// Deletes every row before `before` that has expired.
    pub(super) async fn walk(
        &mut self,
        walk: &Walk,
        before: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let begun = Instant::now();
        let mut stride = Stride::default();
        let mut place = beginning();
        let mut sum = Sum::default();
        loop {
            let page = self.page(walk, place, stride, before).await?;
            let Some(step) = Step::of(&page, stride.rows()) else {
                break;
            };
            if !step.ids.is_empty() {
                match self.delete(walk, &step, before).await {
                    Ok((rows, dependents, held)) => {
                        stride.took(held);
                        sum.add(rows, dependents, held);
                        let deleted = walk.deleted(rows, dependents);
                        self.tell(Event::Step { deleted, held });
                        // As long for the others as for us.
                        sleep(held).await;
                    }
                    Err(error) if is_slow(&error) && stride.shrink() => {
                        let (table, rows) = (walk.table, step.ids.len());
                        self.tell(Event::Slow { table, rows });
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            place = step.end;
            if !step.more {
                break;
            }
        }
        if sum.rows > 0 {
            self.tell(Event::Walked {
                deleted: walk.deleted(sum.rows, sum.dependents),
                steps: sum.steps,
                longest: sum.longest,
                took: begun.elapsed(),
            });
        }
        Ok(())
    }

    /// Runs a statement that deletes as many rows as it is told until there are none: rows that are
    /// nobody's any more, or too old for anybody to lock.
    pub(super) async fn delete_all<'q>(
        &mut self,
        table: Table,
        delete: impl Fn(Stride) -> Query<'q, Postgres, PgArguments>,
    ) -> Result<(), sqlx::Error> {
        let mut stride = Stride::default();
        loop {
            let begun = Instant::now();
            self.session.hurry().await?;
            let deleted = delete(stride).execute(self.session.connection()).await;
            self.session.take_time().await?;
            let rows = match deleted {
                Ok(deleted) => deleted.rows_affected(),
                Err(error) if is_slow(&error) && stride.shrink() => continue,
                Err(error) => return Err(error),
            };
            if rows == 0 {
                return Ok(());
            }
            let held = begun.elapsed();
            stride.took(held);
            let deleted = Deleted {
                table,
                rows,
                dependents: None,
            };
            self.tell(Event::Step { deleted, held });
            sleep(held).await;
        }
    }

    async fn page(
        &mut self,
        walk: &Walk,
        (at, id): Place,
        stride: Stride,
        before: DateTime<Utc>,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let page = sqlx::query_as(walk.page)
            .bind(at)
            .bind(id)
            .bind(stride.rows() as i64)
            .bind(before)
            .fetch_all(self.session.connection());
        let page: Vec<(DateTime<Utc>, i64, bool, i64)> = page.await?;
        let row = |(at, id, expired, dependents)| Row {
            at,
            id,
            expired,
            dependents,
        };
        Ok(page.into_iter().map(row).collect())
    }

    async fn delete(
        &mut self,
        walk: &Walk,
        step: &Step,
        before: DateTime<Utc>,
    ) -> Result<(u64, u64, Duration), sqlx::Error> {
        let most = MOST_ROWS.saturating_sub(step.ids.len());
        self.session.hurry().await?;
        let deleted = sqlx::query_as(walk.expire)
            .bind(&step.ids)
            .bind(before)
            .bind(most as i32)
            .fetch_one(self.session.connection());
        let deleted = deleted.await;
        self.session.take_time().await?;
        let (rows, dependents, seconds): (i64, i64, f64) = deleted?;
        let held = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok((rows.unsigned_abs(), dependents.unsigned_abs(), held))
    }
}

impl Walk {
    fn deleted(&self, rows: u64, dependents: u64) -> Deleted {
        Deleted {
            table: self.table,
            rows,
            dependents: Some((self.dependents, dependents)),
        }
    }
}

impl Sum {
    fn add(&mut self, rows: u64, dependents: u64, held: Duration) {
        self.rows += rows;
        self.dependents += dependents;
        self.steps += 1;
        self.longest = self.longest.max(held);
    }
}

/// Before every row that PostgreSQL can hold with a finite time.
fn beginning() -> Place {
    let first = NaiveDate::from_ymd_opt(-4712, 1, 1).unwrap_or_default();
    (first.and_time(NaiveTime::MIN).and_utc(), i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[(i64, bool, i64)]) -> Vec<Row> {
        let row = |(id, expired, dependents): &(i64, bool, i64)| Row {
            at: DateTime::UNIX_EPOCH,
            id: *id,
            expired: *expired,
            dependents: *dependents,
        };
        rows.iter().map(row).collect()
    }

    fn step(rows: &[(i64, bool, i64)], budget: usize) -> (Vec<i64>, i64, bool) {
        let step = Step::of(&page(rows), budget).unwrap();
        (step.ids, step.end.1, step.more)
    }

    #[test]
    fn a_step_takes_what_fits_with_its_dependents_and_goes_on_there() {
        let rows = [(1, true, 1), (2, false, 9), (3, true, 1), (4, true, 0)];
        assert_eq!(step(&rows, 5), (vec![1, 3, 4], 4, false));
        assert_eq!(step(&rows, 4), (vec![1, 3], 3, true));
        assert_eq!(step(&rows, 3), (vec![1], 2, true), "what is kept is passed");
    }

    #[test]
    fn a_row_with_more_dependents_than_a_step_deletes_is_a_step_alone() {
        assert_eq!(step(&[(1, true, 9), (2, true, 0)], 5), (vec![1], 1, true));
    }

    #[test]
    fn a_page_that_is_full_may_have_another_behind_it() {
        assert_eq!(step(&[(1, false, 0), (2, false, 0)], 2), (vec![], 2, true));
        assert_eq!(step(&[(1, false, 0)], 2), (vec![], 1, false));
        assert_eq!(Step::of(&[], 2), None);
    }
}
