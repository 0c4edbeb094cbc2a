//! The hours of the last 7 days, added up.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, Connection, PgConnection, PgTransaction};

use super::tally::{Lengths, Seen, Tally, add_pairs};
use super::{REACH, hour_of, source_of, step_of};
use crate::explain::{ENOUGH, Step};

const HOURS: &str = "SELECT hour, payloads FROM learnt_hours WHERE hour >= $1 ORDER BY hour";

const STEPS: &str = "SELECT service_id, source_id, passed, took FROM step_hours WHERE hour = $1";

const FOLLOWERS: &str = "
SELECT service_id, source_id, next_service_id, next_source_id, wait
  FROM follower_hours WHERE hour = $1";

const FORGET: [&str; 3] = [
    "DELETE FROM learnt",
    "DELETE FROM step_statistics",
    "DELETE FROM follower_statistics",
];

const STORE_STEPS: &str = "
INSERT INTO step_statistics (service_id, source_id, passed, ended, p50, p95)
SELECT * FROM unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])";

const STORE_FOLLOWERS: &str = "
INSERT INTO follower_statistics
       (service_id, source_id, next_service_id, next_source_id, passed, followed, p50, p95)
SELECT * FROM unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::bigint[])";

const STORE: &str = "INSERT INTO learnt (computed_at, since, payloads) VALUES ($1, $2, $3)";

type WaitRow = (i32, i32, i32, i32, Vec<i32>);

/// Adds up the hours of the 7 days before `now`, those that begin within them and the one that they begin in.
///
/// # Errors
///
/// What the database answers; the former numbers then stay.
pub async fn roll_up(session: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let since = hour_of(now - REACH);
    let hours: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(HOURS)
        .bind(since)
        .fetch_all(&mut *session)
        .await?;
    let mut all = Tally::default();
    for (hour, payloads) in hours {
        all.payloads += payloads;
        add_hour(session, hour, &mut all).await?;
    }
    let mut transaction = session.begin().await?;
    for forget in FORGET {
        sqlx::query(forget).execute(&mut *transaction).await?;
    }
    store_steps(&mut transaction, &all.steps).await?;
    store_followers(&mut transaction, &all).await?;
    sqlx::query(STORE)
        .bind(now)
        .bind(since)
        .bind(all.payloads)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn add_hour(
    session: &mut PgConnection,
    hour: DateTime<Utc>,
    all: &mut Tally,
) -> Result<(), sqlx::Error> {
    let steps: Vec<(i32, i32, i64, Vec<i32>)> = sqlx::query_as(STEPS)
        .bind(hour)
        .fetch_all(&mut *session)
        .await?;
    for (service, source, passed, took) in steps {
        let seen = all.steps.entry(step_of(service, source)).or_default();
        seen.passed += passed;
        add_pairs(&mut seen.took, &took);
    }
    let waits: Vec<WaitRow> = sqlx::query_as(FOLLOWERS)
        .bind(hour)
        .fetch_all(session)
        .await?;
    for (service, source, next_service, next_source, wait) in waits {
        let way = (step_of(service, source), step_of(next_service, next_source));
        add_pairs(all.waits.entry(way).or_default(), &wait);
    }
    Ok(())
}

/// Whole milliseconds; none while it is empty.
fn quantile(lengths: &Lengths, q: f64) -> Option<i64> {
    let seconds = lengths.quantile(q)?;
    Some((seconds * 1_000.0).round().max(0.0) as i64)
}

async fn store_steps(
    transaction: &mut PgTransaction<'_>,
    steps: &BTreeMap<Step, Seen>,
) -> Result<(), sqlx::Error> {
    let seen = || steps.values();
    sqlx::query(STORE_STEPS)
        .bind(steps.keys().map(|step| step.service).collect::<Vec<_>>())
        .bind(
            steps
                .keys()
                .map(|step| source_of(*step))
                .collect::<Vec<_>>(),
        )
        .bind(seen().map(|seen| seen.passed).collect::<Vec<_>>())
        .bind(seen().map(|seen| seen.took.samples()).collect::<Vec<_>>())
        .bind(
            seen()
                .map(|seen| quantile(&seen.took, 0.5))
                .collect::<Vec<_>>(),
        )
        .bind(
            seen()
                .map(|seen| quantile(&seen.took, 0.95))
                .collect::<Vec<_>>(),
        )
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// What too few payloads did is nothing to go by, neither as what is due (half of at least
/// [`ENOUGH`]) nor to compare with.
async fn store_followers(
    transaction: &mut PgTransaction<'_>,
    all: &Tally,
) -> Result<(), sqlx::Error> {
    let passed = |step: &Step| all.steps.get(step).map_or(0, |seen| seen.passed);
    let rows: Vec<_> = all
        .waits
        .iter()
        .map(|((after, next), wait)| (after, next, passed(after), wait))
        .filter(|(_, _, passed, wait)| *passed >= ENOUGH && wait.samples() * 2 >= ENOUGH)
        .collect();
    let p = |q| {
        rows.iter()
            .map(|row| quantile(row.3, q))
            .collect::<Vec<_>>()
    };
    sqlx::query(STORE_FOLLOWERS)
        .bind(rows.iter().map(|row| row.0.service).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| source_of(*row.0)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.1.service).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| source_of(*row.1)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.3.samples()).collect::<Vec<_>>())
        .bind(p(0.5))
        .bind(p(0.95))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
