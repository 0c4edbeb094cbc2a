//! What was learnt, for whoever answers questions.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use super::{class_of, step_of};
use crate::explain::{Class, Follower, Spread, Statistics, StepStatistics};

/// What the statistics are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Learnt {
    pub computed_at: DateTime<Utc>,
    /// The beginning of the first hour.
    pub since: DateTime<Utc>,
    /// Payloads that they are read from; of a busy minute only the first thousand.
    pub payloads: i64,
}

const CLASSES: &str = "
SELECT id, class FROM statuses JOIN status_classes ON status = name WHERE id = ANY($1)";

const STEPS: &str = "
SELECT service_id, source_id, passed, ended, p50, p95 FROM step_statistics
 WHERE service_id = ANY($1)";

/// What is due after the services, and what connects them.
const FOLLOWERS: &str = "
SELECT service_id, source_id, next_service_id, next_source_id, followed, p50, p95
  FROM follower_statistics
 WHERE service_id = ANY($1) AND (followed * 2 >= passed OR next_service_id = ANY($1))";

#[derive(FromQueryResult)]
struct ClassRow {
    id: i32,
    class: String,
}

#[derive(FromQueryResult)]
struct StepRow {
    service_id: i32,
    source_id: i32,
    passed: i64,
    ended: i64,
    p50: Option<i64>,
    p95: Option<i64>,
}

#[derive(FromQueryResult)]
struct FollowerRow {
    service_id: i32,
    source_id: i32,
    next_service_id: i32,
    next_source_id: i32,
    followed: i64,
    p50: i64,
    p95: i64,
}

/// The classes of status names, by their ids; one that is not among them is progress.
///
/// # Errors
/// Whatever the database answers.
pub async fn classes(
    ids: Vec<i32>,
    db: &impl ConnectionTrait,
) -> Result<HashMap<i32, Class>, DbErr> {
    let rows: Vec<ClassRow> = all(CLASSES, Some(ids), db).await?;
    let class = |row: ClassRow| (row.id, class_of(&row.class));
    Ok(rows.into_iter().map(class).collect())
}

/// What the statistics are of; none before the first were computed.
///
/// # Errors
/// Whatever the database answers.
pub async fn learnt(db: &impl ConnectionTrait) -> Result<Option<Learnt>, DbErr> {
    let rows = all("SELECT computed_at, since, payloads FROM learnt", None, db).await?;
    Ok(rows.into_iter().next())
}

/// What is known of the steps of these services.
///
/// # Errors
/// Whatever the database answers.
pub async fn statistics(
    services: Vec<i32>,
    db: &impl ConnectionTrait,
) -> Result<Statistics, DbErr> {
    let mut statistics = Statistics::default();
    for row in all::<StepRow>(STEPS, Some(services.clone()), db).await? {
        let spread = |(p50, p95)| spread(row.ended, p50, p95);
        let known = StepStatistics {
            passed: row.passed,
            took: row.p50.zip(row.p95).map(spread),
        };
        statistics.put_step(step_of(row.service_id, row.source_id), known);
    }
    for row in all::<FollowerRow>(FOLLOWERS, Some(services), db).await? {
        let follower = Follower {
            step: step_of(row.next_service_id, row.next_source_id),
            wait: spread(row.followed, row.p50, row.p95),
        };
        statistics.put_follower(step_of(row.service_id, row.source_id), follower);
    }
    Ok(statistics)
}

fn spread(samples: i64, p50: i64, p95: i64) -> Spread {
    Spread {
        samples,
        p50: TimeDelta::milliseconds(p50),
        p95: TimeDelta::milliseconds(p95),
    }
}

async fn all<T: FromQueryResult + Send + Sync>(
    sql: &'static str,
    ids: Option<Vec<i32>>,
    db: &impl ConnectionTrait,
) -> Result<Vec<T>, DbErr> {
    let values = ids.map(sea_orm::Value::from);
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    T::find_by_statement(statement).all(db).await
}
