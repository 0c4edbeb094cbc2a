use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sqlx::{self, PgPool, PgTransaction};

use super::Skew;
use super::hour_of;

/// How long after its end an hour is judged: what a service began by then it had at least this long
/// to end.
pub const SETTLED_AFTER: TimeDelta = TimeDelta::hours(1);

/// How far from an hour the other statuses of its payloads are looked for, either way.
const HORIZON: TimeDelta = TimeDelta::hours(24);

/// An hour is read in pieces this long, so that no statement takes long.
const SLICE: TimeDelta = TimeDelta::minutes(1);

/// Unknown status names that are kept of a service and hour: the most frequent.
const UNKNOWN_NAMES: usize = 50;

/// An hour is judged no more often than this: the date of a clock that is hours behind makes an hour
/// that is over stale all the time.
const AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Hours whose day is expired keep the judgement they have: what it was read from is gone.
const NEXT_HOUR: &str = "
SELECT min(hour) FROM producer_hours AS p
 WHERE stale AND hour <= $1
   AND hour >= (SELECT coalesce(min(lower), 'infinity') FROM status_partitions())
   AND NOT EXISTS (SELECT FROM producer_hours AS j WHERE j.hour = p.hour AND j.judged_at > $2)";

const TOUCHED: &str = "SELECT service, touched FROM producer_hours WHERE hour = $1";

const ENDS: &str = "
SELECT id FROM statuses JOIN status_classes ON status = name WHERE class IN ('success', 'failure')";

const KNOWN: &str = "SELECT id FROM statuses JOIN status_classes ON status = name";

/// LATERAL with LIMIT: a few probes of an index a payload, whatever the statistics say. A join
/// would now and then read whole days.
const BEGAN: &str = "
WITH said AS (
    SELECT DISTINCT payload_id, service_id FROM payload_statuses WHERE date >= $1 AND date < $2
)
SELECT name, count(*), count(*) FILTER (WHERE ended.found IS NULL)
  FROM said
  LEFT JOIN LATERAL (
       SELECT true AS found FROM payload_statuses AS s
        WHERE s.payload_id = said.payload_id AND s.service_id = said.service_id
          AND s.date >= $3 AND s.date < $1
        LIMIT 1) AS earlier ON true
  LEFT JOIN LATERAL (
       SELECT true AS found FROM payload_statuses AS s
        WHERE s.payload_id = said.payload_id AND s.service_id = said.service_id
          AND s.date >= $1 AND s.date < $4 AND s.status_id = ANY($5)
        LIMIT 1) AS ended ON true
  JOIN services ON services.id = said.service_id
 WHERE earlier.found IS NULL
 GROUP BY name";

const UNKNOWN: &str = "
SELECT services.name, statuses.name, n
  FROM (SELECT service_id, status_id, count(*) AS n FROM payload_statuses
         WHERE date >= $1 AND date < $2 AND status_id <> ALL($3)
         GROUP BY service_id, status_id) AS said
  JOIN services ON services.id = service_id
  JOIN statuses ON statuses.id = status_id";

/// Equal in everything a message says; the text by its hash, for it may be long.
const DUPLICATES: &str = "
SELECT name, sum(copies - 1)::bigint
  FROM (SELECT service_id, count(*) AS copies FROM payload_statuses
         WHERE date >= $1 AND date < $2
         GROUP BY payload_id, service_id, source_id, status_id, date,
                  hashtextextended(coalesce(status_msg, ''), 0)
        HAVING count(*) > 1) AS said
  JOIN services ON services.id = service_id
 GROUP BY name";

/// Whatever was counted since the hour was looked at leaves it to be judged once more.
const STORE: &str = "
INSERT INTO producer_hours AS p
       (hour, service, began, unended, duplicates, unknown_statuses, judged_at, skew, stale)
SELECT $1, service, began, unended, duplicates, unknown::jsonb, $8, $9::bigint[], false
  FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
       AS n(service, touched, began, unended, duplicates, unknown)
ON CONFLICT (hour, service) DO UPDATE SET
       began = excluded.began, unended = excluded.unended, duplicates = excluded.duplicates,
       unknown_statuses = excluded.unknown_statuses,
       judged_at = excluded.judged_at,
       stale = p.touched IS DISTINCT FROM (
           SELECT n.touched FROM unnest($2::text[], $3::bigint[]) AS n(service, touched)
            WHERE n.service = p.service)";

