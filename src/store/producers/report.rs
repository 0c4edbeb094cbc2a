use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use super::Skew;
use super::hour_of;

/// What services sent since the beginning of an hour.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The beginning of the first hour.
    pub since: DateTime<Utc>,
    /// The end of the last hour that is judged; what comes after it is only counted so far.
    pub judged_until: Option<DateTime<Utc>>,
    /// By service; `""` where none could be read.
    pub producers: BTreeMap<String, Producer>,
}

/// What one service sent. [`super::judge`] says what the judged numbers are.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    /// Statuses and rejects.
    pub messages: i64,
    /// Rejects by reason.
    pub rejects: BTreeMap<String, i64>,
    /// Messages without org_id, and rejects for want of it.
    pub missing_org_id: i64,
    /// Of statuses.
    pub skew: Skew,
    pub began: i64,
    pub unended: i64,
    pub duplicates: i64,
    /// How often each name came that no class lists.
    pub unknown_statuses: BTreeMap<String, i64>,
}

const JUDGED: &str = "
SELECT max(hour) + interval '1 hour' AS until FROM producer_hours
 WHERE hour >= $1 AND judged_at IS NOT NULL";

const COUNTS: &str = "
SELECT service, sum(messages)::bigint AS messages, sum(missing_org_id)::bigint AS missing_org_id,
       coalesce(sum(began), 0)::bigint AS began, coalesce(sum(unended), 0)::bigint AS unended,
       coalesce(sum(duplicates), 0)::bigint AS duplicates
  FROM producer_hours WHERE hour >= $1 GROUP BY service";

const REJECTS: &str = "
SELECT service, reason AS name, sum(count)::bigint AS count
  FROM reject_hours WHERE hour >= $1 GROUP BY service, reason";

const UNKNOWN: &str = "
SELECT service, key AS name, sum(value::bigint)::bigint AS count
  FROM producer_hours, jsonb_each_text(unknown_statuses)
 WHERE hour >= $1 AND unknown_statuses <> '{}' GROUP BY service, key";

const SKEW: &str = "
SELECT service, place - 1 AS bucket, sum(n)::bigint AS count
  FROM producer_hours, unnest(skew) WITH ORDINALITY AS s(n, place)
 WHERE hour >= $1 AND n > 0 GROUP BY service, place";

#[derive(FromQueryResult)]
struct Judged {
    until: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Counts {
    service: String,
    messages: i64,
    missing_org_id: i64,
    began: i64,
    unended: i64,
    duplicates: i64,
}

#[derive(FromQueryResult)]
struct Named {
    service: String,
    name: String,
    count: i64,
}

#[derive(FromQueryResult)]
struct Bucket {
    service: String,
    bucket: i64,
    count: i64,
}

/// Adds up whole hours, from the one that `since` lies in.
///
/// # Errors
///
/// What the database answers.
pub async fn report(db: &impl ConnectionTrait, since: DateTime<Utc>) -> Result<Report, DbErr> {
    let since = hour_of(since);
    let judged: Vec<Judged> = rows(db, JUDGED, since).await?;
    let mut producers: BTreeMap<String, Producer> = BTreeMap::new();
    for counts in rows::<Counts>(db, COUNTS, since).await? {
        let producer = producers.entry(counts.service).or_default();
        producer.messages = counts.messages;
        producer.missing_org_id = counts.missing_org_id;
        producer.began = counts.began;
        producer.unended = counts.unended;
        producer.duplicates = counts.duplicates;
    }
    for Named {
        service,
        name,
        count,
    } in rows(db, REJECTS, since).await?
    {
        let producer = producers.entry(service).or_default();
        producer.rejects.insert(name, count);
    }
    for Named {
        service,
        name,
        count,
    } in rows(db, UNKNOWN, since).await?
    {
        let producer = producers.entry(service).or_default();
        producer.unknown_statuses.insert(name, count);
    }
    for Bucket {
        service,
        bucket,
        count,
    } in rows(db, SKEW, since).await?
    {
        let index = usize::try_from(bucket).unwrap_or(usize::MAX);
        producers
            .entry(service)
            .or_default()
            .skew
            .add_to(index, count);
    }
    Ok(Report {
        since,
        judged_until: judged.into_iter().find_map(|row| row.until),
        producers,
    })
}

async fn rows<T: FromQueryResult + Send + Sync>(
    db: &impl ConnectionTrait,
    sql: &'static str,
    since: DateTime<Utc>,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [since.into()]);
    T::find_by_statement(statement).all(db).await
}
