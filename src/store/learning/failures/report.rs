//! Failures, for whoever asks.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use super::{minute_of, own};

/// A kind of failure: a service and a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub service: i32,
    pub fingerprint: i64,
}

/// How a kind of failure went in some time.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Failure {
    pub service: String,
    pub fingerprint: i64,
    pub text: String,
    /// That first failed so in that time.
    pub payloads: i64,
    pub orgs: i64,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    /// Request ids.
    pub examples: Vec<String>,
}

/// How other payloads failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Similar {
    /// Other payloads that first failed so in the hour before.
    pub payloads: i64,
    /// As far as it is remembered.
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
}

const RANKED: &str = "
WITH kinds AS MATERIALIZED (
    SELECT service_id, fingerprint, sum(payloads)::bigint AS payloads,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen
      FROM failure_minutes WHERE minute >= $1 GROUP BY service_id, fingerprint
     ORDER BY payloads DESC, service_id, fingerprint LIMIT $2)
SELECT services.name AS service, kinds.fingerprint, text, payloads, orgs,
       kinds.first_seen, kinds.last_seen, examples
  FROM kinds
  JOIN failures USING (service_id, fingerprint)
  JOIN services ON services.id = service_id
 CROSS JOIN LATERAL (
     SELECT count(DISTINCT org) AS orgs FROM failure_minutes AS m, unnest(m.orgs) AS org
      WHERE m.minute >= $1 AND (m.service_id, m.fingerprint) = (kinds.service_id, kinds.fingerprint)
     ) AS affected
 CROSS JOIN LATERAL (
     SELECT ARRAY(
         SELECT example FROM failure_minutes AS m, unnest(m.examples) WITH ORDINALITY AS e(example, place)
          WHERE m.minute >= $1 AND (m.service_id, m.fingerprint) = (kinds.service_id, kinds.fingerprint)
          ORDER BY m.minute DESC, place LIMIT 3) AS examples) AS shown
 ORDER BY payloads DESC, orgs DESC, kinds.last_seen DESC, service, kinds.fingerprint";

/// Where the payload itself is among them it is taken away again.
const SIMILAR: &str = "
SELECT first_seen, last_seen, coalesce((
           SELECT sum(payloads) FROM failure_minutes AS m
            WHERE (m.service_id, m.fingerprint) = ($1, $2) AND m.minute >= $3), 0)::bigint - (
           SELECT count(*) FROM unnest($4, $5) AS own(minute, date) JOIN failure_minutes AS m USING (minute)
            WHERE (m.service_id, m.fingerprint) = ($1, $2) AND own.date <= m.last_seen) AS payloads
  FROM failures WHERE (service_id, fingerprint) = ($1, $2)";

/// The `most` kinds of failures since a minute that most payloads first failed with, ranked by payloads,
/// then by orgs.
///
/// # Errors
/// Whatever the database answers.
pub async fn failures(
    since: DateTime<Utc>,
    most: i64,
    db: &impl ConnectionTrait,
) -> Result<Vec<Failure>, DbErr> {
    let values = [since.into(), most.into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, RANKED, values);
    Failure::find_by_statement(statement).all(db).await
}

/// How many payloads but these, which are one, first failed in this way in the hour before `now`, to the
/// minute; none where the failure is not counted yet.
///
/// # Errors
/// Whatever the database answers.
pub async fn similar(
    kind: Kind,
    payloads: &[i64],
    now: DateTime<Utc>,
    db: &impl ConnectionTrait,
) -> Result<Option<Similar>, DbErr> {
    let since = minute_of(now - TimeDelta::hours(1));
    let own = own::counted(kind, payloads, since, db).await?;
    let (minutes, dates): (Vec<_>, Vec<_>) = own.into_iter().unzip();
    let values = [
        kind.service.into(),
        kind.fingerprint.into(),
        since.into(),
        minutes.into(),
        dates.into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, SIMILAR, values);
    Similar::find_by_statement(statement).one(db).await
}