/// Judges the oldest hour that is over since [`SETTLED_AFTER`], was not judged since something last
/// came for it, nor within the hour before `now`, and gives it; `None` when there is none. For each service of the hour:
///
/// - *began*: payloads whose first status of this service lies in the hour, as far as the 24 hours
///   before know.
/// - *unended*: of these, payloads without a status of class success or failure by this service, from
///   there until 24 hours after the hour, or until now.
/// - *duplicates*: statuses that say the same as another one, whole: payload, service, source,
///   status, date and message. Of n equal ones n - 1 count.
/// - *unknown statuses*: how often each name came that `status_classes` does not list; the 50 most
///   frequent.
///
/// Hours are those of the statuses' `date`, in UTC. Whatever comes late makes its hour be judged once
/// more (at most hourly), as long as its day has a partition; a day that is half gone is then judged by what is left.
/// A call reads one hour, a minute at a time, and may be interrupted: the hour then stays stale.
/// Two calls at once do no harm but the work twice.
///
/// # Errors
///
/// What the database answers.
pub async fn judge(
    pool: &PgPool,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let latest = hour_of(now - SETTLED_AFTER) - TimeDelta::hours(1);
    let hour: Option<DateTime<Utc>> = sqlx::query_scalar(NEXT_HOUR)
        .bind(latest)
        .bind(now - AGAIN_AFTER)
        .fetch_one(pool)
        .await?;
    let Some(hour) = hour else {
        return Ok(None);
    };
    let touched: Vec<(String, i64)> = sqlx::query_as(TOUCHED).bind(hour).fetch_all(pool).await?;
    let mut hearing = Hearing {
        ends: sqlx::query_scalar(ENDS).fetch_all(pool).await?,
        known: sqlx::query_scalar(KNOWN).fetch_all(pool).await?,
        hour,
        verdicts: BTreeMap::new(),
    };
    for (service, _) in &touched {
        hearing.verdict(service);
    }
    let mut from = hour;
    while from < hour + TimeDelta::hours(1) {
        hearing.hear(pool, from, from + SLICE).await?;
        from += SLICE;
    }
    let mut transaction = pool.begin().await?;
    hearing
        .store(&mut transaction, &touched.into_iter().collect(), now)
        .await?;
    transaction.commit().await?;
    Ok(Some(hour))
}

/// What an hour's statuses say of one service.
#[derive(Debug, Default)]
struct Verdict {
    began: i64,
    unended: i64,
    duplicates: i64,
    unknown: BTreeMap<String, i64>,
}

impl Verdict {
    /// As JSON, with the most frequent names only.
    fn unknown_json(&self) -> String {
        let mut names: Vec<(&String, &i64)> = self.unknown.iter().collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        names.truncate(UNKNOWN_NAMES);
        let names: serde_json::Map<String, serde_json::Value> = names
            .into_iter()
            .map(|(name, count)| (name.clone(), (*count).into()))
            .collect();
        serde_json::Value::Object(names).to_string()
    }
}

struct Hearing {
    hour: DateTime<Utc>,
    /// Status names that end a payload, by id.
    ends: Vec<i32>,
    /// Status names that have a class, by id.
    known: Vec<i32>,
    verdicts: BTreeMap<String, Verdict>,
}

impl Hearing {
    fn verdict(&mut self, service: &str) -> &mut Verdict {
        self.verdicts.entry(service.to_owned()).or_default()
    }

    /// Reads the statuses of one slice.
    async fn hear(
        &mut self,
        pool: &PgPool,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let began: Vec<(String, i64, i64)> = sqlx::query_as(BEGAN)
            .bind(from)
            .bind(to)
            .bind(from - HORIZON)
            .bind(self.hour + TimeDelta::hours(1) + HORIZON)
            .bind(&self.ends)
            .fetch_all(pool)
            .await?;
        for (service, began, unended) in began {
            let verdict = self.verdict(&service);
            verdict.began += began;
            verdict.unended += unended;
        }
        let unknown: Vec<(String, String, i64)> = sqlx::query_as(UNKNOWN)
            .bind(from)
            .bind(to)
            .bind(&self.known)
            .fetch_all(pool)
            .await?;
        for (service, status, count) in unknown {
            *self.verdict(&service).unknown.entry(status).or_default() += count;
        }
        let duplicates: Vec<(String, i64)> = sqlx::query_as(DUPLICATES)
            .bind(from)
            .bind(to)
            .fetch_all(pool)
            .await?;
        for (service, copies) in duplicates {
            self.verdict(&service).duplicates += copies;
        }
        Ok(())
    }

    /// In order, as [`super::count`] takes the same rows.
    async fn store(
        &self,
        transaction: &mut PgTransaction<'_>,
        touched: &HashMap<String, i64>,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let verdicts = || self.verdicts.values();
        let seen = |service: &String| touched.get(service).copied();
        sqlx::query(STORE)
            .bind(self.hour)
            .bind(self.verdicts.keys().collect::<Vec<_>>())
            .bind(self.verdicts.keys().map(seen).collect::<Vec<_>>())
            .bind(verdicts().map(|v| v.began).collect::<Vec<_>>())
            .bind(verdicts().map(|v| v.unended).collect::<Vec<_>>())
            .bind(verdicts().map(|v| v.duplicates).collect::<Vec<_>>())
            .bind(verdicts().map(Verdict::unknown_json).collect::<Vec<_>>())
            .bind(now)
            .bind(Skew::default().literal())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}
