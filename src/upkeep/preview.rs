//! What a round would do, without doing it.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sqlx::{self, Connection, PgConnection};

use super::{Limits, Partition, Partitions};
use crate::config::{Database, Retention};
use crate::store::session::{self, Role};

const LEFTOVERS: &str = "SELECT name FROM expired_partitions ORDER BY name";

/// What a payload must be to go. The statuses of partitions that go first are gone by then.
const PAYLOADS: &str = "
SELECT count(*), coalesce(sum((SELECT count(*) FROM payload_ids WHERE payload_id = p.id)), 0)::bigint
  FROM payloads AS p
 WHERE created_at < $1 AND coalesce(last_day < $1::date, true)
   AND (last_day < least($2, $1)::date OR NOT EXISTS (
       SELECT FROM payload_statuses AS s
        WHERE s.payload_id = p.id AND s.date >= coalesce($2, '-infinity') OFFSET 0))";

const OTHERS: [(&str, &str); 4] = [
    (
        "rejects",
        "SELECT count(*) FROM rejects WHERE received_at < $1",
    ),
    (
        "redrives",
        "SELECT count(*) FROM redrives JOIN rejects ON rejects.id = reject_id
          WHERE received_at < $1",
    ),
    (
        "producer_hours",
        "SELECT count(*) FROM producer_hours WHERE hour < $1",
    ),
    (
        "reject_hours",
        "SELECT count(*) FROM reject_hours WHERE hour < $1",
    ),
];

/// The list of what is to be made and what is to go.
#[derive(Clone, Debug)]
pub struct Preview {
    pub limits: Limits,
    /// Days that no partition covers wholly.
    pub missing: Vec<NaiveDate>,
    pub default: Option<String>,
    /// Partitions that go, the oldest first.
    pub expired: Vec<Partition>,
    /// Of a round that did not end.
    pub leftovers: Vec<String>,
    /// Tables with the number of rows that go; `None` where counting took too long.
    pub rows: Vec<(&'static str, Option<i64>)>,
}

impl Preview {
    /// Looks, and changes nothing.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub async fn read(database: &Database, retention: &Retention) -> Result<Self, sqlx::Error> {
        let mut session = session::open(database, Role::Tool).await?;
        let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()")
            .fetch_one(&mut session)
            .await?;
        let limits = Limits::at(now.min(Utc::now()), retention);
        let partitions = Partitions::read(&mut session).await?;
        let expired: Vec<_> = partitions.expired(limits.keep_from()).cloned().collect();
        let preview = Self {
            limits,
            missing: limits
                .days_ahead()
                .filter(|day| !partitions.cover(*day))
                .collect(),
            default: partitions.default().map(|partition| partition.name.clone()),
            leftovers: sqlx::query_scalar(LEFTOVERS)
                .fetch_all(&mut session)
                .await?,
            rows: rows(&mut session, &limits, &partitions).await?,
            expired,
        };
        session.close().await?;
        Ok(preview)
    }
}

async fn rows(
    session: &mut PgConnection,
    limits: &Limits,
    partitions: &Partitions,
) -> Result<Vec<(&'static str, Option<i64>)>, sqlx::Error> {
    let counted = sqlx::query_as(PAYLOADS)
        .bind(limits.keep_from())
        .bind(partitions.begin_after(limits.keep_from()))
        .fetch_one(&mut *session)
        .await;
    let counted: Option<(i64, i64)> = unless_slow(counted)?;
    let mut rows = vec![
        ("payloads", counted.map(|(payloads, _)| payloads)),
        ("payload_ids", counted.map(|(_, ids)| ids)),
    ];
    for (table, sql) in OTHERS {
        let counted = sqlx::query_scalar(sql)
            .bind(limits.rejects_from)
            .fetch_one(&mut *session)
            .await;
        rows.push((table, unless_slow(counted)?));
    }
    Ok(rows)
}

fn unless_slow<T>(counted: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match counted {
        Err(error) if super::session::is_slow(&error) => Ok(None),
        counted => counted.map(Some),
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kept are statuses from {} on", self.limits.oldest_day)?;
        for name in &self.leftovers {
            writeln!(f, "finish  {name}, of a round that did not end")?;
        }
        for day in &self.missing {
            writeln!(f, "make    the partition of {day}")?;
        }
        for partition in &self.expired {
            writeln!(f, "drop    {partition}")?;
        }
        for (table, rows) in &self.rows {
            match rows {
                Some(0) => {}
                Some(rows) => writeln!(f, "delete  {rows} rows of {table}")?,
                None => writeln!(f, "delete  rows of {table}: too many to count in a minute")?,
            }
        }
        if let Some(name) = &self.default {
            writeln!(
                f,
                "keep    {name}, a default partition: its rows do not expire"
            )?;
        }
        let idle = self.missing.is_empty() && self.expired.is_empty() && self.leftovers.is_empty();
        if idle && self.rows.iter().all(|(_, rows)| *rows == Some(0)) {
            writeln!(f, "nothing to do")?;
        }
        Ok(())
    }
}
