//! A look at some payloads.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sea_orm::sqlx::{self, Connection, PgConnection, PgTransaction};

use crate::explain::{
    Class, Finding, Follower, Path, Spread, Statistics, Status, Step, StepStatistics, Verdict,
};
use crate::store::learning::{all_classes, source_of, step_of};

/// Statuses of one payload that are looked at: the newest.
const MOST_STATUSES: i64 = 200;

const STEPS: &str = "
SELECT service_id, source_id, passed, ended, p50, p95 FROM step_statistics";

const FOLLOWERS: &str = "
SELECT service_id, source_id, next_service_id, next_source_id, followed, p50, p95
  FROM follower_statistics WHERE followed * 2 >= passed";

const PAYLOADS: &str = "
SELECT id, created_at, first_day, last_day FROM payloads WHERE id = ANY($1)";

const STATUSES: &str = "
SELECT said.* FROM unnest($1::bigint[]) AS p(id) CROSS JOIN LATERAL (
    SELECT payload_id, id, service_id, source_id, status_id, date FROM payload_statuses AS s
     WHERE s.payload_id = p.id
       AND s.date >= coalesce($2, '-infinity'::timestamptz)
       AND s.date < coalesce($3, 'infinity'::timestamptz)
     ORDER BY s.date DESC, s.id DESC LIMIT $4) AS said";

const FORGET: &str = "DELETE FROM open_payloads WHERE payload_id = ANY($1)";

const STORE: &str = "
INSERT INTO open_payloads
       (looked_at, payload_id, service_id, source_id, is_before, since, due_at)
SELECT $1, n.* FROM unnest($2::bigint[], $3::int[], $4::int[], $5::boolean[], $6::timestamptz[],
                           $7::timestamptz[]) AS n";

type StepRow = (i32, i32, i64, i64, Option<i64>, Option<i64>);
type FollowerRow = (i32, i32, i32, i32, i64, i64, i64);
type PayloadRow = (i64, DateTime<Utc>, Option<NaiveDate>, Option<NaiveDate>);
type StatusRow = (i64, i64, i32, Option<i32>, i32, DateTime<Utc>);

/// Where a payload is stuck.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    step: Step,
    /// The step was to be entered, not to end.
    is_before: bool,
    since: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

/// Looks at payloads as explain does, with all there is to know of what is usual.
pub struct Looker {
    statistics: Statistics,
    classes: HashMap<i32, Class>,
    now: DateTime<Utc>,
}

impl Looker {
    pub async fn new(session: &mut PgConnection, now: DateTime<Utc>) -> Result<Self, sqlx::Error> {
        let mut statistics = Statistics::default();
        let steps: Vec<StepRow> = sqlx::query_as(STEPS).fetch_all(&mut *session).await?;
        for (service, source, passed, ended, p50, p95) in steps {
            let took = p50.zip(p95).map(|(p50, p95)| spread(ended, p50, p95));
            statistics.put_step(step_of(service, source), StepStatistics { passed, took });
        }
        let followers: Vec<FollowerRow> =
            sqlx::query_as(FOLLOWERS).fetch_all(&mut *session).await?;
        for (service, source, next_service, next_source, followed, p50, p95) in followers {
            let follower = Follower {
                step: step_of(next_service, next_source),
                wait: spread(followed, p50, p95),
            };
            statistics.put_follower(step_of(service, source), follower);
        }
        Ok(Self {
            statistics,
            classes: all_classes(session).await?,
            now,
        })
    }

    /// Writes which of these payloads are open, and gives how many are.
    pub async fn look_at(
        &self,
        session: &mut PgConnection,
        payloads: &[i64],
    ) -> Result<i64, sqlx::Error> {
        let mut open = Vec::new();
        let found: Vec<PayloadRow> = sqlx::query_as(PAYLOADS)
            .bind(payloads)
            .fetch_all(&mut *session)
            .await?;
        let mut statuses = self.statuses(session, &found).await?;
        for (id, created_at, _, _) in found {
            let path: Path = statuses
                .remove(&id)
                .unwrap_or_default()
                .into_iter()
                .collect();
            let finding = Finding::of(&path, created_at, &self.statistics, self.now);
            if matches!(finding.verdict, Verdict::Stuck | Verdict::InProgress) {
                open.push((id, self.stuck(&finding)));
            }
        }
        let mut transaction = session.begin().await?;
        sqlx::query(FORGET)
            .bind(payloads)
            .execute(&mut *transaction)
            .await?;
        self.store(&mut transaction, &open).await?;
        transaction.commit().await?;
        Ok(open.len() as i64)
    }

    async fn statuses(
        &self,
        session: &mut PgConnection,
        payloads: &[PayloadRow],
    ) -> Result<HashMap<i64, Vec<Status>>, sqlx::Error> {
        let days = payloads.iter().map(|(_, _, first, last)| first.zip(*last));
        let days: Option<Vec<_>> = days.collect();
        let days = days.unwrap_or_default();
        let first = days.iter().map(|(first, _)| *first).min();
        let after = days.iter().filter_map(|(_, last)| last.succ_opt()).max();
        let rows: Vec<StatusRow> = sqlx::query_as(STATUSES)
            .bind(payloads.iter().map(|row| row.0).collect::<Vec<_>>())
            .bind(first.map(midnight))
            .bind(after.map(midnight))
            .bind(MOST_STATUSES)
            .fetch_all(session)
            .await?;
        let mut found: HashMap<i64, Vec<Status>> = HashMap::new();
        for (payload, id, service, source, name, date) in rows {
            found.entry(payload).or_default().push(Status {
                id,
                step: Step { service, source },
                name,
                class: self.classes.get(&name).copied().unwrap_or(Class::Progress),
                date,
            });
        }
        Ok(found)
    }

    /// None of what is not past its p95.
    fn stuck(&self, finding: &Finding) -> Option<Stuck> {
        let overdue = |one: &&crate::explain::Expectation| one.overdue(self.now).is_some();
        let first = finding.expected.iter().find(overdue)?;
        Some(Stuck {
            step: first.awaited.step(),
            is_before: finding.before.is_some(),
            since: first.since?,
            due_at: first.by()?,
        })
    }

    async fn store(
        &self,
        transaction: &mut PgTransaction<'_>,
        open: &[(i64, Option<Stuck>)],
    ) -> Result<(), sqlx::Error> {
        let stuck = || open.iter().map(|(_, stuck)| *stuck);
        sqlx::query(STORE)
            .bind(self.now)
            .bind(open.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(
                stuck()
                    .map(|one| one.map(|one| one.step.service))
                    .collect::<Vec<_>>(),
            )
            .bind(
                stuck()
                    .map(|one| one.map(|one| source_of(one.step)))
                    .collect::<Vec<_>>(),
            )
            .bind(
                stuck()
                    .map(|one| one.map(|one| one.is_before))
                    .collect::<Vec<_>>(),
            )
            .bind(
                stuck()
                    .map(|one| one.map(|one| one.since))
                    .collect::<Vec<_>>(),
            )
            .bind(
                stuck()
                    .map(|one| one.map(|one| one.due_at))
                    .collect::<Vec<_>>(),
            )
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

fn spread(samples: i64, p50: i64, p95: i64) -> Spread {
    Spread {
        samples,
        p50: TimeDelta::milliseconds(p50),
        p95: TimeDelta::milliseconds(p95),
    }
}
